//! A small HTTP/1.1 client over TLS or plain TCP that hides nothing: every header, every octet of the body.
//!
//! Deliberately absent: redirects, cookies, proxies, retries of what may have arrived.

use std::collections::HashMap;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use certus_acme::Problem;
use http::{HeaderMap, Request, Uri, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, ServerName};
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_util::task::TaskTracker;

/// How long an answer may take: far above what the authority holds one back, so that only a hang reaches it.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(30);

/// A client. Clones share connections, which are kept alive and used again.
#[derive(Clone)]
pub struct RawHttp {
    tls: TlsConnector,
    dial: Option<SocketAddr>,
    pool: Arc<Pool>,
}

#[derive(Default)]
struct Pool {
    /// Idle connections by scheme and authority. Nothing awaits under the lock.
    idle: Mutex<HashMap<String, Vec<SendRequest<Full<Bytes>>>>>,
    dialled: std::sync::atomic::AtomicU64,
    drivers: TaskTracker,
}

/// A connection to write to and read from as one likes.
pub type RawStream = Box<dyn Duplex>;

/// Both directions of a connection.
pub trait Duplex: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Duplex for S {}

impl RawHttp {
    /// A client that trusts these roots (PEM) and no others.
    ///
    /// # Errors
    ///
    /// [`io::ErrorKind::InvalidInput`] when there is no certificate in the text or one cannot be a root.
    pub fn trusting(root_pem: &str) -> io::Result<Self> {
        let invalid = |error: String| io::Error::new(io::ErrorKind::InvalidInput, error);
        let mut roots = RootCertStore::empty();
        for root in CertificateDer::pem_slice_iter(root_pem.as_bytes()) {
            let root = root.map_err(|error| invalid(error.to_string()))?;
            roots.add(root).map_err(|error| invalid(error.to_string()))?;
        }
        if roots.is_empty() {
            return Err(invalid("no certificate in the PEM text".to_owned()));
        }
        Self::with_roots(roots)
    }

    /// A client that trusts nobody: for `http:` URLs.
    ///
    /// # Errors
    ///
    /// As [`Self::trusting`]; cannot happen with the TLS library in use.
    pub fn plain() -> io::Result<Self> {
        Self::with_roots(RootCertStore::empty())
    }

    fn with_roots(roots: RootCertStore) -> io::Result<Self> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Self { tls: TlsConnector::from(Arc::new(config)), dial: None, pool: Arc::default() })
    }

    /// The same client, but every connection goes to this address, whatever host the URL has.
    #[must_use]
    pub fn dialling(mut self, address: SocketAddr) -> Self {
        self.dial = Some(address);
        self.pool = Arc::default();
        self
    }

    /// Sends a request. A Host header is added unless one is given; nothing else is.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when the URL or a header is not sendable, nobody answers, or the answer is no HTTP.
    pub async fn send(
        &self,
        method: &str,
        url: &str,
        headers: &[(&str, &str)],
        body: impl Into<Bytes>,
    ) -> io::Result<Answer> {
        let origin = Origin::of(url)?;
        let mut request = Request::builder().method(method).uri(origin.path.as_str());
        if !headers.iter().any(|(name, _)| name.eq_ignore_ascii_case("host")) {
            request = request.header(header::HOST, &origin.authority);
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(Full::new(body.into())).map_err(io::Error::other)?;
        match tokio::time::timeout(ANSWER_TIMEOUT, self.exchange(&origin, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, format!("no answer from {url}"))),
        }
    }

    /// Sends a GET request.
    ///
    /// # Errors
    ///
    /// As [`Self::send`].
    pub async fn get(&self, url: &str) -> io::Result<Answer> {
        self.send("GET", url, &[], Bytes::new()).await
    }

    /// Opens a connection of its own to a URL's host, with TLS for `https:`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when nobody answers there or TLS fails.
    pub async fn open(&self, url: &str) -> io::Result<RawStream> {
        self.connect(&Origin::of(url)?).await
    }

    /// Writes octets to a connection of its own and reads until the server closes it. Ask for `Connection: close`.
    ///
    /// # Errors
    ///
    /// [`io::Error`] when the connection breaks or the server does not close it in time.
    pub async fn write_raw(&self, url: &str, octets: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = self.open(url).await?;
        stream.write_all(octets).await?;
        stream.flush().await?;
        let mut answer = Vec::new();
        match tokio::time::timeout(ANSWER_TIMEOUT, stream.read_to_end(&mut answer)).await {
            // Servers that give a broken connection up do not always close TLS in form; what came is what counts.
            Ok(Ok(_)) => Ok(answer),
            Ok(Err(_)) if !answer.is_empty() => Ok(answer),
            Ok(Err(error)) => Err(error),
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the server keeps the connection open")),
        }
    }

    /// How many connections were opened so far.
    #[must_use]
    pub fn connections_opened(&self) -> u64 {
        self.pool.dialled.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Gives idle connections up.
    pub fn forget_connections(&self) {
        self.pool.idle().clear();
    }

    async fn exchange(&self, origin: &Origin, request: Request<Full<Bytes>>) -> io::Result<Answer> {
        let mut request = request;
        loop {
            let idle = self.pool.take(&origin.key());
            let (mut connection, fresh) = match idle {
                Some(connection) => (connection, false),
                None => (self.handshake(origin).await?, true),
            };
            match connection.try_send_request(request).await {
                Ok(response) => {
                    let (head, body) = response.into_parts();
                    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
                    // Ready again as soon as its driver has seen the body's end; never, if the server closes it.
                    if connection.ready().await.is_ok() {
                        self.pool.keep(origin.key(), connection);
                    }
                    return Ok(Answer { status: head.status.as_u16(), headers: head.headers, body });
                }
                // An idle connection that the server had closed: nothing was sent, so that nothing can happen twice.
                Err(mut unsent) if !fresh => match unsent.take_message() {
                    Some(message) => request = message,
                    None => return Err(io::Error::other(unsent.into_error())),
                },
                Err(failed) => return Err(io::Error::other(failed.into_error())),
            }
        }
    }

    async fn handshake(&self, origin: &Origin) -> io::Result<SendRequest<Full<Bytes>>> {
        let stream = self.connect(origin).await?;
        let (mut sender, connection) = handshake(TokioIo::new(stream)).await.map_err(io::Error::other)?;
        self.pool.drivers.spawn(async move {
            // How a connection ends is said to whoever waits for its answer.
            drop(connection.await);
        });
        sender.ready().await.map_err(io::Error::other)?;
        Ok(sender)
    }

    async fn connect(&self, origin: &Origin) -> io::Result<RawStream> {
        self.pool.dialled.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let tcp = match self.dial {
            Some(address) => TcpStream::connect(address).await?,
            None => TcpStream::connect((origin.host.as_str(), origin.port)).await?,
        };
        tcp.set_nodelay(true)?;
        if !origin.secure {
            return Ok(Box::new(tcp));
        }
        let name = ServerName::try_from(origin.host.clone()).map_err(io::Error::other)?;
        Ok(Box::new(self.tls.connect(name, tcp).await?))
    }
}

