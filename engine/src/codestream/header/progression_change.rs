//! POC: progression order change (T.800 A.6.6).

use super::ProgressionChange;
use super::coding_style::read_progression;
use crate::codestream::marker::MarkerSegment;
use crate::codestream::reader::Reader;
use crate::error::Result;

/// Reads all changes of one POC marker segment.
pub(super) fn read_poc(
    segment: &MarkerSegment<'_>,
    component_count: usize,
) -> Result<Vec<ProgressionChange>> {
    let mut reader = Reader::new(segment.payload);
    let mut changes = Vec::new();
    while !reader.is_empty() {
        let change = read_change(segment, &mut reader, component_count)?;
        changes.push(change.ok_or_else(|| segment.error("it ends inside a progression order change"))?);
    }
    if changes.is_empty() {
        return Err(segment.error("it holds no progression order change").into());
    }
    Ok(changes)
}

fn read_change(
    segment: &MarkerSegment<'_>,
    reader: &mut Reader<'_>,
    component_count: usize,
) -> Result<Option<ProgressionChange>> {
    let mut next = || {
        let resolution_start = reader.u8()?;
        let component_start = reader.component(component_count)?;
        let layer_end = reader.u16()?;
        let resolution_end = reader.u8()?;
        let component_end = reader.component(component_count)?;
        Some((resolution_start, component_start, layer_end, resolution_end, component_end, reader.u8()?))
    };
    let Some((resolution_start, component_start, layer_end, resolution_end, component_end, order)) = next()
    else {
        return Ok(None);
    };
    Ok(Some(ProgressionChange {
        resolution_start,
        component_start,
        layer_end,
        resolution_end,
        component_end: if component_end == 0 { 16_384 } else { component_end },
        progression: read_progression(segment, order)?,
    }))
}
