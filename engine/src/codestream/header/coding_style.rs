//! COD and COC: coding style (T.800 A.6.1, A.6.2).

use super::{CodeBlockStyle, CodingStyle, ComponentCodingStyle, Progression, WaveletTransform};
use crate::codestream::marker::MarkerSegment;
use crate::codestream::reader::Reader;
use crate::error::{CodestreamError, Result};

/// Reads a COD marker segment.
pub(super) fn read_cod(segment: &MarkerSegment<'_>) -> Result<(CodingStyle, ComponentCodingStyle)> {
    let mut reader = Reader::new(segment.payload);
    let short = || segment.error("too short");
    let style = reader.u8().ok_or_else(short)?;
    let progression = reader.u8().ok_or_else(short)?;
    let layers = reader.u16().ok_or_else(short)?;
    let component_transform = reader.u8().ok_or_else(short)?;
    if layers == 0 {
        return Err(segment.error("the number of layers is 0").into());
    }
    if component_transform > 1 {
        let feature = format!("multiple component transform {component_transform:#04x} (T.801)");
        return Err(CodestreamError::Unsupported { feature }.into());
    }
    let coding_style = CodingStyle {
        progression: read_progression(segment, progression)?,
        layers,
        component_transform: component_transform == 1,
        sop: style & 2 != 0,
        eph: style & 4 != 0,
    };
    Ok((coding_style, read_component_style(segment, &mut reader, style & 1 != 0)?))
}

/// Reads a COC marker segment: component index and style.
pub(super) fn read_coc(
    segment: &MarkerSegment<'_>,
    component_count: usize,
) -> Result<(u16, ComponentCodingStyle)> {
    let mut reader = Reader::new(segment.payload);
    let short = || segment.error("too short");
    let component = reader.component(component_count).ok_or_else(short)?;
    let style = reader.u8().ok_or_else(short)?;
    Ok((component, read_component_style(segment, &mut reader, style & 1 != 0)?))
}

/// A progression order (T.800 Table A.16).
pub(super) fn read_progression(segment: &MarkerSegment<'_>, value: u8) -> Result<Progression> {
    Ok(match value {
        0 => Progression::Lrcp,
        1 => Progression::Rlcp,
        2 => Progression::Rpcl,
        3 => Progression::Pcrl,
        4 => Progression::Cprl,
        _ => return Err(segment.error(format!("progression order {value} is reserved")).into()),
    })
}

/// SPcod or SPcoc (T.800 Tables A.15 and A.20).
fn read_component_style(
    segment: &MarkerSegment<'_>,
    reader: &mut Reader<'_>,
    precincts_given: bool,
) -> Result<ComponentCodingStyle> {
    let short = || segment.error("too short");
    let mut next = || reader.u8().ok_or_else(short);
    let (levels, width, height, style, transform) = (next()?, next()?, next()?, next()?, next()?);
    if levels > 32 {
        return Err(segment.error(format!("{levels} decomposition levels are more than 32")).into());
    }
    let (width, height) = ((width & 15) + 2, (height & 15) + 2);
    if width > 10 || height > 10 || width + height > 12 {
        return Err(segment.error(format!("code-blocks of 2^{width} x 2^{height} are too large")).into());
    }
    let transform = match transform {
        0 => WaveletTransform::Irreversible97,
        1 => WaveletTransform::Reversible53,
        other => {
            let feature = format!("wavelet kernel {other} (T.801)");
            return Err(CodestreamError::Unsupported { feature }.into());
        }
    };
    let count = usize::from(levels) + 1;
    let precinct_exponents = if precincts_given {
        let sizes = reader.take(count).ok_or_else(|| segment.error("too few precinct sizes"))?;
        sizes.iter().map(|size| (size & 15, size >> 4)).collect()
    } else {
        vec![(15, 15); count]
    };
    Ok(ComponentCodingStyle {
        levels,
        code_block_width_exponent: width,
        code_block_height_exponent: height,
        code_block_style: CodeBlockStyle(style),
        transform,
        precinct_exponents,
    })
}
