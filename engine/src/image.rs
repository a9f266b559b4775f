//! A picture as its headers describe it, and the plans of what is asked of it.

use crate::boxes::Container;
use crate::codestream::header::MainHeader;
use crate::codestream::tile::Tile;
use crate::data_bin::{DataBinId, DataBins};
use crate::error::{CodestreamError, RequestError, Result};
use crate::geometry::{Rect, Size};
use crate::limits::Limits;
use crate::plan::builder;
use crate::plan::output_grid::{output_rect, output_spacing};
use crate::plan::{CellSize, Coverage, Memory, Plan, PlanRequest, PlanSource, PlannedTile, Target};
use crate::rendering::Rendering;
use crate::request::{DecodeRequest, UpSampling};
use crate::view_window::{Rounding, ViewWindow, frame_size, in_frame};
use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;
use wavetile_shaders::pack::PackParameters;

/// The deepest unsigned samples that fit the `i32` planes; signed ones may have one bit more.
pub const MAX_UNSIGNED_DEPTH: u8 = 31;

/// An opened picture: its headers, and where its data comes from. Of a stream, the data may still arrive: each call sees
/// what there is by then. Cheap to clone.
#[derive(Clone)]
pub struct Image {
    headers: Arc<Headers>,
    bins: Arc<dyn DataBins + Send + Sync>,
}

struct Headers {
    main: MainHeader,
    container: Container,
    /// An error if the boxes do not tell how to draw it; components can be decoded all the same.
    rendering: Result<Rendering>,
    codestream: u32,
    limits: Limits,
}

impl fmt::Debug for Image {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Headers { main, codestream, .. } = &*self.headers;
        formatter
            .debug_struct("Image")
            .field("area", &main.size.image)
            .field("codestream", codestream)
            .finish_non_exhaustive()
    }
}

impl Image {
    /// `main`: the contents of the main header bin.
    pub(crate) fn parse(
        bins: Arc<dyn DataBins + Send + Sync>,
        main: &[u8],
        codestream: u32,
        limits: &Limits,
    ) -> Result<Self> {
        let main = MainHeader::parse(main, limits)?;
        let metadata = |number| {
            let bin = bins.bin(codestream, DataBinId::Metadata(number)).ok()??;
            Some(Cow::Owned(bin.bytes.into_owned()))
        };
        let container = Container::from_metadata(&metadata).of_codestream(codestream);
        let rendering = container.rendering(&main.size);
        let headers = Headers { main, container, rendering, codestream, limits: limits.clone() };
        Ok(Self { headers: Arc::new(headers), bins })
    }

    /// Where its data comes from.
    #[must_use]
    pub fn bins(&self) -> &Arc<dyn DataBins + Send + Sync> {
        &self.bins
    }

    /// Which codestream of the file it is.
    #[must_use]
    pub fn codestream(&self) -> u32 {
        self.headers.codestream
    }

    /// The codestream's main header.
    #[must_use]
    pub fn header(&self) -> &MainHeader {
        &self.headers.main
    }

    /// The boxes around the codestream.
    #[must_use]
    pub fn container(&self) -> &Container {
        &self.headers.container
    }

    /// How components make a picture.
    ///
    /// # Errors
    /// Broken boxes, or a colour space that cannot be shown. The components can be decoded all the same.
    pub fn rendering(&self) -> Result<&Rendering> {
        self.headers.rendering.as_ref().map_err(Clone::clone)
    }

    /// The image area on the reference grid.
    #[must_use]
    pub fn area(&self) -> Rect {
        self.header().size.image
    }

