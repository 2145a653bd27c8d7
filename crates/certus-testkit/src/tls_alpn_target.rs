//! TLS servers for tls-alpn-01: they show the certificates that a test wants validation to meet, and keep a record of
//! what came.
//!
//! Deliberately absent: whatever a decent TLS library does not do (old versions, protocols that were not offered).

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use certus_pki::KeyPair;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::{CertificateDer, PrivatePkcs8KeyDer};
use rustls::server::{Acceptor, ClientHello as OfferedHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{ServerConfig, SupportedProtocolVersion};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::LazyConfigAcceptor;

/// A TLS server on the loopback interface. Stops when it is dropped.
#[derive(Debug)]
pub struct TlsAlpnTarget {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
    /// How many connections have ended.
    ended: watch::Sender<usize>,
    _server: JoinSet<()>,
}

/// Nothing awaits under the lock of these.
#[derive(Debug, Default)]
struct State {
    answers: HashMap<String, Arc<ServerConfig>>,
    seen: Vec<SeenHandshake>,
}

/// How a server name is answered.
#[derive(Debug, Clone)]
pub struct TlsAlpnAnswer {
    /// The certificate (DER). It need not be for the key.
    pub certificate: Vec<u8>,
    /// What signs the handshake.
    pub key: KeyPair,
    /// The protocols that are spoken (ALPN). None of them: the client's list is ignored.
    pub protocols: Vec<Vec<u8>>,
    /// The one version of TLS; `None` for 1.2 and 1.3.
    pub version: Option<&'static SupportedProtocolVersion>,
}

impl TlsAlpnAnswer {
    /// One that speaks `acme-tls/1` (RFC 8737 section 6.2).
    #[must_use]
    pub fn new(certificate: Vec<u8>, key: KeyPair) -> Self {
        Self { certificate, key, protocols: vec![b"acme-tls/1".to_vec()], version: None }
    }
}

/// A connection that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenHandshake {
    /// Who connected.
    pub from: SocketAddr,
    /// Every octet that came, as it was on the wire.
    pub octets: Vec<u8>,
    /// Why the handshake or what followed did not end in order; `None` where the client said farewell (`close_notify`).
    pub failure: Option<String>,
    /// What the client sent within TLS after the handshake.
    pub application_data: Vec<u8>,
}

impl SeenHandshake {
    /// What the client asked for; `None` if that did not come whole.
    #[must_use]
    pub fn client_hello(&self) -> Option<ClientHello> {
        ClientHello::read(&self.octets)
    }

    /// The types of the records that came (RFC 8446 section 5.1): 20 `change_cipher_spec`, 21 alert, 22 handshake,
    /// 23 whatever TLS 1.3 has encrypted, and application data. `None` if the last one is not whole.
    #[must_use]
    pub fn records(&self) -> Option<Vec<u8>> {
        let mut wire = Octets(&self.octets);
        let mut kinds = Vec::new();
        while !wire.0.is_empty() {
            kinds.push(u8::try_from(wire.number(1)?).ok()?);
            let _version = wire.number(2)?;
            let _contents = wire.vector(2)?;
        }
        Some(kinds)
    }
}

impl TlsAlpnTarget {
    /// Listens on 127.0.0.1; with port 0 on a free one.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when the port cannot be had.
    pub async fn bind(port: u16) -> io::Result<Self> {
        Self::bind_to(SocketAddr::from((Ipv4Addr::LOCALHOST, port))).await
    }

    /// Listens on that address.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when the address cannot be had.
    pub async fn bind_to(address: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let state = Arc::<Mutex<State>>::default();
        let ended = watch::Sender::new(0);
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&state), ended.clone()));
        Ok(Self { address, state, ended, _server: server })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The port it listens on.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.address.port()
    }

    /// Answers for a server name (SNI) with that from now on. Other names get no handshake.
    ///
    /// # Errors
    ///
    /// [`rustls::Error`] when the key cannot be used.
    pub fn answer(&self, server_name: &str, answer: &TlsAlpnAnswer) -> Result<(), rustls::Error> {
        let config = Arc::new(answer.config()?);
        lock(&self.state).answers.insert(server_name.to_owned(), config);
        Ok(())
    }

    /// Answers for a server name no longer.
    pub fn forget(&self, server_name: &str) {
        lock(&self.state).answers.remove(server_name);
    }

    /// The connections that have ended, in the order in which they did.
    #[must_use]
    pub fn seen(&self) -> Vec<SeenHandshake> {
        lock(&self.state).seen.clone()
    }

    /// Waits until that many connections have ended in all: the other side has closed them.
    pub async fn ended(&self, count: usize) {
        // The sender lives as long as this target.
        drop(self.ended.subscribe().wait_for(|ended| *ended >= count).await);
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TlsAlpnAnswer {
    fn config(&self) -> Result<ServerConfig, rustls::Error> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let key = PrivatePkcs8KeyDer::from(self.key.to_pkcs8().to_vec());
        let key = provider.key_provider.load_private_key(key.into())?;
        // Not compared with the certificate's.
        let shown = CertifiedKey::new(vec![CertificateDer::from(self.certificate.clone())], key);
        let builder = ServerConfig::builder_with_provider(provider);
        let builder = match self.version {
            Some(version) => builder.with_protocol_versions(&[version])?,
            None => builder.with_safe_default_protocol_versions()?,
        };
        let mut config = builder.with_no_client_auth().with_cert_resolver(Arc::new(Shown(Arc::new(shown))));
        config.alpn_protocols.clone_from(&self.protocols);
        // A client that has gone would answer them with a reset, which can overtake what it said last.
        config.send_tls13_tickets = 0;
        Ok(config)
    }
}

