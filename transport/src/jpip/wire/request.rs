//! Requests (T.808 Annex C): the fields of a query string, read and written.

use super::cache_model::{BinSelector, CacheModel, Extent, Statement};
use super::context::Context;
use super::fields::{FieldError, NumberRange, decode, encode, encode_path, number, rate};
use super::metareq::MetadataRequest;
use super::preference::Preference;
use super::view_window_fields::{self, StreamRange, ViewWindowFields};
use wavetile_engine::view_window::ViewWindow;

/// A request. Fields that are not known here were ignored.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Request {
    /// Name of the picture, from `target` or the path (T.808 C.2).
    pub target: Option<String>,
    /// What the client takes for the identifier of the target's state ("tid", T.808 C.2); "0" asks for it.
    pub target_id: Option<String>,
    /// The channel that the request belongs to ("cid", T.808 C.3).
    pub channel: Option<String>,
    /// Transports for a new channel, best first ("cnew", T.808 C.3).
    pub new_channel: Option<Vec<String>>,
    /// Channels to close ("cclose", T.808 C.3).
    pub close: Option<CloseChannels>,
    /// Number of the request in its channel ("qid", T.808 C.3).
    pub request_id: Option<u64>,
    /// What the client wants to see (T.808 C.4); `None` = headers and metadata only.
    pub window: Option<ViewWindow>,
    /// Windows that are to follow it in the same response, one after the other ("then", docs/jpip-then.md).
    pub then: Vec<ViewWindow>,
    /// Codestreams ("stream", T.808 C.4); empty = codestream 0.
    pub streams: Vec<StreamRange>,
    /// Codestreams by what they are for ("context", T.808 C.4); those of `streams` besides.
    pub contexts: Vec<Context>,
    /// Most bytes of messages that may be sent ("len", T.808 C.6).
    pub length: Option<u64>,
    /// Types of stream that the client takes ("type", T.808 C.7); empty = any.
    pub types: Vec<String>,
    /// What the client holds ("model", T.808 C.8; and "beyond" of ours).
    pub model: CacheModel,
    /// Data-bins that the client needs ("need", T.808 C.8): no other is sent. Without a window, these are sent.
    pub need: Option<CacheModel>,
    /// Metadata that the client wants ("metareq", T.808 C.5).
    pub metadata: Option<MetadataRequest>,
    /// Messages are to end where packets or data-bins do ("align", T.808 C.7).
    pub align: bool,
    /// The request before it in the channel is to be answered whole ("wait", T.808 C.7).
    pub wait: bool,
    /// Share of the full quality that is enough, in percent ("quality", T.808 C.6).
    pub quality: Option<u64>,
    /// Codestreams whose cache model the server should keep ("mset", T.808 C.8).
    pub model_set: Option<Vec<NumberRange>>,
    /// Part of the target, in bytes ("subtarget", T.808 C.2).
    pub sub_target: Option<NumberRange>,
    /// The client wants to change the target ("upload", T.808 C.9).
    pub upload: bool,
    /// Bytes that the server may send beyond the window without being asked ("push", docs/jpip-push.md).
    pub push: Option<u64>,
    /// Preferences ("pref", T.808 C.10).
    pub preferences: Vec<Preference>,
    /// Name of a region of interest ("roi", T.808 C.4).
    pub region_of_interest: Option<String>,
    /// Codestreams a second that are wanted of those that have times ("srate", T.808 C.4).
    pub sampling_rate: Option<f64>,
    /// Codestreams a second that are to be sent ("drate", T.808 C.7).
    pub delivery_rate: Option<f64>,
}

/// Channels that a request closes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CloseChannels {
    /// Every channel of the session (`*`).
    All,
    /// These.
    Listed(Vec<String>),
}

/// What the body of a response can be ("type").
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum StreamType {
    /// Data-bins of precincts; `extended`: each message tells how many layers it completes (`ptype=ext`).
    Precincts {
        /// `ptype=ext`.
        extended: bool,
    },
    /// Data-bins of tiles (`jpt-stream`).
    Tiles,
    /// The file (`raw`).
    Raw,
}

/// Path that names no picture: pictures are then named by `target` or by the channel.
pub const SERVICE_PATH: &str = "jpip";

