//! What hostile bytes go through: everything that a program does with a file.

use super::case::Input;
use std::fmt::Write;
use std::hash::{DefaultHasher, Hasher};
use std::sync::Arc;
use wavetile_engine::data_bin::DataBinId;
use wavetile_engine::low_level::codestream::header::WaveletTransform;
use wavetile_engine::low_level::plan::{CellSize, Plan, Target};
use wavetile_engine::runner::Serial;
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{
    Component, DataBinCache, DecodeRequest, Decoder, Error, Image, ImageOptions, Limits, Opening, Picture,
    Rect, Result,
};
use wavetile_testing::compare::difference;
use wavetile_transport::jpip::{MessageEvent, MessageReader};

/// Samples beyond which only a region and an overview are decoded.
const LARGE: u64 = 1 << 24;
/// Samples beyond which only a region is drawn: all else was done for the components already.
const DRAWN: u64 = 1 << 19;
/// Side of that region on the reference grid, in units of the finest component.
const REGION: u32 = 256;
/// Codestreams of a file that are opened.
const CODESTREAMS: u32 = 4;

/// The decoders, and what was decoded last.
pub(crate) struct Ordeal {
    cpu: Decoder,
    gpu: Option<Decoder>,
    /// The plans of the last case, one for each request: their pictures need not be made again.
    last_plans: Vec<u64>,
    /// Whether plans are looked at.
    similar: bool,
}

/// How a case ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// With samples, of a whole picture or of a part.
    Picture,
    /// With the plan of the case before it, whose picture is known.
    SamePlan,
    /// With an error, in words.
    Refused(String),
    /// The executors did not agree; how.
    Disagreement(String),
}

impl Ordeal {
    /// On one thread, so that time and memory can be told; with `gpu`, the executors are compared.
    pub(crate) fn new(gpu: Option<Decoder>) -> Self {
        let serial = Arc::new(Serial);
        let gpu = gpu.map(|gpu| gpu.with_runner(serial.clone()));
        Self { cpu: Decoder::cpu().with_runner(serial), gpu, last_plans: Vec::new(), similar: false }
    }

    /// Runs a case. Of `similar` cases that follow each other, what has the same plan as the one before is not
    /// decoded again; `follows` says that there is one before.
    pub(crate) fn run(&mut self, input: Input, similar: bool, follows: bool) -> Outcome {
        self.similar = similar;
        if !follows {
            self.last_plans.clear();
        }
        let outcome = match &input {
            Input::File(bytes) => match self.file(bytes, &Limits::strict()) {
                // It claims more than those limits allow. What it may cost is another matter.
                Err(Error::Limit(_)) => self.file(bytes, &any_claim()),
                outcome => outcome,
            },
            Input::Stream(bytes) => self.stream(bytes),
        };
        outcome.unwrap_or_else(|error| Outcome::Refused(error.to_string()))
    }

    fn file(&mut self, bytes: &[u8], limits: &Limits) -> Result<Outcome> {
        let file = Arc::new(IndexedFile::open(bytes.to_vec(), limits)?);
        // Broken ones beside the first do no harm to it.
        for number in 1..file.codestream_count().min(CODESTREAMS) {
            let _ = file.codestream(number);
        }
        self.picture(&ImageOptions::new().open_indexed(file)?)
    }

    /// A client that gets these bytes, in pieces.
    fn stream(&mut self, bytes: &[u8]) -> Result<Outcome> {
        let mut reader = MessageReader::new();
        let mut cache = DataBinCache::new();
        for piece in bytes.chunks(1009) {
            let end = reader.push(piece, |event| {
                if let MessageEvent::Data { codestream, id, offset, bytes, last, .. } = event {
                    cache.insert(codestream, id, offset, bytes, last);
                }
            });
            if end.is_err() {
                break;
            }
        }
        match ImageOptions::new().limits(Limits::strict()).open_stream(Arc::new(cache))? {
            Opening::Image(image) => self.picture(&image),
            Opening::NeedsMore => Ok(Outcome::Refused("the headers have not arrived".into())),
        }
    }

