//! The program as its users run it.
#![allow(clippy::unwrap_used)]

use sha2::{Digest, Sha256};
use std::io::BufReader;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wavetile_engine::{DecodeRequest, Decoder, Image, Rect, Size};
use wavetile_testing::codestream::Header;
use wavetile_testing::compare::pairs;
use wavetile_testing::running::{Folder, Running};
use wavetile_testing::{shared, skip_adapter};

fn wavetile(arguments: &[&str]) -> Output {
    // Mesa complains on standard error where this is not set.
    let runtime_directory = env!("CARGO_TARGET_TMPDIR");
    let mut command = Command::new(env!("CARGO_BIN_EXE_wavetile"));
    command.args(arguments).env("XDG_RUNTIME_DIR", runtime_directory).output().unwrap()
}

fn succeed(arguments: &[&str]) -> String {
    let output = wavetile(arguments);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{arguments:?}: {errors}");
    String::from_utf8(output.stdout).unwrap()
}

/// The one line of complaint, after notes if any, of a command that must fail with exit code 1.
fn fail(arguments: &[&str]) -> String {
    let output = wavetile(arguments);
    let errors = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(1), "{arguments:?}: {errors}");
    assert!(output.stdout.is_empty(), "{arguments:?}");
    let (complaint, notes) = errors
        .lines()
        .collect::<Vec<_>>()
        .split_last()
        .map(|(last, rest)| ((*last).to_owned(), rest.to_vec()))
        .unwrap();
    assert!(complaint.starts_with("error: "), "{arguments:?}: {errors}");
    assert!(notes.iter().all(|line| line.starts_with("note: ")), "{arguments:?}: {errors}");
    complaint
}

/// A path in a folder, as an argument.
fn within(folder: &Folder, name: &str) -> String {
    folder.join(name).to_str().unwrap().to_owned()
}

