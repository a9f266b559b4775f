//! Samples that do not fit into 32 bits.

use crate::{empty_codestream, open};
use wavetile_engine::error::CodestreamError;
use wavetile_engine::{DecodeRequest, Decoder, Error};

/// No file of the shared data is that deep: the samples of a decode are 32-bit signed integers.
#[test]
fn samples_deeper_than_31_bits_are_refused_by_name() {
    let decode = |depth| {
        let image = open(empty_codestream(20, 10, 20, depth)).unwrap();
        Decoder::cpu().components(&image, &DecodeRequest::default())
    };
    assert_eq!(decode(31).unwrap().0[0].samples, [1 << 30; 200]);
    for depth in [32, 38] {
        match decode(depth) {
            Err(Error::Codestream(CodestreamError::Unsupported { feature })) => {
                assert!(feature.starts_with(&format!("{depth}-bit unsigned samples")), "{feature}");
            }
            other => panic!("{depth} bits: {other:?}"),
        }
    }
}
