//! A picture file on a plain web server or object store, fetched in ranges of bytes (RFC 9110 section 14).

use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use http::header::{self, HeaderValue};
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::source::{PartialFile, PartialSource};
use wavetile_engine::{DecodeRequest, Image, ImageOptions, Limits};

use super::content_range::{ContentRange, Multipart, boundary};
use super::error::{ByteRangeError, answer};
use super::exchange::{Body, Counts, connect, in_time, ranges_fields, validator};
use super::range_source::RangeSource;
use super::web_address::WebAddress;
use crate::client::{ConnectOptions, FetchSummary};
use crate::jpip::wire::response;
use crate::road::{RequestFields, ResponseHead, RoadError};
use crate::tcp::http1::{Http1Connections, ResponseBody};

/// A file on a web server. What was fetched stays, unless its memory is bounded ([`PartialSource::set_bound`]); nothing is fetched
/// twice.
pub struct RemoteFile {
    connection: Http1Connections,
    path: String,
    /// Holds while the file is the one that was opened: its ETag, or when it was last changed.
    validator: Option<HeaderValue>,
    file: Arc<PartialFile>,
    /// The server gives several ranges in one answer, as far as is known.
    several: bool,
    summary: FetchSummary,
    counts: Counts,
    start: Instant,
    stall: Duration,
}

impl RemoteFile {
    /// Opens `http://host/path` or `https://host/path`, which may have a query, and waits for the beginning of the file. A server without ranges gives the whole file,
    /// of up to [`MOST_WHOLE`] bytes. `limits` are those of the picture. `None`: a JPIP server answers, which a
    /// [`Session`](crate::client::Session) can talk with.
    ///
    /// # Errors
    /// [`ByteRangeError`]
    pub async fn open(
        url: &str,
        options: &ConnectOptions,
        limits: &Limits,
    ) -> Result<Option<Self>, ByteRangeError> {
        let start = Instant::now();
        let mut url = url.to_owned();
        let mut fields = options.fields.clone();
        // Of the server that was asked last.
        let mut kept: Option<(String, Http1Connections)> = None;
        for _ in 0..=MOST_REDIRECTS {
            let place = WebAddress::parse(&url)?;
            let connection = match kept.take().filter(|(server, _)| *server == place.address.server()) {
                Some((_, connection)) => connection,
                None => connect(&place.address, options, fields.clone()).await?,
            };
            let mut ask = ranges_fields(std::slice::from_ref(&(0..FIRST)))?;
            ask.insert(header::ACCEPT, HeaderValue::from_static("*/*"));
            let (head, body) = in_time(options.stall, connection.request_with(&place.path, &ask)).await?;
            if let (300..=399, Some(location)) = (head.status, response::header(&head.headers, "Location")) {
                let next = place.join(location).map_err(answer)?;
                if WebAddress::parse(&next)?.address.authority() != place.address.authority() {
                    // They are for the server that the user named.
                    fields = RequestFields::default();
                }
                url = next;
                kept = Some((place.address.server(), connection));
                continue;
            }
            return Self::from_first(place, connection, head, body, start, options.stall, limits).await;
        }
        Err(ByteRangeError::Answer(format!("more than {MOST_REDIRECTS} redirections")))
    }

    /// Whether [`open`](Self::open) understands an address.
    ///
    /// # Errors
    /// [`RoadError::Address`]
    pub fn check_address(url: &str) -> Result<(), RoadError> {
        WebAddress::parse(url).map(drop)
    }

