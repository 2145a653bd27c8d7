//! Accepting connections: TLS for ACME, plain HTTP for publications, with limits on both.

use std::future::Future;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use crate::limits;
use crate::patience::Patient;
use crate::pki_site::PkiSite;
use crate::routes;
use crate::urls::Urls;

/// Serves ACME over TLS until `soft` is cancelled, then lets open requests finish until `hard` is.
///
/// `tls` is read anew for each connection, so that a new certificate is served from the next one on.
pub async fn serve_acme(
    listener: TcpListener,
    tls: Arc<ArcSwap<ServerConfig>>,
    ca: certus_ca::Ca,
    urls: Urls,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let handshake = move |stream: TcpStream| {
        let acceptor = tokio_rustls::TlsAcceptor::from(tls.load_full());
        async move { acceptor.accept(stream).await }
    };
    accept(listener, routes::acme(ca, urls), handshake, soft, hard).await;
}

/// Serves publications over plain HTTP until `soft` is cancelled, then lets open requests finish until `hard` is.
pub async fn serve_pki(listener: TcpListener, site: PkiSite, soft: CancellationToken, hard: CancellationToken) {
    let handshake = |stream: TcpStream| async move { Ok(stream) };
    accept(listener, site.router(), handshake, soft, hard).await;
}

async fn accept<H, F, S>(
    listener: TcpListener,
    router: Router,
    handshake: H,
    soft: CancellationToken,
    hard: CancellationToken,
) where
    H: Fn(TcpStream) -> F,
    F: Future<Output = std::io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let places = Arc::new(Semaphore::new(limits::MAX_CONNECTIONS));
    let connections = TaskTracker::new();
    let graceful = GracefulShutdown::new();
    loop {
        // A place first: who comes when all are taken waits in the kernel's queue.
        let place = tokio::select! {
            () = soft.cancelled() => break,
            place = Arc::clone(&places).acquire_owned() => place,
        };
        let stream = tokio::select! {
            () = soft.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let handshake = handshake(stream);
        let router = router.clone();
        let watcher = graceful.watcher();
        let hard = hard.clone();
        connections.spawn(async move {
            let _place = place;
            tokio::select! {
                () = hard.cancelled() => {}
                () = connection(handshake, router, watcher) => {}
            }
        });
    }
    drop(listener);
    connections.close();
    graceful.shutdown().await;
    connections.wait().await;
}

async fn connection<S>(
    handshake: impl Future<Output = std::io::Result<S>>,
    router: Router,
    watcher: hyper_util::server::graceful::Watcher,
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
    let service = hyper::service::service_fn(move |request: hyper::Request<Incoming>| {
        router.clone().oneshot(request.map(Body::new))
    });
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
        .max_concurrent_streams(limits::MAX_STREAMS)
        .max_header_list_size(u32::try_from(limits::MAX_HEADER).unwrap_or(u32::MAX))
        .max_pending_accept_reset_streams(limits::MAX_RESET_STREAMS)
        .keep_alive_interval(limits::PING_EVERY);
    let connection =
        builder.serve_connection(TokioIo::new(Patient::new(stream, limits::SILENCE)), service).into_owned();
    if let Err(error) = watcher.watch(connection).await {
        tracing::debug!(error = %error, "a connection ended early");
    }
}
