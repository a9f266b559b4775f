//! One request to a web server, and what of its answer is kept.

use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use wavetile_engine::source::PartialSource;

use super::error::{ByteRangeError, answer};
use crate::client::roads::over_tcp;
use crate::client::{Address, ConnectOptions};
use crate::jpip::wire::response;
use crate::road::{RequestFields, ResponseHead, RoadError};
use crate::tcp::http1::{Http1Connections, ResponseBody};

/// Bytes of answers, counted as they arrive.
#[derive(Default)]
pub(super) struct Counts {
    pub(super) received: AtomicU64,
    pub(super) new: AtomicU64,
    pub(super) duplicate: AtomicU64,
}

impl Counts {
    /// Bytes of a body.
    pub(super) fn receive(&self, bytes: &[u8]) {
        self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }

    /// Those of them that are of the file, at `at`.
    pub(super) fn keep(&self, source: &PartialSource, at: u64, bytes: &[u8]) {
        let new = source.insert(at, bytes);
        self.new.fetch_add(new, Ordering::Relaxed);
        self.duplicate.fetch_add(bytes.len() as u64 - new, Ordering::Relaxed);
    }
}

/// A body whose silence is bounded.
pub(super) struct Body {
    pub(super) body: ResponseBody,
    pub(super) stall: Duration,
}

impl Body {
    pub(super) async fn chunk(&mut self) -> Result<Option<bytes::Bytes>, RoadError> {
        in_time(self.stall, self.body.chunk()).await
    }

    /// Keeps bytes of `range` of the file. Reads on to the end, so that the connection can be used again, but no further than
    /// `range` if there is more.
    pub(super) async fn keep(
        &mut self,
        range: Range<u64>,
        source: &PartialSource,
        counts: &Counts,
    ) -> Result<(), RoadError> {
        let mut at = range.start;
        while let Some(chunk) = self.chunk().await? {
            counts.receive(&chunk);
            let length = (range.end - at).min(chunk.len() as u64);
            counts.keep(source, at, &chunk[..length as usize]);
            at += length;
            if length < chunk.len() as u64 {
                break;
            }
        }
        Ok(())
    }
}

pub(super) async fn connect(
    address: &Address,
    options: &ConnectOptions,
    fields: RequestFields,
) -> Result<Http1Connections, RoadError> {
    let options = ConnectOptions { fields, ..options.clone() };
    let connecting = over_tcp(address, &options, Http1Connections::connect);
    let connection = tokio::time::timeout(options.timeout, connecting).await;
    connection.map_err(|_| RoadError::Unreachable {
        address: address.authority(),
        reason: "no answer".to_owned(),
    })?
}

pub(super) async fn in_time<T>(
    stall: Duration,
    step: impl Future<Output = Result<T, RoadError>>,
) -> Result<T, RoadError> {
    let done = tokio::time::timeout(stall, step).await;
    done.unwrap_or_else(|_| Err(RoadError::Lost(format!("nothing came for {} s", stall.as_secs_f32()))))
}

/// What `If-Range` may name: a strong ETag, or else a date (RFC 9110 section 13.1.5).
pub(super) fn validator(head: &ResponseHead) -> Option<HeaderValue> {
    let field = |name| response::header(&head.headers, name);
    let strong = field("ETag").filter(|tag| !tag.starts_with("W/"));
    HeaderValue::from_str(strong.or_else(|| field("Last-Modified"))?).ok()
}

pub(super) fn ranges_fields(ranges: &[Range<u64>]) -> Result<HeaderMap, ByteRangeError> {
    let list: Vec<String> = ranges.iter().map(|range| format!("{}-{}", range.start, range.end - 1)).collect();
    let value = HeaderValue::from_str(&format!("bytes={}", list.join(",")));
    let mut fields = HeaderMap::new();
    fields.insert(header::RANGE, value.map_err(|error| answer(error.to_string()))?);
    fields.insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
    Ok(fields)
}
