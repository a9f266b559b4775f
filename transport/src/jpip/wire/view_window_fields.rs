//! The view-window fields of a request: `fsiz`, `roff`, `rsiz`, `layers`, `comps` (T.808 C.4), `stream`.

use super::fields::{FieldError, NumberRange, number};
use wavetile_engine::geometry::Size;
use wavetile_engine::view_window::{Rounding, ViewWindow};

/// The fields as they arrived; they make a window only together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct ViewWindowFields {
    frame: Option<(Size, Rounding)>,
    offset: Option<(u32, u32)>,
    region: Option<Size>,
    layers: Option<u16>,
    components: Option<Vec<u32>>,
}

impl ViewWindowFields {
    /// Takes one decoded field; `false` if it is not one of these.
    pub(super) fn take(&mut self, name: &str, value: &str) -> Result<bool, FieldError> {
        match name {
            "fsiz" => self.frame = Some(frame(value)?),
            "roff" => self.offset = Some(pair("roff", value)?),
            "rsiz" => {
                let (width, height) = pair("rsiz", value)?;
                self.region = Some(Size::new(width, height));
            }
            // More layers than a codestream can have are all layers.
            "layers" => self.layers = u16::try_from(number::<u64>("layers", value)?).ok(),
            "comps" => self.components = Some(components(value)?),
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// The window; `None` without `fsiz`. Without `rsiz` the region reaches to the lower right corner.
    pub(super) fn window(self) -> Option<ViewWindow> {
        let (frame_size, rounding) = self.frame?;
        let offset = self.offset.unwrap_or_default();
        let region = self.region.unwrap_or_else(|| {
            Size::new(frame_size.width.saturating_sub(offset.0), frame_size.height.saturating_sub(offset.1))
        });
        let Self { layers, components, .. } = self;
        Some(ViewWindow { frame_size, rounding, offset, region, layers, components })
    }
}

/// The fields of `window`, in the form `name=value` joined by `&`.
pub(super) fn to_query(window: &ViewWindow) -> String {
    let rounding = match window.rounding {
        Rounding::Down => "",
        Rounding::Up => ",round-up",
        Rounding::Closest => ",closest",
    };
    let Size { width, height } = window.frame_size;
    let mut query = format!("fsiz={width},{height}{rounding}");
    let (x, y) = window.offset;
    let Size { width, height } = window.region;
    query += &format!("&roff={x},{y}&rsiz={width},{height}");
    if let Some(layers) = window.layers {
        query += &format!("&layers={layers}");
    }
    match window.components.as_deref() {
        None => (),
        // An empty value is none: a component that no picture has.
        Some([]) => query += &format!("&comps={MOST_COMPONENTS}"),
        Some(components) => query += &format!("&comps={}", list(components)),
    }
    query
}

/// Windows as one value: between slashes `fsiz`, `roff` and `rsiz`, then `layers` behind an L and `comps` behind a C where
/// they count; windows end with semicolons (docs/jpip-then.md).
pub(super) fn windows_value(windows: &[ViewWindow]) -> String {
    let one = |window: &ViewWindow| {
        let rounding = match window.rounding {
            Rounding::Down => "",
            Rounding::Up => ",round-up",
            Rounding::Closest => ",closest",
        };
        let (frame, (x, y), region) = (window.frame_size, window.offset, window.region);
        let mut value = format!("{},{}{rounding}/{x},{y}/", frame.width, frame.height);
        value += &format!("{},{}", region.width, region.height);
        if let Some(layers) = window.layers {
            value += &format!("/L{layers}");
        }
        match window.components.as_deref() {
            None => (),
            Some([]) => value += &format!("/C{MOST_COMPONENTS}"),
            Some(components) => value += &format!("/C{}", list(components)),
        }
        value
    };
    windows.iter().map(one).collect::<Vec<_>>().join(";")
}

/// Reads what [`windows_value`] writes. Those beyond [`MOST_WINDOWS`] are left out, and those of too many components together.
pub(super) fn windows(value: &str) -> Result<Vec<ViewWindow>, FieldError> {
    let one = |text: &str| {
        let error = |reason| FieldError::new("then", text, reason);
        let mut parts = text.split('/');
        let (Some(frame_text), Some(offset), Some(region)) = (parts.next(), parts.next(), parts.next())
        else {
            return Err(error("three sizes are needed"));
        };
        let (frame_size, rounding) = frame(frame_text)?;
        let (width, height) = pair("then", region)?;
        let mut window = ViewWindow {
            rounding,
            offset: pair("then", offset)?,
            region: Size::new(width, height),
            ..ViewWindow::whole(frame_size)
        };
        for part in parts {
            match (part.strip_prefix('L'), part.strip_prefix('C')) {
                (Some(layers), _) => window.layers = u16::try_from(number::<u64>("then", layers)?).ok(),
                (_, Some(list)) => window.components = Some(components(list)?),
                _ => return Err(error("unknown part of a window")),
            }
        }
        Ok(window)
    };
    let mut windows = Vec::new();
    let mut listed = 0;
    for text in value.split(';').filter(|text| !text.is_empty()).take(MOST_WINDOWS) {
        let window = one(text)?;
        // A few letters name thousands of components.
        listed += window.components.as_ref().map_or(0, Vec::len);
        if listed as u64 > MOST_COMPONENTS {
            break;
        }
        windows.push(window);
    }
    Ok(windows)
}

/// Most windows that one request has after the first.
pub(in crate::jpip) const MOST_WINDOWS: usize = 32;

/// Numbers with commas between them, runs as ranges.
pub(super) fn list(numbers: &[u32]) -> String {
    let mut runs: Vec<(u32, u32)> = Vec::new();
    for &number in numbers {
        match runs.last_mut() {
            Some((_, end)) if end.checked_add(1) == Some(number) => *end = number,
            _ => runs.push((number, number)),
        }
    }
    let runs =
        runs.iter().map(|&(from, to)| if from == to { from.to_string() } else { format!("{from}-{to}") });
    runs.collect::<Vec<_>>().join(",")
}

/// One part of a `stream` field: a range of codestreams of which every `step`th is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct StreamRange {
    /// The codestreams.
    pub range: NumberRange,
    /// Sampling factor, at least 1.
    pub step: u64,
}

impl StreamRange {
    /// Parses `from-to:step`, the end and the sampling factor being optional.
    pub(super) fn parse(field: &'static str, text: &str) -> Result<Self, FieldError> {
        let (range, step) = text.split_once(':').unwrap_or((text, "1"));
        let range = NumberRange::parse(field, range)?;
        let step = number(field, step)?;
        if step == 0 {
            return Err(FieldError::new(field, text, "the sampling factor is zero"));
        }
        Ok(Self { range, step })
    }

