//! The program under hostile load: others are served meanwhile, it stays within its memory, and nothing breaks.
//!
//! The attacker connects from an address of its own, as it would on a network: what one source may take is limited. It
//! keeps what it opens, so that everything is held at once.

use std::io::{ErrorKind, Read, Result, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certus_http::limits;
use certus_pki::KeyAlgorithm;
use certus_testkit::{Http01Target, TestClient};
use rustls::{ClientConnection, StreamOwned};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::net::TcpSocket;

use crate::process::{CERTUS, Running, certus};

/// What the program may ever hold under this load, in a build without optimization: 256 bodies of 64 KiB that one source
/// may have in flight are 16 MiB, 400 connections with full buffers of TLS and HTTP 40 MiB, 40 MiB are the program's own,
/// and what the allocator keeps back comes on top. If the bodies that are sent here were kept, they alone would be nearly
/// as much.
const MAX_RESIDENT: u64 = 160 * 1024 * 1024;
/// Connections of each kind.
const MANY: usize = 64;
/// Connections with as many streams as one may have: more requests together than one source may have in flight.
const STREAMING: usize = 20;
/// Octets of a body that is never finished: all that is read of one too large.
const LARGE: usize = limits::MAX_DISCARDED - 1;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Who means harm.
#[derive(Clone)]
struct Attacker {
    acme: SocketAddr,
    publications: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
    runtime: tokio::runtime::Handle,
}

impl Attacker {
    fn new(acme: SocketAddr, publications: SocketAddr, root_pem: &str) -> Self {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(root_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let tls = Arc::new(tls.with_root_certificates(roots).with_no_client_auth());
        Self { acme, publications, tls, runtime: tokio::runtime::Handle::current() }
    }

    fn tcp(&self, to: SocketAddr) -> Result<TcpStream> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::from(([127, 0, 0, 2], 0)))?;
        let stream = self.runtime.block_on(socket.connect(to))?.into_std()?;
        stream.set_nonblocking(false)?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        stream.set_write_timeout(Some(Duration::from_secs(30)))?;
        Ok(stream)
    }

    fn tls(&self) -> Result<Tls> {
        let name = ServerName::try_from("localhost").unwrap();
        let connection = ClientConnection::new(Arc::clone(&self.tls), name).unwrap();
        Ok(StreamOwned::new(connection, self.tcp(self.acme)?))
    }

    /// Connections that say nothing at all.
    fn silent(&self) -> Vec<TcpStream> {
        (0..MANY).map(|_| self.tcp(self.acme).unwrap()).collect()
    }

    /// Headers that come octet by octet and never end.
    fn slow_headers(&self) -> Vec<Tls> {
        let mut held: Vec<Tls> = (0..MANY).map(|_| self.tls().unwrap()).collect();
        for text in [b"GET /directory HTTP/1.1\r\nHost: x\r\nX: ".as_slice(), b"y", b"y", b"y"] {
            for stream in &mut held {
                stream.write_all(text).unwrap();
            }
        }
        held
    }

    /// Bodies that are far too large and never end. Some are refused before they are through.
    fn large_bodies(&self) -> Vec<Tls> {
        let mut held: Vec<Tls> = (0..MANY).map(|_| self.tls().unwrap()).collect();
        for stream in &mut held {
            drop(stream.write_all(&post(limits::MAX_DISCARDED)));
        }
        let part = [b' '; 64 * 1024];
        for _ in 0..LARGE / part.len() {
            for stream in &mut held {
                drop(stream.write_all(&part));
            }
        }
        held
    }

    /// As many streams of HTTP/2 as can be had, each with a body that lacks its end.
    fn streams(&self) -> Vec<Tls> {
        let mut held: Vec<Tls> = (0..STREAMING).map(|_| self.tls().unwrap()).collect();
        for stream in &mut held {
            open_streams(stream).unwrap();
        }
        held
    }

    /// JSON deeper than any stack, in every place; the statuses.
    fn deep_json(&self) -> Vec<u16> {
        let deep = "[".repeat(limits::MAX_BODY - 200);
        let protected = format!("{{\"protected\":\"{}\",\"payload\":\"\",\"signature\":\"\"}}", "W1tb".repeat(15_000));
        let body = |text: &str| [post(text.len()), text.as_bytes().to_vec()].concat();
        let bodies = [body(&deep), body(&"{\"a\":".repeat(12_000)), body(&protected)];
        bodies.iter().cycle().take(MANY).map(|body| status(&mut self.tls().unwrap(), body)).collect()
    }

    /// Paths as long as can be, for the log to be filled with; the statuses.
    fn long_paths(&self) -> Vec<u16> {
        let get = format!("GET /{} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", "x".repeat(8_000));
        (0..MANY).map(|_| status(&mut self.tls().unwrap(), get.as_bytes())).collect()
    }

    /// Publications that there are not; the statuses.
    fn made_up_publications(&self) -> Vec<u16> {
        let ask = |number: usize| {
            let file = if number.is_multiple_of(2) {
                format!("/crl/{number:020x}/0.crl")
            } else {
                format!("/issuer/{number:020x}.cer")
            };
            let get = format!("GET {file} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
            status(&mut self.tcp(self.publications).unwrap(), get.as_bytes())
        };
        (0..4 * MANY).map(ask).collect()
    }
}

/// The header of a POST with so long a body.
fn post(length: usize) -> Vec<u8> {
    format!(
        "POST /acme/new-order HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Type: application/jose+json\r\n\
         Content-Length: {length}\r\n\r\n"
    )
    .into_bytes()
}

/// Sends a request and reads the status of its answer.
fn status(stream: &mut (impl Read + Write), request: &[u8]) -> u16 {
    // Refused before it was read to its end: the answer counts.
    drop(stream.write_all(request));
    let mut answer = [0; 12];
    match stream.read_exact(&mut answer) {
        Ok(()) => str::from_utf8(&answer[9..]).unwrap().parse().unwrap(),
        // The kernel may throw an answer away that crosses with more of the request.
        Err(error) if matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::BrokenPipe) => 503,
        Err(error) => panic!("{error}"),
    }
}

