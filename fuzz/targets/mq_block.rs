//! Code-blocks of T.800 Annexes C and D.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_engine::low_level::codestream::code_block::BlockCoder;
use wavetile_fuzz::BlockInput;

fuzz_target!(|bytes: &[u8]| {
    if let Some(input) = BlockInput::parse(bytes, BlockCoder::BitPlane) {
        input.decode();
    }
});