fn sha256(path: &str) -> String {
    Sha256::digest(std::fs::read(path).unwrap()).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Size and 8-bit samples of a PNG file.
fn png(path: impl AsRef<Path>) -> (u32, u32, png::ColorType, Vec<u8>) {
    let file = BufReader::new(std::fs::File::open(path).unwrap());
    let mut reader = png::Decoder::new(file).read_info().unwrap();
    let mut samples = vec![0; reader.output_buffer_size().unwrap()];
    let info = reader.next_frame(&mut samples).unwrap();
    samples.truncate(info.buffer_size());
    (info.width, info.height, info.color_type, samples)
}

#[test]
fn help_and_version_are_no_failures_and_wrong_usage_is_one_line() {
    assert!(succeed(&["--version"]).starts_with("wavetile "));
    for command in ["serve", "info", "decode"] {
        assert!(succeed(&["--help"]).contains(command));
        assert!(succeed(&[command, "--help"]).contains("Usage: wavetile"));
    }
    fail(&["--nonsense"]);
    fail(&["decode", "a.jp2"]);
    fail(&["decode", "a.jp2", "-o", "a.png", "--region", "1,2,3"]);
    fail(&["decode", "a.jp2", "-o", "a.png", "--backend", "abacus"]);
    fail(&["decode", "a.jp2", "-o", "a.png", "--limits", "none"]);
    fail(&["info", "jpip://127.0.0.1/a", "--fingerprint", "xyz"]);
    fail(&["serve", ".", "--cert", "c.pem"]);
}

#[test]
fn files_that_cannot_be_read_or_written_are_named() {
    let directory = Folder::new("cli-unreadable");
    let text = within(&directory, "a.jp2");
    assert!(fail(&["info", &text]).contains("a.jp2"));
    std::fs::write(&text, "this is no picture").unwrap();
    assert!(fail(&["info", &text]).contains("neither a JP2 file nor a JPEG 2000 codestream"));
    assert!(fail(&["decode", &text, "-o", "x.tif"]).contains(".png, .ppm, .pgm, .pgx or .i32"));
    assert!(fail(&["serve", &within(&directory, "nowhere"), "--listen", "127.0.0.1:0"]).contains("nowhere"));
}

#[test]
fn strict_limits_refuse_what_others_take() {
    let folder = Folder::new("cli-limits");
    // 20 000 x 10 pixels without any data.
    let bytes = Header::untiled(20_000, 10).codestream(&[]);
    let (wide, out) = (within(&folder, "wide.j2k"), within(&folder, "wide.png"));
    std::fs::write(&wide, bytes).unwrap();
    let decode = |limits| ["decode", &wide, "-o", &out, "--backend", "cpu", "--limits", limits];
    assert!(fail(&decode("strict")).contains("the image width would be 20000, but the limit is 16384"));
    for limits in ["default", "trusted"] {
        succeed(&decode(limits));
        assert_eq!(png(&out).0, 20_000);
    }
}

#[test]
fn codestreams_of_a_file_are_told_and_decoded_by_number() {
    let Some(testdata) = shared("testdata") else { return };
    let target = testdata.join("files/heliov.jpx");
    let target = target.to_str().unwrap();
    let info: serde_json::Value =
        serde_json::from_str(&succeed(&["info", target, "--json", "--codestream", "1"])).unwrap();
    assert_eq!((&info["codestreams"], &info["codestream"]), (&3.into(), &1.into()));
    assert_eq!((&info["width"], &info["rendering"]["colour"]), (&256.into(), &"RGB".into()));
    assert_eq!(info["metadata"][0]["association"][0]["association"][0]["about"][0], "codestream 0");
    let text = succeed(&["info", target, "--codestream", "2"]);
    for part in ["4096 x 4096", "number 2, counted from 0", "about codestream 0, layer 0", "XML: <meta>"] {
        assert!(text.contains(part), "{part} is not in\n{text}");
    }
    let directory = Folder::new("cli-codestreams");
    let out = &within(&directory, "one.png");
    succeed(&["decode", target, "-o", out, "--codestream", "1", "--backend", "cpu"]);
    let (width, height, colour, _) = png(out);
    assert_eq!((width, height, colour), (256, 256, png::ColorType::Rgb));
    let error = fail(&["decode", target, "-o", out, "--codestream", "3"]);
    assert!(error.contains("there is no codestream 3: the file has 3, counted from 0"), "{error}");

    // A server sends the same, over WebSocket here.
    let root = directory.join("root");
    std::fs::create_dir(&root).unwrap();
    std::fs::copy(target, root.join("h.jpx")).unwrap();
    let server = Server::start(&root);
    let url = format!("ws://{}/h.jpx", server.http1);
    let again = &within(&directory, "again.png");
    succeed(&["decode", &url, "-o", again, "--codestream", "1", "--backend", "cpu"]);
    assert!(sha256(again) == sha256(out));
    let error = fail(&["decode", &url, "-o", again, "--codestream", "3"]);
    assert!(error.contains("no codestream 3"), "{error}");
}

#[test]
fn info_tells_the_same_in_text_and_json() {
    let Some(testdata) = shared("testdata") else { return };
    let target = testdata.join("files/byte_tlm_plt.jp2");
    let target = target.to_str().unwrap();
    let info: serde_json::Value = serde_json::from_str(&succeed(&["info", target, "--json"])).unwrap();
    assert_eq!(info["schema"], 1);
    // Whoever renames a member changes the number of the schema.
    let members =
        |value: &serde_json::Value| value.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(
        members(&info),
        "boxes capabilities channels codestream codestreams colour comments component_transform components eph \
         format height high_throughput label layers metadata offset palette progression rendering resolution \
         schema sop target tiles warnings width"
    );
    assert_eq!(
        members(&info["components"][0]),
        "code_block code_block_style depth dx dy guard_bits height index levels precincts quantisation roi_shift \
         signed transform width"
    );
    let described = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/json.md")).unwrap();
    for member in members(&info).split(' ').chain(members(&info["components"][0]).split(' ')) {
        let names = [format!("`{member}`"), format!("`{member}[]`")];
        assert!(names.iter().any(|name| described.contains(name)), "docs/json.md has no {member}");
    }
    assert_eq!(members(&info["tiles"]), "across count down height offset width");
    assert_eq!(members(&info["rendering"]), "alpha colour depth height notes width");
    assert_eq!(members(&info["boxes"][0]), "length offset type");
    assert_eq!((&info["format"], &info["width"], &info["height"]), (&"JP2".into(), &20.into(), &20.into()));
    assert_eq!((&info["layers"], &info["progression"]), (&2.into(), &"RLCP".into()));
    assert_eq!(info["tiles"]["count"], 2);
    assert_eq!((&info["tiles"]["width"], &info["tiles"]["height"]), (&16.into(), &20.into()));
    let component = &info["components"][0];
    assert_eq!((&component["depth"], &component["signed"]), (&8.into(), &false.into()));
    assert_eq!((&component["levels"], &component["transform"]), (&1.into(), &"5/3".into()));
    assert_eq!(component["precincts"], serde_json::json!([[8, 8], [8, 8]]));
    assert_eq!(info["rendering"]["colour"], "grey");
    let boxes: Vec<_> = info["boxes"].as_array().unwrap().iter().map(|entry| &entry["type"]).collect();
    assert_eq!(boxes, ["jP  ", "ftyp", "jp2h", "uuid", "jp2c"]);
    assert_eq!(info["boxes"][2]["boxes"][2]["boxes"][0]["type"], "resc");
    let text = succeed(&["info", target]);
    for part in ["20 x 20", "2 (2 x 1) of 16 x 20", "RLCP", "5/3", "resc", "jp2c  775 bytes at 492"] {
        assert!(text.contains(part), "{part} is not in {text}");
    }
}

#[test]
fn components_match_the_references_on_both_backends() {
    let Some(testdata) = shared("testdata") else { return };
    let directory = Folder::new("cli-components");
    let out = within(&directory, "out.i32");
    let manifest = std::fs::read_to_string(testdata.join("files/manifest.jsonl")).unwrap();
    let names =
        ["bgr-cdef-16x16.jp2", "gray-33x29-off31-53.j2k", "issue458.jp2", "gray-64x64-multilayer-53.j2k"];
    let mut backends = vec!["cpu", "auto"];
    let probe = testdata.join("files").join(names[0]);
    let probe = wavetile(&["decode", probe.to_str().unwrap(), "-o", &out, "--backend", "gpu"]);
    if probe.status.success() {
        backends.push("gpu");
    } else if cfg!(feature = "gpu") {
        let errors = String::from_utf8_lossy(&probe.stderr).into_owned();
        assert!(errors.contains("no graphics adapter"), "{errors}");
        skip_adapter(errors);
    }
    let mut seen = 0;
    for line in manifest.lines() {
        let row: serde_json::Value = serde_json::from_str(line).unwrap();
        let name = row["file"].as_str().unwrap();
        if !names.contains(&name) {
            continue;
        }
        let target = testdata.join("files").join(name);
        for reference in row["references"].as_array().unwrap() {
            if reference["kind"] != "components" {
                continue;
            }
            let reduce = reference["reduce"].to_string();
            let mut arguments = vec!["decode", target.to_str().unwrap(), "-o", &out, "--space", "components"];
            arguments.extend(["--reduce", &reduce]);
            let region = reference["region"].as_array().map(|edges| {
                let edges: Vec<u64> = edges.iter().map(|edge| edge.as_u64().unwrap()).collect();
                format!("{},{},{},{}", edges[0], edges[1], edges[2] - edges[0], edges[3] - edges[1])
            });
            if let Some(region) = &region {
                arguments.extend(["--region", region]);
            }
            for &backend in &backends {
                succeed(&[&arguments[..], &["--backend", backend]].concat());
                assert_eq!(
                    sha256(&out),
                    reference["sha256_i32le"].as_str().unwrap(),
                    "{arguments:?} {backend}"
                );
                seen += 1;
            }
        }
    }
    assert!(seen >= 24, "only {seen} decodes");
}

#[test]
fn pictures_are_rendered_with_palette_and_channel_order() {
    let Some(testdata) = shared("testdata") else { return };
    let directory = Folder::new("cli-rendered");
    for name in ["pal-32x24.jp2", "bgr-cdef-16x16.jp2"] {
        let out = within(&directory, "out.png");
        succeed(&[
            "decode",
            testdata.join("files").join(name).to_str().unwrap(),
            "-o",
            &out,
            "--backend",
            "cpu",
        ]);
        assert_eq!(png(&out), png(testdata.join(format!("files/ref/{name}.rendered.png"))), "{name}");
    }
    let target = testdata.join("files/bgr-cdef-16x16.jp2");
    let target = target.to_str().unwrap();
    // A request that cannot be met leaves no file behind.
    let out = within(&directory, "none.png");
    assert!(
        fail(&["decode", target, "-o", &out, "--backend", "cpu", "--region", "16,0,4,4"])
            .contains("4 x 4 at 16,0")
    );
    assert!(
        fail(&["decode", target, "-o", &out, "--backend", "cpu", "--components", "3"])
            .contains("component 3")
    );
    assert!(
        fail(&["decode", target, "-o", &out, "--backend", "cpu", "--reduce", "2"])
            .contains("resolution levels")
    );
    assert!(!Path::new(&out).exists());
    // One component of three is a grey picture.
    let out = within(&directory, "one.pgm");
    succeed(&["decode", target, "-o", &out, "--components", "1", "--region", "4,2,3,5"]);
    assert!(std::fs::read(&out).unwrap().starts_with(b"P5\n3 5\n255\n"));
}

#[test]
fn depth_opacity_and_chroma_survive_rendering() {
    let Some(testdata) = shared("testdata") else { return };
    let directory = Folder::new("cli-depth");
    let decode = |name: &str, out: &str, more: &[&str]| {
        let target = testdata.join("files").join(name);
        let out = within(&directory, out);
        succeed(&[&["decode", target.to_str().unwrap(), "-o", &out, "--backend", "cpu"], more].concat());
        out
    };
    // 16 bits of grey stay 16 bits.
    let (width, height, color, samples) = png(decode("16bit.cropped.jp2", "deep.png", &[]));
    assert_eq!((width, height, color, samples.len()), (64, 64, png::ColorType::Grayscale, 64 * 64 * 2));
    assert_eq!(samples, png(testdata.join("files/ref/16bit.cropped.jp2.r0.png")).3);
    let map = std::fs::read(decode("16bit.cropped.jp2", "deep.pgm", &[])).unwrap();
    assert_eq!(map.strip_prefix(b"P5\n64 64\n65535\n").unwrap(), samples);
    // 8-bit RGB and opacity are the components.
    let rgba = png(decode("stefan_full_rgba.jp2", "rgba.png", &[]));
    assert_eq!(rgba.2, png::ColorType::Rgba);
    assert_eq!(rgba, png(decode("stefan_full_rgba.jp2", "components.png", &["--space", "components"])));
    // Sub-sampled sYCC: within 2 of another decoder, which leaves out the chroma of a first column that
    // lies between two chroma samples.
    for (name, first) in [
        ("issue411-ycc420.jp2", 0),
        ("issue411-ycc422.jp2", 0),
        ("issue411-ycc444.jp2", 0),
        ("sycc_420_odd_origin_x_coord.jp2", 1),
    ] {
        let found = png(decode(name, "ycc.png", &["--up-sampling", "repeated"]));
        let wanted = png(testdata.join(format!("files/ref/{name}.rendered.png")));
        assert_eq!((found.0, found.1, found.2), (wanted.0, wanted.1, wanted.2), "{name}");
        for (at, (&a, &b)) in pairs(&found.3, &wanted.3).enumerate() {
            let column = at / 3 % found.0 as usize;
            assert!(column < first || a.abs_diff(b) <= 2, "{name}: sample {at} is {a}, not {b}");
        }
    }
    let (.., colour, _) = png(decode("issue205.jp2", "inks.png", &["--reduce", "2"]));
    assert_eq!(colour, png::ColorType::Rgb);
    // A note, not a failure: half of this file's packets are not there.
    decode("Marrin.jp2", "cut.png", &[]);
}

/// A running `wavetile serve`.
struct Server {
    program: Running,
    http3: String,
    fingerprint: String,
    http1: String,
}

impl Server {
    fn start(root: &Path) -> Self {
        let program = Running::start(Command::new(env!("CARGO_BIN_EXE_wavetile")).args([
            "serve",
            root.to_str().unwrap(),
            "--listen",
            "127.0.0.1:0",
            "--http",
            "127.0.0.1:0",
        ]));
        let (first, second) = (program.line().unwrap(), program.line().unwrap());
        let between = |line: &str, start: &str, end: &str| {
            let (_, rest) = line.split_once(start).unwrap();
            rest.split_once(end).map_or(rest, |(found, _)| found).to_owned()
        };
        Self {
            program,
            http3: between(&first, "listening: jpip over HTTP/3 at https://", "/"),
            fingerprint: between(&first, "fingerprint: ", " "),
            http1: between(&second, "listening: jpip over HTTP/1.1 at http://", "/"),
        }
    }
}

#[test]
#[cfg(unix)]
fn a_served_picture_decodes_as_the_file_does() {
    let Some(testdata) = shared("testdata") else { return };
    let directory = Folder::new("cli-served");
    let root = directory.join("root");
    std::fs::create_dir_all(&root).unwrap();
    let names =
        ["pal-32x24.jp2", "gray-33x29-off31-53.j2k", "text_GBR.jp2", "sycc_420_odd_origin_x_coord.jp2"];
    for name in names {
        std::fs::copy(testdata.join("files").join(name), root.join(name)).unwrap();
    }
    let server = Server::start(&root);
    let (near, far) = (within(&directory, "near.i32"), within(&directory, "far.i32"));
    let decode = |target: &str, out: &str, more: &[&str]| {
        succeed(&[&["decode", target, "-o", out, "--backend", "cpu"], more].concat());
    };
    for name in names {
        let file = root.join(name);
        let file = file.to_str().unwrap();
        for more in [&[][..], &["--reduce", "1", "--region", "25,2,7,20"], &["--layers", "1"]] {
            decode(file, &near, more);
            let over_http3 = ["--fingerprint", &server.fingerprint, "--transport", "h3"];
            decode(&format!("jpip://{}/{name}", server.http3), &far, &[more, &over_http3].concat());
            assert_eq!(std::fs::read(&near).unwrap(), std::fs::read(&far).unwrap(), "{name} {more:?} h3");
        }
        decode(file, &near, &["--space", "components"]);
        let over_http1 = ["--space", "components", "--transport", "http"];
        decode(&format!("jpip://{}/{name}", server.http1), &far, &over_http1);
        assert_eq!(std::fs::read(&near).unwrap(), std::fs::read(&far).unwrap(), "{name} http");
    }
    let remote = format!("jpip://{}/text_GBR.jp2", server.http3);
    let info = succeed(&["info", &remote, "--json", "--insecure"]);
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    assert_eq!((&info["tiles"]["count"], &info["format"]), (&16.into(), &"JP2".into()));
    let ledger = succeed(&["fetch", &remote, "--json", "--insecure", "--transport", "h3"]);
    let ledger: serde_json::Value = serde_json::from_str(&ledger).unwrap();
    let number = |name: &str| ledger[name].as_u64().unwrap();
    let length = std::fs::metadata(root.join("text_GBR.jp2")).unwrap().len();
    assert_eq!((number("duplicate"), number("end"), &ledger["road"]), (0, 1, &"HTTP/3".into()));
    assert!(number("payload") > length * 9 / 10 && number("payload") <= length, "{ledger}");
    assert_eq!(number("received"), number("payload") + number("wasted"));
    assert!(number("asked") >= number("received") && number("requests") >= number("rounds"), "{ledger}");
    let over_websocket = ["--transport", "ws", "--reduce", "2", "--layers", "1"];
    let part = format!("jpip://{}/text_GBR.jp2", server.http1);
    let text = succeed(&[&["fetch", &part][..], &over_websocket].concat());
    assert!(text.contains("WebSocket") && text.contains("duplicate    0 bytes"), "{text}");
    for (scheme, road, told) in
        [("wss", "ws", "WebSocket"), ("jpips", "http", "HTTP/1.1"), ("https", "h2", "HTTP/2")]
    {
        let secure = format!("{scheme}://{}/text_GBR.jp2", server.http1);
        let fetch = ["fetch", &secure, "--transport", road];
        let text = succeed(&[&fetch[..], &["--fingerprint", &server.fingerprint]].concat());
        assert!(text.contains(told) && text.contains("duplicate    0 bytes"), "{text}");
        assert!(fail(&fetch).contains("not trusted"), "{scheme}");
        let wrong = "00".repeat(32);
        assert!(fail(&[&fetch[..], &["--fingerprint", &wrong]].concat()).contains("not trusted"), "{scheme}");
    }
    // What is in the cache is not fetched again, and is there without the server.
    let folder = within(&directory, "cache");
    let cache = ["--cache", &folder];
    let fetch = [&["fetch", &remote, "--json", "--insecure"][..], &cache].concat();
    let ledgers = [(); 2].map(|()| serde_json::from_str::<serde_json::Value>(&succeed(&fetch)).unwrap());
    assert_eq!([&ledgers[0]["cached"], &ledgers[1]["payload"]], [0, 0], "{ledgers:?}");
    assert_eq!(ledgers[1]["cached"], ledgers[0]["payload"]);
    let file = root.join("text_GBR.jp2");
    let kept = [&["--offline"][..], &cache].concat();
    decode(file.to_str().unwrap(), &near, &[]);
    decode(&remote, &far, &kept);
    assert!(std::fs::read(&near).unwrap() == std::fs::read(&far).unwrap());
    assert!(fail(&[&["fetch", &remote][..], &kept].concat()).contains("--offline"));
    let other = remote.replace("text", "other");
    assert!(fail(&[&["info", &other][..], &kept].concat()).contains("nothing of"));
    assert!(fail(&["info", &remote, "--offline"]).contains("--cache"));
    assert!(fail(&["fetch", file.to_str().unwrap()]).contains("is a file"));
    let wrong = "00".repeat(32);
    fail(&["info", &remote, "--fingerprint", &wrong]);
    fail(&["info", &remote]);
    fail(&["info", &format!("jpip://{}/nothing.jp2", server.http3), "--insecure"]);
    assert_eq!(server.program.stop("-TERM").code(), Some(0));
    assert_eq!(Server::start(&root).program.stop("-INT").code(), Some(0));
}

/// Without a display the demo is a script: server, client and decoder, over HTTP/3.
#[cfg(target_os = "linux")]
#[test]
fn the_demo_without_a_display_writes_what_it_shows() {
    let temporary = Folder::new("cli-demo");
    let output = Command::new(env!("CARGO_BIN_EXE_wavetile"))
        .env_remove("DISPLAY")
        .env_remove("WAYLAND_DISPLAY")
        .env("XDG_RUNTIME_DIR", env!("CARGO_TARGET_TMPDIR"))
        .env("TMPDIR", &*temporary)
        .output()
        .unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(output.status.success(), "{text}{}", String::from_utf8_lossy(&output.stderr));
    let folder = PathBuf::from(text.lines().find_map(|line| line.strip_prefix("pictures: ")).unwrap());
    let sample = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/mandelbrot.jp2");
    let sample = Image::open_file(sample).unwrap();
    let mut decoded = Vec::new();
    for (name, x, y, width, height, reduce) in [
        ("overview", 0, 0, 1024, 1024, 3),
        ("zoom-4x", 2800, 2600, 1024, 768, 1),
        ("zoom-8x", 3360, 3072, 1024, 768, 0),
        ("pan", 3616, 3072, 1024, 768, 0),
    ] {
        let row = text.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
        let fields: Vec<&str> = row.split_whitespace().collect();
        // view, width, x, height, bytes, duplicate, first, settled, decoded, reused, made, resident, complete
        assert_eq!(fields.len(), 13, "{row}");
        assert_eq!((fields[1].parse(), fields[3].parse(), fields[5]), (Ok(width), Ok(height), "0"), "{row}");
        let number = |field: usize| fields[field].parse::<u64>().unwrap();
        assert!(number(4) > 0 && number(8) > 0 && number(10) > 0, "{row}");
        decoded.push(number(8));
        let (resident, visible) = fields[11].split_once('/').unwrap();
        assert_eq!((resident, fields[12]), (visible, "100%"), "{row}");
        let find = |ending: &str| {
            let files = std::fs::read_dir(&folder).unwrap().map(|entry| entry.unwrap().path());
            let wanted = format!("{name}{ending}");
            files.into_iter().find(|path| path.to_str().unwrap().ends_with(&wanted)).unwrap()
        };
        let (settled, first) = (png(find(".png")), png(find(".first.png")));
        assert_eq!((settled.0, settled.1), (width, height));
        assert_eq!((first.0, first.1), (width, height));
        // What is there in the end is what a decode of the same window gives.
        let region = Rect::new(x, y, x + (width << reduce), y + (height << reduce));
        let request = DecodeRequest::new().region(region).reduce(reduce);
        let (expected, _) = Decoder::cpu().render(&sample, &request).unwrap();
        assert_eq!(expected.size, Size::new(width, height));
        let different = pairs(&settled.3, &expected.bytes).filter(|(a, b)| a != b).count();
        assert_eq!(different, 0, "{name}: bytes that are not those of a decode");
        // What arrived first is a coarse version of the same picture.
        let difference: u64 = pairs(&settled.3, &first.3).map(|(&a, &b)| u64::from(a.abs_diff(b))).sum();
        assert!(difference / settled.3.len() as u64 <= 24, "{name}: mean difference {difference}");
    }
    // A quarter of the last view is new: of the rest, no block is decoded again.
    assert!(3 * decoded[3] < 2 * decoded[2], "{decoded:?}");
}