/// Opens every stream that a connection may have and sends nearly a whole body on each, as flow control permits.
fn open_streams(connection: &mut Tls) -> Result<()> {
    const BODY: usize = 60_000;
    const PART: usize = 15_000;
    let settings = frame(4, 0, 0, &[]);
    connection.write_all(&[b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".as_slice(), &settings].concat())?;
    // `:method POST`, `:scheme https`, `:path`, `:authority x`, `content-type` (RFC 7541 appendix A).
    let path = b"\x04\x0f/acme/new-order";
    let header = [b"\x83\x87".as_slice(), path, b"\x01\x01x", b"\x0f\x10\x15application/jose+json"].concat();
    let mut window = 65_535;
    for number in 0..limits::MAX_STREAMS {
        let id = 2 * number + 1;
        connection.write_all(&frame(1, 4, id, &header))?;
        for _ in 0..BODY / PART {
            while window < PART {
                let Heard { kind, flags, stream, payload } = next(connection)?;
                match (kind, flags & 1, stream) {
                    (8, _, 0) => window += usize::try_from(u32::from_be_bytes(payload.try_into().unwrap())).unwrap(),
                    (4, 0, 0) => connection.write_all(&frame(4, 1, 0, &[]))?,
                    (7, ..) => panic!("the server gave the connection up: {payload:?}"),
                    _ => {}
                }
            }
            window -= PART;
            connection.write_all(&frame(0, 0, id, &[b' '; PART]))?;
        }
    }
    Ok(())
}

/// A frame of HTTP/2 (RFC 9113 section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

struct Heard {
    kind: u8,
    flags: u8,
    stream: u32,
    payload: Vec<u8>,
}

fn next(connection: &mut Tls) -> Result<Heard> {
    let mut head = [0; 9];
    connection.read_exact(&mut head)?;
    let [a, b, c, kind, flags, stream @ ..] = head;
    let mut payload = vec![0; usize::try_from(u32::from_be_bytes([0, a, b, c])).unwrap()];
    connection.read_exact(&mut payload)?;
    Ok(Heard { kind, flags, stream: u32::from_be_bytes(stream), payload })
}

/// The most memory that a process ever had resident, in octets.
fn peak_resident(pid: u32) -> u64 {
    let status = std::fs::read_to_string(Path::new("/proc").join(pid.to_string()).join("status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
}

fn address(url: &str) -> SocketAddr {
    let port = url.trim_end_matches("/directory").rsplit(':').next().unwrap().parse().unwrap();
    SocketAddr::from(([127, 0, 0, 1], port))
}

#[tokio::test(flavor = "multi_thread")]
async fn others_are_served_under_hostile_load() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().canonicalize().unwrap().join("lab");
    let target = Http01Target::bind(0).await.unwrap();
    let mut up = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--http-01-port", &target.port().to_string()]);
    let running = Running::start(up.arg("--dir").arg(&lab), &lab.with_extension("log"));
    let directory_url = running.said["directory_url"].as_str().unwrap();
    let root_pem = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
    let client = TestClient::connect(directory_url, &root_pem, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();

    let attacker = Attacker::new(address(directory_url), address(running.said["pki_url"].as_str().unwrap()), &root_pem);
    let at = |attack: fn(&Attacker) -> Held| {
        let attacker = attacker.clone();
        tokio::task::spawn_blocking(move || attack(&attacker))
    };
    let slow = [
        at(|attacker| Held { tcp: attacker.silent(), ..Held::default() }),
        at(|attacker| Held { tls: attacker.slow_headers(), ..Held::default() }),
        at(|attacker| Held { tls: attacker.large_bodies(), ..Held::default() }),
        at(|attacker| Held { tls: attacker.streams(), ..Held::default() }),
    ];
    let quick = [
        (at(|attacker| Held { statuses: attacker.deep_json(), ..Held::default() }), 400),
        (at(|attacker| Held { statuses: attacker.long_paths(), ..Held::default() }), 404),
        (at(|attacker| Held { statuses: attacker.made_up_publications(), ..Held::default() }), 404),
    ];
    // While it begins, and again while it holds all that it can.
    client.obtain(&["meanwhile.localhost"], &target).await.unwrap();
    let mut held = Vec::new();
    for attack in slow {
        held.push(attack.await.unwrap());
    }
    client.obtain(&["site.localhost"], &target).await.unwrap();
    assert_eq!(held.iter().map(|held| held.tcp.len() + held.tls.len()).sum::<usize>(), 3 * MANY + STREAMING);
    for (attack, expected) in quick {
        let statuses = attack.await.unwrap().statuses;
        assert!(statuses.iter().all(|status| *status == expected || *status == 503), "{expected}: {statuses:?}");
    }
    // A name that would move a terminal's cursor.
    let refused = client.new_order(&["a\u{1b}[2J\u{9b}2J.localhost"]).await.unwrap_err();
    assert!(format!("{refused:?}").contains("status: 400"), "{refused:?}");

    let resident = peak_resident(running.pid());
    assert!(resident <= MAX_RESIDENT, "{} KiB", resident / 1024);
    drop(held);
    client.obtain(&["afterwards.localhost"], &target).await.unwrap();

    let log = running.log();
    assert_eq!(running.end(), Some(0));
    assert!(!log.contains("panicked") && !log.contains(" ERROR "), "{log}");
    let broken = |line: &&str| line.contains("status=5") && !line.contains("status=503");
    assert_eq!(log.lines().find(broken), None);
    assert!(log.contains("status=503"), "one source had more in flight than it may");
    assert!(log.contains("xxxxxxxx"), "long paths are logged");
    for line in log.lines() {
        assert!(line.chars().count() < 1_000 && !line.contains(char::is_control), "{line:?}");
    }
}

/// What an attack left: connections, or the statuses of answers.
#[derive(Default)]
struct Held {
    tcp: Vec<TcpStream>,
    tls: Vec<Tls>,
    statuses: Vec<u16>,
}

/// A process that may open few files has fewer connections, not none for anybody.
#[tokio::test(flavor = "multi_thread")]
async fn one_source_cannot_use_up_the_file_descriptors() {
    /// What the process may open: less than one source's share of connections would be.
    const DESCRIPTORS: usize = 800;
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().canonicalize().unwrap().join("lab");
    let target = Http01Target::bind(0).await.unwrap();
    let mut limited = std::process::Command::new("sh");
    limited.args(["-c", &format!("ulimit -n {DESCRIPTORS} && exec \"$@\""), "sh"]).stdin(std::process::Stdio::null());
    limited.arg(CERTUS).args(["up", "--json", "--listen", "127.0.0.1:0", "--http-01-port", &target.port().to_string()]);
    let running = Running::start(limited.arg("--dir").arg(&lab), &lab.with_extension("log"));
    let directory_url = running.said["directory_url"].as_str().unwrap();
    let root_pem = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
    let attacker = Attacker::new(address(directory_url), address(running.said["pki_url"].as_str().unwrap()), &root_pem);
    let attack = move || (0..=DESCRIPTORS).map(|_| attacker.tcp(attacker.publications).unwrap()).collect::<Vec<_>>();
    let held = tokio::task::spawn_blocking(attack).await.unwrap();
    let client = TestClient::connect(directory_url, &root_pem, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    client.obtain(&["site.localhost"], &target).await.unwrap();
    drop(held);
    let log = running.log();
    assert_eq!(running.end(), Some(0));
    assert!(log.contains("LimitNOFILE=8704") && !log.contains("could not be accepted"), "{log}");
}
