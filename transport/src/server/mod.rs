//! The JPIP server program: a directory of pictures behind the roads.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use wavetile_transport::server::{RoadsConfig, Server, ServerConfig};
//!
//! let address = Some("[::]:8433".parse()?);
//! let roads = RoadsConfig::default().http3(address).http1(address);
//! let server = Server::open(&ServerConfig::default().root("/srv/pictures".into()).roads(roads))?;
//! if let Some(fingerprint) = server.fingerprint() {
//!     println!("certificate {fingerprint}");
//! }
//! server.run(async { tokio::signal::ctrl_c().await.unwrap_or(()) }).await;
//! # Ok(())
//! # }
//! ```

pub mod directory;
mod roads;

use crate::options::setters;
use std::future::Future;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::{Duration, Instant};

use wavetile_engine::Limits;

use crate::jpip::server::FoundTarget;
use crate::jpip::{self, Catalogue};
use crate::road::{Chunk, Handler, Reply, ReplyBody, Request};
use crate::tls::{Fingerprint, LiveIdentity, random_u128};

pub use directory::Directory;
pub use roads::{Roads, RoadsConfig, ServerError};

/// What to serve, where, and how.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ServerConfig {
    /// Directory of the pictures. Nothing outside of it is served.
    pub root: PathBuf,
    /// Addresses, certificate and limits of the roads.
    pub roads: RoadsConfig,
    /// Limits of sessions and responses.
    pub jpip: jpip::ServerOptions,
    /// Limits for reading the files.
    pub limits: Limits,
}

setters!(ServerConfig { root: PathBuf, roads: RoadsConfig, jpip: jpip::ServerOptions, limits: Limits });

/// A JPIP server that listens.
pub struct Server {
    roads: Roads,
    shared: Arc<SharedServer>,
}

impl Server {
    /// Listens, and offers the JPEG 2000 files under a directory; lists it, and so waits for the disk. Must be called within a tokio runtime.
    /// # Errors
    /// [`ServerError`]
    pub fn open(config: &ServerConfig) -> Result<Self, ServerError> {
        let catalogue = Directory::files(&config.root, config.limits.clone());
        let catalogue = catalogue.map_err(|error| ServerError::Root { path: config.root.clone(), error })?;
        Self::bind(catalogue, &config.roads, config.jpip.clone())
    }

    /// Listens, and offers the pictures of `catalogue`. Must be called within a tokio runtime.
    /// # Errors
    /// [`ServerError`]
    pub fn bind(
        catalogue: impl Catalogue + 'static,
        roads: &RoadsConfig,
        options: jpip::ServerOptions,
    ) -> Result<Self, ServerError> {
        let catalogue: Arc<dyn Catalogue> = Arc::new(catalogue);
        let server = jpip::Server::new(catalogue.clone(), options, Box::new(random_u128));
        let shared = Arc::new(SharedServer { server: Mutex::new(server), catalogue, start: Instant::now() });
        Ok(Self { roads: Roads::bind(roads)?, shared })
    }

    /// Address of the HTTP/3 road, with the real port.
    pub fn http3_addr(&self) -> Option<SocketAddr> {
        self.roads.http3_addr()
    }

    /// Address of the TCP port (HTTP/1.1 and HTTP/2), with the real port.
    pub fn http1_addr(&self) -> Option<SocketAddr> {
        self.roads.http1_addr()
    }

    /// Fingerprint of the certificate that is shown now; a running server's [`Monitor`] tells it, too.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.roads.fingerprint()
    }

    /// Names of the pictures, as of the last listing.
    pub fn names(&self) -> Vec<String> {
        self.shared.server().names()
    }

    /// Counts to look at while the server runs.
    pub fn monitor(&self) -> Monitor {
        Monitor { shared: self.shared.clone(), identity: self.roads.identity() }
    }

    /// Serves, and waits until `shutdown` is done; then takes no more requests, lets responses finish for a while
    /// ([`RoadLimits::grace`](crate::road::RoadLimits::grace)), and closes.
    pub async fn run(self, shutdown: impl Future<Output = ()>) {
        let shared = self.shared.clone();
        let expire = async move {
            let mut ticks = tokio::time::interval(EXPIRY_INTERVAL);
            loop {
                ticks.tick().await;
                let shared = shared.clone();
                let _ = tokio::task::spawn_blocking(move || shared.expire()).await;
            }
        };
        let shared = self.shared.clone();
        let shutdown = async move {
            shutdown.await;
            shared.server().stop();
        };
        tokio::select! {
            () = self.roads.run(self.shared, shutdown) => {}
            () = expire => {}
        }
    }
}

/// Counts of a running server.
#[derive(Clone)]
pub struct Monitor {
    shared: Arc<SharedServer>,
    identity: Option<Arc<LiveIdentity>>,
}

