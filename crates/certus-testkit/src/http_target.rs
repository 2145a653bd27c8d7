//! Web servers for http-01: they answer with key authorizations, or with what a test wants validation to meet.

use std::collections::HashMap;
use std::convert::Infallible;
use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::{Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::task::JoinSet;

/// Where key authorizations are looked for (RFC 8555 section 8.3).
const WELL_KNOWN: &str = "/.well-known/acme-challenge/";

/// A web server on the loopback interface. Stops when it is dropped.
#[derive(Debug)]
pub struct Http01Target {
    address: SocketAddr,
    pages: Arc<Mutex<Pages>>,
    /// How many have asked.
    asked: watch::Sender<usize>,
    /// Whether answers wait.
    held: watch::Sender<bool>,
    _server: JoinSet<()>,
}

/// Nothing awaits under the lock of these.
#[derive(Debug, Default)]
struct Pages {
    replies: HashMap<String, Reply>,
    requests: Vec<SeenRequest>,
}

/// What a path answers with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header fields.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Bytes,
}

impl Reply {
    /// A status and a body.
    #[must_use]
    pub fn new(status: u16, body: impl Into<Bytes>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// A redirect with that status.
    #[must_use]
    pub fn redirect(status: u16, location: &str) -> Self {
        Self::new(status, Bytes::new()).with_header("location", location)
    }

    /// The same with a header field more.
    #[must_use]
    pub fn with_header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A request that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenRequest {
    /// The method.
    pub method: String,
    /// The path, with the query.
    pub path: String,
    /// The Host header field; empty when there was none.
    pub host: String,
    /// Every header field, in order.
    pub headers: Vec<(String, String)>,
    /// Who asked.
    pub from: SocketAddr,
}

impl Http01Target {
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
        let pages = Arc::<Mutex<Pages>>::default();
        let (asked, held) = (watch::Sender::new(0), watch::Sender::new(false));
        let mut server = JoinSet::new();
        server.spawn(accept(listener, Arc::clone(&pages), asked.clone(), held.clone()));
        Ok(Self { address, pages, asked, held, _server: server })
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

    /// Answers for a token with its key authorization.
    pub fn serve(&self, token: &str, key_authorization: &str) {
        let reply =
            Reply::new(200, key_authorization.to_owned()).with_header("content-type", "application/octet-stream");
        self.pages().replies.entry(format!("{WELL_KNOWN}{token}")).or_insert(reply);
    }

    /// Answers for a token no longer. A reply that a test set with [`Self::answer`] goes too.
    pub fn forget(&self, token: &str) {
        self.pages().replies.remove(&format!("{WELL_KNOWN}{token}"));
    }

    /// Answers for a path with that, whatever [`Self::serve`] says.
    pub fn answer(&self, path: &str, reply: Reply) {
        self.pages().replies.insert(path.to_owned(), reply);
    }

    /// Answers for a token with that, whatever [`Self::serve`] says.
    pub fn answer_token(&self, token: &str, reply: Reply) {
        self.answer(&format!("{WELL_KNOWN}{token}"), reply);
    }

    /// Every request so far, in order.
    #[must_use]
    pub fn requests(&self) -> Vec<SeenRequest> {
        self.pages().requests.clone()
    }

    /// Empties the log of requests.
    pub fn forget_requests(&self) {
        self.pages().requests.clear();
    }

    /// Answers nobody until [`Self::release`]; requests are heard and logged meanwhile.
    pub fn hold(&self) {
        self.held.send_replace(true);
    }

    /// Answers everybody who waits, and from now on at once.
    pub fn release(&self) {
        self.held.send_replace(false);
    }

    /// Waits until there were that many requests in all.
    pub async fn asked(&self, count: usize) {
        // The sender lives as long as this target.
        drop(self.asked.subscribe().wait_for(|asked| *asked >= count).await);
    }

    fn pages(&self) -> MutexGuard<'_, Pages> {
        self.pages.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn accept(
    listener: TcpListener,
    pages: Arc<Mutex<Pages>>,
    asked: watch::Sender<usize>,
    held: watch::Sender<bool>,
) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((stream, from)) = listener.accept().await else { continue };
        while connections.try_join_next().is_some() {}
        let (pages, asked, held) = (Arc::clone(&pages), asked.clone(), held.clone());
        connections.spawn(async move {
            let service = service_fn(|request: Request<Incoming>| {
                let response = pages.lock().unwrap_or_else(PoisonError::into_inner).reply(&request, from);
                asked.send_modify(|count| *count += 1);
                let mut held = held.subscribe();
                async move {
                    drop(held.wait_for(|held| !held).await);
                    Ok::<_, Infallible>(response)
                }
            });
            // A peer that hangs up has had what it wanted.
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        });
    }
}

impl Pages {
    fn reply<B>(&mut self, request: &Request<B>, from: SocketAddr) -> Response<Full<Bytes>> {
        let text = |value: &http::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        self.requests.push(SeenRequest {
            method: request.method().to_string(),
            path: request.uri().path_and_query().map_or_else(String::new, ToString::to_string),
            host: request.headers().get(header::HOST).map(text).unwrap_or_default(),
            headers: request.headers().iter().map(|(name, value)| (name.to_string(), text(value))).collect(),
            from,
        });
        let reply = self.replies.get(request.uri().path()).cloned().unwrap_or_else(|| Reply::new(404, "not here"));
        let mut response = Response::builder().status(reply.status);
        for (name, value) in &reply.headers {
            response = response.header(name, value);
        }
        response.body(Full::new(reply.body)).unwrap_or_else(|_| {
            // A test set a header that cannot be sent.
            let mut response = Response::new(Full::default());
            *response.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
            response
        })
    }
}
