//! Packet headers of a precinct.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_fuzz::PacketsInput;

fuzz_target!(|bytes: &[u8]| {
    if let Some(input) = PacketsInput::parse(bytes) {
        input.read();
    }
});