impl Request {
    /// Reads a request from the path and the query of an HTTP request, both still percent-encoded.
    ///
    /// # Errors
    /// [`FieldError`] if a known field cannot be understood.
    pub fn parse(path: &str, query: &str) -> Result<Self, FieldError> {
        let mut request = Self::default();
        let mut window = ViewWindowFields::default();
        let path = decode("path", path.strip_prefix('/').unwrap_or(path))?;
        if !path.is_empty() && path != SERVICE_PATH {
            request.target = Some(path);
        }
        for field in query.split('&').filter(|field| !field.is_empty()) {
            let (name, value) = field.split_once('=').unwrap_or((field, ""));
            request.take(name, value, &mut window)?;
        }
        request.window = window.window();
        Ok(request)
    }

    /// Path and query of an HTTP request that says this, with a leading slash. `service` is the path to
    /// use when a channel names the picture.
    #[must_use]
    pub fn to_path_and_query(&self, service: &str) -> String {
        let query = self.to_query();
        let path = match &self.target {
            Some(target) if self.channel.is_none() => encode_path(target),
            _ => encode_path(service),
        };
        if query.is_empty() { format!("/{path}") } else { format!("/{path}?{query}") }
    }

    /// The query alone, without the target.
    #[must_use]
    pub fn to_query(&self) -> String {
        let mut fields = Vec::new();
        let mut put = |name: &str, value: &str| fields.push(format!("{name}={}", encode(value)));
        if let Some(channel) = &self.channel {
            put("cid", channel);
        }
        if let Some(transports) = &self.new_channel {
            put("cnew", &transports.join(","));
        }
        match &self.close {
            Some(CloseChannels::All) => put("cclose", "*"),
            Some(CloseChannels::Listed(channels)) => put("cclose", &channels.join(",")),
            None => (),
        }
        if let Some(id) = &self.target_id {
            put("tid", id);
        }
        if !self.types.is_empty() {
            put("type", &self.types.join(","));
        }
        if !self.contexts.is_empty() {
            let contexts: Vec<String> = self.contexts.iter().map(Context::to_string).collect();
            put("context", &contexts.join(","));
        }
        if !self.streams.is_empty() {
            let streams: Vec<String> = self.streams.iter().map(StreamRange::to_string).collect();
            put("stream", &streams.join(","));
        }
        if let Some(id) = self.request_id {
            put("qid", &id.to_string());
        }
        if let Some(length) = self.length {
            put("len", &length.to_string());
        }
        if let Some(metadata) = &self.metadata {
            put("metareq", metadata.text());
        }
        if let Some(budget) = self.push {
            put("push", &budget.to_string());
        }
        if !self.then.is_empty() {
            put("then", &view_window_fields::windows_value(&self.then));
        }
        if self.align {
            put("align", "yes");
        }
        if self.wait {
            put("wait", "yes");
        }
        if let Some(quality) = self.quality {
            put("quality", &quality.to_string());
        }
        if let Some(set) = &self.model_set {
            put("mset", &set.iter().map(|range| range.without_star()).collect::<Vec<_>>().join(","));
        }
        if let Some(part) = self.sub_target {
            put("subtarget", &part.without_star());
        }
        if self.upload {
            put("upload", "");
        }
        if let Some(need) = &self.need {
            for (name, part) in ["need", "tpneed"].into_iter().zip(need.split()) {
                part.values().for_each(|value| put(name, &value));
            }
            // Who needs nothing says so: without the field, everything is sent.
            if need.is_empty() {
                put("need", "");
            }
        }
        if !self.preferences.is_empty() {
            let preferences: Vec<&str> = self.preferences.iter().map(Preference::text).collect();
            put("pref", &preferences.join(","));
        }
        if let Some(name) = &self.region_of_interest {
            put("roi", name);
        }
        for (name, rate) in [("srate", self.sampling_rate), ("drate", self.delivery_rate)] {
            if let Some(rate) = rate {
                put(name, &rate.to_string());
            }
        }
        for (name, model) in ["model", "tpmodel", "beyond"].into_iter().zip(self.model.split()) {
            model.values().for_each(|value| put(name, &value));
        }
        if let Some(window) = &self.window {
            fields.push(view_window_fields::to_query(window));
        }
        fields.join("&")
    }

