//! Bodies too large or too deep, headers without end, and clients that take their time: each is refused or cut off, and
//! others are answered meanwhile. Waiting happens on the runtime's paused clock, so that it takes no time.

use std::time::Duration;

use certus_acme::{MAX_JSON_DEPTH, ProblemKind, base64url};
use certus_http::limits;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::Instant;

use crate::common::{World, assert_malformed, assert_refused, order_for};
use crate::frames::{
    CONTINUATION, END_HEADERS, END_STREAM, GET, GOAWAY, HEADERS, PREFACE, RST_STREAM, SETTINGS, frame,
};

/// Room for the runtime's own timers around a limit.
pub(crate) const LEEWAY: Duration = Duration::from_secs(3);

pub(crate) const VERSIONS: &[&rustls::SupportedProtocolVersion] = &[&rustls::version::TLS13];

#[tokio::test(flavor = "multi_thread")]
async fn a_body_is_read_up_to_its_limit() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let right = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let length = right.body().unwrap().len();
    let filled = |length_wanted: usize| right.clone().trailing(&vec![b' '; length_wanted - length]).body().unwrap();
    for too_large in [limits::MAX_BODY + 1, 2 * limits::MAX_BODY, limits::MAX_DISCARDED] {
        let answer = client.send(&url, filled(too_large)).await.unwrap();
        assert_refused(&too_large.to_string(), &answer, 413, ProblemKind::Malformed);
    }
    assert_eq!(client.send(&url, filled(limits::MAX_BODY)).await.unwrap().status, 201);
    // The same without saying how much will come.
    let mut request = b"POST /acme/new-order HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\n\
         Transfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
        .to_vec();
    for _ in 0..70 {
        request.extend(b"400\r\n");
        request.extend([b' '; 1024]);
        request.extend(b"\r\n");
    }
    request.extend(b"0\r\n\r\n");
    let answer = client.http().write_raw(&url, &request).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 413 "), "{}", String::from_utf8_lossy(&answer));
}

/// A stranger who sends for ever is not read for ever.
#[tokio::test(flavor = "multi_thread")]
async fn an_endless_body_is_cut_off() {
    let world = World::new().await;
    let mut stream = world.tls(VERSIONS, &[b"http/1.1"]).await.unwrap();
    let head = "POST /acme/new-order HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\n\
                Content-Length: 1000000000\r\n\r\n";
    stream.write_all(head.as_bytes()).await.unwrap();
    let sent = write_until_refused(&mut stream, &[b' '; 16 * 1024], 64 * 1024 * 1024).await;
    // What the kernel's buffers hold on both sides comes on top of what is read.
    assert!(sent < limits::MAX_DISCARDED + 16 * 1024 * 1024, "{sent}");
    healthy(&world).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn json_is_read_down_to_its_limit() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let nested = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let payload = |levels: usize| {
        let mut payload = order_for(&["a.localhost"]).to_string();
        payload.truncate(payload.len() - 1);
        format!("{payload},\"x\":{}}}", nested(levels))
    };
    let right = client.forge(&url, "").await.unwrap();
    for levels in [MAX_JSON_DEPTH, 1_000, 20_000] {
        let forge = client.forge(&url, payload(levels)).await.unwrap();
        let problem = assert_malformed("payload", &client.send(&url, forge.body().unwrap()).await.unwrap());
        assert!(problem.detail.contains("deep"), "{problem:?}");
        let header = right.clone().set_json("x", &nested(levels)).body().unwrap();
        let outer = right.clone().outer_json("x", &nested(levels)).body().unwrap();
        for (what, body) in [("header", header), ("outer", outer)] {
            let problem = assert_malformed(what, &client.send(&url, body).await.unwrap());
            assert!(problem.detail.contains("deep"), "{what}: {problem:?}");
        }
    }
    for open in ["[", "{\"a\":", "[[{\"a\":"] {
        assert_malformed(open, &client.send(&url, open.repeat(8_000)).await.unwrap());
        let inside = base64url::encode(format!("{{\"x\":{}", open.repeat(5_000)).as_bytes());
        let body = format!("{{\"protected\":\"{inside}\",\"payload\":\"\",\"signature\":\"\"}}");
        assert_malformed(open, &client.send(&url, body).await.unwrap());
    }
    let forge = client.forge(&url, payload(MAX_JSON_DEPTH - 1)).await.unwrap();
    assert_eq!(client.send(&url, forge.body().unwrap()).await.unwrap().status, 201);
}

