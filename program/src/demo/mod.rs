//! The demo: a server, a client and a window in one program, over HTTP/3 on loopback.

mod script;

use crate::console::Failure;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use wavetile_engine::Limits;
use wavetile_engine::source::IndexedFile;
use wavetile_transport::client::{ClientConfig, ConnectOptions, Session};
use wavetile_transport::jpip::{MemoryCatalogue, ServedPicture, ServerOptions};
use wavetile_transport::road::RoadKind;
use wavetile_transport::server::{RoadsConfig, Server};
use wavetile_transport::tls::Trust;

/// The bundled picture; `examples/draw_sample.rs` draws it.
const SAMPLE: &[u8] = include_bytes!("../../assets/mandelbrot.jp2");
const NAME: &str = "mandelbrot.jp2";

/// Runs the demo: in a window where there is a display, else as a script that writes pictures.
pub(crate) fn run() -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let picture: Arc<dyn ServedPicture> = Arc::new(IndexedFile::open(SAMPLE, &Limits::default())?);
    let roads = RoadsConfig::default().http3(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).http1(None);
    let (session, url) = runtime.block_on(async {
        let catalogue = MemoryCatalogue::new([(NAME.to_owned(), picture)]);
        let server = Server::bind(catalogue, &roads, ServerOptions::default())?;
        let address = server.http3_addr().ok_or("the server has no address")?;
        let fingerprint = server.fingerprint().ok_or("the server has no certificate")?;
        tokio::spawn(server.run(std::future::pending()));
        let url = format!("jpip://{address}/{NAME}");
        let connect =
            ConnectOptions::default().road(RoadKind::Http3.into()).trust(Trust::Fingerprint(fingerprint));
        let session = Session::open(&url, ClientConfig::default().connect(connect)).await?;
        Ok::<_, Failure>((session, url))
    })?;
    println!("serving the sample at {url} (HTTP/3, certificate made for this run)");
    show(&runtime, session, &url)
}

#[cfg(feature = "viewer")]
fn show(runtime: &tokio::runtime::Runtime, session: Session, url: &str) -> Result<(), Failure> {
    if crate::viewer::has_display() {
        let source = crate::live::source(runtime.handle(), url.to_owned(), session);
        return Ok(crate::viewer::run(source)?);
    }
    println!("no display: running as a script");
    script::run(runtime, session)
}

#[cfg(not(feature = "viewer"))]
fn show(runtime: &tokio::runtime::Runtime, session: Session, _: &str) -> Result<(), Failure> {
    script::run(runtime, session)
}