    async fn from_first(
        place: WebAddress,
        connection: Http1Connections,
        head: ResponseHead,
        body: ResponseBody,
        start: Instant,
        stall: Duration,
        limits: &Limits,
    ) -> Result<Option<Self>, ByteRangeError> {
        let field = |name| response::header(&head.headers, name);
        if field("Content-Type").is_some_and(|kind| kind.starts_with(response::CONTENT_TYPE)) {
            return Ok(None);
        }
        if !place.has_query() && matches!(head.status, 400 | 404 | 405 | 501) {
            // A JPIP server may miss its fields. If it is none, it will refuse once more.
            return Ok(None);
        }
        let told = field("Content-Length").and_then(|length| length.parse::<u64>().ok());
        let len = match head.status {
            200 => told,
            206 => {
                let range = field("Content-Range").and_then(ContentRange::parse);
                let range = range.filter(|range| range.range.start == 0 && range.range.end <= FIRST);
                let range = range.ok_or_else(|| answer("it does not say which bytes it has"))?;
                Some(range.len.ok_or_else(|| answer("it does not say how long the file is"))?)
            }
            416 => return Err(answer("the file is empty")),
            status => return Err(ByteRangeError::Refused(status)),
        };
        if field("Content-Encoding").is_some_and(|coding| !coding.eq_ignore_ascii_case("identity")) {
            return Err(answer("it is compressed, though that was not asked for"));
        }
        let validator = validator(&head);
        let mut summary = FetchSummary { requests: 1, rounds: 1, asked: FIRST, ..FetchSummary::default() };
        let counts = Counts::default();
        let mut body = Body { body, stall };
        let source = match len.filter(|_| head.status == 206) {
            Some(len) => {
                let source = PartialSource::new(len);
                // If it breaks off, the rest is asked for when it is needed.
                let _ = body.keep(0..FIRST, &source, &counts).await;
                source
            }
            None => {
                let too_long = |len| ByteRangeError::TooLong { len, most: MOST_WHOLE };
                if let Some(len) = len.filter(|&len| len > MOST_WHOLE) {
                    return Err(too_long(len));
                }
                let mut whole = Vec::new();
                while let Some(chunk) = body.chunk().await? {
                    counts.receive(&chunk);
                    whole.extend_from_slice(&chunk);
                    if whole.len() >= MAGIC && !is_like_a_picture(&whole) && !place.has_query() {
                        return Ok(None);
                    }
                    if whole.len() as u64 > MOST_WHOLE {
                        return Err(too_long(whole.len() as u64));
                    }
                }
                // Some JPIP servers answer with nothing, and do not say as what.
                if !is_like_a_picture(&whole) && !place.has_query() {
                    return Ok(None);
                }
                let source = PartialSource::new(whole.len() as u64);
                counts.keep(&source, 0, &whole);
                summary.asked = whole.len() as u64;
                source
            }
        };
        let file = Arc::new(PartialFile::new(Arc::new(source), limits));
        let path = place.path;
        Ok(Some(Self { connection, path, validator, file, several: true, summary, counts, start, stall }))
    }

    /// What has arrived, as data-bins: shared, and growing.
    #[must_use]
    pub const fn bins(&self) -> &Arc<PartialFile> {
        &self.file
    }

    /// Fetches what tiles of `image`, which this file gave ([`image`](Self::image)), wish for. Its work is done by a task of the
    /// runtime this is called in, and ends when it is dropped.
    #[must_use]
    pub fn into_tile_source(self, image: Image) -> RangeSource {
        RangeSource::start(self, image)
    }

    /// What everything took since the file was opened. `requests` and `rounds` count as over JPIP; several ranges in one
    /// request are one.
    #[must_use]
    pub fn spent(&self) -> FetchSummary {
        FetchSummary {
            received: self.counts.received.load(Ordering::Relaxed),
            new: self.counts.new.load(Ordering::Relaxed),
            duplicate: self.counts.duplicate.load(Ordering::Relaxed),
            time: self.start.elapsed(),
            ..self.summary
        }
    }

    /// Waits for the headers of codestream `codestream`, and gives its picture; `None` if there is no such.
    ///
    /// # Errors
    /// [`ByteRangeError`]
    pub async fn image(&mut self, codestream: u32, limits: &Limits) -> Result<Option<Image>, ByteRangeError> {
        loop {
            let options = ImageOptions::new().limits(limits.clone()).codestream(codestream);
            let opening = options.open_stream(self.file.clone())?;
            if !self.fetch_missing().await? {
                return Ok(opening.image());
            }
        }
    }

