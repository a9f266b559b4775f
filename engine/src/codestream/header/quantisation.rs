//! QCD and QCC: quantisation (T.800 A.6.4, A.6.5).

use super::{Quantisation, QuantisationStyle};
use crate::codestream::marker::MarkerSegment;
use crate::codestream::reader::Reader;
use crate::error::Result;

/// Sub-bands of 32 decomposition levels.
const MAX_STEPS: usize = 3 * 32 + 1;

/// Reads a QCD marker segment.
pub(super) fn read_qcd(segment: &MarkerSegment<'_>) -> Result<Quantisation> {
    read_steps(segment, Reader::new(segment.payload))
}

/// Reads a QCC marker segment: component index and quantisation.
pub(super) fn read_qcc(segment: &MarkerSegment<'_>, component_count: usize) -> Result<(u16, Quantisation)> {
    let mut reader = Reader::new(segment.payload);
    let component = reader.component(component_count).ok_or_else(|| segment.error("too short"))?;
    Ok((component, read_steps(segment, reader)?))
}

fn read_steps(segment: &MarkerSegment<'_>, mut reader: Reader<'_>) -> Result<Quantisation> {
    let head = reader.u8().ok_or_else(|| segment.error("too short"))?;
    let two_bytes = |bytes: &[u8; 2]| {
        let step = u16::from_be_bytes(*bytes);
        ((step >> 11) as u8, step & 0x7FF)
    };
    let pairs = || reader.rest().as_chunks::<2>().0.iter().map(two_bytes);
    let (style, steps): (_, Vec<_>) = match head & 31 {
        0 => {
            let exponents = reader.rest().iter().map(|byte| (byte >> 3, 0));
            (QuantisationStyle::None, exponents.take(MAX_STEPS).collect())
        }
        1 => (QuantisationStyle::Derived, pairs().take(1).collect()),
        2 => (QuantisationStyle::Expounded, pairs().take(MAX_STEPS).collect()),
        other => return Err(segment.error(format!("quantisation style {other} is reserved")).into()),
    };
    if steps.is_empty() {
        return Err(segment.error("it gives no step size").into());
    }
    Ok(Quantisation { style, guard_bits: head >> 5, steps })
}
