//! The authority under measurement: `certus up` in a process of its own.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};

use crate::database::Database;
use crate::stored::{self, Cost};
use crate::target::Target;

/// A running authority.
#[derive(Debug)]
pub(crate) struct Authority {
    process: Child,
    pub(crate) directory_url: String,
    pub(crate) root_pem: String,
    database: Database,
    /// Of what was stored before.
    pub(crate) cost: Option<Cost>,
}

impl Authority {
    pub(crate) async fn start(
        certus: &Path,
        store: &str,
        dir: &Path,
        target: &Target,
        stored: u64,
    ) -> anyhow::Result<Self> {
        let dir = dir.join("lab");
        let database = Database::new(store, &dir)?;
        let mut cost = None;
        if stored > 0 {
            // Once up and down, so that the store exists with its schema and issuer.
            up_and_down(certus, &database, &dir, target).await?;
            let before = database.octets()?;
            let list = stored::load(&database, stored).await?;
            // And once more, so that all of it is where it stays.
            up_and_down(certus, &database, &dir, target).await?;
            cost = Some(Cost { octets_per_certificate: database.octets()?.saturating_sub(before) / stored, list });
        }
        let mut process = spawn(certus, &database, &dir, target)?;
        let ready = ready(&mut process, &dir).await?;
        let text = |name: &str| ready.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let root_pem = std::fs::read_to_string(text("root_path"))?;
        Ok(Self { process, directory_url: text("directory_url"), root_pem, database, cost })
    }

    /// What the process has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let postgres_ticks = match self.database.server_pid() {
            Some(server) => tree_ticks(server)?,
            None => 0,
        };
        Ok(Usage { ticks: ticks(self.process.id())?, postgres_ticks, rss: rss(self.process.id())? })
    }

    /// How large its database is, in octets.
    pub(crate) fn octets(&self) -> anyhow::Result<u64> {
        self.database.octets()
    }

    /// Ends it, and gives back what it leaves.
    pub(crate) async fn stop(self) -> anyhow::Result<Database> {
        end(self.process).await?;
        Ok(self.database)
    }
}

async fn up_and_down(certus: &Path, database: &Database, dir: &Path, target: &Target) -> anyhow::Result<()> {
    let mut process = spawn(certus, database, dir, target)?;
    ready(&mut process, dir).await?;
    end(process).await
}

fn spawn(certus: &Path, database: &Database, dir: &Path, target: &Target) -> anyhow::Result<Child> {
    let [acme, pki] = free_ports()?;
    std::fs::create_dir_all(dir)?;
    let log = std::fs::File::create(dir.with_extension("log"))?;
    Command::new(certus)
        .args(["up", "--dir"])
        .arg(dir)
        .args(["--store", database.for_certus(), "--listen", &format!("127.0.0.1:{acme}")])
        .args(["--pki-listen", &format!("127.0.0.1:{pki}"), "--resolver", &target.resolver().to_string()])
        .args(["--http-01-port", &target.http_port().to_string()])
        .args(["--tls-alpn-01-port", &target.tls_port().to_string(), "--ready-file"])
        .arg(ready_file(dir))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .spawn()
        .with_context(|| format!("starting {}", certus.display()))
}

fn ready_file(dir: &Path) -> PathBuf {
    dir.with_extension("ready")
}

/// The ports of the first start; a second start of the same laboratory has the same external URL.
fn free_ports() -> anyhow::Result<[u16; 2]> {
    use std::sync::OnceLock;
    static PORTS: OnceLock<[u16; 2]> = OnceLock::new();
    if let Some(ports) = PORTS.get() {
        return Ok(*ports);
    }
    let one = std::net::TcpListener::bind("127.0.0.1:0")?;
    let other = std::net::TcpListener::bind("127.0.0.1:0")?;
    Ok(*PORTS.get_or_init(|| {
        [one, other].map(|listener| listener.local_addr().map(|address| address.port()).unwrap_or_default())
    }))
}

async fn ready(process: &mut Child, dir: &Path) -> anyhow::Result<serde_json::Value> {
    let deadline = Instant::now() + Duration::from_secs(30);
    let mut look = tokio::time::interval(Duration::from_millis(20));
    while Instant::now() < deadline {
        look.tick().await;
        if let Ok(text) = std::fs::read(ready_file(dir)) {
            std::fs::remove_file(ready_file(dir))?;
            return Ok(serde_json::from_slice(&text)?);
        }
        if let Some(status) = process.try_wait()? {
            bail!("certus ended with {status}; see {}", dir.with_extension("log").display());
        }
    }
    bail!("certus did not become ready; see {}", dir.with_extension("log").display())
}

async fn end(mut process: Child) -> anyhow::Result<()> {
    let pid = rustix::process::Pid::from_child(&process);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    let status = tokio::task::spawn_blocking(move || process.wait()).await??;
    anyhow::ensure!(status.success(), "certus ended with {status}");
    Ok(())
}

/// What processes have used.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Usage {
    ticks: u64,
    postgres_ticks: u64,
    /// Resident memory of certus in octets.
    pub(crate) rss: u64,
}

impl Usage {
    pub(crate) fn since(self, before: &Self) -> Self {
        Self {
            ticks: self.ticks - before.ticks,
            postgres_ticks: self.postgres_ticks.saturating_sub(before.postgres_ticks),
            rss: self.rss,
        }
    }

    /// User and system time of certus in seconds.
    pub(crate) fn cpu(&self) -> f64 {
        seconds(self.ticks)
    }

    /// The same of PostgreSQL's processes.
    pub(crate) fn postgres_cpu(&self) -> f64 {
        seconds(self.postgres_ticks)
    }
}

fn seconds(ticks: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "ticks of a run are far below 2^52")]
    let ticks = ticks as f64;
    // Linux counts in hundredths of a second towards programs, whatever the kernel does (proc(5), USER_HZ).
    ticks / 100.0
}

/// utime and stime, fields 14 and 15 of /proc/PID/stat.
fn ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("reading /proc")?;
    let field = |index: usize| fields.split(' ').nth(index).and_then(|text| text.parse::<u64>().ok());
    Ok(field(11).context("utime")? + field(12).context("stime")?)
}

/// The ticks of a process and its children, those that ended too.
fn tree_ticks(pid: u32) -> anyhow::Result<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let (_, fields) = stat.rsplit_once(") ").context("reading /proc")?;
    let ended: u64 = (13..15).filter_map(|index| fields.split(' ').nth(index)?.parse::<u64>().ok()).sum();
    let mut total = ticks(pid)? + ended;
    for entry in std::fs::read_dir("/proc")?.flatten() {
        let Some(child) = entry.file_name().to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{child}/stat")) else { continue };
        let parent = stat.rsplit_once(") ").and_then(|(_, fields)| fields.split(' ').nth(1)?.parse::<u32>().ok());
        if parent == Some(pid) {
            total += ticks(child).unwrap_or(0);
        }
    }
    Ok(total)
}

fn rss(pid: u32) -> anyhow::Result<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}