    /// Whether codestream `number` is meant.
    #[must_use]
    pub fn holds(self, number: u64) -> bool {
        self.range.holds(number) && (number - self.range.from).is_multiple_of(self.step)
    }
}

impl std::fmt::Display for StreamRange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.step {
            1 => f.write_str(&self.range.without_star()),
            step => write!(f, "{}:{step}", self.range.without_star()),
        }
    }
}

/// Parses the value of `stream`. Contexts (`<...>`), which name codestreams by boxes, are left out.
pub(super) fn streams(value: &str) -> Result<Vec<StreamRange>, FieldError> {
    let parts = value.split(',').filter(|part| !part.starts_with('<'));
    parts.map(|part| StreamRange::parse("stream", part)).collect()
}

fn frame(value: &str) -> Result<(Size, Rounding), FieldError> {
    let error = |reason| FieldError::new("fsiz", value, reason);
    let mut parts = value.splitn(3, ',');
    let (Some(width), Some(height)) = (parts.next(), parts.next()) else {
        return Err(error("two numbers are needed"));
    };
    let rounding = match parts.next() {
        None | Some("round-down") => Rounding::Down,
        Some("round-up") => Rounding::Up,
        Some("closest") => Rounding::Closest,
        Some(_) => return Err(error("unknown rounding")),
    };
    Ok((Size::new(number("fsiz", width)?, number("fsiz", height)?), rounding))
}

fn pair(field: &'static str, value: &str) -> Result<(u32, u32), FieldError> {
    let (first, second) =
        value.split_once(',').ok_or_else(|| FieldError::new(field, value, "two numbers are needed"))?;
    Ok((number(field, first)?, number(field, second)?))
}

/// Components of a codestream are numbered below this (T.800 A.5.1).
const MOST_COMPONENTS: u64 = 16_384;

