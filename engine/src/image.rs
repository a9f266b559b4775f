//! A picture as its headers describe it, and what can be asked of it.

use crate::boxes::Container;
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::{DataBinId, DataBins};
use crate::error::{CodestreamError, RequestError, Result};
use crate::geometry::{Rect, Size};
use crate::limits::Limits;
use crate::plan::builder::{self, PlanSource};
use crate::plan::output_grid::output_rect;
use crate::plan::{CellSize, Coverage, Plan, PlanRequest, PlannedTile, Target};
use crate::rendering::Rendering;
use std::sync::Arc;
use wavetile_shaders::pack::PackParameters;

/// The deepest unsigned samples that fit the `i32` planes; signed ones may have one bit more.
pub const MAX_UNSIGNED_DEPTH: u8 = 31;

/// What to decode. The default is the whole picture at full size and quality.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DecodeRequest {
    /// Resolution levels to discard: the result is `1 / 2^reduce` of full size.
    pub reduce: u32,
    /// Part of the picture on the reference grid (absolute: it includes the image offset); `None` = all.
    pub region: Option<Rect>,
    /// Quality layers to use at most; `None` = all.
    pub layers: Option<u16>,
    /// Codestream components, in the order wanted; `None` = all (components) or those of the picture
    /// (rendered).
    pub components: Option<Vec<u32>>,
    /// How sub-sampled components become as fine as the picture (rendered).
    pub up_sampling: UpSampling,
    /// Leave the component transform (RCT, ICT) in place, as a class 0 decoder of T.803 does.
    pub without_component_transform: bool,
}

/// How sub-sampled components are brought to the grid of a picture.
///
/// Their samples lie at multiples of their separation on the reference grid (T.800 B.2), not in the middle of the
/// samples that they stand for, unless the codestream says so (CRG).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum UpSampling {
    /// Linearly between the samples, where they lie. Beyond the outermost samples, those are repeated.
    #[default]
    Linear,
    /// Each sample is repeated up to the next one, and CRG is passed over: what the reference pictures of T.803 and
    /// OpenJPEG do. Colours are moved by up to a sample's distance.
    Repeated,
}

/// An opened picture: its headers, but none of its data. Data comes from the [`DataBins`] given to each
/// call, so the same `Image` serves while data still arrives.
#[derive(Clone, Debug)]
pub struct Image {
    header: Arc<MainHeader>,
    container: Arc<Container>,
    /// An error if the boxes do not tell how to draw it; components can be decoded all the same.
    rendering: Result<Arc<Rendering>>,
    codestream: u32,
    limits: Limits,
}

impl Image {
    /// Opens codestream 0 as soon as its headers are there: `Ok(None)` until the main header bin is
    /// whole, and, while the metadata bin is incomplete, until that is too.
    ///
    /// # Errors
    /// Broken or unsupported headers, or a picture larger than `limits`.
    pub fn open(bins: &dyn DataBins, limits: &Limits) -> Result<Option<Self>> {
        Self::open_codestream(bins, 0, limits)
    }

    /// Opens one of several codestreams of a JPX file, by its number in file order, with the boxes that hold for it
    /// ([`Container::of_codestream`]): `Ok(None)` as for [`Self::open`], and also if there is no such codestream.
    ///
    /// # Errors
    /// As for [`Self::open`].
    pub fn open_codestream(bins: &dyn DataBins, codestream: u32, limits: &Limits) -> Result<Option<Self>> {
        let whole = |id| Ok::<_, crate::Error>(bins.bin(codestream, id)?.filter(|bin| bin.complete));
        let Some(main) = whole(DataBinId::MainHeader)? else { return Ok(None) };
        if whole(DataBinId::Metadata(0))?.is_none() {
            return Ok(None);
        }
        let header = MainHeader::parse(&main.bytes, limits)?;
        let metadata = |number| Some(bins.bin(codestream, DataBinId::Metadata(number)).ok()??.bytes);
        let container = Container::from_metadata(&metadata).of_codestream(codestream);
        let rendering = container.rendering(&header.size);
        Ok(Some(Self {
            header: Arc::new(header),
            container: Arc::new(container),
            rendering: rendering.map(Arc::new),
            codestream,
            limits: limits.clone(),
        }))
    }

    /// Which codestream of the file it is.
    #[must_use]
    pub fn codestream(&self) -> u32 {
        self.codestream
    }

