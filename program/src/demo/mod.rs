//! The demo: a server, a client and a window in one program, over HTTP/3 on loopback.

mod screen;
mod script;

use crate::console::Failure;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use tokio::runtime::{Builder, Runtime};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{Image, Limits};
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
    let runtime = Builder::new_multi_thread().enable_all().build()?;
    let picture: Arc<dyn ServedPicture> = Arc::new(IndexedFile::open(SAMPLE, &Limits::default())?);
    let roads = RoadsConfig::default().http3(Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))).http1(None);
    let (session, image, url) = runtime.block_on(async {
        let catalogue = MemoryCatalogue::new([(NAME.to_owned(), picture)]);
        let server = Server::bind(catalogue, &roads, ServerOptions::default())?;
        let address = server.http3_addr().ok_or("the server has no address")?;
        let fingerprint = server.fingerprint().ok_or("the server has no certificate")?;
        tokio::spawn(server.run(std::future::pending()));
        let url = format!("jpip://{address}/{NAME}");
        let connect =
            ConnectOptions::default().road(RoadKind::Http3.into()).trust(Trust::Fingerprint(fingerprint));
        let session = Session::open(&url, ClientConfig::default().connect(connect)).await?;
        let image = session.image().await?;
        Ok::<_, Failure>((session, image, url))
    })?;
    println!("serving the sample at {url} (HTTP/3, certificate made for this run)");
    show(&runtime, session, &image, &url)
}

#[cfg(feature = "viewer")]
fn show(runtime: &Runtime, session: Session, image: &Image, url: &str) -> Result<(), Failure> {
    if crate::viewer::has_display() {
        return crate::live::show_session(runtime, url.to_owned(), session, image.clone());
    }
    println!("no display: running as a script");
    script::run(runtime, session, image)
}

#[cfg(not(feature = "viewer"))]
fn show(runtime: &Runtime, session: Session, image: &Image, _: &str) -> Result<(), Failure> {
    script::run(runtime, session, image)
}
