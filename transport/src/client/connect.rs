//! Finding a road to a server: HTTP/3 first and HTTP/1.1 after it, unless one is asked for.

use crate::options::setters;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;

use super::roads::{is_built, over};
use super::{Address, RoadChoice, RoadMemory};
use crate::jpip::wire::response;
use crate::road::{AnswerBody, Connection, RequestFields, ResponseHead, RoadError, RoadKind};
use crate::tls::Trust;

/// How to connect.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct ConnectOptions {
    /// Which road; the address' scheme decides where this is [`RoadChoice::Auto`].
    pub road: RoadChoice,
    /// Whom to believe where the road is encrypted.
    pub trust: Trust,
    /// TCP port for HTTP/1.1 and WebSocket if it is not the address' own.
    pub http1_port: Option<u16>,
    /// With [`RoadChoice::Auto`]: how long HTTP/3 is tried alone.
    pub head_start: Duration,
    /// How long to try in all.
    pub timeout: Duration,
    /// Longest silence within a response before it counts as lost.
    pub stall: Duration,
    /// Header fields that go along: credentials.
    pub fields: RequestFields,
    /// What was learnt of servers: with [`RoadChoice::Auto`], the road that worked last is tried first.
    pub memory: RoadMemory,
}

setters!(ConnectOptions {
    road: RoadChoice,
    trust: Trust,
    http1_port: Option<u16>,
    head_start: Duration,
    timeout: Duration,
    stall: Duration,
    fields: RequestFields,
    memory: RoadMemory,
});

impl Default for ConnectOptions {
    fn default() -> Self {
        Self {
            road: RoadChoice::Auto,
            trust: Trust::default(),
            http1_port: None,
            head_start: Duration::from_millis(300),
            timeout: Duration::from_secs(10),
            stall: Duration::from_secs(30),
            fields: RequestFields::default(),
            memory: RoadMemory::default(),
        }
    }
}

/// A connection to a server, over any road. Clones share it.
#[derive(Clone)]
pub struct Road {
    connection: Arc<dyn Connection>,
    kind: RoadKind,
    stall: Duration,
    /// Where the server's word on its other roads is kept, if it comes encrypted.
    memory: Option<(RoadMemory, Address)>,
}

impl Road {
    /// Connects to the server of `address`, and waits for that, no longer than [`ConnectOptions::timeout`].
    ///
    /// [`RoadChoice::Auto`] tries HTTP/3, and after [`ConnectOptions::head_start`] HTTP/1.1 beside it; the first that
    /// answers is taken, and tried first the next time ([`ConnectOptions::memory`]). A server that answers over HTTP/3 with
    /// the wrong certificate ends the attempt. HTTP/1.1 is in TLS if the address says so; if not, and the caller has named
    /// the certificate or its authority, there is no falling back to it: it would prove nothing. Nor is there with
    /// [credentials](ConnectOptions::fields).
    /// # Errors
    /// [`RoadError`]
    pub async fn connect(address: &Address, options: &ConnectOptions) -> Result<Self, RoadError> {
        let choice = match options.road {
            RoadChoice::Auto => address.road,
            chosen => chosen,
        };
        let connecting = async {
            match choice {
                RoadChoice::Only(kind) => Ok((kind, over(kind, address, options).await?)),
                RoadChoice::Auto => either(address, options).await,
            }
        };
        let connected = tokio::time::timeout(options.timeout, connecting).await;
        let (kind, connection) = connected.map_err(|_| address.unreachable("no answer".to_owned()))??;
        if choice == RoadChoice::Auto {
            options.memory.note(address, kind);
        }
        let memory = address.secure.then(|| (options.memory.clone(), address.clone()));
        Ok(Self { connection, kind, stall: options.stall, memory })
    }

