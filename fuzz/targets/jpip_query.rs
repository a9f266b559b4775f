//! Requests of JPIP: path and query with all their fields.
#![no_main]

use libfuzzer_sys::fuzz_target;
use wavetile_transport::jpip::Request;
use wavetile_transport::jpip::wire::cache_model::CacheModel;

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let (path, query) = text.split_once('?').unwrap_or(("/jpip", &text));
    let Ok(request) = Request::parse(path, query) else { return };
    // What is written says the same, but for the picture's name, which stands in the path, and the order of what is said of
    // bins, tile-parts and gaps.
    let written = request.to_query();
    assert!(written.is_ascii() && !written.contains(['\r', '\n', ' ']), "{written}");
    let again = Request::parse("", &written).unwrap_or_else(|error| panic!("{written}: {error}"));
    let in_order = |model: &CacheModel| CacheModel {
        statements: model.split().into_iter().flat_map(|part| part.statements).collect(),
    };
    let model = in_order(&request.model);
    let need = request.need.as_ref().map(in_order);
    assert_eq!(again, Request { target: None, model, need, ..request }, "{written}");
});
