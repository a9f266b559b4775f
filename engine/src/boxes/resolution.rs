//! Capture and default display resolution boxes (T.800 I.5.3.7).

use super::box_header::BoxBody;
use crate::error::ContainerError;

/// Grid points per metre.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GridResolution {
    /// Along a column.
    pub vertical: f64,
    /// Along a row.
    pub horizontal: f64,
}

/// The Resolution superbox.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Resolutions {
    /// Of the digitisation ("resc").
    pub capture: Option<GridResolution>,
    /// Wished for on display ("resd").
    pub display: Option<GridResolution>,
}

impl GridResolution {
    pub(crate) fn parse(mut body: BoxBody<'_>) -> Result<Self, ContainerError> {
        let [vertical_n, vertical_d, horizontal_n, horizontal_d] =
            [body.u16()?, body.u16()?, body.u16()?, body.u16()?];
        let [vertical_e, horizontal_e] = [body.i8()?, body.i8()?];
        if [vertical_n, vertical_d, horizontal_n, horizontal_d].contains(&0) {
            return Err(body.error("a numerator or a denominator is 0"));
        }
        let value = |n: u16, d: u16, e: i8| f64::from(n) / f64::from(d) * 10f64.powi(i32::from(e));
        Ok(Self {
            vertical: value(vertical_n, vertical_d, vertical_e),
            horizontal: value(horizontal_n, horizontal_d, horizontal_e),
        })
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn exponents_are_powers_of_ten_and_zero_is_refused() {
        let parse = |bytes| GridResolution::parse(BoxBody::new(*b"resc", 0, bytes));
        let resolution = parse(&[0, 72, 0, 2, 0x01, 0x2c, 0, 1, 3, 0xff]).unwrap();
        assert_eq!(resolution.vertical, 36_000.0);
        assert!((resolution.horizontal - 30.0).abs() < 1e-9);
        assert!(parse(&[0, 72, 0, 0, 0x01, 0x2c, 0, 1, 3, 0xff]).is_err());
        assert!(parse(&[0, 72, 0, 1, 0x01, 0x2c, 0, 1, 3]).is_err());
    }
}
