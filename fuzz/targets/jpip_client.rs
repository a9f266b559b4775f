//! Heads and bodies of answers into a client, and what it then holds into the decoder.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_fuzz::{ClientScript, decode_held};

fuzz_target!(|bytes: &[u8]| {
    if let Some(script) = ClientScript::parse(bytes) {
        decode_held(&script.run());
    }
});
