//! A PostgreSQL server of a test's own: made by `initdb`, reached by a socket in a temporary directory, gone afterwards.
//!
//! PostgreSQL refuses to run as root; a test that does runs it as the user `postgres` of the Debian package. Deliberately
//! absent: TCP (tests need no port), and a password (the directory is the test's own).

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;

use tempfile::TempDir;

use crate::unix;

/// Where Debian keeps the servers, one directory a version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// The superuser of the cluster, and the owner of its databases.
const USER: &str = "certus";
/// The port that names the socket, unless a setting says another.
const PORT: u16 = 5432;
/// What the server says when it can be asked.
const READY: &str = "database system is ready to accept connections";

/// A server. It is stopped, as by a power cut, and its files removed when this is dropped.
#[derive(Debug)]
pub struct PostgresServer {
    programs: PathBuf,
    directory: TempDir,
    as_user: Option<(u32, u32)>,
    settings: Vec<String>,
    port: u16,
    process: Option<Child>,
}

impl PostgresServer {
    /// Makes a cluster and starts a server on it; returns once it can be asked.
    ///
    /// Its collation is ICU's for American English, in which text does not sort by its octets: what relies on the
    /// order of octets must say so.
    ///
    /// # Errors
    ///
    /// What the system or `initdb` says; the message names the package when PostgreSQL is not installed.
    pub fn start() -> io::Result<Self> {
        Self::start_with(&[])
    }

    /// The same with settings of `postgresql.conf`, each `name=value`.
    ///
    /// # Errors
    ///
    /// As [`PostgresServer::start`].
    pub fn start_with(settings: &[&str]) -> io::Result<Self> {
        let programs = programs()?;
        let directory = tempfile::Builder::new().prefix("certus-postgres-").tempdir()?;
        let as_user = if unix::is_root() { Some(user_postgres()?) } else { None };
        if let Some((uid, gid)) = as_user {
            unix::give(directory.path(), uid, gid)?;
        }
        let port = settings.iter().find_map(|setting| setting.strip_prefix("port=")?.parse().ok()).unwrap_or(PORT);
        let settings = settings.iter().map(|setting| (*setting).to_owned()).collect();
        let mut server = Self { programs, directory, as_user, settings, port, process: None };
        let output = server
            .command("initdb")
            .args(["--username", USER, "--auth", "trust", "--encoding", "UTF8", "--locale", "C.UTF-8"])
            .args(["--locale-provider", "icu", "--icu-locale", "en-US", "--no-sync", "--pgdata"])
            .arg(server.data())
            .output()?;
        succeeded("initdb", &output)?;
        server.restart()?;
        Ok(server)
    }

    /// Makes an empty database. Returns its URL, as `certus` takes it.
    ///
    /// # Errors
    ///
    /// What `createdb` says.
    pub fn create_database(&self, name: &str) -> io::Result<String> {
        let output = self
            .command("createdb")
            .args(["--host"])
            .arg(self.directory.path())
            .args(["--port", &self.port.to_string(), "--username", USER, "--no-password", name])
            .output()?;
        succeeded("createdb", &output)?;
        Ok(self.url(name))
    }

    /// The URL of a database of this server.
    #[must_use]
    pub fn url(&self, database: &str) -> String {
        format!("postgres://{USER}@/{database}?host={}&port={}", self.directory.path().display(), self.port)
    }

    /// The directory of the server's socket: what `host` is to a client.
    #[must_use]
    pub fn socket_directory(&self) -> &Path {
        self.directory.path()
    }

    fn data(&self) -> PathBuf {
        self.directory.path().join("data")
    }

    /// Writes a file of the server's data directory (`pg_hba.conf`, `server.crt`), for the server alone to read. It is
    /// taken in by [`PostgresServer::restart`].
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn write_file(&self, name: &str, contents: &str) -> io::Result<()> {
        let path = self.data().join(name);
        fs::write(&path, contents)?;
        unix::make_private(&path)?;
        match self.as_user {
            Some((uid, gid)) => unix::give(&path, uid, gid),
            None => Ok(()),
        }
    }

