//! Fetches a window of a picture on a server and lists the data-bins that came, to be compared with another session's.
//!
//! ```sh
//! cargo run -p wavetile-transport --example list_bins -- ADDRESS FINGERPRINT WIDTH,HEIGHT X,Y WIDTH,HEIGHT
//! ```
//!
//! The last three are `fsiz`, `roff` and `rsiz`. A line is class, codestream, number, bytes held, `whole` or `part`, and
//! SHA-256.

use std::error::Error;
use std::sync::PoisonError;

use sha2::{Digest, Sha256};
use wavetile_engine::data_bin::{DataBinId, DataBins};
use wavetile_engine::geometry::Size;
use wavetile_engine::view_window::ViewWindow;
use wavetile_transport::client::{ClientConfig, ConnectOptions, Session};
use wavetile_transport::tls::Trust;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [address, fingerprint, frame, offset, region] = arguments.as_slice() else {
        return Err("usage: list_bins ADDRESS FINGERPRINT WIDTH,HEIGHT X,Y WIDTH,HEIGHT".into());
    };
    let (frame, region) = (pair(frame)?, pair(region)?);
    let window = ViewWindow {
        offset: pair(offset)?,
        region: Size::new(region.0, region.1),
        ..ViewWindow::whole(Size::new(frame.0, frame.1))
    };
    let connect = ConnectOptions::default().trust(Trust::Fingerprint(fingerprint.parse()?));
    let config = ClientConfig::default().connect(connect);
    let mut session = Session::open(address, config).await?;
    session.fetch(Some(window)).await?;
    let bins = session.bins();
    session.close().await;

    let bins = bins.read().unwrap_or_else(PoisonError::into_inner);
    let mut lines = Vec::new();
    for (codestream, id) in bins.ids() {
        let (class, number) = match id {
            DataBinId::Precinct(number) => (0, number),
            DataBinId::TileHeader(tile) => (2, tile.into()),
            DataBinId::Tile(tile) => (4, tile.into()),
            DataBinId::MainHeader => (6, 0),
            DataBinId::Metadata(number) => (8, number),
        };
        let Some(bin) = bins.bin(codestream, id)? else { continue };
        let whole = if bin.complete { "whole" } else { "part" };
        let hash: String = Sha256::digest(&bin.bytes).iter().map(|byte| format!("{byte:02x}")).collect();
        lines.push((class, codestream, number, format!("{} {whole} {hash}", bin.bytes.len())));
    }
    lines.sort();
    for (class, codestream, number, held) in lines {
        println!("{class} {codestream} {number} {held}");
    }
    Ok(())
}

fn pair(text: &str) -> Result<(u32, u32), Box<dyn Error>> {
    let (first, second) = text.split_once(',').ok_or("expected two numbers and a comma between them")?;
    Ok((first.parse()?, second.parse()?))
}
