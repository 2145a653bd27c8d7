//! How long a connection lasts. Waiting happens on the runtime's paused clock, so that it takes no time.

use std::time::Duration;

use bytes::Bytes;
use certus_http::limits;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::AsyncWriteExt;
use tokio::time::{Instant, timeout};

use crate::common::World;
use crate::frames::{ACK, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PING, PREFACE, SETTINGS, frame, next};
use crate::limits::{LEEWAY, VERSIONS, healthy};

/// The longest that a connection could last by any limit, and then some.
const LONG: Duration = Duration::from_secs(3 * 3600);

fn get() -> Request<Empty<Bytes>> {
    Request::get("https://localhost/directory").header("host", "localhost").body(Empty::new()).unwrap()
}

/// Who answers pings and asks nothing is told to go, and goes.
#[tokio::test]
async fn connections_that_ask_nothing_are_closed() {
    let world = World::new().await;
    let stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    let (mut sender, mut connection) =
        hyper::client::conn::http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    let answer = async { sender.send_request(get()).await.unwrap().into_body().collect().await };
    tokio::select! {
        answer = answer => drop(answer.unwrap()),
        ended = &mut connection => panic!("{ended:?}"),
    }
    tokio::time::pause();
    let started = Instant::now();
    // In good order: a client that was about to ask knows that it was not heard.
    timeout(LONG, connection).await.unwrap().unwrap();
    let waited = started.elapsed();
    assert!(waited <= limits::HEADER_TIMEOUT + LEEWAY, "{waited:?}");
    assert!(waited + LEEWAY >= limits::HEADER_TIMEOUT, "clients keep their connection between polls: {waited:?}");
    tokio::time::resume();
    healthy(&world).await;
}

/// Who answers every ping, but never takes its answer, is told to go, and then cut off.
#[tokio::test]
async fn connections_that_do_not_go_are_cut_off() {
    let world = World::new().await;
    let mut stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    // SETTINGS_INITIAL_WINDOW_SIZE: no octet of any body.
    let settings = frame(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 0]);
    let request = frame(HEADERS, END_STREAM | END_HEADERS, 1, GET);
    stream.write_all(&[PREFACE, &settings, &request].concat()).await.unwrap();
    tokio::time::pause();
    let started = Instant::now();
    let (mut pings, mut told) = (0, false);
    let until_closed = async {
        while let Ok(heard) = next(&mut stream).await {
            let answer = match (heard.kind, heard.flags & ACK) {
                (SETTINGS, 0) => frame(SETTINGS, ACK, 0, &[]),
                (PING, 0) => frame(PING, ACK, 0, &heard.payload),
                (GOAWAY, _) => {
                    told = true;
                    continue;
                }
                _ => continue,
            };
            pings += usize::from(heard.kind == PING);
            if stream.write_all(&answer).await.is_err() {
                break;
            }
        }
    };
    assert!(timeout(LONG, until_closed).await.is_ok(), "the connection stays open");
    let waited = started.elapsed();
    assert!(pings > 1 && told, "{pings} pings, told to go: {told}");
    assert!(waited <= limits::HEADER_TIMEOUT + limits::SILENCE + LEEWAY, "{waited:?}");
    tokio::time::resume();
    healthy(&world).await;
}

/// However busy: places change hands.
#[tokio::test]
async fn connections_end_after_an_hour() {
    let world = World::new().await;
    let pause = limits::HEADER_TIMEOUT / 2;
    for protocol in [b"h2".as_slice(), b"http/1.1"] {
        let stream = TokioIo::new(world.tls(VERSIONS, &[protocol]).await.unwrap());
        tokio::time::pause();
        let started = Instant::now();
        let asked = if protocol == b"h2" {
            let (mut sender, connection) =
                hyper::client::conn::http2::handshake(TokioExecutor::new(), stream).await.unwrap();
            let asking = async || sender.send_request(get()).await;
            ask_until_closed(asking, connection, pause).await
        } else {
            let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await.unwrap();
            let asking = async || sender.send_request(get()).await;
            ask_until_closed(asking, connection, pause).await
        };
        let waited = started.elapsed();
        assert!(asked >= 100, "{asked}");
        assert!(waited <= limits::MAX_AGE + pause + LEEWAY, "{waited:?}");
        assert!(waited + pause + LEEWAY >= limits::MAX_AGE, "{waited:?}");
        tokio::time::resume();
    }
    healthy(&world).await;
}

/// Asks again and again, with pauses, until the server ends the connection; how often it was answered.
async fn ask_until_closed(
    mut ask: impl AsyncFnMut() -> hyper::Result<http::Response<hyper::body::Incoming>>,
    connection: impl Future<Output = hyper::Result<()>>,
    pause: Duration,
) -> usize {
    let mut connection = std::pin::pin!(connection);
    let started = Instant::now();
    let mut answered = 0;
    while started.elapsed() < LONG {
        let answer = async {
            let answer = ask().await.ok()?;
            assert_eq!(answer.status(), StatusCode::OK);
            answer.into_body().collect().await.ok()
        };
        tokio::select! {
            answer = answer => match answer {
                Some(_) => answered += 1,
                None => return answered,
            },
            ended = &mut connection => {
                ended.unwrap();
                return answered;
            }
        }
        if let Ok(ended) = timeout(pause, &mut connection).await {
            ended.unwrap();
            return answered;
        }
    }
    panic!("the connection stays open");
}