#[tokio::test(flavor = "multi_thread")]
async fn header_floods_are_refused() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = world.authority.directory_url.clone();
    let get = |fields: &str| format!("GET /directory HTTP/1.1\r\nHost: x\r\nConnection: close\r\n{fields}\r\n");
    let many = "X: y\r\n".repeat(limits::MAX_HEADER_FIELDS);
    let long = format!("X: {}\r\n", "y".repeat(limits::MAX_HEADER));
    let name = format!("{}: y\r\n", "X".repeat(limits::MAX_HEADER));
    for fields in [many, long, name] {
        let answer = client.http().write_raw(&url, get(&fields).as_bytes()).await.unwrap();
        assert!(answer.starts_with(b"HTTP/1.1 431 "), "{}", String::from_utf8_lossy(&answer));
    }
    let path = format!("GET /{} HTTP/1.1\r\n", "x".repeat(limits::MAX_HEADER));
    let answer = client.http().write_raw(&url, path.as_bytes()).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 4"), "{}", String::from_utf8_lossy(&answer));
    let few = "X: y\r\n".repeat(limits::MAX_HEADER_FIELDS - 4);
    let answer = client.http().write_raw(&url, get(&few).as_bytes()).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));

    // Without end: cut off after a little more than the limit, and what buffers hold.
    let mut stream = world.tls(VERSIONS, &[b"http/1.1"]).await.unwrap();
    stream.write_all(b"GET /directory HTTP/1.1\r\nX: ").await.unwrap();
    let sent = write_until_refused(&mut stream, &[b'y'; 4096], 64 * 1024 * 1024).await;
    assert!(sent < 16 * 1024 * 1024, "{sent}");
    healthy(&world).await;
}

/// Whether a GOAWAY frame with an error is in the octets that a server sent.
fn has_goaway(octets: &[u8]) -> bool {
    let mut rest = octets;
    while let [a, b, c, kind, _, _, _, _, _, tail @ ..] = rest {
        let length = usize::try_from(u32::from_be_bytes([0, *a, *b, *c])).unwrap();
        let Some((payload, next)) = tail.split_at_checked(length) else { return false };
        if *kind == GOAWAY {
            // The last stream, then the error code.
            return payload.get(4..8).is_some_and(|code| code != [0; 4]);
        }
        rest = next;
    }
    false
}

/// Floods of HTTP/2: streams opened and reset (CVE-2023-44487), headers without end (CVE-2024-27316).
#[tokio::test(flavor = "multi_thread")]
async fn http_2_floods_end_their_connection() {
    let world = World::new().await;
    let start = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();

    // An honest request is answered.
    let mut stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    stream.write_all(&[&*start, &frame(HEADERS, END_STREAM | END_HEADERS, 1, GET)].concat()).await.unwrap();
    let mut seen = Vec::new();
    while !seen.windows(9).any(|window| window[3] == HEADERS && window[5..9] == [0, 0, 0, 1]) {
        assert_ne!(stream.read_buf(&mut seen).await.unwrap(), 0, "{seen:?}");
    }

    let mut stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    stream.write_all(&start).await.unwrap();
    let mut resets = Vec::new();
    for number in 0..20_000 {
        let id = 2 * number + 1;
        resets.extend(frame(HEADERS, END_STREAM | END_HEADERS, id, GET));
        resets.extend(frame(RST_STREAM, 0, id, &[0, 0, 0, 8]));
    }
    assert!(has_goaway(&write_and_read(stream, &resets).await), "rapid reset");

    let mut stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    stream.write_all(&[&*start, &frame(HEADERS, END_STREAM, 1, GET)].concat()).await.unwrap();
    let mut more = Vec::new();
    for _ in 0..20_000 {
        // A literal field, not indexed: x = 100 times y.
        let field = [&[0x00, 1, b'x', 100][..], &[b'y'; 100]].concat();
        more.extend(frame(CONTINUATION, 0, 1, &field));
    }
    assert!(has_goaway(&write_and_read(stream, &more).await), "headers without end");
    healthy(&world).await;
}

