//! OpenJPH as the Python package imagecodecs has it, in a process of its own that decodes when told to.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::time::Duration;

/// Reads a length and as many bytes, decodes them, and answers with nanoseconds.
const PROGRAM: &str = r#"
import sys, time
try:
    import imagecodecs
    version = imagecodecs.htj2k_version()
except Exception:
    print("missing", flush=True)
    sys.exit()
print(version, flush=True)
while line := sys.stdin.buffer.readline():
    data = sys.stdin.buffer.read(int(line))
    start = time.thread_time_ns()
    imagecodecs.htj2k_decode(data)
    print(time.thread_time_ns() - start, flush=True)
"#;

/// The process.
pub(crate) struct ImageCodecs {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
    /// With the version.
    pub(crate) name: String,
}

impl ImageCodecs {
    /// Starts it; else why not. `$WAVETILE_PYTHON` may name another Python than `python3`.
    pub(crate) fn start() -> Result<Self, String> {
        let python = std::env::var("WAVETILE_PYTHON").unwrap_or_else(|_| "python3".to_owned());
        let missing = || "peer not installed: pip install imagecodecs".to_owned();
        let mut child = Command::new(python)
            .args(["-c", PROGRAM])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|_| missing())?;
        let input = child.stdin.take().expect("it is piped");
        let output = BufReader::new(child.stdout.take().expect("it is piped"));
        let mut process = Self { child, input, output, name: String::new() };
        let version = process.line();
        match version.split_whitespace().last() {
            Some("missing") | None => Err(missing()),
            Some(version) => {
                let version = version.trim_start_matches("openjph-");
                process.name = format!("OpenJPH {version} (imagecodecs)");
                Ok(process)
            }
        }
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        // Where it has ended, the line is empty.
        let _ = self.output.read_line(&mut line);
        line.trim().to_owned()
    }

    /// Decodes; returns how long that kept the process's thread busy.
    pub(crate) fn decode(&mut self, bytes: &[u8]) -> Duration {
        let sent = writeln!(self.input, "{}", bytes.len())
            .and_then(|()| self.input.write_all(bytes))
            .and_then(|()| self.input.flush());
        sent.expect("Python listens");
        Duration::from_nanos(self.line().parse().expect("Python answers with a time"))
    }
}

impl Drop for ImageCodecs {
    fn drop(&mut self) {
        // It is only told to end; how it does is of no interest.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
