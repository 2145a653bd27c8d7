//! A BIND of a test's own: authoritative for one zone, which clients may change (RFC 2136), and for a root that has nothing
//! else; both signed, gone afterwards.
//!
//! What the `rfc2136` plug-ins of ACME clients talk to. Deliberately absent: recursion, the control channel, and any
//! file or user of the system's own BIND. A test that decides each answer itself takes [`crate::name_server`].

use std::fmt;
use std::fs::{self, File};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use certus_pki::random_bytes;
use data_encoding::BASE64;
use hickory_proto::op::{Message, Query, ResponseCode};
use hickory_proto::rr::{Name, RecordType};
use tempfile::TempDir;
use tokio::time::{interval, timeout};

use crate::ports::free_ports;
use crate::signed_zones::{delegation, keygen, sign};

/// Where Debian puts the server. Not every user's `PATH` leads there.
const NAMED: &str = "/usr/sbin/named";
/// The name of the key that may change the zone.
const KEY: &str = "changes";
/// How long a start may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(60);
/// Time between questions to a server that is starting.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// A server. It is ended and its files removed when this is dropped.
#[derive(Debug)]
pub struct BindServer {
    /// Where it answers, by UDP and TCP.
    pub address: SocketAddr,
    /// What may change the zone.
    pub key: TsigKey,
    /// The file of its root's key: the trust anchor of all that it serves.
    pub anchors: PathBuf,
    process: Child,
    directory: TempDir,
}

/// A key for transaction signatures (RFC 8945) by HMAC-SHA256.
#[derive(Clone)]
pub struct TsigKey {
    /// Its name.
    pub name: &'static str,
    /// The secret in base64, as settings of clients take it.
    pub secret: String,
}

impl fmt::Debug for TsigKey {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("TsigKey").field("name", &self.name).field("secret", &"<secret>").finish()
    }
}

impl BindServer {
    /// Starts a server for `zone` (without the last dot); returns once it answers for it.
    ///
    /// `records` are lines of a zone file, names relative to the zone.
    ///
    /// # Errors
    ///
    /// What the system says, or the server's log when it does not answer; the message names the package when BIND is not
    /// installed.
    pub async fn start(zone: &str, records: &[&str]) -> io::Result<Self> {
        let directory = tempfile::Builder::new().prefix("certus-bind-").tempdir()?;
        let path = directory.path();
        fs::write(path.join("plain"), zone_file(records))?;
        let zone_key = keygen(path, zone)?;
        // The server signs what is changed, by the same key, which it finds in its directory.
        sign(path, zone, "plain", "zone", &zone_key, &[])?;
        // What is not in the zone does not exist: whoever looks for CAA records asks up to the root.
        let root = zone_file(&[]) + &delegation(zone) + &fs::read_to_string(path.join(format!("dsset-{zone}.")))?;
        fs::write(path.join("root.plain"), root)?;
        let root_key = keygen(path, ".")?;
        sign(path, ".", "root.plain", "root", &root_key, &[])?;
        let anchors = path.join(format!("{root_key}.key"));
        let clauses = format!(
            "zone \"{zone}\" {{ type primary; file \"zone\"; journal \"zone.jnl\"; allow-update {{ key \"{KEY}\"; }}; }};\n\
             zone \".\" {{ type primary; file \"root\"; }};\n"
        );
        Self::serve(directory, &clauses, zone, anchors).await
    }

