//! The program, run to its end or kept running.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

/// The program under test.
pub(crate) const CERTUS: &str = env!("CARGO_BIN_EXE_certus");

/// A command without anything of the environment that the program looks at.
pub(crate) fn certus(words: &[&str]) -> Command {
    let mut command = Command::new(CERTUS);
    command.args(words).env_remove("CREDENTIALS_DIRECTORY").env_remove("PGPASSFILE").stdin(Stdio::null());
    command
}

/// Runs it to its end.
pub(crate) fn run(command: &mut Command) -> Ended {
    Ended::from(command.output().unwrap())
}

/// How it ended, and what it said.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).unwrap(),
            err: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// It ended well.
    #[track_caller]
    pub(crate) fn well(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    /// It ended with this code and said this.
    #[track_caller]
    pub(crate) fn refused(self, code: i32, words: &str) -> Self {
        assert_eq!(self.code, Some(code), "{self:?}");
        assert!(self.err.contains(words), "{words:?} is not in: {}", self.err);
        self
    }

    /// What it printed as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap()
    }
}

/// An authority on disk.
#[derive(Debug)]
pub(crate) struct Site {
    _temporary: tempfile::TempDir,
    pub(crate) dir: PathBuf,
    pub(crate) port: u16,
    pub(crate) pki_port: u16,
}

impl Site {
    /// Makes one that listens on free ports of loopback, with more flags of `ca init`.
    pub(crate) fn new(more: &[&str]) -> Self {
        Self::named("ca", more)
    }

    /// One in a directory of that name.
    pub(crate) fn named(name: &str, more: &[&str]) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        // Without links: the program prints paths as they really are.
        let dir = temporary.path().canonicalize().unwrap().join(name);
        let [port, pki_port] = free_ports();
        let site = Self { _temporary: temporary, dir, port, pki_port };
        run(&mut site.init(more)).well();
        // A resolver that answers at once, in the negative: what is tested here does not depend on a network.
        let settings = "\n[authority.validation]\nresolvers = [\"127.0.0.1:1\"]\ntimeout = \"1s\"\n";
        let file = site.dir.join("certus.toml");
        let text = std::fs::read_to_string(&file).unwrap() + settings;
        std::fs::write(&file, text).unwrap();
        site
    }

    /// Another node of the same authority: the same settings, issuers and root, listening elsewhere.
    pub(crate) fn twin(other: &Self) -> Self {
        let temporary = tempfile::tempdir().unwrap();
        let dir = temporary.path().canonicalize().unwrap().join("ca");
        copy(&other.dir, &dir);
        let [port, pki_port] = free_ports();
        let twin = Self { _temporary: temporary, dir, port, pki_port };
        for (setting, from, to) in [("listen", other.port, port), ("pki_listen", other.pki_port, pki_port)] {
            twin.edit(&format!("{setting} = \"127.0.0.1:{from}\""), &format!("{setting} = \"127.0.0.1:{to}\""));
        }
        twin
    }

    /// The command that makes it.
    pub(crate) fn init(&self, more: &[&str]) -> Command {
        let Self { port, pki_port, .. } = self;
        let mut command = certus(&["ca", "init", "--dir"]);
        command.arg(&self.dir).args(["--external-url", &format!("https://localhost:{port}")]);
        command.args(["--pki-url", &format!("http://localhost:{pki_port}")]);
        command.args(["--listen", &format!("127.0.0.1:{port}"), "--pki-listen", &format!("127.0.0.1:{pki_port}")]);
        command.args(more);
        command
    }

    /// A `ca` command on it.
    pub(crate) fn ca(&self, words: &[&str]) -> Command {
        let mut command = certus(&["ca"]);
        command.args(words).arg("--dir").arg(&self.dir);
        command
    }

    /// Starts it, and waits until it says that it serves.
    pub(crate) fn serve(&self) -> Running {
        Running::start(&mut self.ca(&["serve", "--json"]), &self.dir.join("log"))
    }

    pub(crate) fn state(&self, name: &str) -> PathBuf {
        self.dir.join("state").join(name)
    }

    pub(crate) fn root_pem(&self) -> String {
        std::fs::read_to_string(self.state("root.pem")).unwrap()
    }

    /// Changes its settings.
    pub(crate) fn edit(&self, from: &str, to: &str) {
        let file = self.dir.join("certus.toml");
        let text = std::fs::read_to_string(&file).unwrap();
        assert!(text.contains(from), "{from:?} is not in {text}");
        std::fs::write(&file, text.replace(from, to)).unwrap();
    }
}

/// Copies a directory with what is in it, permissions too.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), &target).unwrap();
        }
    }
    std::fs::set_permissions(to, std::fs::metadata(from).unwrap().permissions()).unwrap();
}

/// Two ports that were free a moment ago.
pub(crate) fn free_ports() -> [u16; 2] {
    certus_testkit::free_ports()
}

/// The program at work. Dropping it ends it.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// What it printed first: one JSON document.
    pub(crate) said: Value,
    /// Kept, so that what it prints later finds a reader.
    _out: BufReader<ChildStdout>,
    log: PathBuf,
}

impl Running {
    /// Starts it with `--json`, its log in a file, and waits for the line that says that it serves.
    pub(crate) fn start(command: &mut Command, log: &Path) -> Self {
        let file = std::fs::OpenOptions::new().create(true).append(true).open(log).unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(file).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        let mut line = String::new();
        out.read_line(&mut line).unwrap();
        let Ok(said) = serde_json::from_str(&line) else {
            let status = child.wait().unwrap();
            panic!("it said {line:?} and ended with {status}: {}", std::fs::read_to_string(log).unwrap());
        };
        Self { child, said, _out: out, log: log.to_owned() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Sends a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Ends it as a supervisor would; its exit code.
    pub(crate) fn end(mut self) -> Option<i32> {
        self.signal(Signal::TERM);
        self.child.wait().unwrap().code()
    }

    /// Its exit code, once it ends.
    pub(crate) fn wait(mut self) -> Option<i32> {
        self.child.wait().unwrap().code()
    }

    /// What it has logged.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // Ended already, most of the time.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}
