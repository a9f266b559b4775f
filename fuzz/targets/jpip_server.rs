//! A sequence of requests to a server.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_fuzz::ask;

fuzz_target!(|bytes: &[u8]| ask(&String::from_utf8_lossy(bytes)));
