//! The codestreams of a picture that a context (T.808 C.4) stands for.

use super::served_picture::ServedPicture;
use crate::jpip::wire::context::Context;
use crate::jpip::wire::fields::NumberRange;
use crate::jpip::wire::view_window_fields::StreamRange;

impl Context {
    /// The codestreams of `picture` that it stands for, ascending; none if they are not known.
    pub(super) fn codestreams(&self, picture: &dyn ServedPicture) -> Vec<u32> {
        let Self::Layers(layers) = self else { return Vec::new() };
        let last =
            layers.range.to.unwrap_or(u64::MAX).min(u64::from(picture.layer_count()).saturating_sub(1));
        let wanted = (layers.range.from..=last).filter(|&layer| layers.holds(layer));
        let mut found: Vec<u32> = wanted.flat_map(|layer| picture.layer_codestreams(layer as u32)).collect();
        found.retain(|&number| number < picture.codestream_count());
        found.sort_unstable();
        found.dedup();
        found
    }
}

/// Ranges of codestreams that one context may come to; what is beyond them is not served, and the response says so by
/// naming those that are.
const MOST_RANGES: usize = 256;

/// Codestreams as ranges.
pub(super) fn ranges(numbers: &[u32]) -> Vec<StreamRange> {
    let mut ranges: Vec<StreamRange> = Vec::new();
    for number in numbers.iter().copied().map(u64::from) {
        let count = ranges.len();
        match ranges.last_mut() {
            Some(last) if last.range.to.and_then(|to| to.checked_add(1)) == Some(number) => {
                last.range.to = Some(number);
            }
            _ if count == MOST_RANGES => break,
            _ => ranges.push(StreamRange { range: NumberRange::one(number), step: 1 }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codestreams_that_follow_one_another_are_one_range() {
        let text: Vec<String> = ranges(&[0, 1, 2, 5, 7, 8]).iter().map(ToString::to_string).collect();
        assert_eq!(text, ["0-2", "5", "7-8"]);
        let scattered: Vec<u32> = (0..5000).step_by(2).collect();
        assert_eq!(ranges(&scattered).len(), MOST_RANGES);
    }
}
