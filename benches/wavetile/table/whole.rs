//! Whole decodes of Part 1, from the bytes of a file to samples in memory.

use super::{LOSSLESS, ONE_BIT, THREE_BITS, Table};
use crate::support::{ours, peers};

pub(super) fn rows(table: &mut Table<'_>) {
    let one = ours::serial();
    for (name, what) in [
        (LOSSLESS, "whole decode, 1024 x 1024 lossless"),
        (THREE_BITS, "whole decode, 1024 x 1024, 3 bits a pixel"),
        (ONE_BIT, "whole decode, 3840 x 2160, 1 bit a pixel"),
        ("sample_overview", "whole decode, overview of the sample at 1/8"),
        ("sample_region", "whole decode, 1024 x 1024 of the sample"),
    ] {
        let Some(picture) = table.picture(name) else { continue };
        let samples = ours::decode(&picture, &one);
        let theirs = peers::openjpeg(&picture);
        let theirs: Vec<Vec<i32>> = theirs.components().iter().map(|c| c.data().to_vec()).collect();
        peers::agree("OpenJPEG", &picture, &samples, &theirs);
        let mine = || ours::decode(&picture, &one);
        table.compare(what, "OpenJPEG 2.5", "", mine, || peers::openjpeg(&picture));
        if picture.request.region.is_none() {
            let theirs = peers::hayro(&picture, |components| {
                let rounded = |c: &hayro_jpeg2000::ComponentData| {
                    c.samples().iter().map(|s| s.round() as i32).collect::<Vec<_>>()
                };
                components.iter().map(rounded).collect::<Vec<_>>()
            });
            peers::agree("hayro-jpeg2000", &picture, &samples, &theirs);
            table.compare(what, "hayro-jpeg2000 0.5", "", mine, || peers::hayro(&picture, <[_]>::len));
        }
    }
}
