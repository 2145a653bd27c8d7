//! The authority under measurement: `certus up` in a process of its own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::CertificateId;
use certus_ca::state::IssuedCertificate;
use certus_pki::{Clock as _, DnsName, SerialNumber, SubjectName, SystemClock, random_bytes, sha256};
use certus_testkit::postgres::PostgresServer;

/// A running authority.
#[derive(Debug)]
pub(crate) struct Authority {
    process: Child,
    pub(crate) directory_url: String,
    pub(crate) root_pem: String,
    postgres: Option<PostgresServer>,
}

impl Authority {
    pub(crate) async fn start(
        certus: &Path,
        store: &str,
        dir: &Path,
        target_port: u16,
        stored: u64,
    ) -> anyhow::Result<Self> {
        let postgres = match store {
            "sqlite" => None,
            "postgres" => Some(PostgresServer::start()?),
            other => bail!("the store {other:?} is neither \"sqlite\" nor \"postgres\""),
        };
        let url = match &postgres {
            None => "sqlite".to_owned(),
            Some(server) => server.create_database("bench")?,
        };
        let dir = dir.join("lab");
        if stored > 0 {
            // Once up and down, so that the store exists with its schema and issuer.
            let mut first = spawn(certus, &url, &dir, target_port)?;
            ready(&mut first, &dir).await?;
            end(first).await?;
            load(&url, &dir, stored).await?;
        }
        let mut process = spawn(certus, &url, &dir, target_port)?;
        let ready = ready(&mut process, &dir).await?;
        let text = |name: &str| ready.get(name).and_then(serde_json::Value::as_str).unwrap_or_default().to_owned();
        let root_pem = std::fs::read_to_string(text("root_path"))?;
        Ok(Self { process, directory_url: text("directory_url"), root_pem, postgres })
    }

    /// What the process has used so far.
    pub(crate) fn usage(&self) -> anyhow::Result<Usage> {
        let postgres_ticks = match self.postgres.as_ref().and_then(PostgresServer::pid) {
            Some(server) => tree_ticks(server)?,
            None => 0,
        };
        Ok(Usage { ticks: ticks(self.process.id())?, postgres_ticks, rss: rss(self.process.id())? })
    }

    pub(crate) async fn stop(self) -> anyhow::Result<()> {
        end(self.process).await
    }
}

fn spawn(certus: &Path, url: &str, dir: &Path, target_port: u16) -> anyhow::Result<Child> {
    let [acme, pki] = free_ports()?;
    std::fs::create_dir_all(dir)?;
    let log = std::fs::File::create(dir.with_extension("log"))?;
    Command::new(certus)
        .args(["up", "--dir"])
        .arg(dir)
        .args(["--store", url, "--listen", &format!("127.0.0.1:{acme}"), "--pki-listen", &format!("127.0.0.1:{pki}")])
        .args(["--http-01-port", &target_port.to_string(), "--ready-file"])
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

/// Loads certificates through the store, as they would be after that many orders.
async fn load(url: &str, dir: &Path, count: u64) -> anyhow::Result<()> {
    let url = if url == "sqlite" { format!("sqlite:{}", sqlite_file(dir)?.display()) } else { url.to_owned() };
    let store = certus_store::connect(&url.parse()?).await?;
    let (issuer, _) = store.issuers().await?.into_iter().next().context("the store knows no issuer")?;
    let now = SystemClock.now();
    let mut made = 0;
    while made < count {
        let batch: Vec<IssuedCertificate> = (made..(made + 1000).min(count)).map(|n| synthetic(n, &issuer)).collect();
        made += 1000;
        let audit = AuditEvent {
            at: now,
            actor: Actor::Authority,
            action: Action::CertificatesLoaded,
            object: issuer.clone(),
            request: None,
        };
        store.load_certificates(&batch, audit).await?;
    }
    Ok(())
}

fn sqlite_file(dir: &Path) -> anyhow::Result<PathBuf> {
    let mut folders = vec![dir.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sqlite" || extension == "db") {
                return Ok(path);
            }
        }
    }
    bail!("the laboratory has no database file")
}

fn synthetic(number: u64, issuer: &str) -> IssuedCertificate {
    let now = SystemClock.now();
    // As long as a real one, and as random.
    let der: Vec<u8> = std::iter::repeat_with(random_bytes::<64>).take(12).flatten().collect();
    let name = DnsName::parse(&format!("host{number}.stored.example")).ok();
    IssuedCertificate {
        id: CertificateId::random(),
        account: None,
        issuer: issuer.to_owned(),
        serial: SerialNumber::random(),
        sha256: sha256(&der),
        der,
        spki_sha256: random_bytes(),
        names: name.into_iter().map(SubjectName::Dns).collect::<BTreeSet<_>>(),
        profile: "classic".to_owned(),
        shard: 0,
        not_before: now,
        not_after: now + Duration::from_secs(90 * 24 * 3600),
        issued: now,
    }
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
