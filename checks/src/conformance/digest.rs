//! A digest of samples, for references of which no more was kept.

use sha2::{Digest, Sha256};
use wavetile_testing::plane::Plane;

/// SHA-256 over all samples as little-endian 32-bit words, in hexadecimal.
pub(super) fn sha256(planes: &[Plane]) -> String {
    let mut hash = Sha256::new();
    for sample in planes.iter().flat_map(|plane| &plane.samples) {
        hash.update(sample.to_le_bytes());
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_wrong_sample_is_another_digest() {
        let plane = Plane { width: 3, height: 1, samples: vec![0, 1, 2] };
        let wrong = Plane { samples: vec![0, 1, 3], ..plane.clone() };
        assert_eq!(sha256(&[]), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        assert_ne!(sha256(&[plane]), sha256(&[wrong]));
    }
}
