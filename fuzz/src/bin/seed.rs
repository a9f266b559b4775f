//! Fills `fuzz/corpus` from the shared test data: its files, and the sessions recorded from other servers.

use std::error::Error;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::low_level::codestream::code_block::BlockCoder;
use wavetile_engine::low_level::plan::{CellSize, Target};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DataBins, DecodeRequest, ImageOptions, Limits};
use wavetile_fuzz::{BlockInput, ClientScript, Step};

/// Longer files teach a fuzzer nothing that shorter ones do not.
const LONGEST: usize = 20_000;
/// Blocks and packets that one file gives.
const PIECES: usize = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let shared = wavetile_testing::shared_folder()?;
    let corpus = Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus");
    let mut seeds = 0;
    for part in ["conformance/part4", "conformance/part15", "conformance/jp2", "files", "jpx", "malformed"] {
        let mut entries: Vec<_> =
            fs::read_dir(shared.join("testdata").join(part))?.collect::<Result<_, _>>()?;
        entries.sort_by_key(fs::DirEntry::file_name);
        for entry in entries.into_iter().filter(|entry| entry.path().is_file()) {
            let name = entry.file_name().to_string_lossy().into_owned();
            let endings = [".j2k", ".j2c", ".jpc", ".jp2", ".jpx", ".jph", ".jhc"];
            if endings.iter().any(|ending| name.ends_with(ending)) {
                seeds +=
                    seed(&corpus, &format!("{}-{name}", part.replace('/', "-")), &fs::read(entry.path())?)?;
            }
        }
    }
    seeds += sessions(&corpus, &shared.join("interop"))?;
    println!("{seeds} seeds in {}", corpus.display());
    Ok(())
}

/// Adds what one file has to teach; how many seeds that is.
fn seed(corpus: &Path, name: &str, bytes: &[u8]) -> Result<usize, Box<dyn Error>> {
    let mut seeds = 0;
    let mut add = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        seeds += 1;
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), bytes))
    };
    if bytes.len() <= LONGEST {
        add("whole_decode", name, bytes)?;
    }
    let start = bytes.windows(4).position(|start| start == [0xFF, 0x4F, 0xFF, 0x51]);
    if let Some(start) = start {
        add("headers", name, &bytes[start..bytes.len().min(start + 2000)])?;
        if start > 0 {
            // Three components of eight bits.
            add("boxes", name, &[&[7 << 3 | 2], &bytes[..bytes.len().min(start + 200)]].concat())?;
        }
    }
    let limits = Limits::default();
    let Ok(file) = IndexedFile::open(bytes.to_vec(), &limits) else { return Ok(seeds) };
    let file = Arc::new(file);
    let Ok(image) = ImageOptions::new().open_indexed(file.clone()) else { return Ok(seeds) };
    let area = image.area();
    let region = wavetile_engine::Rect::new(
        area.x0,
        area.y0,
        area.x0.saturating_add(100),
        area.y0.saturating_add(100),
    );
    let request = DecodeRequest::new().region(region);
    if let Ok((plan, _)) = image.plan(&request, Target::Components, CellSize::CPU) {
        let step = plan.blocks.len().div_ceil(PIECES).max(1);
        for (index, block) in plan.blocks.iter().step_by(step).enumerate() {
            let target = if block.coder == BlockCoder::HighThroughput { "ht_block" } else { "mq_block" };
            add(target, &format!("{name}-{index}"), &BlockInput::write(&plan, block))?;
        }
    }
    let header = file.header();
    for precinct in 0..PIECES as u64 {
        let id = PrecinctId { tile: 0, component: 0, precinct };
        let id = id.in_class_id(header.size.components.len() as u32, header.tile_count());
        let Some(Ok(Some(bin))) = id.map(|id| file.bin(0, DataBinId::Precinct(id))) else { continue };
        // The geometry will not be that of the file, but the codes are.
        let style = header.tile_parameters.components[0].coding.code_block_style.0;
        let layers = header.tile_parameters.style.layers.min(256) as u8;
        let mut input = vec![16, 16, layers.wrapping_sub(1), 0, 0xF, style, 0x40, precinct.min(1) as u8];
        input.extend(&bin.bytes[..bin.bytes.len().min(1000)]);
        add("packets", &format!("{name}-{precinct}"), &input)?;
    }
    Ok(seeds)
}

/// Bytes of each recorded body.
const BODY: usize = 3000;

/// Adds what recorded sessions have to teach: requests, messages, and whole sessions for client and server.
fn sessions(corpus: &Path, folder: &Path) -> Result<usize, Box<dyn Error>> {
    let mut seeds = 0;
    let mut add = |target: &str, name: &str, bytes: &[u8]| {
        let folder = corpus.join(target);
        seeds += 1;
        fs::create_dir_all(&folder).and_then(|()| fs::write(folder.join(name), bytes))
    };
    let mut names: Vec<String> = fs::read_dir(folder)?
        .filter_map(|entry| {
            entry.ok()?.file_name().into_string().ok()?.strip_suffix(".req").map(str::to_owned)
        })
        .collect();
    names.sort();
    // "openjpip_tiled4_03_full" is of the session "openjpip_tiled4".
    for session in names.chunk_by(|a, b| session(a) == session(b)) {
        let (mut heads, mut bodies, mut queries) = (Vec::new(), Vec::new(), Vec::new());
        let mut tiles = false;
        for name in session {
            let file = |kind: &str| fs::read(folder.join(format!("{name}.{kind}"))).unwrap_or_default();
            let (request, mut body) = (String::from_utf8_lossy(&file("req")).into_owned(), file("body"));
            body.truncate(BODY);
            add("jpip_messages", name, &body)?;
            if let Some(query) = query(&request) {
                add("jpip_query", name, query.as_bytes())?;
                queries.push(to_ours(&query));
            }
            let head = file("hdr");
            tiles |= head.windows(10).any(|part| part == b"jpt-stream");
            heads.push(head);
            bodies.push(body);
        }
        let window = [4, 0, 3, 0, 20, 20, 60, 60];
        let mut steps = vec![Step::Window(&window)];
        for (head, body) in heads.iter().zip(&bodies) {
            steps.extend([Step::Head(head), Step::Body(body), Step::End]);
        }
        let options = if tiles { ClientScript::TILES } else { 0 };
        add("jpip_client", &session[0], &ClientScript::write(options, &steps))?;
        add("jpip_server", &session[0], queries.join("\n").as_bytes())?;
    }
    Ok(seeds)
}

/// The session that a recording belongs to.
fn session(name: &str) -> &str {
    let end = name.match_indices('_').nth(1).map_or(name.len(), |(at, _)| at);
    &name[..end]
}

/// Path and query of a recorded request.
fn query(request: &str) -> Option<String> {
    request.split(' ').nth(1).map(str::to_owned)
}

/// The same of a picture and of the channel that the fuzz target has.
fn to_ours(query: &str) -> String {
    let fields = query.split_once('?').map_or("", |(_, fields)| fields).split('&');
    let fields = fields.filter(|field| !field.starts_with("target="));
    let fields = fields.map(|field| if field.starts_with("cid=") { "cid=$" } else { field });
    format!("/tiles.jp2?{}", fields.collect::<Vec<_>>().join("&"))
}
