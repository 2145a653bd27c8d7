//! `certus ca serve` in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certus_testkit::{BindServer, RawHttp, free_ports};
use serde_json::Value;

use crate::clients::succeeded;

/// The program under test.
pub(crate) const CERTUS: &str = env!("CARGO_BIN_EXE_certus");
/// What every name of these tests ends in.
const ZONE: &str = "peers.test";
/// Every name is this machine, and the records that control one name are kept beneath another.
const RECORDS: &[&str] = &["* IN A 127.0.0.1", "_acme-challenge.alias IN CNAME records.wild"];
/// How long a start may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A running authority, and the name server that it asks. Dropping it ends both.
#[derive(Debug)]
pub(crate) struct Authority {
    process: Child,
    pub(crate) names: BindServer,
    pub(crate) dir: PathBuf,
    pub(crate) directory_url: String,
    pub(crate) http_01_port: u16,
    pub(crate) tls_alpn_01_port: u16,
}

impl Authority {
    /// Sets up and starts an authority in `dir` with that store.
    pub(crate) async fn start(dir: &Path, store: &str) -> Self {
        Self::start_with(dir, store, "").await
    }

    /// [`Self::start`] with further settings of `[authority]`.
    pub(crate) async fn start_with(dir: &Path, store: &str, settings: &str) -> Self {
        let change = |dir: &Path| change_settings(dir, "[authority]\n", &format!("[authority]\n{settings}"));
        Self::start_changed(dir, store, change).await
    }

    /// [`Self::start`] after changes to the folder that was set up.
    pub(crate) async fn start_changed(dir: &Path, store: &str, change: impl FnOnce(&Path)) -> Self {
        let [acme, pki, http_01_port, tls_alpn_01_port] = free_ports();
        Self::init(dir, store, acme, pki);
        change(dir);
        let names = BindServer::start(ZONE, RECORDS).await.unwrap();
        let settings = format!(
            "\n[authority.validation]\nhttp_port = {http_01_port}\ntls_alpn_port = {tls_alpn_01_port}\n\
             resolvers = [\"{}\"]\ntrust_anchors = \"{}\"\npermit = [\"127.0.0.0/8\"]\n",
            names.address,
            names.anchors.display()
        );
        change_settings(dir, "\n[store]\n", &format!("{settings}\n[store]\n"));
        let log = std::fs::File::create(dir.join("log")).unwrap();
        let process = Command::new(CERTUS)
            .args(["ca", "serve", "--dir"])
            .arg(dir)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let directory_url = format!("https://localhost:{acme}/directory");
        let mut authority = Self { process, names, dir: dir.to_owned(), directory_url, http_01_port, tls_alpn_01_port };
        authority.wait_until_it_answers().await;
        authority
    }

    fn init(dir: &Path, store: &str, acme: u16, pki: u16) {
        let output = Command::new(CERTUS)
            .args(["ca", "init", "--json", "--dir"])
            .arg(dir)
            .args(["--external-url", &format!("https://localhost:{acme}")])
            .args(["--pki-url", &format!("http://localhost:{pki}"), "--store", store])
            .args(["--listen", &format!("127.0.0.1:{acme}"), "--pki-listen", &format!("127.0.0.1:{pki}")])
            .output()
            .unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }

    async fn wait_until_it_answers(&mut self) {
        let http = RawHttp::trusting(&std::fs::read_to_string(self.root()).unwrap()).unwrap();
        let mut look = tokio::time::interval(Duration::from_millis(50));
        let answered = async {
            loop {
                look.tick().await;
                if http.get(&self.directory_url).await.is_ok_and(|answer| answer.status == 200) {
                    return;
                }
                let ended = self.process.try_wait().unwrap();
                assert_eq!(ended, None, "it ended: {}", self.log());
            }
        };
        assert!(tokio::time::timeout(PATIENCE, answered).await.is_ok(), "it does not answer: {}", self.log());
    }

    /// What a command of `certus ca` says as JSON.
    pub(crate) fn ca(&self, words: &[&str]) -> Value {
        let output =
            Command::new(CERTUS).arg("ca").args(words).args(["--json", "--dir"]).arg(&self.dir).output().unwrap();
        succeeded(&output);
        serde_json::from_slice(&output.stdout).unwrap()
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.join("state/root.pem")
    }

    fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("log")).unwrap_or_default()
    }

    /// Ends it in good order.
    pub(crate) fn stop(mut self) {
        let pid = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        let status = self.process.wait().unwrap();
        assert!(status.success(), "{status}: {}", self.log());
    }
}

impl Drop for Authority {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// Changes the settings of an authority that does not run yet.
pub(crate) fn change_settings(dir: &Path, from: &str, to: &str) {
    let file = dir.join("certus.toml");
    let text = std::fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "{from:?} is not in\n{text}");
    std::fs::write(&file, text.replacen(from, to, 1)).unwrap();
}