    /// Fetches what decoding `request` needs, and waits for all of it: as a picture, if `rendered`, else as components.
    ///
    /// # Errors
    /// [`ByteRangeError`]
    pub async fn fetch(
        &mut self,
        image: &Image,
        request: &DecodeRequest,
        rendered: bool,
    ) -> Result<(), ByteRangeError> {
        self.fetch_all(image, std::slice::from_ref(request), rendered, || ()).await
    }

    /// The same for several requests at once; `came` is called whenever something has come. Ends before all is there where there
    /// is no room for more ([`PartialSource::is_full`]).
    pub(super) async fn fetch_all(
        &mut self,
        image: &Image,
        requests: &[DecodeRequest],
        rendered: bool,
        came: impl Fn(),
    ) -> Result<(), ByteRangeError> {
        let target = match rendered && image.rendering().is_ok() {
            true => Target::Rendered,
            false => Target::Components,
        };
        loop {
            let (image, requests) = (image.clone(), requests.to_vec());
            // Reads headers of packets, and so may take its time.
            let plan = move || {
                let plan = |request: &DecodeRequest| image.plan(request, target, CellSize::CPU).map(drop);
                requests.iter().try_for_each(plan)
            };
            tokio::task::spawn_blocking(plan).await.map_err(|error| answer(error.to_string()))??;
            if !self.fetch_missing().await? {
                return Ok(());
            }
            came();
        }
    }

    /// Fetches what was read in vain; `false` if nothing was.
    async fn fetch_missing(&mut self) -> Result<bool, ByteRangeError> {
        let source = self.file.source().clone();
        let mut ranges = source.take_missing();
        if ranges.is_empty() || source.is_full() {
            return Ok(false);
        }
        let mut failures = 0;
        self.summary.rounds += 1;
        while !ranges.is_empty() {
            let (received, several) = (source.received(), self.several);
            let outcome = self.fetch_ranges(&ranges).await;
            let outcome = match outcome {
                // It is asked in another way from now on.
                Ok(()) if self.several != several => Ok(()),
                _ if source.is_full() => return Ok(true),
                Ok(()) if source.received() == received => {
                    Err(RoadError::Lost("nothing of what was asked for has come".to_owned()).into())
                }
                outcome => outcome,
            };
            if let Err(error) = outcome {
                failures = if source.received() > received { 1 } else { failures + 1 };
                if failures >= ATTEMPTS || !matches!(error, ByteRangeError::Road(RoadError::Lost(_))) {
                    return Err(error);
                }
                tokio::time::sleep(PAUSE * failures).await;
                self.summary.rounds += 1;
            }
            // What has arrived before something broke is kept.
            ranges = ranges.iter().flat_map(|range| source.lacks(range.clone())).collect();
        }
        Ok(true)
    }

    /// Asks for `ranges` once. Not all of them may come.
    async fn fetch_ranges(&mut self, ranges: &[Range<u64>]) -> Result<(), ByteRangeError> {
        let most = if self.several { MOST_RANGES } else { 1 };
        self.summary.requests += ranges.len().div_ceil(most) as u64;
        self.summary.asked += ranges.iter().map(|range| range.end - range.start).sum::<u64>();
        let this = &*self;
        let mut asking = Vec::new();
        for group in ranges.chunks(most) {
            asking.push(this.ask(group.to_vec()));
        }
        let answers: Vec<_> = stream::iter(asking).buffer_unordered(MOST_AT_ONCE).collect().await;
        let mut failure = None;
        for answer in answers {
            match answer {
                Ok(all) => self.several &= all,
                Err(error) => failure = Some(error),
            }
        }
        failure.map_or(Ok(()), Err)
    }