    /// The codestreams that are asked for, of `count` that there are, ascending.
    pub fn codestreams(&self, count: u32) -> impl Iterator<Item = u32> + Send + use<> {
        let streams = self.streams.clone();
        (0..count).filter(move |&number| wants(&streams, number))
    }

    /// The codestreams, of `count`, that the cache model is about; `None` if it would take too long to tell.
    pub(in crate::jpip) fn modelled_codestreams(&self, count: u32) -> Option<Vec<u32>> {
        let statements = &self.model.statements;
        if u64::from(count).saturating_mul(statements.len() as u64) > MOST_COMPARED {
            return None;
        }
        let is_about = |statement: &Statement, number: u32| match statement.bins {
            BinSelector::Metadata(_) => number == 0,
            _ => statement.is_about(number.into(), wants(&self.streams, number)),
        };
        Some((0..count).filter(|&number| statements.iter().any(|one| is_about(one, number))).collect())
    }

    /// Whether codestream `number` is asked for.
    pub(in crate::jpip) fn wants_codestream(&self, number: u32) -> bool {
        wants(&self.streams, number)
    }

    /// The first type of stream that the client takes and that is known here; JPP-streams if it names none.
    #[must_use]
    pub fn stream_type(&self) -> Option<StreamType> {
        let known = |kind: &String| {
            let mut parts = kind.split(';').map(str::trim);
            let name = parts.next().unwrap_or_default();
            let extended = parts.any(|parameter| parameter == "ptype=ext");
            match name.strip_prefix("image/").unwrap_or(name) {
                "jpp-stream" => Some(StreamType::Precincts { extended }),
                "jpt-stream" => Some(StreamType::Tiles),
                "raw" => Some(StreamType::Raw),
                _ => None,
            }
        };
        match &self.types[..] {
            [] => Some(StreamType::Precincts { extended: false }),
            types => types.iter().find_map(known),
        }
    }

    fn take(&mut self, name: &str, value: &str, window: &mut ViewWindowFields) -> Result<(), FieldError> {
        let decoded = |field| decode(field, value);
        match name {
            "target" => self.target = Some(token("target", decoded("target")?)?),
            "tid" => self.target_id = Some(token("tid", decoded("tid")?)?),
            "cid" => self.channel = Some(token("cid", decoded("cid")?)?),
            "cnew" => self.new_channel = Some(list(&decoded("cnew")?)),
            "cclose" => {
                let value = decoded("cclose")?;
                self.close =
                    Some(if value == "*" { CloseChannels::All } else { CloseChannels::Listed(list(&value)) });
            }
            "qid" => self.request_id = Some(number("qid", &decoded("qid")?)?),
            "len" => self.length = Some(number("len", &decoded("len")?)?),
            "type" => self.types = list(&decoded("type")?),
            "context" => self.contexts = Context::parse_all(&decoded("context")?)?,
            "stream" => self.streams = view_window_fields::streams(&decoded("stream")?)?,
            "model" | "beyond" => {
                self.model.statements.extend(CacheModel::parse(&decoded("model")?)?.statements);
            }
            "tpmodel" => {
                let said = CacheModel::parse_tile_parts("tpmodel", &decoded("tpmodel")?)?;
                self.model.statements.extend(said.statements);
            }
            "roi" => self.region_of_interest = Some(token("roi", decoded("roi")?)?),
            "srate" => self.sampling_rate = Some(rate("srate", &decoded("srate")?)?),
            "drate" => self.delivery_rate = Some(rate("drate", &decoded("drate")?)?),
            "metareq" => self.metadata = Some(MetadataRequest::parse(&decoded("metareq")?)?),
            "align" => self.align = decoded("align")? == "yes",
            "wait" => self.wait = decoded("wait")? == "yes",
            "quality" => self.quality = Some(number("quality", &decoded("quality")?)?),
            "mset" => self.model_set = Some(ranges("mset", &decoded("mset")?)?),
            "subtarget" => self.sub_target = Some(NumberRange::parse("subtarget", &decoded("subtarget")?)?),
            "upload" => self.upload = true,
            "then" => self.then = view_window_fields::windows(&decoded("then")?)?,
            "push" => self.push = Some(number("push", &decoded("push")?)?),
            "need" | "tpneed" => {
                let need = match name {
                    "need" => CacheModel::parse(&decoded("need")?)?,
                    _ => CacheModel::parse_tile_parts("tpneed", &decoded("tpneed")?)?,
                };
                for statement in &need.statements {
                    if statement.subtract {
                        return Err(FieldError::new("need", value, "nothing can be subtracted"));
                    }
                    if matches!(statement.extent, Extent::Between(..)) {
                        return Err(FieldError::new(
                            "need",
                            value,
                            "a data-bin is needed from its beginning",
                        ));
                    }
                }
                self.need.get_or_insert_default().statements.extend(need.statements);
            }
            "pref" => self.preferences = Preference::parse_all(&decoded("pref")?),
            "fsiz" | "roff" | "rsiz" | "layers" | "comps" => {
                window.take(name, &decoded("view-window")?)?;
            }
            _ => (),
        }
        Ok(())
    }
}

