//! The host behind every name: answers http-01 for whatever token a client has put up.

use std::collections::HashMap;
use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::TcpListener;

/// The web server.
#[derive(Debug)]
pub(crate) struct WebServer {
    port: u16,
    answers: Mutex<HashMap<String, String>>,
}

impl WebServer {
    pub(crate) async fn start() -> anyhow::Result<Arc<Self>> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let target = Arc::new(Self { port: listener.local_addr()?.port(), answers: Mutex::default() });
        let serving = Arc::clone(&target);
        let mut connections = tokio::task::JoinSet::new();
        let accepting = async move {
            while let Ok((stream, _)) = listener.accept().await {
                let serving = Arc::clone(&serving);
                connections.spawn(async move {
                    let service = service_fn(move |request| {
                        let answer = serving.answer(&request);
                        async move { Ok::<_, Infallible>(answer) }
                    });
                    let http = hyper::server::conn::http1::Builder::new();
                    // A validator that hangs up early is no news.
                    drop(http.serve_connection(TokioIo::new(stream), service).await);
                });
                while connections.try_join_next().is_some() {}
            }
        };
        #[expect(clippy::disallowed_methods, reason = "the target lives as long as this program")]
        drop(tokio::spawn(accepting));
        Ok(target)
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    pub(crate) fn put_up(&self, token: &str, key_authorization: String) {
        self.answers.lock().insert(token.to_owned(), key_authorization);
    }

    pub(crate) fn take_down(&self, token: &str) {
        self.answers.lock().remove(token);
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let token = request.uri().path().strip_prefix("/.well-known/acme-challenge/");
        let found = token.and_then(|token| self.answers.lock().get(token).cloned());
        let mut response = Response::new(Full::new(Bytes::from(found.clone().unwrap_or_default())));
        if found.is_none() {
            *response.status_mut() = StatusCode::NOT_FOUND;
        }
        response
    }
}