/// Who connects and says nothing, at any point, loses the connection.
#[tokio::test]
async fn silent_clients_lose_their_connection() {
    let world = World::new().await;
    let publications = world.authority.pki_url.strip_prefix("http://").unwrap();
    let preface = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    let head = b"POST /acme/new-order HTTP/1.1\r\nHost: x\r\n".as_slice();
    let whole = b"GET /directory HTTP/1.1\r\nHost: x\r\n\r\n".as_slice();
    for (what, protocol, octets) in [
        ("after the handshake, HTTP/1.1", Some(b"http/1.1".as_slice()), b"".as_slice()),
        ("after the handshake, HTTP/2", Some(b"h2"), b""),
        ("after the handshake, without ALPN", None, b""),
        ("within the method", Some(b"http/1.1"), b"P"),
        ("within the preface", Some(b"h2"), b"PRI * HT"),
        ("within the header", Some(b"http/1.1"), head),
        ("between requests", Some(b"http/1.1"), whole),
        ("after the preface, without answering pings", Some(b"h2"), &preface),
    ] {
        let protocols: Vec<&[u8]> = protocol.into_iter().collect();
        let mut stream = world.tls(VERSIONS, &protocols).await.unwrap();
        stream.write_all(octets).await.unwrap();
        tokio::time::pause();
        let waited = until_closed(&mut stream).await;
        assert!(waited <= limits::SILENCE + LEEWAY, "{what}: {waited:?}");
        tokio::time::resume();
    }
    let mut tcp = world.tcp().await.unwrap();
    tokio::time::pause();
    let waited = until_closed(&mut tcp).await;
    assert!(waited <= limits::HANDSHAKE_TIMEOUT + LEEWAY, "before the handshake: {waited:?}");
    tokio::time::resume();
    for octets in [b"".as_slice(), b"GET /root.pem HTTP/1.1\r\nHos"] {
        let mut tcp = tokio::net::TcpStream::connect(publications).await.unwrap();
        tcp.write_all(octets).await.unwrap();
        tokio::time::pause();
        let waited = until_closed(&mut tcp).await;
        assert!(waited <= limits::SILENCE + LEEWAY, "publications: {waited:?}");
        tokio::time::resume();
    }
    healthy(&world).await;
}

/// Who sends an octet a second is not given more time than who sends none.
#[tokio::test]
async fn slow_headers_lose_their_connection() {
    let world = World::new().await;
    let mut stream = world.tls(VERSIONS, &[b"http/1.1"]).await.unwrap();
    stream.write_all(b"GET /directory HTTP/1.1\r\nHost: x\r\nX: ").await.unwrap();
    let (waited, answer) = trickle(&mut stream).await;
    assert!(waited <= limits::HEADER_TIMEOUT + LEEWAY, "{waited:?}");
    assert!(waited + LEEWAY >= limits::HEADER_TIMEOUT, "honest slow lines have their time: {waited:?}");
    assert!(!answer.starts_with(b"HTTP/1.1 2"), "{}", String::from_utf8_lossy(&answer));
    healthy(&world).await;
}

