//! Channel definition box (T.800 I.5.3.6).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// What one channel means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChannelDefinition {
    /// The channel ("Cn"): an entry of the component mapping or, without one, a component.
    pub channel: u16,
    /// Its type ("Typ").
    pub kind: ChannelKind,
    /// The colour it belongs to ("Asoc"): 0 the whole image, 1 the first colour ..., 65 535 none.
    pub association: u16,
}

/// Type of a channel (T.800 Table I.16).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ChannelKind {
    /// A colour (0).
    Colour,
    /// Opacity (1).
    Opacity,
    /// Opacity by which the colours have been multiplied (2).
    PremultipliedOpacity,
    /// Not specified (65 535), or a number kept for later use.
    Unspecified(u16),
}

impl ChannelDefinition {
    pub(crate) fn parse_all(mut body: BoxBody<'_>) -> Result<Vec<Self>, ContainerError> {
        let count = body.u16()?;
        if count == 0 {
            return Err(body.error("it defines no channel"));
        }
        if body.rest().len() / 6 < usize::from(count) {
            return Err(body.error(format!("{} bytes are too few for {count} channels", body.rest().len())));
        }
        (0..count)
            .map(|_| {
                let channel = body.u16()?;
                let kind = match body.u16()? {
                    0 => ChannelKind::Colour,
                    1 => ChannelKind::Opacity,
                    2 => ChannelKind::PremultipliedOpacity,
                    other => ChannelKind::Unspecified(other),
                };
                Ok(Self { channel, kind, association: body.u16()? })
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn all_types_are_told_apart_and_short_boxes_are_refused() {
        let bytes = [0, 3, 0, 2, 0, 0, 0, 1, 0, 3, 0, 2, 0, 0, 0, 4, 0xff, 0xff, 0xff, 0xff];
        let parse = |bytes| ChannelDefinition::parse_all(BoxBody::new(*b"cdef", 0, bytes));
        assert_eq!(
            parse(&bytes).unwrap(),
            [
                ChannelDefinition { channel: 2, kind: ChannelKind::Colour, association: 1 },
                ChannelDefinition { channel: 3, kind: ChannelKind::PremultipliedOpacity, association: 0 },
                ChannelDefinition { channel: 4, kind: ChannelKind::Unspecified(65_535), association: 65_535 },
            ]
        );
        assert!(parse(&bytes[..19]).is_err());
        assert!(parse(&[0, 0]).is_err());
    }
}