impl fmt::Debug for RawHttp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RawHttp").field("dial", &self.dial).finish_non_exhaustive()
    }
}

impl Pool {
    fn idle(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<SendRequest<Full<Bytes>>>>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, origin: &str) -> Option<SendRequest<Full<Bytes>>> {
        let mut idle = self.idle();
        let connections = idle.get_mut(origin)?;
        while let Some(connection) = connections.pop() {
            if connection.is_ready() {
                return Some(connection);
            }
        }
        None
    }

    fn keep(&self, origin: String, connection: SendRequest<Full<Bytes>>) {
        if !connection.is_closed() {
            self.idle().entry(origin).or_default().push(connection);
        }
    }
}

/// Where a URL points.
struct Origin {
    secure: bool,
    host: String,
    port: u16,
    authority: String,
    path: String,
}

impl Origin {
    fn of(url: &str) -> io::Result<Self> {
        let invalid = || io::Error::new(io::ErrorKind::InvalidInput, format!("{url:?} is no http or https URL"));
        let uri: Uri = url.parse().or(Err(invalid()))?;
        let secure = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            Some(_) | None => return Err(invalid()),
        };
        let authority = uri.authority().ok_or_else(invalid)?;
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = authority.port_u16().unwrap_or(if secure { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { secure, host, port, authority: authority.to_string(), path })
    }

    fn key(&self) -> String {
        format!("{}{}", if self.secure { "https://" } else { "http://" }, self.authority)
    }
}

/// An answer, whatever its status.
#[derive(Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Every header field.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header field's value, of the first one if there are several.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, read as JSON.
    ///
    /// # Errors
    ///
    /// [`serde_json::Error`] when it is no such JSON.
    pub fn json<T: DeserializeOwned>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_slice(&self.body)
    }

    /// The problem document, when the body is one and is labelled so.
    #[must_use]
    pub fn problem(&self) -> Option<Problem> {
        if self.header("content-type") == Some("application/problem+json") { self.json().ok() } else { None }
    }

    /// The Replay-Nonce header field (RFC 8555 section 6.5.1).
    #[must_use]
    pub fn nonce(&self) -> Option<&str> {
        self.header("replay-nonce")
    }

    /// The Location header field.
    #[must_use]
    pub fn location(&self) -> Option<&str> {
        self.header("location")
    }

    /// The Retry-After header field, in its form of whole seconds (RFC 9110 section 10.2.3).
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        self.header("retry-after")?.parse().ok().map(Duration::from_secs)
    }

    /// The targets of every Link header field with this relation (RFC 8288).
    #[must_use]
    pub fn links(&self, relation: &str) -> Vec<String> {
        let wanted = format!("rel=\"{relation}\"");
        let values = self.headers.get_all(header::LINK).iter().filter_map(|value| value.to_str().ok());
        values
            .flat_map(|value| value.split(','))
            .filter_map(|link| {
                let (target, parameters) = link.trim().strip_prefix('<')?.split_once('>')?;
                parameters.split(';').any(|parameter| parameter.trim() == wanted).then(|| target.to_owned())
            })
            .collect()
    }
}

impl fmt::Debug for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let body = self.text();
        f.debug_struct("Answer")
            .field("status", &self.status)
            .field("headers", &self.headers)
            .field("body", &body)
            .finish()
    }
}
