//! HTJ2K: to coefficients and to samples, beside OpenJPH in two languages and OpenJPEG.

use super::{HT_LOSSLESS, HT_LOSSY, Table};
use crate::support::{ImageCodecs, ours, peers};

pub(super) fn rows(table: &mut Table<'_>) {
    let one = ours::serial();
    let mut image_codecs = ImageCodecs::start();
    for (name, rate, target) in [(HT_LOSSLESS, "lossless", "2.2"), (HT_LOSSY, "1.7 bits a pixel", "2.5")] {
        let Some(picture) = table.picture(name) else { continue };
        let coefficients = || ours::blocks(&ours::plan(&picture, ours::COMPONENTS));
        let whole = || ours::decode(&picture, &one);
        let to_coefficients = format!("HTJ2K to coefficients, {rate}");
        let to_samples = format!("HTJ2K whole decode, {rate}");
        match &mut image_codecs {
            Ok(peer) => {
                for (what, target, ours) in [
                    (&to_coefficients, target, &mut (|| drop(coefficients())) as &mut dyn FnMut()),
                    (&to_samples, "", &mut || drop(whole())),
                ] {
                    let (ours, theirs) = table
                        .bench
                        .medians_of(|| crate::support::time(&mut *ours), || peer.decode(&picture.bytes));
                    table.times(what, &peer.name, target, ours.as_secs_f64(), theirs.as_secs_f64());
                }
            }
            Err(reason) => table.row(&to_coefficients, String::new(), reason.clone(), String::new(), target),
        }
        table.compare(&to_samples, "OpenJPEG 2.5", "", whole, || peers::openjpeg(&picture));
        let outcome = peers::openjph(&picture).map(|samples| peers::difference(&whole(), &samples));
        let name = "openjph-core 0.1";
        let useless = match outcome {
            Ok(difference) if difference < 0.5 => {
                table.compare(&to_samples, name, "", whole, || peers::openjph(&picture));
                continue;
            }
            Ok(difference) => format!("{name}: it gives other samples, {difference:.1} off on average"),
            Err(error) => format!("{name}: {error}"),
        };
        table.row(&to_samples, String::new(), useless, String::new(), "");
    }
}