impl Monitor {
    /// Fingerprint of the certificate that is shown now.
    pub fn fingerprint(&self) -> Option<Fingerprint> {
        self.identity.as_ref().map(|identity| identity.fingerprint())
    }

    /// Sessions that are open.
    pub fn sessions(&self) -> usize {
        self.shared.server().sessions()
    }

    /// Channels that are open.
    pub fn channels(&self) -> usize {
        self.shared.server().channels()
    }

    /// Bytes of memory for what is believed of clients.
    pub fn model_memory(&self) -> usize {
        self.shared.server().model_memory()
    }
}

/// The state machine behind its lock. Pictures are looked for and bodies are pulled without it.
struct SharedServer {
    server: Mutex<jpip::Server>,
    catalogue: Arc<dyn Catalogue>,
    start: Instant,
}

impl SharedServer {
    fn server(&self) -> MutexGuard<'_, jpip::Server> {
        self.server.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn expire(&self) {
        let mut server = self.server();
        server.expire(self.start.elapsed());
        let (sessions, channels) = (server.sessions(), server.channels());
        tracing::trace!(sessions, channels, model_memory = server.model_memory(), "alive");
    }
}

impl Handler for SharedServer {
    fn handle(&self, request: Request) -> Reply {
        let Request { peer, path, query } = request;
        let now = self.start.elapsed();
        let parsed = jpip::Request::parse(&path, &query);
        let target = parsed.as_ref().ok().and_then(|request| self.server().target_of(request));
        let found = target.map(|name| FoundTarget::find(&*self.catalogue, name, now));
        let reply = self.server().answer(peer, parsed, found, now);
        let took = self.start.elapsed().saturating_sub(now);
        tracing::debug!(%peer, path, query, status = reply.status, reason = reply.reason, ?took, "request");
        Reply {
            status: reply.status,
            headers: reply.headers,
            body: Box::new(TimedBody { body: reply.body, start: self.start }),
        }
    }
}

/// A body with the server's clock.
struct TimedBody {
    body: jpip::Body,
    start: Instant,
}

impl ReplyBody for TimedBody {
    fn poll_chunk(&mut self, max: usize, waker: &Waker) -> Chunk {
        self.body.poll(max, self.start.elapsed(), waker)
    }

    fn will_be_gathered(&mut self) {
        self.body.do_not_stand();
    }

    fn exact_len(&self) -> Option<u64> {
        self.body.exact_len()
    }
}

/// How often sessions are looked through for those that nobody uses.
const EXPIRY_INTERVAL: Duration = Duration::from_secs(5);

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::mpsc;

    use super::*;
    use crate::jpip::server::{OfferedPicture, TargetError};
    use crate::jpip::testing::Synthetic;

    /// A catalogue that tells when `slow` is looked for, and finds it when it is let.
    struct Slow {
        asked: mpsc::Sender<()>,
        go_on: Mutex<mpsc::Receiver<()>>,
    }

    impl Catalogue for Slow {
        fn names(&self) -> Vec<String> {
            vec!["fast".to_owned(), "slow".to_owned()]
        }

        fn find(&self, name: &str, _now: Duration) -> Result<Arc<OfferedPicture>, TargetError> {
            if name == "slow" {
                self.asked.send(()).unwrap();
                self.go_on.lock().unwrap().recv().unwrap();
            }
            Ok(Arc::new(OfferedPicture::new(name, "1".to_owned(), Arc::new(Synthetic::new()))))
        }
    }

    #[test]
    fn a_picture_that_opens_slowly_keeps_nobody_else_waiting() {
        let (asked, is_asked) = mpsc::channel();
        let (let_go, go_on) = mpsc::channel();
        let catalogue: Arc<dyn Catalogue> = Arc::new(Slow { asked, go_on: Mutex::new(go_on) });
        let random = Box::new(|| 7);
        let server = jpip::Server::new(catalogue.clone(), jpip::ServerOptions::default(), random);
        let shared = Arc::new(SharedServer { server: Mutex::new(server), catalogue, start: Instant::now() });
        let ask = |shared: &SharedServer, name: &str| {
            let peer = IpAddr::V4(Ipv4Addr::LOCALHOST);
            let query = "fsiz=10,10&cnew=http".to_owned();
            shared.handle(Request { peer, path: format!("/{name}"), query }).status
        };
        let slow = std::thread::spawn({
            let shared = shared.clone();
            move || ask(&shared, "slow")
        });
        is_asked.recv().unwrap();
        let (answered, status) = mpsc::channel();
        let fast = shared.clone();
        std::thread::spawn(move || answered.send(ask(&fast, "fast")));
        assert_eq!(status.recv_timeout(Duration::from_secs(30)), Ok(200), "it waits for the other");
        assert_eq!((shared.server().sessions(), slow.is_finished()), (1, false));
        let_go.send(()).unwrap();
        assert_eq!(slow.join().unwrap(), 200);
        assert_eq!(shared.server().sessions(), 2);
    }
}
