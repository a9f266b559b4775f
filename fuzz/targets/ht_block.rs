//! Code-blocks of T.814.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_engine::low_level::codestream::code_block::BlockCoder;
use wavetile_fuzz::BlockInput;

fuzz_target!(|bytes: &[u8]| {
    if let Some(input) = BlockInput::parse(bytes, BlockCoder::HighThroughput) {
        input.decode();
    }
});