    /// One request for `ranges`, and its answer; whether that had them all.
    async fn ask(&self, ranges: Vec<Range<u64>>) -> Result<bool, ByteRangeError> {
        let mut ask = ranges_fields(&ranges)?;
        if let Some(validator) = &self.validator {
            ask.insert(header::IF_RANGE, validator.clone());
        }
        let asking = self.connection.request_with(&self.path, &ask);
        let (head, body) = in_time(self.stall, asking).await?;
        let field = |name| response::header(&head.headers, name);
        let source = self.file.source();
        // An answer to If-Range may leave out what it was asked by.
        let told = validator(&head).filter(|_| matches!(head.status, 200 | 206));
        if self.validator.is_some() && told.is_some() && told != self.validator {
            return Err(ByteRangeError::Changed);
        }
        match head.status {
            206 => {}
            // Some give the whole file where they are asked for several ranges.
            200 if ranges.len() > 1 => return Ok(false),
            200 | 412 => return Err(ByteRangeError::Changed),
            416 => return Err(ByteRangeError::Changed),
            status => return Err(ByteRangeError::Refused(status)),
        }
        let mut body = Body { body, stall: self.stall };
        // All that is asked for lies in there.
        let hull = ranges.first().map_or(0, |range| range.start)..ranges.last().map_or(0, |range| range.end);
        let mut left = 2 * (hull.end - hull.start) + MOST_AROUND;
        if let Some(boundary) = field("Content-Type").and_then(boundary) {
            let mut parts = Multipart::new(&boundary);
            while let Some(chunk) = body.chunk().await? {
                self.counts.receive(&chunk);
                left = left.checked_sub(chunk.len() as u64).ok_or_else(|| answer("it does not end"))?;
                let mut astray = false;
                let keep = |at: u64, bytes: &[u8]| {
                    if at < hull.start || at + bytes.len() as u64 > hull.end {
                        astray = true;
                    } else {
                        self.counts.keep(source, at, bytes);
                    }
                };
                parts.push(&chunk, keep).map_err(answer)?;
                if astray {
                    return Err(answer("it has other bytes than were asked for"));
                }
            }
            if !parts.is_whole() {
                return Err(RoadError::Lost("the answer ends inside a part".to_owned()).into());
            }
            return Ok(true);
        }
        let place = field("Content-Range").and_then(ContentRange::parse);
        let place = place.ok_or_else(|| answer("it does not say which bytes it has"))?;
        if place.len.is_some_and(|len| len != wavetile_engine::byte_source::ByteSource::len(&**source)) {
            return Err(ByteRangeError::Changed);
        }
        if place.range.start < hull.start || place.range.end > hull.end {
            return Err(answer("it has other bytes than were asked for"));
        }
        body.keep(place.range, source, &self.counts).await?;
        Ok(ranges.len() == 1 || ranges.iter().all(|range| source.lacks(range.clone()).is_empty()))
    }
}

/// Bytes that tell a picture from other files.
const MAGIC: usize = 12;

/// Whether `bytes` begin as a codestream does, or as files of boxes do.
fn is_like_a_picture(bytes: &[u8]) -> bool {
    let kind = bytes.get(4..8).unwrap_or_default();
    bytes.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) || [&b"jP  "[..], b"ftyp", b"jp2h", b"jp2c"].contains(&kind)
}

/// Bytes that are asked for at first.
const FIRST: u64 = 64 << 10;
/// Bytes beside those that were asked for that an answer may have: heads of its parts.
const MOST_AROUND: u64 = 1 << 20;
/// Most bytes of a file that is fetched whole, where a server gives no ranges.
pub const MOST_WHOLE: u64 = 256 << 20;
const MOST_REDIRECTS: usize = 5;
/// Ranges in one request: some servers refuse more than 200, and fields of more than 4 kB.
const MOST_RANGES: usize = 100;
/// Requests that are under way at a time.
const MOST_AT_ONCE: usize = 6;
/// Failures in a row, with no new byte between them, after which there is no further attempt.
const ATTEMPTS: u32 = 4;
const PAUSE: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    /// Tasks of a runtime can fetch.
    #[test]
    fn fetching_can_be_spawned() {
        fn is_send<T: Send>(_: fn(RemoteFile, Image, DecodeRequest) -> T) {}
        is_send(|mut file, image, request| async move { file.fetch(&image, &request, true).await });
        is_send(|mut file, _, _| async move { file.image(0, &Limits::default()).await });
    }
}
