//! What one header sets, and which header wins (precedence of T.800 A.6.1 to A.6.6).

use super::coding_style::{read_coc, read_cod};
use super::progression_change::read_poc;
use super::quantisation::{read_qcc, read_qcd};
use super::{
    CodingStyle, ComponentCodingStyle, ComponentParameters, ProgressionChange, Quantisation, TileParameters,
};
use crate::codestream::marker::{self, MarkerSegment};
use crate::codestream::reader::Reader;
use crate::error::{CodestreamError, Result};
use std::collections::BTreeMap;

/// The parameters that one header, main or of a tile, sets. Where a marker segment is repeated against
/// the rules the first one counts; POC marker segments add up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Overrides {
    cod: Option<(CodingStyle, ComponentCodingStyle)>,
    coc: BTreeMap<u16, ComponentCodingStyle>,
    qcd: Option<Quantisation>,
    qcc: BTreeMap<u16, Quantisation>,
    rgn: BTreeMap<u16, u8>,
    poc: Vec<ProgressionChange>,
}

impl Overrides {
    /// Takes in a marker segment; others than COD, COC, QCD, QCC, RGN and POC change nothing.
    pub(super) fn read(&mut self, segment: &MarkerSegment<'_>, component_count: usize) -> Result<()> {
        let known = |component: u16| {
            if usize::from(component) < component_count {
                Ok(component)
            } else {
                Err(segment.error(format!("there is no component {component}")))
            }
        };
        match segment.marker {
            marker::COD => {
                let cod = read_cod(segment)?;
                self.cod.get_or_insert(cod);
            }
            marker::COC => {
                let (component, style) = read_coc(segment, component_count)?;
                self.coc.entry(known(component)?).or_insert(style);
            }
            marker::QCD => {
                let qcd = read_qcd(segment)?;
                self.qcd.get_or_insert(qcd);
            }
            marker::QCC => {
                let (component, quantisation) = read_qcc(segment, component_count)?;
                self.qcc.entry(known(component)?).or_insert(quantisation);
            }
            marker::RGN => {
                let (component, shift) = read_rgn(segment, component_count)?;
                self.rgn.entry(known(component)?).or_insert(shift);
            }
            marker::POC => self.poc.extend(read_poc(segment, component_count)?),
            _ => {}
        }
        Ok(())
    }

    /// The parameters in force where `self` stands in a tile's header and `main` in the main header.
    pub(super) fn resolve(&self, main: &Self, component_count: usize) -> Result<TileParameters> {
        let missing = |marker| CodestreamError::MissingMarkerSegment { header: "main header".into(), marker };
        let cod = self.cod.as_ref().or(main.cod.as_ref()).ok_or_else(|| missing("COD"))?;
        let component = |index: u16| -> Result<ComponentParameters> {
            let coding = (self.coc.get(&index))
                .or(self.cod.as_ref().map(|cod| &cod.1))
                .or(main.coc.get(&index))
                .unwrap_or(&cod.1);
            let quantisation = (self.qcc.get(&index))
                .or(self.qcd.as_ref())
                .or(main.qcc.get(&index))
                .or(main.qcd.as_ref())
                .ok_or_else(|| missing("QCD"))?;
            let roi_shift = self.rgn.get(&index).or(main.rgn.get(&index)).copied().unwrap_or(0);
            Ok(ComponentParameters { coding: coding.clone(), quantisation: quantisation.clone(), roi_shift })
        };
        let progression_changes = if self.poc.is_empty() { &main.poc } else { &self.poc };
        Ok(TileParameters {
            style: cod.0,
            progression_changes: progression_changes.clone(),
            components: (0..component_count).map(|index| component(index as u16)).collect::<Result<_>>()?,
        })
    }
}

/// Component and shift of a RGN marker segment (T.800 A.6.3).
fn read_rgn(segment: &MarkerSegment<'_>, component_count: usize) -> Result<(u16, u8)> {
    let mut reader = Reader::new(segment.payload);
    let mut next = || Some((reader.component(component_count)?, reader.u8()?, reader.u8()?));
    let (component, style, shift) = next().ok_or_else(|| segment.error("too short"))?;
    if style != 0 {
        let feature = format!("region of interest of style {style} (T.801)");
        return Err(CodestreamError::Unsupported { feature }.into());
    }
    Ok((component, shift))
}
