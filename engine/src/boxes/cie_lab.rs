//! Parameters of CIELab as a colour space of a picture (T.801 M.11.7.4.1).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// Parameters of the enumerated colour space CIELab ("EP"): a sample `N` of `n` bits stands for
/// `(N - offset) * range / (2^n - 1)`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CieLab {
    /// Ranges of L*, a* and b* ("RL", "Ra", "Rb").
    pub ranges: [u32; 3],
    /// Their offsets in samples ("OL", "Oa", "Ob").
    pub offsets: [u32; 3],
    /// Illuminant ("IL"), as the file codes it: [`Self::D50`] and others.
    pub illuminant: u32,
}

impl CieLab {
    /// The illuminant D50.
    pub const D50: u32 = 0x0044_3530;

    /// What holds where the file gives no parameters. `depths`: bits of the samples of L*, a* and b*, at least 3.
    #[must_use]
    pub fn default_for(depths: [u8; 3]) -> Self {
        let power = |exponent: u8| 1_u32 << exponent.clamp(0, 31);
        let [_, a, b] = depths.map(|depth| depth.clamp(3, 32));
        Self {
            ranges: [100, 170, 200],
            offsets: [0, power(a - 1), power(b - 2) + power(b - 3)],
            illuminant: Self::D50,
        }
    }

    /// From what follows the number of the colour space; `None` if nothing does.
    pub(super) fn parse(body: &mut BoxBody<'_>) -> Result<Option<Self>, ContainerError> {
        if body.rest().is_empty() {
            return Ok(None);
        }
        let mut pair = || Ok::<_, ContainerError>((body.u32()?, body.u32()?));
        let [l, a, b] = [pair()?, pair()?, pair()?];
        let illuminant = body.u32()?;
        Ok(Some(Self { ranges: [l.0, a.0, b.0], offsets: [l.1, a.1, b.1], illuminant }))
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn the_fields_stand_in_their_order() {
        let bytes: Vec<u8> = [1_u32, 2, 3, 4, 5, 6, 7].iter().flat_map(|value| value.to_be_bytes()).collect();
        let parse = |bytes| CieLab::parse(&mut BoxBody::new(*b"colr", 0, bytes));
        let lab = CieLab { ranges: [1, 3, 5], offsets: [2, 4, 6], illuminant: 7 };
        assert_eq!(parse(&bytes).unwrap(), Some(lab));
        assert_eq!(parse(&[]).unwrap(), None);
        assert!(parse(&bytes[..27]).is_err());
    }
}
