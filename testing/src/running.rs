//! Programs that run beside a test, and folders that are gone after it.

use std::io::{BufRead, BufReader};
use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

/// How long a program may take for a line, or to end.
const PATIENCE: Duration = Duration::from_secs(60);

/// A child program whose standard output is read while it runs; killed, if it still runs, when the test is over.
#[derive(Debug)]
pub struct Running {
    child: Child,
    lines: Receiver<String>,
}

impl Running {
    /// Starts it.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}"));
        let output = BufReader::new(child.stdout.take().expect("it was piped"));
        let (sender, lines) = channel();
        // Ends with the program, or when nobody listens any more.
        std::thread::spawn(move || {
            output.lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Self { child, lines }
    }

    /// The next line that it prints; `None` when it has ended.
    ///
    /// # Panics
    /// If it prints nothing for a minute.
    pub fn line(&self) -> Option<String> {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => Some(line),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the program says nothing"),
        }
    }

    /// The number by which the system knows it.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Sends `signal` ("-TERM"), and waits until it has ended.
    ///
    /// # Panics
    /// If it runs on for a minute.
    #[cfg(unix)]
    pub fn stop(mut self, signal: &str) -> ExitStatus {
        let sent = Command::new("kill").args([signal, &self.id().to_string()]).status();
        assert!(sent.is_ok_and(|status| status.success()), "{signal} cannot be sent");
        self.wait()
    }

    /// Waits until it has ended.
    ///
    /// # Panics
    /// If it runs on for a minute.
    pub fn wait(&mut self) -> ExitStatus {
        let begin = Instant::now();
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return status,
                Ok(None) => assert!(begin.elapsed() < PATIENCE, "the program does not end"),
                Err(error) => panic!("the program is not there: {error}"),
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// An empty folder of one test, removed with all that is in it at its end.
#[derive(Debug)]
pub struct Folder(PathBuf);

impl Folder {
    /// Under a name that no other test has.
    pub fn new(name: &str) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("wavetile-{name}-{}-{number}", std::process::id()));
        // Of an earlier process of that number which was killed.
        let _ = std::fs::remove_dir_all(&path);
        std::fs::create_dir_all(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        // As others name it, who look where links lead.
        Self(path.canonicalize().unwrap())
    }

    /// Writes a file in it; its path.
    pub fn file(&self, name: impl AsRef<Path>, bytes: impl AsRef<[u8]>) -> PathBuf {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        path
    }
}

impl Deref for Folder {
    type Target = Path;

    fn deref(&self) -> &Path {
        &self.0
    }
}

impl AsRef<Path> for Folder {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_empty_its_own_and_gone_at_the_end() {
        let (one, other) = (Folder::new("folder"), Folder::new("folder"));
        assert_ne!(*one, *other);
        let file = one.file("a", b"bytes");
        assert!(file.is_file() && !other.join("a").exists());
        drop(one);
        assert!(!file.exists() && other.is_dir());
    }

    #[test]
    #[cfg(unix)]
    fn a_program_is_heard_and_stopped() {
        let program = Running::start(Command::new("sh").args(["-c", "echo one; echo two; exec sleep 1000"]));
        assert_eq!((program.line().as_deref(), program.line().as_deref()), (Some("one"), Some("two")));
        assert_eq!(program.stop("-TERM").code(), None);
        let mut program = Running::start(Command::new("sh").args(["-c", "exit 3"]));
        assert_eq!((program.line(), program.wait().code()), (None, Some(3)));
    }
}