    /// The process id of the server, while it runs.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Child::id)
    }

    /// Asks one statement of a database as its owner, past any store. Returns the rows, columns parted by `|`.
    ///
    /// # Errors
    ///
    /// What `psql` says.
    pub fn ask(&self, database: &str, statement: &str) -> io::Result<String> {
        let output = self
            .command("psql")
            .arg("--host")
            .arg(self.directory.path())
            .args(["--port", &self.port.to_string(), "--username", USER, "--no-password", "--no-psqlrc"])
            .args(["--tuples-only", "--no-align"])
            .args(["--set", "ON_ERROR_STOP=1", "--command", statement, database])
            .output()?;
        succeeded("psql", &output)?;
        Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
    }

    /// Stops the server as a power cut would: no checkpoint, no farewell to clients.
    ///
    /// # Errors
    ///
    /// What the system says.
    pub fn kill(&mut self) -> io::Result<()> {
        if let Some(mut process) = self.process.take() {
            unix::quit(&process)?;
            process.wait()?;
        }
        Ok(())
    }

    /// Starts the server again on the same data; returns once it can be asked.
    ///
    /// # Errors
    ///
    /// What the system says, or the server's last words when it ended instead.
    pub fn restart(&mut self) -> io::Result<()> {
        self.kill()?;
        let mut command = self.command("postgres");
        command.arg("-D").arg(self.data()).arg("-k").arg(self.directory.path());
        for setting in ["listen_addresses=", "log_destination=stderr", "logging_collector=off", "max_connections=60"] {
            command.arg("-c").arg(setting);
        }
        for setting in &self.settings {
            command.arg("-c").arg(setting);
        }
        let mut process = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn()?;
        let log = process.stderr.take().ok_or_else(|| io::Error::other("the server has no log"))?;
        let mut lines = BufReader::new(log).lines();
        let mut said = String::new();
        loop {
            match lines.next() {
                Some(Ok(line)) if line.contains(READY) => break,
                Some(Ok(line)) => {
                    said.push_str(&line);
                    said.push('\n');
                }
                Some(Err(error)) => return Err(error),
                None => return Err(io::Error::other(format!("the server ended: {said}"))),
            }
        }
        // A server whose log nobody reads stops when the pipe is full.
        thread::Builder::new().name("postgres-log".into()).spawn(move || lines.for_each(drop))?;
        self.process = Some(process);
        Ok(())
    }

    /// A program of the server's version, run as the user that the server runs as.
    fn command(&self, program: &str) -> Command {
        let path = self.programs.join(program);
        let mut command = match self.as_user {
            None => Command::new(path),
            Some((uid, gid)) => {
                let mut command = Command::new("setpriv");
                command.args([format!("--reuid={uid}"), format!("--regid={gid}"), "--clear-groups".to_owned()]);
                command.arg(path);
                command
            }
        };
        command.env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8").current_dir("/");
        command
    }
}

impl Drop for PostgresServer {
    fn drop(&mut self) {
        // A test that fails must not fail anew here; the temporary directory goes in any case.
        drop(self.kill());
    }
}

/// The programs of the newest version installed.
fn programs() -> io::Result<PathBuf> {
    let missing = || io::Error::new(io::ErrorKind::NotFound, "PostgreSQL is not installed; install postgresql");
    let mut versions: Vec<(u32, PathBuf)> = Vec::new();
    let Ok(entries) = fs::read_dir(VERSIONS) else { return Err(missing()) };
    for entry in entries {
        let entry = entry?;
        let bin = entry.path().join("bin");
        if let Some(version) = entry.file_name().to_str().and_then(|name| name.parse().ok())
            && bin.join("postgres").is_file()
        {
            versions.push((version, bin));
        }
    }
    versions.sort();
    versions.pop().map(|(_, bin)| bin).ok_or_else(missing)
}

/// The user that Debian's package makes: its numbers.
fn user_postgres() -> io::Result<(u32, u32)> {
    let users = fs::read_to_string("/etc/passwd")?;
    let numbers = users.lines().find_map(|line| {
        let mut fields = line.split(':');
        (fields.next() == Some("postgres")).then(|| {
            let mut number = || fields.by_ref().find_map(|field| field.parse::<u32>().ok());
            Some((number()?, number()?))
        })
    });
    let none = || io::Error::new(io::ErrorKind::NotFound, "there is no user postgres; install postgresql");
    numbers.flatten().ok_or_else(none)
}

fn succeeded(program: &str, output: &std::process::Output) -> io::Result<()> {
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(io::Error::other(format!("{program} failed: {said}")))
}