    /// Sends one request, and waits for the head of its answer; others may be under way.
    /// # Errors
    /// [`RoadError::Lost`] if no response head comes.
    pub async fn request(&self, path_and_query: &str) -> Result<(ResponseHead, ResponseBody), RoadError> {
        let (head, body) = in_time(self.stall, self.connection.request(path_and_query)).await?;
        if let Some((memory, address)) = self.memory.as_ref().filter(|_| self.kind == RoadKind::Http1)
            && let Some(alternatives) = response::header(&head.headers, "Alt-Svc")
        {
            memory.note_alternatives(address, alternatives);
        }
        Ok((head, ResponseBody { body, stall: self.stall }))
    }

    /// Which road it is.
    pub const fn kind(&self) -> RoadKind {
        self.kind
    }

    /// Whether it is known to have ended. HTTP/1.1 connects anew by itself.
    pub fn is_closed(&self) -> bool {
        self.connection.is_closed()
    }

    /// Closes the connection, and waits until the server has been told.
    pub async fn close(self) {
        self.connection.close().await;
    }
}

/// Body of a response. Dropping it before its end cancels the response.
pub struct ResponseBody {
    body: Box<dyn AnswerBody>,
    stall: Duration,
}

impl ResponseBody {
    /// Waits for the next bytes; `None` at the end.
    /// # Errors
    /// [`RoadError::Lost`] if the connection broke or stood still for too long.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>, RoadError> {
        in_time(self.stall, self.body.chunk()).await
    }
}

async fn in_time<T>(
    stall: Duration,
    step: impl Future<Output = Result<T, RoadError>>,
) -> Result<T, RoadError> {
    let done = tokio::time::timeout(stall, step).await;
    done.unwrap_or_else(|_| Err(RoadError::Lost(format!("nothing came for {} s", stall.as_secs_f32()))))
}

/// HTTP/3, or HTTP/1.1.
async fn either(
    address: &Address,
    options: &ConnectOptions,
) -> Result<(RoadKind, Arc<dyn Connection>), RoadError> {
    let http1_road = || async { Ok((RoadKind::Http1, over(RoadKind::Http1, address, options).await?)) };
    let http3_road = || async { Ok((RoadKind::Http3, over(RoadKind::Http3, address, options).await?)) };
    if !is_built(RoadKind::Http3) {
        return http1_road().await;
    }
    // What is not encrypted proves nothing.
    let may_fall_back = is_built(RoadKind::Http1)
        && (address.secure
            || (matches!(options.trust, Trust::WebPki | Trust::Insecure)
                && options.fields.may_go_in_clear()));
    if !may_fall_back {
        return http3_road().await;
    }
    if options.memory.worked(address) == Some(RoadKind::Http1) {
        // HTTP/3 did not answer the last time: it is not waited for, unless this road is gone, too.
        if let Ok(Ok(road)) = tokio::time::timeout(options.head_start, http1_road()).await {
            return Ok(road);
        }
    }
    let mut http3 = std::pin::pin!(http3_road());
    let failed = match tokio::time::timeout(options.head_start, http3.as_mut()).await {
        Ok(Ok(road)) => return Ok(road),
        Ok(Err(untrusted @ RoadError::Untrusted { .. })) => return Err(untrusted),
        Ok(Err(error)) => Some(error),
        Err(_) => None,
    };
    tracing::debug!(server = address.authority(), "no HTTP/3 yet: trying HTTP/1.1");
    let mut http1 = std::pin::pin!(http1_road());
    if let Some(http3_error) = failed {
        return http1.await.map_err(|error| both(address, &http3_error, &error));
    }
    tokio::select! {
        biased;
        result = http3.as_mut() => match result {
            Ok(road) => Ok(road),
            Err(untrusted @ RoadError::Untrusted { .. }) => Err(untrusted),
            Err(error) => http1.await.map_err(|second| both(address, &error, &second)),
        },
        result = http1.as_mut() => match result {
            Ok(road) => Ok(road),
            Err(error) => http3.await.map_err(|first| match first {
                RoadError::Untrusted { .. } => first,
                first => both(address, &first, &error),
            }),
        },
    }
}

fn both(address: &Address, http3: &RoadError, http1: &RoadError) -> RoadError {
    address.unreachable(format!("over HTTP/3: {http3}; over HTTP/1.1: {http1}"))
}