/// Pairs of codestreams and statements that are looked at.
const MOST_COMPARED: u64 = 1 << 22;

/// Without a `stream` field, codestream 0.
fn wants(streams: &[StreamRange], number: u32) -> bool {
    if streams.is_empty() { number == 0 } else { streams.iter().any(|range| range.holds(number.into())) }
}

fn token(field: &'static str, value: String) -> Result<String, FieldError> {
    if value.is_empty() { Err(FieldError::new(field, &value, "empty")) } else { Ok(value) }
}

fn ranges(field: &'static str, value: &str) -> Result<Vec<NumberRange>, FieldError> {
    value.split(',').map(|part| NumberRange::parse(field, part)).collect()
}

fn list(value: &str) -> Vec<String> {
    value.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use proptest::prelude::*;
    use wavetile_engine::geometry::Size;

    fn full() -> Request {
        Request {
            target: None,
            target_id: Some("0".into()),
            channel: Some("00ff".into()),
            new_channel: Some(vec!["h3".into(), "http".into()]),
            close: Some(CloseChannels::Listed(vec!["a".into(), "b".into()])),
            request_id: Some(u64::MAX),
            window: Some(ViewWindow { layers: Some(3), ..ViewWindow::whole(Size::new(640, 480)) }),
            then: vec![ViewWindow { layers: Some(3), ..ViewWindow::whole(Size::new(1, 2)) }],
            streams: vec![StreamRange { range: NumberRange { from: 1, to: Some(9) }, step: 2 }],
            contexts: Context::parse_all("jpxl<1-3:2>,mj2t<0>").unwrap(),
            length: Some(0),
            types: vec!["jpp-stream".into(), "jpt-stream".into()],
            model: CacheModel { statements: vec![Statement::has(BinSelector::MainHeader)] },
            need: Some(CacheModel { statements: vec![Statement::has(BinSelector::MainHeader)] }),
            metadata: MetadataRequest::parse("[*]!!").ok(),
            align: true,
            wait: true,
            quality: Some(70),
            model_set: Some(vec![NumberRange::ALL, NumberRange::one(4)]),
            sub_target: Some(NumberRange { from: 5, to: Some(9) }),
            upload: true,
            push: Some(1 << 20),
            preferences: Preference::parse_all("fullwindow/r,concise"),
            region_of_interest: Some("face".into()),
            sampling_rate: Some(12.5),
            delivery_rate: Some(25.0),
        }
    }

    /// Found by fuzzing (`jpip_query`), as the next.
    #[test]
    fn who_needs_nothing_says_so() {
        for query in ["need=", "tpneed=", "need=&tpneed="] {
            let request = Request::parse("", query).unwrap();
            assert_eq!(request.need, Some(CacheModel::default()), "{query}");
            assert_eq!(request.to_query(), "need=");
        }
        assert_eq!(Request::parse("", "").unwrap().to_query(), "");
    }

    #[test]
    fn what_is_said_of_no_codestream_in_particular_stays_apart_from_what_is() {
        for query in ["model=[1]Hm,H0&model=Hm", "need=[1;3]M0&need=Hm,[2]Hm&need=P0:50"] {
            let request = Request::parse("", query).unwrap();
            let written = request.to_query().replace("%5B", "[").replace("%5D", "]").replace("%3B", ";");
            assert_eq!(written, query);
            assert_eq!(Request::parse("", &request.to_query()), Ok(request));
        }
        assert!(Request::parse("", "need=P0:200-300").is_err());
    }

    #[test]
    fn requests_round_trip() {
        let text = full().to_path_and_query("jpip");
        let (path, query) = text.split_once('?').unwrap();
        assert_eq!(path, "/jpip");
        assert_eq!(Request::parse(path, query).unwrap(), full());
        assert!(!query.contains(['<', '"']), "{query}");
        let open = Request { target: Some("a dir/\u{e9} 1.jp2".into()), ..Request::default() };
        let text = open.to_path_and_query("jpip");
        assert_eq!(text, "/a%20dir/%C3%A9%201.jp2");
        assert_eq!(Request::parse(&text, "").unwrap(), open);
    }

    #[test]
    fn every_truncation_of_a_query_is_a_request_or_an_error() {
        let query = full().to_query();
        for cut in 0..query.len() {
            // The result is either; what counts is that there is one.
            let _ = Request::parse("/jpip", &query[..cut]);
        }
        assert!(Request::parse("/jpip", &query[..query.len() - "3".len()]).is_err(), "layers=");
    }

    #[test]
    fn requests_of_foreign_clients_are_understood() {
        let open = Request::parse("/one3.jp2", "cnew=http&type=jpp-stream&tid=0&len=512").unwrap();
        assert_eq!(open.target.as_deref(), Some("one3.jp2"));
        assert_eq!(open.new_channel, Some(vec!["http".to_owned()]));
        assert_eq!(open.stream_type(), Some(StreamType::Precincts { extended: false }));
        assert!(open.window.is_none());
        let next = Request::parse("/jpip", "stream=0&metareq=[*]!!&len=2000000&cid=C").unwrap();
        assert_eq!((next.target, next.channel.as_deref()), (None, Some("C")));
        let model = Request::parse("/jpip", "fsiz=1,1&model=Hm%2CHt0%2C%5B0%5DP3").unwrap().model;
        assert_eq!(model.to_string(), "Hm,H0,[0]P3");
        let named =
            Request::parse("/jpip", "target=x.j2k&subtarget=0-9&unknown=%%%&type=jpt-stream").unwrap();
        assert_eq!(named.target.as_deref(), Some("x.j2k"));
        assert_eq!(named.stream_type(), Some(StreamType::Tiles));
    }

    #[test]
    fn the_first_type_that_is_known_counts() {
        let of = |query: &str| Request::parse("/x", query).unwrap().stream_type();
        assert_eq!(of(""), Some(StreamType::Precincts { extended: false }));
        let extended = "type=image/mj2,image/jpp-stream;ptype=ext,raw";
        assert_eq!(of(extended), Some(StreamType::Precincts { extended: true }));
        assert_eq!(of("type=jpt-stream;ttype=ext"), Some(StreamType::Tiles));
        assert_eq!(of("type=raw"), Some(StreamType::Raw));
        assert_eq!(of("type=image/png"), None);
    }

    #[test]
    fn broken_fields_are_refused() {
        for query in [
            "len=-1",
            "len=18446744073709551616",
            "qid=",
            "cid=",
            "fsiz=a,b",
            "model=Q",
            "stream=x",
            "need=-Hm",
            "quality=x",
            "mset=2-1",
            "subtarget=x",
        ] {
            assert!(Request::parse("/jpip", query).is_err(), "{query}");
        }
    }

    proptest! {
        #[test]
        fn arbitrary_queries_never_panic_and_what_parses_round_trips(query in "[a-z]{0,4}(&(fsiz|roff|rsiz|comps|layers|len|qid|cid|model|stream|type)=[0-9HPm,%:*a-f-]{0,9}){0,6}") {
            if let Ok(request) = Request::parse("/jpip", &query) {
                prop_assert_eq!(Request::parse("/jpip", &request.to_query()).unwrap(), request);
            }
        }

        #[test]
        fn arbitrary_text_never_panics(path in ".{0,60}", query in ".{0,200}") {
            let _ = Request::parse(&path, &query);
        }
    }
}