#[tokio::test]
async fn slow_bodies_are_refused_in_time() {
    let world = World::new().await;
    let mut stream = world.tls(VERSIONS, &[b"http/1.1"]).await.unwrap();
    let head = "POST /acme/new-order HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\n\
                Content-Length: 60000\r\n\r\n{\"protected\":\"";
    stream.write_all(head.as_bytes()).await.unwrap();
    let (waited, answer) = trickle(&mut stream).await;
    assert!(waited <= limits::BODY_TIMEOUT + LEEWAY, "{waited:?}");
    assert!(waited + LEEWAY >= limits::BODY_TIMEOUT, "honest slow lines have their time: {waited:?}");
    let answer = String::from_utf8_lossy(&answer).to_lowercase();
    assert!(answer.starts_with("http/1.1 408 ") && answer.contains("replay-nonce: "), "{answer}");
    healthy(&world).await;
}

/// Who asks and asks, and never reads the answers, loses the connection as well.
#[tokio::test]
async fn answers_that_nobody_takes_are_not_kept_for_ever() {
    let world = World::new().await;
    let mut stream = world.tls(VERSIONS, &[b"http/1.1"]).await.unwrap();
    let requests = b"GET /directory HTTP/1.1\r\nHost: x\r\n\r\n".repeat(1_000);
    tokio::time::pause();
    let started = Instant::now();
    // As many as the kernel's buffers hold on both sides; from then on nothing moves, and the paused clock runs.
    let refused = write_until_refused(&mut stream, &requests, usize::MAX);
    assert!(tokio::time::timeout(10 * limits::SILENCE, refused).await.is_ok(), "the connection stays open");
    assert!(started.elapsed() <= limits::SILENCE + LEEWAY, "{:?}", started.elapsed());
    tokio::time::resume();
    healthy(&world).await;
}

/// Reads until the server closes the connection, on the paused clock; gives how long that took.
async fn until_closed(stream: &mut (impl AsyncRead + Unpin)) -> Duration {
    let started = Instant::now();
    let mut answer = Vec::new();
    match tokio::time::timeout(10 * limits::HEADER_TIMEOUT, stream.read_to_end(&mut answer)).await {
        // A connection that is given up need not be closed in form.
        Ok(Ok(_) | Err(_)) => started.elapsed(),
        Err(_) => Duration::MAX,
    }
}

/// Sends an octet each second of the paused clock until the server answers or closes; gives how long that took, and the
/// answer.
async fn trickle<S: AsyncRead + AsyncWrite + Unpin>(stream: &mut S) -> (Duration, Vec<u8>) {
    tokio::time::pause();
    let started = Instant::now();
    let mut answer = Vec::new();
    for _ in 0..10 * limits::HEADER_TIMEOUT.as_secs() {
        if stream.write_all(b"x").await.is_err() {
            break;
        }
        let read = tokio::time::timeout(Duration::from_secs(1), stream.read_buf(&mut answer)).await;
        if let Ok(Ok(0) | Err(_)) = read {
            break;
        }
        if !answer.is_empty() {
            // Whatever else it says, and the end, come without waiting for us.
            let rest = tokio::time::timeout(Duration::from_secs(1), stream.read_to_end(&mut answer)).await;
            assert!(rest.is_ok(), "the connection stays open");
            break;
        }
    }
    let waited = started.elapsed();
    tokio::time::resume();
    (waited, answer)
}

/// Writes the same octets again and again until the server takes no more, and gives how many it took; `most` if it
/// would take everything.
async fn write_until_refused(stream: &mut (impl AsyncWrite + Unpin), octets: &[u8], most: usize) -> usize {
    let mut sent = 0;
    while sent < most {
        if stream.write_all(octets).await.is_err() {
            return sent;
        }
        sent += octets.len();
    }
    sent
}

/// Writes as much as is taken, and reads what the server says meanwhile and until it closes.
async fn write_and_read(stream: impl AsyncRead + AsyncWrite, octets: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let mut answer = Vec::new();
    let (written, read) = tokio::join!(writer.write_all(octets), reader.read_to_end(&mut answer));
    // Either may fail when the server gives the connection up; what it said is what counts.
    drop((written, read));
    answer
}

/// Others are answered as ever.
pub(crate) async fn healthy(world: &World) {
    world.client().await.new_order(&["a.localhost"]).await.unwrap();
}