    /// Size in pixels of what [`Target::Rendered`] gives for `request`.
    ///
    /// # Errors
    /// [`RequestError`] if the region lies outside the image area, or holds no pixel at that reduction.
    pub fn rendered_size(&self, request: &DecodeRequest) -> Result<Size> {
        let region = self.region(request)?;
        let components = self.components(request, Target::Rendered)?;
        let output = output_rect(self.header(), &components, region, request.reduce);
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
            let size = self.header().size.components[component as usize];
            region.ceil_div(size.dx.into(), size.dy.into()).ceil_shift(request.reduce)
        };
        Ok(self.components(request, Target::Components)?.into_iter().map(|c| (c, rect(c))).collect())
    }

    /// Resolution levels that can be discarded, by the main header: the fewest of any component. A tile
    /// may have fewer.
    #[must_use]
    pub fn levels(&self) -> u32 {
        self.header().levels()
    }

    /// The parameters and geometry of one tile, and whether its header has arrived. Without it, the
    /// main header's parameters stand in.
    ///
    /// # Errors
    /// A broken tile header.
    pub fn tile(&self, index: u32) -> Result<PlannedTile> {
        let Headers { main, codestream, limits, .. } = &*self.headers;
        let bin = self.bins.bin(*codestream, DataBinId::TileHeader(index))?;
        let known = bin.as_ref().is_some_and(|bin| bin.complete);
        let bytes: &[u8] = bin.as_ref().filter(|_| known).map_or(&[], |bin| &bin.bytes);
        let parameters = main.tile_parameters(index, bytes)?;
        parameters.check_limits(limits)?;
        Ok(PlannedTile { tile: Arc::new(Tile::new(main, index, parameters)?), known })
    }

    /// Decides what a decode does, and takes the compressed bytes that it needs out of the image's bins.
    ///
    /// `cells` tells how large the parts of the output may be that the executor works on.
    ///
    /// # Errors
    /// A request that the picture cannot meet, broken headers, unsupported data, or a limit. Broken packets
    /// are not errors: [`Coverage::damage`] names the first.
    pub fn plan(&self, request: &DecodeRequest, target: Target, cells: CellSize) -> Result<(Plan, Coverage)> {
        self.plan_remembering(request, target, cells, None)
    }

    /// The same with what is remembered from other plans: of blocks that `memory` holds, no bytes are taken.
    pub(crate) fn plan_remembering(
        &self,
        request: &DecodeRequest,
        target: Target,
        cells: CellSize,
        memory: Option<&dyn Memory>,
    ) -> Result<(Plan, Coverage)> {
        let plan_request = self.plan_request(request, target, cells)?;
        let components = self.components(request, target)?;
        let tiles = |index| self.tile(index);
        let source = self.plan_source(&tiles);
        let gathered = builder::gather(&source, &plan_request, memory)?;
        let (mut plan, coverage) = gathered.cells(&source, &plan_request)?;
        if target == Target::Rendered {
            let format = request.format.pack_format();
            let rendering = match &request.components {
                Some(_) => Rendering::of_components(&self.header().size, &components)?,
                None => self.rendering()?.clone(),
            };
            let (up_sampling, registrations) = match request.up_sampling {
                UpSampling::Linear => (PackParameters::LINEAR, &self.header().registrations[..]),
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

    /// What `region` of the reference grid gives on the output grid of those components.
    pub(crate) fn output_rect(&self, components: &[u32], region: Rect, reduce: u32) -> Rect {
        output_rect(self.header(), components, region, reduce)
    }

    /// Reference grid over output grid of those components, in full size.
    pub(crate) fn output_spacing(&self, components: &[u32]) -> (u32, u32) {
        output_spacing(self.header(), components)
    }

    /// A plan without cells: the blocks that a request needs, as far as they have arrived.
    pub(crate) fn needed_blocks(
        &self,
        request: &DecodeRequest,
        target: Target,
        memory: &dyn Memory,
    ) -> Result<Plan> {
        let plan_request = self.plan_request(request, target, CellSize::CPU)?;
        let tiles = |index| self.tile(index);
        Ok(builder::gather(&self.plan_source(&tiles), &plan_request, Some(memory))?.plan)
    }

    fn plan_source<'a>(&'a self, tiles: &'a dyn Fn(u32) -> Result<PlannedTile>) -> PlanSource<'a> {
        let Headers { main, codestream, limits, .. } = &*self.headers;
        PlanSource { header: main, tiles, bins: &*self.bins, codestream: *codestream, limits }
    }

    /// What a request asks of the planner.
    pub(crate) fn plan_request(
        &self,
        request: &DecodeRequest,
        target: Target,
        cells: CellSize,
    ) -> Result<PlanRequest> {
        self.header().check_decodable()?;
        let region = self.region(request)?;
        let mut components = self.components(request, target)?;
        self.check_depths(&components)?;
        let output_bytes = self.output_bytes(request, target)?;
        components.sort_unstable();
        components.dedup();
        Ok(PlanRequest {
            region,
            reduce: request.reduce,
            layers: request.layers.unwrap_or(u16::MAX),
            components,
            component_transform: !request.without_component_transform,
            widen: matches!(target, Target::Rendered),
            cells,
            output_bytes,
        })
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
    pub(crate) fn components(&self, request: &DecodeRequest, target: Target) -> Result<Vec<u32>> {
        let count = self.header().size.components.len() as u32;
        let components = match (&request.components, target) {
            (Some(components), _) => components.clone(),
            (None, Target::Components) => (0..count).collect(),
            (None, Target::Rendered) => self.rendering()?.components(),
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
            Target::Rendered => {
                let texel = u64::from(request.format.bytes());
                self.rendered_size(request)?.area().saturating_mul(texel)
            }
        })
    }

    fn check_depths(&self, components: &[u32]) -> Result<()> {
        for &component in components {
            let size = self.header().size.components[component as usize];
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

impl Image {
    /// The view-window that brings what [`Decoder::components`](crate::Decoder::components) needs for `request`.
    #[must_use]
    pub fn component_window(&self, request: &DecodeRequest) -> ViewWindow {
        self.window(request, request.components.clone())
    }

    /// The view-window that brings what [`Decoder::render`](crate::Decoder::render) needs for `request`.
    ///
    /// # Errors
    /// The boxes do not tell how to draw the picture ([`Image::rendering`]).
    pub fn rendered_window(&self, request: &DecodeRequest) -> Result<ViewWindow> {
        let components = match &request.components {
            Some(components) => components.clone(),
            None => self.rendering()?.components(),
        };
        Ok(self.window(request, Some(components)))
    }

    fn window(&self, request: &DecodeRequest, mut components: Option<Vec<u32>>) -> ViewWindow {
        let header = self.header();
        let region = request.region.unwrap_or(self.area()).intersect(self.area());
        let frame_size = frame_size(self.area(), request.reduce);
        let region = in_frame(region, self.area(), request.reduce, frame_size);
        if let Some(components) = &mut components {
            // The component transform takes its three components together.
            if header.tile_parameters.style.component_transform && components.iter().any(|&index| index < 3) {
                components.extend([0, 1, 2]);
            }
            components.sort_unstable();
            components.dedup();
        }
        ViewWindow {
            frame_size,
            rounding: Rounding::Closest,
            offset: (region.x0, region.y0),
            region: region.size(),
            layers: request.layers,
            components: components.filter(|components| {
                !components.is_empty() && components.len() < header.size.components.len()
            }),
        }
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

    #[test]
    fn a_header_that_claims_a_huge_picture_costs_nothing() {
        let whole = Rect::new(0, 0, 1 << 30, 1 << 30);
        let header = [soc_siz(whole, whole, &[(7, 1, 1)]), cod(0, 1, 5, (6, 6), 0, &[]), qcd(5)].concat();
        let mut bins = DataBinCache::new();
        bins.insert(0, DataBinId::MainHeader, 0, &header, true);
        bins.insert(0, DataBinId::Metadata(0), 0, &[], true);
        let image = Image::open_stream(Arc::new(bins)).unwrap().image().unwrap();
        let decoder = Decoder::cpu();
        let everything = DecodeRequest::default();
        let refused = decoder.components(&image, &everything).unwrap_err();
        assert!(matches!(refused, Error::Limit(_)), "{refused}");
        let refused = decoder.render(&image, &everything).unwrap_err();
        assert!(matches!(refused, Error::Limit(_)), "{refused}");

        let corner = Rect::new(0, 0, 64, 64);
        let request = DecodeRequest { region: Some(corner), ..everything };
        let (components, report) = decoder.components(&image, &request).unwrap();
        assert_eq!(components[0].samples.len(), 64 * 64);
        assert!(!report.is_complete());
    }
}
