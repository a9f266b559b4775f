//! What a program asks of a picture, in its own terms: the whole, a region, a resolution level, more quality, some
//! components, or what the headers say.

use super::machine::Client;
use crate::jpip::wire::metareq::MetadataRequest;
use wavetile_engine::boxes::Container;
use wavetile_engine::low_level::codestream::header::ComponentSize;
use wavetile_engine::{DecodeRequest, Image, ImageOptions, Limits, Rect, Result, Size};

/// What is wanted of a picture, and the number of its window.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct View {
    /// As [`Client::set_window`] returned it: [`Event::WindowComplete`](super::Event::WindowComplete) tells it.
    pub number: u64,
    /// What to ask a decoder for.
    pub request: DecodeRequest,
}

/// What the headers of a picture say.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Size in pixels of the reference grid.
    pub size: Size,
    /// Depth in bits, sign and sub-sampling of each component.
    pub components: Vec<ComponentSize>,
    /// Resolution levels that can be discarded.
    pub levels: u32,
    /// Quality layers.
    pub layers: u16,
    /// The boxes of the file; none for a bare codestream.
    pub boxes: Container,
}

impl Metadata {
    /// What `image` knows.
    #[must_use]
    pub fn of(image: &Image) -> Self {
        Self {
            size: image.area().size(),
            components: image.header().size.components.clone(),
            levels: image.levels(),
            layers: image.header().tile_parameters.style.layers,
            boxes: image.container().clone(),
        }
    }
}

/// The verbs. Each takes the place of the view before it. All need the headers ([`Client::image`]).
///
/// # Errors
/// A region outside the picture, or components that it does not have.
impl Client {
    /// The picture, once its headers are there.
    ///
    /// # Errors
    /// Broken or unsupported headers, or a picture larger than `limits`.
    pub fn image(&self, limits: &Limits) -> Result<Option<Image>> {
        let options = ImageOptions::new().limits(limits.clone()).codestream(self.first_codestream());
        Ok(options.open_stream(self.bins())?.image())
    }

    /// The whole picture in full size and quality.
    pub fn request_image(&mut self, image: &Image) -> Result<View> {
        self.request(image, DecodeRequest::default())
    }

    /// A region of the reference grid in full quality, with that many resolution levels discarded.
    pub fn request_region(&mut self, image: &Image, region: Rect, reduce: u32) -> Result<View> {
        self.request(image, DecodeRequest::new().region(region).reduce(reduce))
    }

    /// The view as it is (at first: the whole picture), in the quality of that many layers.
    pub fn request_progressive_quality(&mut self, image: &Image, up_to_layers: u16) -> Result<View> {
        let request = self.view().clone().layers(up_to_layers);
        self.request(image, request)
    }

    /// The view as it is (at first: the whole picture), with that many resolution levels discarded.
    pub fn request_resolution_level(&mut self, image: &Image, reduce: u32) -> Result<View> {
        let request = self.view().clone().reduce(reduce);
        self.request(image, request)
    }

    /// The view as it is (at first: the whole picture), of some components; none named = all of the picture.
    pub fn request_components(&mut self, image: &Image, components: &[u32]) -> Result<View> {
        let components = (!components.is_empty()).then(|| components.to_vec());
        let request = self.view().clone().components(components);
        self.request(image, request)
    }

    /// Whatever a decoder can be asked for.
    pub fn request(&mut self, image: &Image, request: DecodeRequest) -> Result<View> {
        image.component_rects(&request)?;
        // What cannot be drawn can be decoded as components.
        let window = image.rendered_window(&request).unwrap_or_else(|_| image.component_window(&request));
        self.set_view(request.clone());
        Ok(View { number: self.set_window(Some(window)), request })
    }

    /// All boxes of the file, which the headers alone may not bring; beside the view, which stays.
    /// [`Event::MetadataComplete`](super::Event::MetadataComplete) tells when they are there. Calling it again does
    /// nothing.
    pub fn request_metadata(&mut self) {
        self.want_metadata(MetadataRequest::everything());
    }
}
