//! http-01 (RFC 8555 section 8.3) by a listener of its own, which answers for live tokens and nothing else.

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use certus_acme::{ChallengeType, KeyAuthorization};
use http::{HeaderValue, Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::{CancellationToken, DropGuard};
use tokio_util::task::TaskTracker;

use super::{Solver, SolverError};
use crate::flow::Presentation;

/// Where the path of a challenge begins.
const PREFIX: &str = "/.well-known/acme-challenge/";
/// How long a request may take to come.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(3);
/// Connections at once: an authority looks from a few places; more are strangers, who wait.
const MAX_CONNECTIONS: usize = 256;

type Answers = Arc<Mutex<HashMap<String, Bytes>>>;

/// A listener that answers for live tokens. It ends by [`Http01::close`], or when this is dropped.
pub struct Http01 {
    answers: Answers,
    addresses: Vec<SocketAddr>,
    tasks: TaskTracker,
    ends: DropGuard,
}

impl fmt::Debug for Http01 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Http01").field("addresses", &self.addresses).finish_non_exhaustive()
    }
}

impl Http01 {
    /// Listens on these addresses, all of them.
    ///
    /// # Errors
    ///
    /// [`SolverError::Listen`] when one cannot be had: what listens there already would be asked in our place.
    pub async fn listen(addresses: &[SocketAddr]) -> Result<Self, SolverError> {
        let (ends, tasks) = (CancellationToken::new(), TaskTracker::new());
        // Also when one of the addresses cannot be had.
        let guard = ends.clone().drop_guard();
        let answers = Answers::default();
        let room = Arc::new(Semaphore::new(MAX_CONNECTIONS));
        let mut bound = Vec::new();
        for address in addresses {
            let fault = |source| SolverError::Listen { address: *address, source };
            let listener = TcpListener::bind(address).await.map_err(fault)?;
            bound.push(listener.local_addr().map_err(fault)?);
            tasks.spawn(serve(listener, Arc::clone(&answers), Arc::clone(&room), tasks.clone(), ends.clone()));
        }
        Ok(Self { answers, addresses: bound, tasks, ends: guard })
    }

    /// Stops listening, and waits until the last connection has ended.
    pub async fn close(self) {
        let Self { tasks, ends, answers: _, addresses: _ } = self;
        drop(ends);
        tasks.close();
        tasks.wait().await;
    }

    /// Where it listens.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

#[async_trait]
impl Solver for Http01 {
    fn method(&self) -> ChallengeType {
        ChallengeType::Http01
    }

    async fn present(&self, wanted: &Presentation, answer: &KeyAuthorization) -> Result<(), SolverError> {
        let body = Bytes::from(answer.as_str().to_owned());
        self.answers.lock().insert(wanted.token.as_str().to_owned(), body);
        Ok(())
    }

    async fn clean_up(&self, wanted: &Presentation) {
        self.answers.lock().remove(wanted.token.as_str());
    }
}

async fn serve(
    listener: TcpListener,
    answers: Answers,
    room: Arc<Semaphore>,
    tasks: TaskTracker,
    ends: CancellationToken,
) {
    let accept = async {
        loop {
            let Ok(place) = Arc::clone(&room).acquire_owned().await else { return };
            let Ok((stream, _)) = listener.accept().await else {
                // Out of file descriptors, say: others are given time to be closed.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let (answers, ends) = (Arc::clone(&answers), ends.clone());
            tasks.spawn(async move {
                let _place = place;
                ends.run_until_cancelled(converse(stream, answers)).await
            });
        }
    };
    // Whether it was cancelled or not, it is over.
    let _over = ends.run_until_cancelled(accept).await;
}

async fn converse(stream: TcpStream, answers: Answers) {
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = answer(&request, &answers);
        async move { Ok::<_, Infallible>(answer) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(REQUEST_TIMEOUT)
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Who hangs up early was a scanner, or will come again.
    if let Err(error) = connection.await {
        tracing::debug!(%error, "a connection for http-01 ended");
    }
}

fn answer(request: &Request<Incoming>, answers: &Answers) -> Response<Full<Bytes>> {
    let found = match *request.method() {
        Method::GET | Method::HEAD => {
            request.uri().path().strip_prefix(PREFIX).and_then(|token| answers.lock().get(token).cloned())
        }
        _ => None,
    };
    let (status, body) = match found {
        Some(body) => (StatusCode::OK, body),
        None => (StatusCode::NOT_FOUND, Bytes::from_static(b"there is no such challenge\n")),
    };
    let mut response = Response::new(Full::new(body));
    *response.status_mut() = status;
    let kind = if status == StatusCode::OK { "application/octet-stream" } else { "text/plain; charset=utf-8" };
    response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
