//! Palette and component mapping boxes (T.800 I.5.3.4, I.5.3.5).

use super::box_header::BoxBody;
use super::image_header::BitDepth;
use crate::error::ContainerError;

/// A palette: up to 1024 entries of up to 255 columns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Palette {
    /// Entries ("NE"), 1 to 1024.
    pub entries: u16,
    /// Depth and sign of each column; there are as many columns ("NPC"), 1 to 255.
    pub columns: Vec<BitDepth>,
    /// Entry by entry, in each the columns in order: `entries * columns.len()` values.
    pub values: Vec<i64>,
}

/// Where one channel comes from (one entry of the Component Mapping box).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentMapping {
    /// Component of the codestream ("CMP").
    pub component: u16,
    /// Palette column its samples index ("MTYP" 1, "PCOL"); `None`: used as they are ("MTYP" 0).
    pub palette_column: Option<u8>,
}

impl Palette {
    /// The values of one column, entry by entry.
    pub fn column(&self, column: usize) -> impl Iterator<Item = i64> + '_ {
        self.values.iter().skip(column).step_by(self.columns.len().max(1)).copied()
    }

    pub(crate) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let entries = body.u16()?;
        if entries == 0 || entries > 1024 {
            return Err(body.error(format!("{entries} entries are not 1 to 1024")));
        }
        let columns = body.u8()?;
        if columns == 0 {
            return Err(body.error("it has no columns"));
        }
        let columns = (0..columns)
            .map(|_| {
                let byte = body.u8()?;
                BitDepth::from_byte(byte).ok_or_else(|| body.error("the bit depth of a column is above 38"))
            })
            .collect::<Result<Vec<_>, _>>()?;
        let row: usize = columns.iter().map(|bits| bytes_of(*bits)).sum();
        if body.rest().len() / row < usize::from(entries) {
            return Err(body.error(format!(
                "{} bytes are too few for {entries} entries of {row} bytes",
                body.rest().len()
            )));
        }
        let mut values = Vec::with_capacity(usize::from(entries) * columns.len());
        for _ in 0..entries {
            for &bits in &columns {
                let mut value = 0i64;
                for _ in 0..bytes_of(bits) {
                    value = value << 8 | i64::from(body.u8()?);
                }
                // Bits above the depth are padding.
                let unused = 64 - u32::from(bits.depth);
                values.push(if bits.signed {
                    value << unused >> unused
                } else {
                    value & (u64::MAX >> unused) as i64
                });
            }
        }
        Ok(Self { entries, columns, values })
    }
}

impl ComponentMapping {
    pub(crate) fn parse_all(mut body: BoxBody<'_>) -> Result<Vec<Self>, ContainerError> {
        let count = body.rest().len() / 4;
        if count == 0 {
            return Err(body.error("it maps no channel"));
        }
        (0..count)
            .map(|_| {
                let component = body.u16()?;
                let mapping = body.u8()?;
                let column = body.u8()?;
                match mapping {
                    0 => Ok(Self { component, palette_column: None }),
                    1 => Ok(Self { component, palette_column: Some(column) }),
                    other => Err(body.error(format!("mapping type {other} is neither 0 nor 1"))),
                }
            })
            .collect()
    }
}

/// Bytes that one value of a column takes.
fn bytes_of(bits: BitDepth) -> usize {
    usize::from(bits.depth).div_ceil(8)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn palette(bytes: &[u8]) -> Result<Palette, ContainerError> {
        Palette::parse(BoxBody::new(*b"pclr", 0, bytes))
    }

    #[test]
    fn columns_have_their_own_depth_and_sign() {
        // Two entries of (8 bit unsigned, 12 bit signed, 33 bit unsigned).
        let bytes = [0, 2, 3, 7, 0x8b, 32, 200, 0x0f, 0xff, 1, 2, 3, 4, 5, 7, 0x07, 0xff, 0xff, 0, 0, 0, 1];
        let palette = palette(&bytes).unwrap();
        assert_eq!(palette.column(0).collect::<Vec<_>>(), [200, 7]);
        assert_eq!(palette.column(1).collect::<Vec<_>>(), [-1, 2047]);
        assert_eq!(palette.column(2).collect::<Vec<_>>(), [0x01_0203_0405, 0x01_0000_0001]);
    }

    #[test]
    fn claims_beyond_the_box_are_refused() {
        for bytes in
            [&[4, 1, 1, 7][..], &[0, 0, 1, 7], &[0, 2, 0], &[0, 2, 1, 7, 9], &[0, 1, 1, 38, 1, 1, 1, 1, 1]]
        {
            assert!(palette(bytes).is_err(), "{bytes:?}");
        }
    }

    #[test]
    fn mappings_are_direct_or_through_a_column() {
        let parse = |bytes| ComponentMapping::parse_all(BoxBody::new(*b"cmap", 0, bytes));
        assert_eq!(
            parse(&[0, 0, 1, 2, 0, 1, 0, 9]).unwrap(),
            [
                ComponentMapping { component: 0, palette_column: Some(2) },
                ComponentMapping { component: 1, palette_column: None }
            ]
        );
        assert!(parse(&[0, 0, 2, 0]).is_err());
        assert!(parse(&[0, 0, 0]).is_err());
    }
}
