//! Fills `fuzz/corpus` from the shared test data: `$WAVETILE_SHARED`, or `shared` beside the repository.

use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use wavetile_engine::codestream::code_block::BlockCoder;
use wavetile_engine::data_bin::{DataBinId, PrecinctId};
use wavetile_engine::plan::{CellSize, Target};
use wavetile_engine::source::IndexedFile;
use wavetile_engine::{DataBins, DecodeRequest, Image, Limits};
use wavetile_fuzz::BlockInput;

/// Longer files teach a fuzzer nothing that shorter ones do not.
const LONGEST: usize = 20_000;
/// Blocks and packets that one file gives.
const PIECES: usize = 6;

fn main() -> Result<(), Box<dyn Error>> {
    let package = Path::new(env!("CARGO_MANIFEST_DIR"));
    let shared = std::env::var_os("WAVETILE_SHARED").map(PathBuf::from);
    let beside =
        || package.ancestors().skip(1).take(2).map(|up| up.join("shared")).find(|shared| shared.is_dir());
    let shared = shared.or_else(beside).ok_or("the shared test data is not there: set WAVETILE_SHARED")?;
    let corpus = package.join("corpus");
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
    let Ok(Some(image)) = Image::open(&file, &limits) else { return Ok(seeds) };
    let area = image.area();
    let region = wavetile_engine::Rect::new(
        area.x0,
        area.y0,
        area.x0.saturating_add(100),
        area.y0.saturating_add(100),
    );
    let request = DecodeRequest { region: Some(region), ..DecodeRequest::default() };
    if let Ok((plan, _)) = image.plan(&file, &request, Target::Components, CellSize::CPU) {
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
