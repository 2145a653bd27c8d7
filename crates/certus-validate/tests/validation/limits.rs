//! Peers that take their time, or never stop (conformance row 8555-8.3-14).

use std::sync::mpsc;
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_ca::ports::ValidationError;
use certus_validate::{Config, LocalNames};

use crate::web_server::{Connection, WebServer, listen, listen_without_answering, ok, redirect};
use crate::{IPV4, IPV6, KEY_AUTHORIZATION, Seen, assert_problem, validate};
use certus_testkit::name_server::NameServer;

/// However many names and accounts lead to one host, it is asked by so many at once, and what comes later is tried again.
#[tokio::test(flavor = "multi_thread")]
async fn one_host_is_not_overrun() {
    let (arrived, arrivals) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let web = WebServer::serving(listen(IPV4, 0), move |_seen, connection| {
        arrived.send(()).unwrap();
        // Until the other end of the channel is gone.
        let _gone = released.lock().unwrap().recv();
        let _left = connection.write_all(&ok(KEY_AUTHORIZATION));
    });
    let validators = std::sync::Arc::new(certus_validate::Validators::new(settings(web.port, SHORT * 100)).unwrap());
    let mut running = tokio::task::JoinSet::new();
    for n in 0..20 {
        let validators = std::sync::Arc::clone(&validators);
        running.spawn(async move {
            crate::validate_for(&validators, certus_ca::id::AccountId::random(), &format!("n{n}.localhost")).await
        });
    }
    for _ in 0..4 {
        crate::assert_ours(
            running.join_next().await.unwrap().unwrap(),
            "too many validations are at 127.0.0.1 already",
        );
    }
    assert_eq!(arrivals.try_iter().count(), 16);
    drop(release);
    while let Some(result) = running.join_next().await {
        result.unwrap().unwrap();
    }
}

/// What a peer does with one connection.
type Peer = fn(&mut dyn Connection);

/// Settings in which a validation of `localhost` takes no look-up and at most this long.
fn settings(port: u16, timeout: Duration) -> Config {
    let names = NameServer::with(&[]);
    Config { local_names: LocalNames::Localhost, timeout, ..crate::settings(&names, port) }
}

const SHORT: Duration = Duration::from_millis(300);

/// Validates `localhost` with settings that give it [`SHORT`]. One that does not end of itself fails the test, which would
/// hang otherwise.
async fn validate_in_time(config: Config) -> Result<Seen, ValidationError> {
    assert_eq!(config.timeout, SHORT);
    let result = tokio::time::timeout(SHORT * 10, validate(config, "localhost")).await;
    result.unwrap_or_else(|_| panic!("a validation that may take {SHORT:?} was still under way after ten times that"))
}

/// Waits until the other side has gone.
fn until_closed(connection: &mut dyn Connection) {
    let mut rest = Vec::new();
    let _reset = connection.read_to_end(&mut rest);
}

/// Writes these octets, then an `x` for ever, one at a time and never long after the one before, until the other side
/// has gone.
fn drip(connection: &mut dyn Connection, start: &[u8]) {
    let (_mute, tick) = mpsc::sync_channel::<()>(0);
    for octet in start.iter().chain(std::iter::repeat(&b'x')) {
        if connection.write_all(&[*octet]).is_err() {
            return;
        }
        assert_eq!(tick.recv_timeout(SHORT / 6), Err(mpsc::RecvTimeoutError::Timeout));
    }
}