    /// The codestream's main header.
    #[must_use]
    pub fn header(&self) -> &MainHeader {
        &self.header
    }

    /// The boxes around the codestream.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.container
    }

    /// How components make a picture.
    ///
    /// # Errors
    /// Broken boxes, or a colour space that cannot be shown. The components can be decoded all the same.
    pub fn rendering(&self) -> Result<&Rendering> {
        self.rendering.as_deref().map_err(Clone::clone)
    }

    /// The image area on the reference grid.
    #[must_use]
    pub fn area(&self) -> Rect {
        self.header.size.image
    }

    /// Size in pixels of what [`Target::Rendered`] gives for `request`.
    ///
    /// # Errors
    /// [`RequestError`] if the region lies outside the image area, or holds no pixel at that reduction.
    pub fn rendered_size(&self, request: &DecodeRequest) -> Result<Size> {
        let region = self.region(request)?;
        let components = self.components(request, Target::Rendered(0))?;
        let output = output_rect(&self.header, &components, region, request.reduce);
        if output.is_empty() {
            return Err(RequestError::NoPixels { region, reduce: request.reduce }.into());
        }
        Ok(output.size())
    }

    /// What [`Target::Components`] gives for `request`: each component and its place on its own grid.
    ///
    /// # Errors
    /// [`RequestError`] if the region or a component does not exist.
    pub fn component_rects(&self, request: &DecodeRequest) -> Result<Vec<(u32, Rect)>> {
        let region = self.region(request)?;
        let rect = |component: u32| {
            let size = self.header.size.components[component as usize];
            region.ceil_div(size.dx.into(), size.dy.into()).ceil_shift(request.reduce)
        };
        Ok(self.components(request, Target::Components)?.into_iter().map(|c| (c, rect(c))).collect())
    }

    /// Resolution levels that can be discarded, by the main header: the fewest of any component. A tile
    /// may have fewer.
    #[must_use]
    pub fn levels(&self) -> u32 {
        let components = &self.header.tile_parameters.components;
        components.iter().map(|component| u32::from(component.coding.levels)).min().unwrap_or(0)
    }

    /// The parameters and geometry of one tile, and whether its header has arrived. Without it, the
    /// main header's parameters stand in.
    ///
    /// # Errors
    /// A broken tile header.
    pub fn tile(&self, bins: &dyn DataBins, index: u32) -> Result<PlannedTile> {
        let bin = bins.bin(self.codestream, DataBinId::TileHeader(index))?;
        let known = bin.as_ref().is_some_and(|bin| bin.complete);
        let bytes: &[u8] = bin.as_ref().filter(|_| known).map_or(&[], |bin| &bin.bytes);
        let parameters = self.header.tile_parameters(index, bytes)?;
        parameters.check_limits(&self.limits)?;
        Ok(PlannedTile { tile: Arc::new(Tile::new(&self.header, index, parameters)?), known })
    }

    /// Decides what a decode does, and takes the compressed bytes it needs out of `bins`.
    ///
    /// `cells` tells how large the parts of the output may be that the executor works on.
    ///
    /// # Errors
    /// A request that the picture cannot meet, broken headers, unsupported data, or a limit. Broken packets
    /// are not errors: [`Coverage::damage`] names the first.
    pub fn plan(
        &self,
        bins: &dyn DataBins,
        request: &DecodeRequest,
        target: Target,
        cells: CellSize,
    ) -> Result<(Plan, Coverage)> {
        self.header.check_decodable()?;
        let region = self.region(request)?;
        let components = self.components(request, target)?;
        self.check_depths(&components)?;
        let output_bytes = self.output_bytes(request, target)?;
        let mut ascending = components.clone();
        ascending.sort_unstable();
        ascending.dedup();
        let plan_request = PlanRequest {
            region,
            reduce: request.reduce,
            layers: request.layers.unwrap_or(u16::MAX),
            components: ascending,
            component_transform: !request.without_component_transform,
            widen: matches!(target, Target::Rendered(_)),
            cells,
            output_bytes,
        };
        let tiles = |index| self.tile(bins, index);
        let source = PlanSource {
            header: &self.header,
            tiles: &tiles,
            bins,
            codestream: self.codestream,
            limits: &self.limits,
        };
        let (mut plan, coverage) = builder::build(&source, &plan_request)?;
        if let Target::Rendered(format) = target {
            let rendering = match &request.components {
                Some(_) => Rendering::of_components(&self.header.size, &components)?,
                None => self.rendering()?.clone(),
            };
            let (up_sampling, registrations) = match request.up_sampling {
                UpSampling::Linear => (PackParameters::LINEAR, &self.header.registrations[..]),
                UpSampling::Repeated => (PackParameters::REPEATED, &[][..]),
            };
            let rendering = rendering.registered(registrations);
            plan.tables = rendering.tables();
            for cell in &mut plan.cells {
                let pack = rendering.pack_parameters(&cell.planes, cell.rect, format, request.reduce)?;
                cell.pack = PackParameters { up_sampling, ..pack };
            }
        }
        Ok((plan, coverage))
    }

    /// The requested part of the image area.
    fn region(&self, request: &DecodeRequest) -> Result<Rect> {
        let image = self.area();
        let region = request.region.unwrap_or(image);
        let inside = region.intersect(image);
        if inside.is_empty() {
            return Err(RequestError::EmptyRegion { region, image }.into());
        }
        Ok(inside)
    }

    /// The components that `request` wants, in its order.
    fn components(&self, request: &DecodeRequest, target: Target) -> Result<Vec<u32>> {
        let count = self.header.size.components.len() as u32;
        let components = match (&request.components, target) {
            (Some(components), _) => components.clone(),
            (None, Target::Components) => (0..count).collect(),
            (None, Target::Rendered(_)) => self.rendering()?.components(),
        };
        if components.is_empty() {
            return Err(RequestError::Unmet("no component was asked for".to_owned()).into());
        }
        match components.iter().find(|&&component| component >= count) {
            Some(&component) => Err(RequestError::NoSuchComponent { component, count }.into()),
            None => Ok(components),
        }
    }

    /// Bytes of the result: a header may claim any size.
    fn output_bytes(&self, request: &DecodeRequest, target: Target) -> Result<u64> {
        Ok(match target {
            Target::Components => {
                let areas = self.component_rects(request)?.into_iter().map(|(_, rect)| rect.area());
                areas.fold(0, u64::saturating_add).saturating_mul(4)
            }
            Target::Rendered(format) => {
                let texel = match format {
                    PackParameters::R16 => 2,
                    PackParameters::RGBA8 => 4,
                    _ => 8,
                };
                self.rendered_size(request)?.area().saturating_mul(texel)
            }
        })
    }

    fn check_depths(&self, components: &[u32]) -> Result<()> {
        for &component in components {
            let size = self.header.size.components[component as usize];
            if size.depth > MAX_UNSIGNED_DEPTH + u8::from(size.signed) {
                let kind = if size.signed { "signed" } else { "unsigned" };
                let feature = format!(
                    "{}-bit {kind} samples (component {component}; up to {MAX_UNSIGNED_DEPTH} bits, or \
                     {} signed, are)",
                    size.depth,
                    MAX_UNSIGNED_DEPTH + 1
                );
                return Err(CodestreamError::Unsupported { feature }.into());
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use crate::codestream::header::testing::{cod, qcd, soc_siz};
    use crate::data_bin::DataBinCache;
    use crate::decoder::Decoder;
    use crate::error::Error;
    use crate::plan::TexelFormat;

    #[test]
    fn a_header_that_claims_a_huge_picture_costs_nothing() {
        let whole = Rect::new(0, 0, 1 << 30, 1 << 30);
        let header = [soc_siz(whole, whole, &[(7, 1, 1)]), cod(0, 1, 5, (6, 6), 0, &[]), qcd(5)].concat();
        let mut bins = DataBinCache::new();
        bins.insert(0, DataBinId::MainHeader, 0, &header, true);
        bins.insert(0, DataBinId::Metadata(0), 0, &[], true);
        let image = Image::open(&bins, &Limits::default()).unwrap().unwrap();
        let decoder = Decoder::cpu();
        let everything = DecodeRequest::default();
        let refused = decoder.components(&image, &bins, &everything).unwrap_err();
        assert!(matches!(refused, Error::Limit(_)), "{refused}");
        let refused = decoder.render(&image, &bins, &everything, TexelFormat::Rgba8).unwrap_err();
        assert!(matches!(refused, Error::Limit(_)), "{refused}");

        let corner = Rect::new(0, 0, 64, 64);
        let request = DecodeRequest { region: Some(corner), ..everything };
        let (components, report) = decoder.components(&image, &bins, &request).unwrap();
        assert_eq!(components[0].samples.len(), 64 * 64);
        assert!(!report.is_complete());
    }
}