    fn picture(&mut self, image: &Image) -> Result<Outcome> {
        // Whatever a program shows of it.
        let _ = image.bins().bin(0, DataBinId::Metadata(0))?;
        let _ = (image.rendering().map(|rendering| rendering.notes.len()), image.container().warnings.len());
        let last_plans = std::mem::take(&mut self.last_plans);
        let mut outcome = Ok(Outcome::SamePlan);
        for (index, request) in requests(image).into_iter().enumerate() {
            if self.similar {
                let (plan, _) = image.plan(&request, Target::Components, CellSize::CPU)?;
                self.last_plans.push(fingerprint(&plan));
                if last_plans.get(index) == self.last_plans.last() {
                    continue;
                }
            }
            let drawn = if samples(image, &request) > DRAWN { middle(image) } else { request.clone() };
            let components = self.cpu.components(image, &request).map(|(components, _)| components);
            let picture = self.cpu.render(image, &drawn).map(|(picture, _)| picture);
            if let Some(gpu) = &self.gpu {
                let exact = image.header().tile_parameters.components.iter();
                let exact = exact.into_iter().all(|c| c.coding.transform == WaveletTransform::Reversible53);
                let others = gpu.components(image, &request).map(|(components, _)| components);
                if let Some(how) = differing_components(&components, &others, exact) {
                    return Ok(Outcome::Disagreement(how));
                }
                let other = gpu.render(image, &drawn).map(|(picture, _)| picture);
                if let Some(how) = differing_pictures(&picture, &other, exact) {
                    return Ok(Outcome::Disagreement(how));
                }
            }
            // Components without a picture are possible, and no failure.
            outcome = outcome.and(components.map(|_| Outcome::Picture));
        }
        outcome
    }
}

/// Whatever a header claims, at the cost that [`Limits::strict`] allow.
fn any_claim() -> Limits {
    let any = Limits::default();
    Limits::strict()
        .max_dimension(any.max_dimension)
        .max_tiles(any.max_tiles)
        .max_components(any.max_components)
}

/// What is asked for: all, or where that is a lot, a region in the middle and the smallest overview.
fn requests(image: &Image) -> Vec<DecodeRequest> {
    let whole = DecodeRequest::default();
    if samples(image, &whole) <= LARGE {
        return vec![whole];
    }
    let overview = whole.reduce(image.levels());
    if samples(image, &overview) <= LARGE { vec![middle(image), overview] } else { vec![middle(image)] }
}

/// Samples of all components.
fn samples(image: &Image, request: &DecodeRequest) -> u64 {
    let rects = image.component_rects(request).unwrap_or_default();
    rects.iter().map(|(_, rect)| rect.area()).fold(0, u64::saturating_add)
}

/// A region in the middle.
fn middle(image: &Image) -> DecodeRequest {
    let area = image.area();
    let finest = |of: fn(u8, u8) -> u8| {
        let sizes = image.header().size.components.iter();
        sizes.map(|size| u32::from(of(size.dx, size.dy))).min().unwrap_or(1)
    };
    // Of very many components, less.
    let mut side = REGION;
    while u64::from(side * side) * image.header().size.components.len() as u64 > LARGE {
        side /= 2;
    }
    let (width, height) = (side * finest(|dx, _| dx), side * finest(|_, dy| dy));
    let (x0, y0) = (area.x0 + area.width() / 2, area.y0 + area.height() / 2);
    let region = Rect::new(x0, y0, x0.saturating_add(width), y0.saturating_add(height));
    DecodeRequest::new().region(region)
}

/// A number that tells plans apart: their blocks and compressed bytes; all else follows from these and the headers.
fn fingerprint(plan: &Plan) -> u64 {
    struct Text(DefaultHasher);
    impl Write for Text {
        fn write_str(&mut self, text: &str) -> std::fmt::Result {
            self.0.write(text.as_bytes());
            Ok(())
        }
    }
    let mut text = Text(DefaultHasher::new());
    text.0.write(&plan.data);
    // Writing to a hasher does not fail.
    let _ = write!(text, "{:?}{:?}{:?}", plan.window, plan.blocks, plan.segments);
    text.0.finish()
}