// conformance: 8555-8.3-14 8555-6.7-14
#[tokio::test]
async fn a_peer_that_stops_is_left_when_time_is_up() {
    let peers: [(&str, Peer); 6] = [
        ("silent", |connection| until_closed(connection)),
        ("slow head", |connection| {
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-").unwrap();
            until_closed(connection);
        }),
        ("slow body", |connection| {
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\nLoqXcYV8").unwrap();
            until_closed(connection);
        }),
        ("dripping head", |connection| drip(connection, b"HTTP/1.1 200 OK\r\nX: ")),
        ("dripping body", |connection| {
            connection.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").unwrap();
            drip(connection, KEY_AUTHORIZATION.as_bytes());
        }),
        ("whole body, no end", |connection| {
            let head = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n57\r\n";
            connection.write_all(format!("{head}{KEY_AUTHORIZATION}\r\n").as_bytes()).unwrap();
            until_closed(connection);
        }),
    ];
    for (name, peer) in peers {
        let (gone, left) = mpsc::channel();
        let web = WebServer::serving(listen(IPV4, 0), move |_seen, connection| {
            peer(connection);
            gone.send(()).unwrap();
        });
        let result = validate_in_time(settings(web.port, SHORT)).await;
        assert_problem(result, ProblemKind::Connection, "time ran out while waiting for the answer of");
        // And the connection is closed, not kept.
        left.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

// conformance: 8555-6.7-14
#[tokio::test]
async fn an_address_that_does_not_answer_is_a_connection_problem() {
    let (listener, _filling) = listen_without_answering(IPV4).await;
    let port = listener.local_addr().unwrap().port();
    let result = validate_in_time(settings(port, SHORT)).await;
    assert_problem(result, ProblemKind::Connection, &format!("time ran out while connecting to 127.0.0.1:{port}"));
}

// conformance: 8555-8.3-15
#[tokio::test]
async fn ipv6_that_does_not_answer_leaves_time_for_ipv4() {
    let (silent, _filling) = listen_without_answering(IPV6).await;
    let listener = listen(IPV4, silent.local_addr().unwrap().port());
    let web = WebServer::serving(listener, |_seen, peer| peer.write_all(&ok(KEY_AUTHORIZATION)).unwrap());
    let evidence = validate(settings(web.port, Duration::from_millis(1500)), "localhost").await.unwrap();
    assert_eq!(evidence.address(), IPV4);
}

// conformance: 8555-8.3-14
#[tokio::test]
async fn a_tls_handshake_that_stops_is_left_when_time_is_up() {
    let silent = listen(IPV4, 0);
    let web = WebServer::start(|_seen| redirect(301, "https://localhost/"));
    let config = Config { https_port: silent.local_addr().unwrap().port(), ..settings(web.port, SHORT) };
    assert_problem(validate_in_time(config).await, ProblemKind::Connection, "waiting for the TLS handshake");
}

// conformance: 8555-8.3-14 8555-8.3-18
#[tokio::test]
async fn a_peer_that_never_stops_is_left_at_once() {
    let peers: [(&str, Peer, &str); 7] = [
        (
            "body of known length",
            |peer| endless(peer, "HTTP/1.1 200 OK\r\nContent-Length: 1048576\r\n\r\n", "x"),
            "more than 1024 octets",
        ),
        ("body without end", |peer| endless(peer, "HTTP/1.1 200 OK\r\n\r\n", "x"), "more than 1024 octets"),
        (
            "chunks",
            |peer| endless(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1\r\nx\r\n"),
            "more than 1024 octets",
        ),
        ("one header field", |peer| endless(peer, "HTTP/1.1 200 OK\r\nX: ", "x"), "too many or too long header fields"),
        (
            "header fields",
            |peer| endless(peer, "HTTP/1.1 200 OK\r\n", "X: y\r\n"),
            "too many or too long header fields",
        ),
        (
            "interim answers",
            |peer| endless(peer, "", "HTTP/1.1 103 Early Hints\r\n\r\n"),
            "far more than a key authorization",
        ),
        ("chunk extension", |peer| endless(peer, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;", "x"), ""),
    ];
    for (name, peer, words) in peers {
        let (gone, left) = mpsc::channel();
        let web = WebServer::serving(listen(IPV4, 0), move |_seen, connection| {
            peer(connection);
            gone.send(()).unwrap();
        });
        // So long that only the limit on what is read can end it.
        let result = validate(settings(web.port, Duration::from_secs(60)), "localhost").await;
        assert_problem(result, ProblemKind::IncorrectResponse, words);
        left.recv_timeout(Duration::from_secs(20)).unwrap_or_else(|error| panic!("{name}: {error}"));
    }
}

/// Writes for ever, until the other side has gone.
fn endless(connection: &mut dyn Connection, start: &str, again: &str) {
    let again = again.repeat(4096 / again.len());
    if connection.write_all(start.as_bytes()).is_ok() {
        while connection.write_all(again.as_bytes()).is_ok() {}
    }
}

// conformance: 8555-8.3-18
#[tokio::test]
async fn what_is_not_http_is_refused() {
    for (answer, words) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", "did not answer in HTTP/1.1"),
        ("HTTP/2.0 200 OK\r\n\r\n", "did not answer in HTTP/1.1"),
        ("HTTP/1.1 99999 OK\r\n\r\n", "did not answer in HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nBad Field: x\r\n\r\n", "did not answer in HTTP/1.1"),
        ("HTTP/1.1 200 OK\r\nContent-Length: 1, 2\r\n\r\nxx", ""),
        ("HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n0\r\n\r\n", ""),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffffff\r\nx", ""),
        // A gzip member, whatever it would unfold to: what is compared is what came.
        (
            "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 10\r\n\r\n\x1f\x08\x08\0\0\0\0\0\0\x03",
            "something else",
        ),
    ] {
        let web = WebServer::start(move |_seen| answer.as_bytes().to_vec());
        let result = validate(settings(web.port, Duration::from_secs(10)), "localhost").await;
        let problem = crate::problem(result);
        assert!(problem.detail.contains(words), "{answer:?}: {problem}");
    }
    // And the next one is validated.
    let web = WebServer::start(|_seen| ok(KEY_AUTHORIZATION));
    assert!(validate(settings(web.port, Duration::from_secs(10)), "localhost").await.is_ok());
}
