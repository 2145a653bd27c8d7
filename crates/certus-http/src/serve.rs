//! Accepting connections: TLS for ACME, plain HTTP for publications, with limits on both.

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;

use arc_swap::ArcSwap;
use axum::Router;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::connection;
use crate::limits;
use crate::pki_site::PkiSite;
use crate::places::{Places, Source};
use crate::routes;
use crate::urls::Urls;

/// Serves ACME over TLS until `soft` is cancelled, then lets open requests finish until `hard` is.
///
/// `tls` is read anew for each connection, so that a new certificate is served from the next one on. `connections` is how
/// many there may be at once, see [`limits::connections`].
pub async fn serve_acme(
    listener: TcpListener,
    connections: usize,
    tls: Arc<ArcSwap<ServerConfig>>,
    ca: certus_ca::Ca,
    urls: Urls,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let handshake = move |stream: TcpStream| {
        let acceptor = tokio_rustls::TlsAcceptor::from(tls.load_full());
        async move { acceptor.accept(tls_alone(stream).await?).await }
    };
    accept(listener, routes::acme(ca, urls), handshake, places(connections), soft, hard).await;
}

/// What is said to who speaks plain HTTP where TLS is spoken; as terse as the situation, and no ACME.
const PLAIN_HTTP: &[u8] =
    b"HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\nConnection: close\r\n\
    Content-Length: 53\r\n\r\nThis port speaks HTTPS only; the URL begins https://\n";

/// The connection, unless it begins as no TLS does: then a person who mistook the scheme is told so.
async fn tls_alone(mut stream: TcpStream) -> std::io::Result<TcpStream> {
    let mut first = [0];
    stream.peek(&mut first).await?;
    // A TLS record of a handshake begins with 22 (RFC 8446 section 5.1), a request with its method (RFC 9112 section 3).
    if first.first().is_some_and(u8::is_ascii_alphabetic) {
        // What is left unread makes the closing a reset, which may overtake the answer; most requests fit.
        let mut asked = [0; 2048];
        let read = stream.read(&mut asked).await?;
        stream.write_all(PLAIN_HTTP).await?;
        stream.shutdown().await?;
        return Err(std::io::Error::new(
            ErrorKind::InvalidData,
            format!("{read} octets of plain HTTP where TLS is spoken"),
        ));
    }
    Ok(stream)
}

/// Serves publications over plain HTTP until `soft` is cancelled, then lets open requests finish until `hard` is.
pub async fn serve_pki(
    listener: TcpListener,
    connections: usize,
    site: PkiSite,
    soft: CancellationToken,
    hard: CancellationToken,
) {
    let handshake = |stream: TcpStream| async move { Ok(stream) };
    accept(listener, site.router(), handshake, places(connections), soft, hard).await;
}

fn places(connections: usize) -> Places {
    Places::new(connections, connections.div_ceil(limits::SOURCE_SHARE))
}

async fn accept<H, F, S>(
    listener: TcpListener,
    router: Router,
    handshake: H,
    places: Places,
    soft: CancellationToken,
    hard: CancellationToken,
) where
    H: Fn(TcpStream) -> F,
    F: Future<Output = std::io::Result<S>> + Send + 'static,
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let connections = TaskTracker::new();
    loop {
        // A place first: who comes when all are taken waits in the kernel's queue.
        let free = tokio::select! {
            () = soft.cancelled() => break,
            free = places.free() => free,
        };
        let Some(free) = free else { break };
        let (stream, peer) = tokio::select! {
            () = soft.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(limits::ACCEPT_PAUSE).await;
                    continue;
                }
            },
        };
        let source = Source::of(peer);
        let Some(place) = places.take(free, source) else {
            tracing::debug!(%peer, "a connection was dropped: its source has as many as it may");
            continue;
        };
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY could not be set");
        }
        let connection = connection::serve(handshake(stream), router.clone(), peer, soft.clone());
        let hard = hard.clone();
        connections.spawn(async move {
            let _place = place;
            tokio::select! {
                () = hard.cancelled() => {}
                () = connection => {}
            }
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::net::SocketAddr;

    use tokio::net::TcpSocket;

    use super::*;

    /// Asks once, from that address; the connection if it was answered.
    async fn ask(server: SocketAddr, from: &str) -> io::Result<Option<TcpStream>> {
        let socket = TcpSocket::new_v4()?;
        socket.bind(SocketAddr::new(from.parse().map_err(io::Error::other)?, 0))?;
        let mut stream = socket.connect(server).await?;
        let mut answer = [0; 12];
        let answered = async {
            stream.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").await?;
            stream.read_exact(&mut answer).await
        };
        Ok(answered.await.is_ok().then_some(stream))
    }

    /// One source takes its share and no more; others find places meanwhile, and itself once it leaves some.
    #[tokio::test]
    async fn one_source_cannot_take_every_place() -> io::Result<()> {
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let server = listener.local_addr()?;
        let (soft, hard) = (CancellationToken::new(), CancellationToken::new());
        let handshake = |stream: TcpStream| async move { Ok(stream) };
        let places = Places::new(4, 2);
        let serving = accept(listener, Router::new(), handshake, places, soft.clone(), hard.clone());
        let asking = async {
            let first = ask(server, "127.0.0.1").await?;
            let second = ask(server, "127.0.0.1").await?;
            assert!(first.is_some() && second.is_some());
            for _ in 0..8 {
                assert!(ask(server, "127.0.0.1").await?.is_none(), "more than its share");
            }
            let other = ask(server, "127.0.0.2").await?;
            assert!(other.is_some(), "others have places");
            drop(first);
            // The place is free once the server has seen the end.
            while ask(server, "127.0.0.1").await?.is_none() {}
            hard.cancel();
            soft.cancel();
            io::Result::Ok(())
        };
        let ((), asked) = tokio::join!(serving, asking);
        asked
    }
}