fn components(value: &str) -> Result<Vec<u32>, FieldError> {
    let mut wanted = std::collections::BTreeSet::new();
    for part in value.split(',') {
        let range = NumberRange::parse("comps", part)?;
        let last = range.to.unwrap_or(u64::MAX).min(MOST_COMPONENTS - 1);
        wanted.extend((range.from..=last).map(|index| index as u32));
    }
    Ok(wanted.into_iter().collect())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    fn parse(query: &str) -> Result<Option<ViewWindow>, FieldError> {
        let mut fields = ViewWindowFields::default();
        for field in query.split('&') {
            let (name, value) = field.split_once('=').unwrap();
            assert!(fields.take(name, value)?);
        }
        Ok(fields.window())
    }

    #[test]
    fn windows_round_trip() {
        let window = ViewWindow {
            frame_size: Size::new(1000, 700),
            rounding: Rounding::Closest,
            offset: (20, 30),
            region: Size::new(200, 100),
            layers: Some(2),
            components: Some(vec![0, 2, 3, 4]),
        };
        let query = to_query(&window);
        assert_eq!(query, "fsiz=1000,700,closest&roff=20,30&rsiz=200,100&layers=2&comps=0,2-4");
        assert_eq!(parse(&query).unwrap(), Some(window));
    }

    #[test]
    fn missing_fields_have_their_defaults() {
        assert_eq!(parse("rsiz=5,5").unwrap(), None);
        let window = parse("fsiz=100,50&roff=30,60").unwrap().unwrap();
        assert_eq!((window.region, window.rounding), (Size::new(70, 0), Rounding::Down));
        assert_eq!(parse("fsiz=1,1&layers=99999").unwrap().unwrap().layers, None);
        assert_eq!(parse("fsiz=1,1,round-up").unwrap().unwrap().rounding, Rounding::Up);
    }

    #[test]
    fn broken_numbers_are_refused_and_open_ranges_are_bounded() {
        for query in ["fsiz=4294967296,1", "fsiz=1", "fsiz=1,1,up", "roff=1;2", "rsiz=-1,2", "comps=3-1"] {
            assert!(parse(query).is_err(), "{query}");
        }
        let all = parse("fsiz=1,1&comps=0-").unwrap().unwrap().components.unwrap();
        assert_eq!(all.len() as u64, MOST_COMPONENTS);
    }

    /// Found by fuzzing (`jpip_query`): it was written as `comps=`, which nobody can read.
    #[test]
    fn no_component_at_all_can_be_asked_for() {
        let none = parse("fsiz=1,1&comps=16384-").unwrap().unwrap();
        assert_eq!(none.components, Some(Vec::new()));
        assert_eq!(parse(&to_query(&none)), Ok(Some(none)));
    }

    #[test]
    fn streams_are_ranges_with_a_sampling_factor() {
        let found = streams("0,2-8:3,10-").unwrap();
        let holds = |number| found.iter().any(|range| range.holds(number));
        let held: Vec<u64> = (0..13).filter(|&number| holds(number)).collect();
        assert_eq!(held, [0, 2, 5, 8, 10, 11, 12]);
        assert!(streams("1:0").is_err());
        assert_eq!(found[1].to_string(), "2-8:3");
    }

    #[test]
    fn windows_after_the_first_come_back_as_they_were_written() {
        let whole = ViewWindow::whole(Size::new(640, 480));
        let asked = [
            whole.clone(),
            ViewWindow { rounding: Rounding::Closest, layers: Some(3), ..whole.clone() },
            ViewWindow {
                rounding: Rounding::Up,
                offset: (7, 9),
                region: Size::new(1, 2),
                components: Some(vec![0, 1, 2, 5]),
                ..whole.clone()
            },
        ];
        let value = windows_value(&asked);
        assert_eq!(
            value,
            "640,480/0,0/640,480;640,480,closest/0,0/640,480/L3;640,480,round-up/7,9/1,2/C0-2,5"
        );
        assert_eq!(windows(&value).unwrap(), asked);
        // Of no component at all.
        let none = [ViewWindow { components: Some(vec![]), ..whole.clone() }];
        assert_eq!(windows(&windows_value(&none)).unwrap(), none);
        assert_eq!(windows("").unwrap(), []);
        assert_eq!(windows(&windows_value(&vec![whole.clone(); 99])).unwrap().len(), MOST_WINDOWS);
        let all = ViewWindow { components: Some((0..16_384).collect()), ..whole };
        assert_eq!(windows(&windows_value(&vec![all; 9])).unwrap().len(), 1);
        for wrong in ["1,1", "1,1/0,0", "1,1/0/1,1", "1,1/0,0/1,1/x", "1,1/0,0/1,1/Lx", "a,1/0,0/1,1"] {
            assert!(windows(wrong).is_err(), "{wrong}");
        }
    }
}
