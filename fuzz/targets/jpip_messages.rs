//! Messages of JPP- and JPT-streams, split anywhere.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_fuzz::read_messages;

fuzz_target!(|bytes: &[u8]| read_messages(bytes));