/// Where two results differ; `exact` where all wavelets are reversible, else by more than 1.
fn differing_components(
    one: &Result<Vec<Component>>,
    other: &Result<Vec<Component>>,
    exact: bool,
) -> Option<String> {
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        _ => return differing_errors(one, other),
    };
    let bound = if exact { 0.0 } else { 1.0 };
    if one.len() != other.len() {
        return Some("not as many components".into());
    }
    for (one, other) in one.iter().zip(other) {
        match difference(&one.samples, &other.samples) {
            Ok(found) if one.rect == other.rect && found.peak <= bound => {}
            Ok(found) => {
                return Some(format!("component {}: {} apart, allowed {bound}", one.index, found.peak));
            }
            Err(error) => return Some(format!("component {}: {error}", one.index)),
        }
    }
    None
}

fn differing_pictures(one: &Result<Picture>, other: &Result<Picture>, exact: bool) -> Option<String> {
    let (one, other) = match (one, other) {
        (Ok(one), Ok(other)) => (one, other),
        _ => return differing_errors(one, other),
    };
    if (one.size, one.bytes.len()) != (other.size, other.bytes.len()) {
        return Some("the sizes are not the same".into());
    }
    // Where they may differ at all: a step of a component of one bit is the whole range.
    (exact && one.bytes != other.bytes).then(|| "the texels are not the same".into())
}

fn differing_errors<T>(one: &Result<T>, other: &Result<T>) -> Option<String> {
    let text = |result: &Result<T>| result.as_ref().map_or_else(ToString::to_string, |_| "a picture".into());
    let (one, other) = (text(one), text(other));
    (one != other).then(|| format!("on the CPU: {one}; on the GPU: {other}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use wavetile_engine::{Size, TexelFormat};

    fn component(samples: Vec<i32>) -> Result<Vec<Component>> {
        let rect = Rect::new(0, 0, 3, 1);
        Ok(vec![Component { index: 0, rect, depth: 8, signed: false, samples }])
    }

    #[test]
    fn components_that_differ_are_seen() {
        let wanted = component(vec![1, 2, 3]);
        let differs =
            |got: &Result<Vec<Component>>, exact| differing_components(got, &wanted, exact).is_some();
        assert!(!differs(&component(vec![1, 2, 3]), true) && !differs(&component(vec![1, 2, 4]), false));
        assert!(differs(&component(vec![1, 2, 4]), true) && differs(&component(vec![1, 2, 5]), false));
        for other in [component(vec![]), component(vec![1, 2]), component(vec![1, 2, 3, 4]), Ok(Vec::new())] {
            assert!(differs(&other, false) && differing_components(&wanted, &other, false).is_some());
        }
        let refused = || Err(wavetile_engine::error::DeviceError::NotBuilt.into());
        assert!(differs(&refused(), false));
        assert!(differing_components(&refused(), &refused(), true).is_none());
    }

    #[test]
    fn pictures_that_differ_are_seen() {
        let picture = |width, bytes: &[u8]| -> Result<Picture> {
            let (size, format) = (Size::new(width, 1), TexelFormat::Rgba8);
            Ok(Picture { size, format, bytes: bytes.to_vec() })
        };
        let wanted = picture(1, &[1, 2, 3, 4]);
        let differs = |got: Result<Picture>, exact| differing_pictures(&got, &wanted, exact).is_some();
        assert!(!differs(picture(1, &[1, 2, 3, 4]), true) && !differs(picture(1, &[1, 2, 3, 5]), false));
        assert!(differs(picture(1, &[1, 2, 3, 5]), true));
        for other in [picture(1, &[]), picture(0, &[]), picture(2, &[1, 2, 3, 4]), picture(1, &[1, 2, 3])] {
            assert!(differs(other, false));
        }
    }
}
