//! A web server of the test's own, which says exactly the octets the test wants.

use std::io::{Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex};

use certus_pki::hierarchy::{CaSubject, create_root};
use certus_pki::{KeyAlgorithm, KeyPair, Timestamp};
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::{IPV4, KEY_AUTHORIZATION};

/// The head of a request.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    pub(crate) method: String,
    pub(crate) target: String,
    /// Names in lower case, in the order they came.
    pub(crate) fields: Vec<(String, String)>,
}

impl Seen {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }

    pub(crate) fn host(&self) -> &str {
        self.field("host").unwrap()
    }
}

/// What a server speaks through: plain TCP or TLS over it.
pub(crate) trait Connection: Read + Write {}
impl<T: Read + Write> Connection for T {}

/// A running web server. It ends with the test process.
#[derive(Debug)]
pub(crate) struct WebServer {
    pub(crate) port: u16,
    seen: Arc<Mutex<Vec<Seen>>>,
}

impl WebServer {
    /// Answers every request with these octets, then closes.
    pub(crate) fn start(answer: impl Fn(&Seen) -> Vec<u8> + Send + Sync + 'static) -> Self {
        Self::serving(listen(IPV4, 0), move |seen, connection| {
            // The client may have seen enough and gone.
            let _gone = connection.write_all(&answer(seen));
        })
    }

    /// Answers every request with the key authorization.
    pub(crate) fn with_key_authorization() -> Self {
        Self::start(|_seen| ok(KEY_AUTHORIZATION))
    }

    /// Hands every connection over once the request's head is read.
    pub(crate) fn serving(
        listener: TcpListener,
        serve: impl Fn(&Seen, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        Self::run(listener, None, serve)
    }

    /// The same over TLS, under a certificate that nobody would accept: self-signed, expired, for no name.
    pub(crate) async fn serving_tls(
        listener: TcpListener,
        serve: impl Fn(&Seen, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        Self::run(listener, Some(Arc::new(unacceptable_tls().await)), serve)
    }

    /// The requests so far.
    pub(crate) fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    fn run(
        listener: TcpListener,
        tls: Option<Arc<ServerConfig>>,
        serve: impl Fn(&Seen, &mut dyn Connection) + Send + Sync + 'static,
    ) -> Self {
        let port = listener.local_addr().unwrap().port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&seen);
        let serve = Arc::new(serve);
        std::thread::spawn(move || {
            while let Ok((stream, _peer)) = listener.accept() {
                let (log, serve, tls) = (Arc::clone(&log), Arc::clone(&serve), tls.clone());
                std::thread::spawn(move || {
                    let mut connection: Box<dyn Connection> = match tls {
                        Some(config) => Box::new(StreamOwned::new(ServerConnection::new(config).unwrap(), stream)),
                        None => Box::new(stream),
                    };
                    if let Some(seen) = read_head(&mut *connection) {
                        log.lock().unwrap().push(seen.clone());
                        serve(&seen, &mut *connection);
                    }
                });
            }
        });
        Self { port, seen }
    }
}

/// A listener nobody accepts from until [`nobody_came`] looks.
pub(crate) fn listen(ip: IpAddr, port: u16) -> TcpListener {
    TcpListener::bind((ip, port)).unwrap()
}

/// Listeners on one port of both address families.
pub(crate) fn listen_on_both(ipv4: IpAddr, ipv6: IpAddr) -> (TcpListener, TcpListener) {
    loop {
        let first = listen(ipv4, 0);
        if let Ok(second) = TcpListener::bind((ipv6, first.local_addr().unwrap().port())) {
            return (first, second);
        }
    }
}

/// A listener whose queue is full, with what fills it: whoever connects now gets no answer.
pub(crate) async fn listen_without_answering(ip: IpAddr) -> (tokio::net::TcpListener, Vec<tokio::net::TcpStream>) {
    let socket = match ip {
        IpAddr::V4(_) => tokio::net::TcpSocket::new_v4(),
        IpAddr::V6(_) => tokio::net::TcpSocket::new_v6(),
    }
    .unwrap();
    socket.bind((ip, 0).into()).unwrap();
    let listener = socket.listen(1).unwrap();
    let address = listener.local_addr().unwrap();
    let mut filling = Vec::new();
    let enough = std::time::Duration::from_millis(100);
    while let Ok(stream) = tokio::time::timeout(enough, tokio::net::TcpStream::connect(address)).await {
        filling.push(stream.unwrap());
    }
    (listener, filling)
}

/// A port on which nothing listens.
pub(crate) fn closed_port() -> u16 {
    listen(IPV4, 0).local_addr().unwrap().port()
}

/// Asserts that no connection waits at a listener: connections are accepted in their order, and the first to come is
/// the one made here.
#[track_caller]
pub(crate) fn nobody_came(listener: &TcpListener) {
    let own = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    let (_stream, peer): (_, SocketAddr) = listener.accept().unwrap();
    assert_eq!(peer, own.local_addr().unwrap(), "somebody had connected before");
}

/// 200 with that body.
pub(crate) fn ok(body: &str) -> Vec<u8> {
    format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len()).into_bytes()
}

/// A redirect with that status.
pub(crate) fn redirect(status: u16, to: &str) -> Vec<u8> {
    format!("HTTP/1.1 {status} Elsewhere\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes()
}

fn read_head(connection: &mut dyn Connection) -> Option<Seen> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        connection.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let mut lines = head.lines();
    let mut start = lines.next()?.split(' ');
    let (method, target) = (start.next()?.to_owned(), start.next()?.to_owned());
    assert_eq!(start.next(), Some("HTTP/1.1"));
    let fields = lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned()))
        .collect();
    Some(Seen { method, target, fields })
}

async fn unacceptable_tls() -> ServerConfig {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let subject = CaSubject { common_name: "nobody".to_owned(), organization: None, country: None };
    let long_ago = Timestamp::from_unix_seconds(1_000_000_000);
    let day = std::time::Duration::from_secs(86_400);
    let certificate = create_root(&subject, &key, day, long_ago).await.unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from(certificate.der().to_vec())],
            PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()).into(),
        )
        .unwrap()
}