/// The one certificate, whatever was asked for.
#[derive(Debug)]
struct Shown(Arc<CertifiedKey>);

impl ResolvesServerCert for Shown {
    fn resolve(&self, _client_hello: OfferedHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }
}

async fn accept(listener: TcpListener, state: Arc<Mutex<State>>, ended: watch::Sender<usize>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (state, ended) = (Arc::clone(&state), ended.clone());
        connections.spawn(async move {
            let octets = Arc::default();
            let stream = Recorded { stream, octets: Arc::clone(&octets) };
            let mut application_data = Vec::new();
            let failure = serve(stream, &state, &mut application_data).await.err().map(|error| error.to_string());
            let octets = octets.lock().unwrap_or_else(PoisonError::into_inner).clone();
            lock(&state).seen.push(SeenHandshake { from, octets, failure, application_data });
            ended.send_modify(|count| *count += 1);
        });
    }
}

/// One connection, to its end.
async fn serve(stream: Recorded, state: &Mutex<State>, application_data: &mut Vec<u8>) -> io::Result<()> {
    let start = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let name = start.client_hello().server_name().unwrap_or_default().to_owned();
    let Some(config) = lock(state).answers.get(&name).cloned() else {
        return Err(io::Error::new(io::ErrorKind::NotFound, format!("nothing is here for {name:?}")));
    };
    let mut tls = start.into_stream(config).await?;
    tls.read_to_end(application_data).await?;
    // The farewell came. The connection must go as well, and nothing may come on it before that.
    let (stream, _) = tls.get_mut();
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).await?;
    if rest.is_empty() {
        return Ok(());
    }
    Err(io::Error::new(io::ErrorKind::InvalidData, format!("{} octets came after the farewell", rest.len())))
}

/// A stream that keeps what is read from it.
#[derive(Debug)]
struct Recorded {
    stream: TcpStream,
    octets: Arc<Mutex<Vec<u8>>>,
}

impl AsyncRead for Recorded {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let Self { stream, octets } = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(stream).poll_read(cx, buf);
        let read = buf.filled().get(before..).unwrap_or_default();
        octets.lock().unwrap_or_else(PoisonError::into_inner).extend_from_slice(read);
        result
    }
}

impl AsyncWrite for Recorded {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, buf)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

/// What a client asks for, read from the wire (RFC 8446 section 4.1.2).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientHello {
    /// The versions of the `supported_versions` extension, or else the one of the hello itself.
    pub versions: Vec<u16>,
    /// The entries of the `server_name` extension (RFC 6066 section 3): their type, 0 for a host name, and their text.
    pub server_names: Vec<(u8, Vec<u8>)>,
    /// The protocols of the ALPN extension (RFC 7301 section 3.1).
    pub protocols: Vec<Vec<u8>>,
    /// The types of all extensions.
    pub extensions: Vec<u16>,
}

impl ClientHello {
    /// Reads the octets of a connection from their start. `None` if they do not begin with a whole hello.
    #[must_use]
    pub fn read(octets: &[u8]) -> Option<Self> {
        const HANDSHAKE: u8 = 22;
        const CLIENT_HELLO: u8 = 1;
        let mut wire = Octets(octets);
        let mut message = Vec::new();
        // A message may be in several records.
        while message.len() < 4 || message.len() < 4 + Octets(message.get(1..)?).number(3)? {
            if wire.number(1)? != usize::from(HANDSHAKE) {
                return None;
            }
            let _version = wire.number(2)?;
            message.extend_from_slice(wire.vector(2)?.0);
        }
        let mut message = Octets(&message);
        if message.number(1)? != usize::from(CLIENT_HELLO) {
            return None;
        }
        let mut body = message.vector(3)?;
        let version = body.u16()?;
        let _random = body.take(32)?;
        let (_session, _ciphers, _compression) = (body.vector(1)?, body.vector(2)?, body.vector(1)?);
        let mut hello = Self::default();
        let mut extensions = body.vector(2)?;
        while !extensions.0.is_empty() {
            let kind = extensions.u16()?;
            let mut value = extensions.vector(2)?;
            hello.extensions.push(kind);
            match kind {
                0 => {
                    let mut names = value.vector(2)?;
                    while !names.0.is_empty() {
                        let kind = u8::try_from(names.number(1)?).ok()?;
                        hello.server_names.push((kind, names.vector(2)?.0.to_vec()));
                    }
                }
                16 => {
                    let mut protocols = value.vector(2)?;
                    while !protocols.0.is_empty() {
                        hello.protocols.push(protocols.vector(1)?.0.to_vec());
                    }
                }
                43 => {
                    let mut versions = value.vector(1)?;
                    while !versions.0.is_empty() {
                        hello.versions.push(versions.u16()?);
                    }
                }
                _ => {}
            }
        }
        if hello.versions.is_empty() {
            hello.versions.push(version);
        }
        Some(hello)
    }
}

/// Octets yet to be read.
#[derive(Debug, Clone, Copy)]
struct Octets<'a>(&'a [u8]);

impl<'a> Octets<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    /// A number of that many octets.
    fn number(&mut self, octets: usize) -> Option<usize> {
        Some(self.take(octets)?.iter().fold(0, |number, octet| number << 8 | usize::from(*octet)))
    }

    fn u16(&mut self) -> Option<u16> {
        u16::try_from(self.number(2)?).ok()
    }

    /// A vector whose length has that many octets (RFC 8446 section 3.4).
    fn vector(&mut self, length: usize) -> Option<Self> {
        let length = self.number(length)?;
        self.take(length).map(Self)
    }
}
