//! `wavetile serve`: the pictures of a directory over JPIP.

use crate::console::{Failure, say};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use wavetile_transport::jpip::ServerOptions;
use wavetile_transport::server::{Monitor, RoadsConfig, Server, ServerConfig};
use wavetile_transport::tls::Certificate;

#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// Directory with .jp2, .j2k and similar files; its sub-directories are served too
    root: PathBuf,
    /// Address for HTTP/3 (UDP); port 0 takes a free one
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8433")]
    listen: SocketAddr,
    /// Address for HTTP/1.1 and HTTP/2 (TCP) as well, in the clear and over TLS
    #[arg(long, value_name = "ADDR")]
    http: Option<SocketAddr>,
    /// Certificate chain, PEM; read again when it changes [default: a self-signed one, renewed before its 13 days end]
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// Private key of the certificate, PEM
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Bytes a second for all clients together [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    bandwidth: Option<u64>,
    /// Bytes a second for each client: an IPv4 address or an IPv6 network [default: no limit]
    #[arg(long, value_name = "BYTES", value_parser = clap::value_parser!(u64).range(1..))]
    client_bandwidth: Option<u64>,
}

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let certificate = match (&arguments.cert, &arguments.key) {
        (Some(chain), Some(key)) => Certificate::Files { chain: chain.clone(), key: key.clone() },
        _ => Certificate::SelfSigned,
    };
    let roads =
        RoadsConfig::default().http3(Some(arguments.listen)).http1(arguments.http).certificate(certificate);
    let jpip =
        ServerOptions::default().bandwidth(arguments.bandwidth).client_bandwidth(arguments.client_bandwidth);
    let config = ServerConfig::default().root(arguments.root.clone()).roads(roads).jpip(jpip);
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    runtime.block_on(async {
        // Before it says that it listens: whoever reads that may stop it at once.
        let stop = stop_signal()?;
        let server = Server::open(&config)?;
        say(&announcement(&server))?;
        let monitor = server.monitor();
        tokio::select! {
            () = server.run(stop) => Ok(()),
            failure = tell_new_certificates(&monitor) => failure,
        }
    })
}

/// A line for each certificate that takes the place of the one before.
async fn tell_new_certificates(monitor: &Monitor) -> Result<(), Failure> {
    let mut shown = monitor.fingerprint();
    loop {
        tokio::time::sleep(CERTIFICATE_TELLING).await;
        let now = monitor.fingerprint();
        if let Some(fingerprint) = now.filter(|_| now != shown) {
            say(&format!("certificate: a new one is shown now  fingerprint: {fingerprint}\n"))?;
            shown = now;
        }
    }
}

const CERTIFICATE_TELLING: Duration = Duration::from_secs(10);

/// Where the server listens, a line for each road.
fn announcement(server: &Server) -> String {
    let mut text = String::new();
    if let Some(address) = server.http3_addr() {
        text += &format!("listening: jpip over HTTP/3 at https://{address}/");
        if let Some(fingerprint) = server.fingerprint() {
            text += &format!("  fingerprint: {fingerprint}");
        }
        text.push('\n');
    }
    if let Some(address) = server.http1_addr() {
        text +=
            &format!("listening: jpip over HTTP/1.1 at http://{address}/, HTTP/2 and TLS on the same port\n");
    }
    text
}

/// Done at SIGINT or, on Unix, SIGTERM. They are caught from the call on.
#[cfg(unix)]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Done at Ctrl-C.
#[cfg(not(unix))]
fn stop_signal() -> std::io::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
