//! A laboratory that is started, killed and started again on the same state.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use certus_testkit::{Fault, Http01Target, ReadyFile};
use serde_json::Value;

/// How long a start may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// Names with this text are never signed for.
pub(crate) const REFUSED: &str = "unsigned";

/// The folder, the store and the ports of a laboratory.
#[derive(Debug)]
pub(crate) struct Laboratory {
    dir: PathBuf,
    store: String,
    ports: [u16; 2],
    /// Whether limits are kept.
    limits: bool,
    pub(crate) target: Arc<Http01Target>,
}

impl Laboratory {
    pub(crate) async fn new(dir: &Path, store: &str) -> Self {
        let ports = certus_testkit::free_ports();
        let target = Arc::new(Http01Target::bind(0).await.unwrap());
        Self { dir: dir.to_owned(), store: store.to_owned(), ports, limits: false, target }
    }

    /// One that keeps limits.
    pub(crate) async fn limited(dir: &Path, store: &str) -> Self {
        Self { limits: true, ..Self::new(dir, store).await }
    }

    /// Where the signer writes down what it signs.
    pub(crate) fn record(&self) -> PathBuf {
        self.dir.join("signed")
    }

    /// The store as its crate opens it.
    pub(crate) fn store_url(&self) -> String {
        if self.store == "sqlite" {
            format!("sqlite:{}", self.dir.join("lab/state/certus.db").display())
        } else {
            self.store.clone()
        }
    }

    /// Starts the authority with faults. `None` when it ended before it answered.
    pub(crate) async fn start(&self, faults: &[Fault]) -> (Running, Option<ReadyFile>) {
        let [acme, pki] = self.ports;
        let ready = self.dir.join("ready.json");
        drop(std::fs::remove_file(&ready));
        std::fs::create_dir_all(self.dir.join("lab")).unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_certus-chaos"));
        command.args(faults.iter().flat_map(|fault| ["--fault".to_owned(), fault.to_string()]));
        command.arg("--record").arg(self.record()).args(["--refuse", REFUSED, "--", "up", "--dir"]);
        command.arg(self.dir.join("lab"));
        command.args(["--listen", &format!("127.0.0.1:{acme}"), "--pki-listen", &format!("127.0.0.1:{pki}")]);
        command.args(["--store", &self.store, "--http-01-port", &self.target.port().to_string()]);
        command.args(self.limits.then_some("--limits"));
        command.arg("--ready-file").arg(&ready);
        let log = std::fs::File::create(self.dir.join("log")).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(log);
        let mut running = Running(command.spawn().unwrap());
        let answered = tokio::select! {
            ready = certus_testkit::wait_for_ready_file(&ready, PATIENCE) => Some(ready.unwrap()),
            () = running.ended() => None,
        };
        (running, answered)
    }

    /// What an operator says to the running authority; its answer, unless it died of it.
    pub(crate) async fn operate(&self, words: &[&str]) -> Option<Value> {
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_certus-chaos"));
        command.args(["--", "ca"]).args(words).arg("--json").arg("--dir").arg(self.dir.join("lab"));
        let output = command.output().await.unwrap();
        output.status.success().then(|| serde_json::from_slice(&output.stdout).unwrap())
    }

    /// How many certificates a running authority has counted for each set of names.
    pub(crate) async fn counted(&self) -> BTreeMap<String, u64> {
        let shown = self.operate(&["limits", "--all", "--limit", "1000"]).await.unwrap();
        assert!(shown["next"].is_null(), "there is more: {shown}");
        let of_sets =
            shown["keys"].as_array().unwrap().iter().filter(|key| key["name"] == "certificates_per_exact_set");
        of_sets.map(|key| (key["key"].as_str().unwrap().to_owned(), key["spent"].as_u64().unwrap())).collect()
    }

    /// What the last start wrote to its log.
    pub(crate) fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }
}

/// A process of the authority. Dropping it kills it.
#[derive(Debug)]
pub(crate) struct Running(Child);

impl Running {
    /// Until the process has ended by itself.
    async fn ended(&mut self) {
        let mut look = tokio::time::interval(Duration::from_millis(20));
        loop {
            look.tick().await;
            if self.0.try_wait().unwrap().is_some() {
                return;
            }
        }
    }

    /// Waits for the end of a process that killed itself, as a fault makes it do.
    pub(crate) async fn killed_itself(mut self, log: &str) {
        assert!(tokio::time::timeout(PATIENCE, self.ended()).await.is_ok(), "it refuses clients but lives: {log}");
        // Who ends by a signal has no exit code.
        assert_eq!(self.0.wait().unwrap().code(), None, "it ended by itself: {log}");
    }

    /// Asks the process to end in good order, and says nothing of how it does.
    pub(crate) fn ask_to_end(&self) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    }

    /// `kill -9`.
    pub(crate) fn kill(mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }

    /// SIGTERM, and an end in good order.
    pub(crate) fn stop(mut self, log: &str) {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.0.wait().unwrap();
        assert!(status.success(), "{status}: {log}");
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