    /// Starts a server for zones whose files lie in `directory`; returns once it answers for `zone`.
    pub(crate) async fn serve(directory: TempDir, clauses: &str, zone: &str, anchors: PathBuf) -> io::Result<Self> {
        if !Path::new(NAMED).is_file() {
            return Err(io::Error::new(io::ErrorKind::NotFound, "BIND is not installed; install bind9"));
        }
        let address = free_address();
        let key = TsigKey { name: KEY, secret: BASE64.encode(&random_bytes::<32>()) };
        let file = |name: &str| directory.path().join(name);
        fs::write(file("named.conf"), configuration(directory.path(), address.port(), clauses, &key))?;
        // Where AppArmor is at work it lets the program under its own path into the system's folders alone. The copy is
        // made by a process of its own: were the file open for writing here, a child of another thread could inherit
        // it, and the copy could not be started.
        let copied = Command::new("cp").arg(NAMED).arg(file("named")).status()?;
        if !copied.success() {
            return Err(io::Error::other(format!("cp {NAMED}: {copied}")));
        }
        let process = Command::new(file("named"))
            .args(["-4", "-g", "-n", "1", "-p", &address.port().to_string(), "-c"])
            .arg(file("named.conf"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(file("log"))?)
            .spawn()?;
        let mut server = Self { address, key, anchors, process, directory };
        match timeout(PATIENCE, server.wait_until_it_answers(zone)).await {
            Ok(Ok(())) => Ok(server),
            Ok(Err(error)) => Err(io::Error::other(format!("{error}: {}", server.log()))),
            Err(_elapsed) => Err(io::Error::other(format!("BIND does not answer: {}", server.log()))),
        }
    }

    /// What the server has said so far.
    #[must_use]
    pub fn log(&self) -> String {
        fs::read_to_string(self.directory.path().join("log")).unwrap_or_default()
    }

    async fn wait_until_it_answers(&mut self, zone: &str) -> io::Result<()> {
        let name = Name::from_ascii(format!("{}.", zone.trim_end_matches('.'))).map_err(io::Error::other)?;
        let mut question = Message::query();
        question.add_query(Query::query(name, RecordType::SOA));
        let question = question.to_vec().map_err(io::Error::other)?;
        let socket = tokio::net::UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        socket.connect(self.address).await?;
        let mut buffer = [0; 512];
        let mut looks = interval(LOOK_EVERY);
        loop {
            looks.tick().await;
            if let Some(status) = self.process.try_wait()? {
                return Err(io::Error::other(format!("BIND ended ({status})")));
            }
            // Refused while nobody listens.
            if socket.send(&question).await.is_err() {
                continue;
            }
            if let Ok(Ok(length)) = timeout(LOOK_EVERY, socket.recv(&mut buffer)).await
                && buffer.get(..length).is_some_and(is_authoritative)
            {
                return Ok(());
            }
        }
    }
}

impl Drop for BindServer {
    fn drop(&mut self) {
        // It may have ended already; the temporary directory goes in any case.
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// An address whose port is free for TCP and for UDP.
fn free_address() -> SocketAddr {
    loop {
        let [port] = free_ports();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        if UdpSocket::bind(address).is_ok() {
            return address;
        }
    }
}

/// Whether an answer comes from a zone that is loaded: before that it is a SERVFAIL or a REFUSED.
fn is_authoritative(answer: &[u8]) -> bool {
    Message::from_vec(answer).is_ok_and(|answer| {
        answer.metadata.response_code == ResponseCode::NoError
            && answer.metadata.authoritative
            && !answer.answers.is_empty()
    })
}

/// The text of a zone's file: an SOA, a name server, and these lines.
pub(crate) fn zone_file(records: &[&str]) -> String {
    let mut text = "$TTL 1\n@ IN SOA ns hostmaster 1 3600 600 86400 1\n@ IN NS ns\nns IN A 127.0.0.1\n".to_owned();
    for record in records {
        text.push_str(record);
        text.push('\n');
    }
    text
}

fn configuration(directory: &Path, port: u16, clauses: &str, key: &TsigKey) -> String {
    let TsigKey { name, secret } = key;
    let directory = directory.display();
    format!(
        r#"
options {{
    directory "{directory}";
    pid-file "named.pid";
    session-keyfile none;
    lock-file none;
    listen-on port {port} {{ 127.0.0.1; }};
    listen-on-v6 {{ none; }};
    recursion no;
    dnssec-validation no;
    empty-zones-enable no;
    notify no;
    allow-query {{ 127.0.0.1; }};
    allow-transfer {{ none; }};
}};
controls {{ }};
key "{name}" {{ algorithm hmac-sha256; secret "{secret}"; }};
{clauses}"#
    )
}
