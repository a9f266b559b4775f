//! Code-blocks of Part 1: packets and block decoding, beside OpenJPEG.

use super::{LOSSLESS, ONE_BIT, THREE_BITS, Table};
use crate::support::{Picture, empty_packets, ours, peers};

pub(super) fn rows(table: &mut Table<'_>) {
    for (name, what, target) in [
        (LOSSLESS, "MQ code-blocks, lossless", "1.3"),
        (THREE_BITS, "MQ code-blocks, 3 bits a pixel", ""),
        (ONE_BIT, "MQ code-blocks, 1 bit a pixel", "1.3"),
    ] {
        let Some(picture) = table.picture(name) else { continue };
        let empty = Picture { bytes: empty_packets(&picture).into(), ..picture.clone() };
        // Memory for the coefficients is no part of the peer's time: it has it for the empty packets as well.
        let mut staging = vec![1; ours::plan(&picture, ours::COMPONENTS).staging_words];
        let mut coefficients =
            |picture: &Picture| ours::blocks_into(&ours::plan(picture, ours::COMPONENTS), &mut staging);
        let full = table.bench.medians(|| coefficients(&picture), || peers::openjpeg(&picture));
        let rest = table.bench.medians(|| coefficients(&empty), || peers::openjpeg(&empty));
        let less =
            |all: std::time::Duration, rest: std::time::Duration| all.saturating_sub(rest).as_secs_f64();
        table.times(what, "OpenJPEG 2.5", target, less(full.0, rest.0), less(full.1, rest.1));
    }
}
