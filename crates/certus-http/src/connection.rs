//! One connection, from its handshake to its end: who asks nothing, or has been there for long, is asked to go.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::Version;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt;

use crate::limits;
use crate::patience::Patient;
use crate::places::{Peer, Source};

/// Serves it to its end. Once `soft` is cancelled it answers what was asked and takes no more.
pub(crate) async fn serve<S>(
    handshake: impl Future<Output = io::Result<S>>,
    router: Router,
    peer: SocketAddr,
    soft: CancellationToken,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let stream = match tokio::time::timeout(limits::HANDSHAKE_TIMEOUT, handshake).await {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a TLS handshake failed");
            return;
        }
        Err(_) => return,
    };
    let activity = Activity::default();
    let counted = activity.clone();
    let service = hyper::service::service_fn(move |mut request: hyper::Request<Incoming>| {
        let asking = counted.begin(request.version());
        request.extensions_mut().insert(Source::of(peer));
        request.extensions_mut().insert(Peer(peer.ip().to_canonical()));
        let answer = router.clone().oneshot(request.map(Body::new));
        async move {
            let answer = answer.await;
            drop(asking);
            answer
        }
    });
    let builder = builder();
    let mut connection =
        pin!(builder.serve_connection(TokioIo::new(Patient::new(stream, limits::SILENCE)), service).into_owned());
    tokio::select! {
        ended = connection.as_mut() => return note(ended),
        () = soft.cancelled() => {}
        () = activity.idle(limits::HEADER_TIMEOUT) => {}
        () = tokio::time::sleep(limits::MAX_AGE) => {}
    }
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        ended = connection.as_mut() => note(ended),
        // It does not go: its client does not take the answers, or does not say that it heard. No answer takes as long.
        () = tokio::time::sleep(limits::SILENCE) => tracing::debug!("a connection was cut off"),
    }
}

fn builder() -> Builder<TokioExecutor> {
    let mut builder = Builder::new(TokioExecutor::new());
    builder
        .http1()
        .timer(TokioTimer::new())
        .header_read_timeout(limits::HEADER_TIMEOUT)
        .max_buf_size(limits::MAX_HEADER)
        .max_headers(limits::MAX_HEADER_FIELDS);
    builder
        .http2()
        .timer(TokioTimer::new())
        .initial_stream_window_size(limits::WINDOW)
        .initial_connection_window_size(limits::WINDOW)
        .max_concurrent_streams(limits::MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits::MAX_HEADER).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits::MAX_RESET_STREAMS)
        .keep_alive_interval(limits::PING_EVERY);
    builder
}

fn note(ended: Result<(), Box<dyn std::error::Error + Send + Sync>>) {
    if let Err(error) = ended {
        tracing::debug!(error = %error, "a connection ended early");
    }
}

/// What a connection is doing. Clones are of the same connection.
#[derive(Debug, Clone, Default)]
struct Activity(watch::Sender<Doing>);

#[derive(Debug, Default)]
struct Doing {
    /// Requests that are being answered.
    requests: usize,
    /// Whether it speaks HTTP/1, where the library itself limits the time between requests, and a client that is slow to
    /// take an answer is seen by [`Patient`].
    http_1: bool,
}

/// A request that is being answered, until it is dropped.
struct Asking(watch::Sender<Doing>);

impl Activity {
    fn begin(&self, version: Version) -> Asking {
        self.0.send_modify(|doing| {
            doing.requests += 1;
            doing.http_1 |= version < Version::HTTP_2;
        });
        Asking(self.0.clone())
    }

    /// Waits until nothing was asked for so long. Pings are no questions.
    async fn idle(&self, patience: Duration) {
        let mut doing = self.0.subscribe();
        loop {
            // Neither wait can fail: the sender is here.
            drop(doing.wait_for(|doing| doing.requests == 0 && !doing.http_1).await);
            if tokio::time::timeout(patience, doing.changed()).await.is_err() {
                return;
            }
        }
    }
}

impl Drop for Asking {
    fn drop(&mut self) {
        self.0.send_modify(|doing| doing.requests = doing.requests.saturating_sub(1));
    }
}
