//! More requests at once than are answered: the surplus is told to come again, others are answered meanwhile.

use std::net::SocketAddr;
use std::sync::Arc;

use certus_acme::ProblemKind;
use certus_http::limits;
use certus_testkit::TestClient;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};
use tokio_rustls::client::TlsStream;

use crate::common::{World, assert_refused};
use crate::frames::{END_HEADERS, HEADERS, PREFACE, SETTINGS, frame, post};
use crate::limits::VERSIONS;

/// A connection with as many requests as it may have, none of which ends.
async fn endless(world: &World) -> TlsStream<TcpStream> {
    let mut stream = world.tls(VERSIONS, &[b"h2"]).await.unwrap();
    let mut octets = [PREFACE, &frame(SETTINGS, 0, 0, &[])].concat();
    for number in 0..limits::MAX_STREAMS {
        octets.extend(frame(HEADERS, END_HEADERS, 2 * number + 1, &post("/acme/new-order")));
    }
    stream.write_all(&octets).await.unwrap();
    stream
}

/// One source has its share of the requests in flight. What is past it is refused, as everything is: with a problem
/// document, a nonce and the time to come again.
#[tokio::test(flavor = "multi_thread")]
async fn too_many_requests_at_once_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let streams = usize::try_from(limits::MAX_STREAMS).unwrap();
    let mut open = Vec::new();
    for _ in 0..limits::MAX_REQUESTS_PER_SOURCE / streams {
        open.push(endless(&world).await);
    }
    // Until the last of them has arrived; one that arrives beside this request may find no place.
    let refused = loop {
        let answer = client.send(&url, "{}").await.unwrap();
        if answer.status == 503 {
            break answer;
        }
        open.push(endless(&world).await);
    };
    let problem = assert_refused("one more", &refused, 503, ProblemKind::RateLimited);
    assert!(problem.detail.contains("again"), "{problem:?}");
    assert!(refused.retry_after().is_some_and(|wait| !wait.is_zero()), "{refused:?}");
    assert!(refused.nonce().is_some(), "{refused:?}");
    assert_eq!(refused.links("index"), [world.authority.directory_url.as_str()]);

    // Another source is answered.
    assert!(directory_from(&world, "127.0.0.2").await.starts_with("HTTP/1.1 200 "));
    let from_here = directory_from(&world, "127.0.0.1").await;
    assert!(from_here.starts_with("HTTP/1.1 503 "), "{from_here}");

    // Once they end, so is this one, with the nonce that the refusal brought.
    drop(open);
    let again = answered(&client, refused.nonce().unwrap()).await;
    assert_eq!(again, 201);
}

/// Orders until that is answered; the status.
async fn answered(client: &TestClient, nonce: &str) -> u16 {
    let url = &client.directory().new_order;
    let order = crate::common::order_for(&["a.localhost"]).to_string();
    loop {
        let forge = client.forge(url, order.clone()).await;
        // The directory and new nonces are refused as well meanwhile.
        let Ok(forge) = forge else { continue };
        let answer = client.send(url, forge.nonce(nonce).body().unwrap()).await.unwrap();
        if answer.status != 503 {
            return answer.status;
        }
    }
}

/// What a client at that address is answered when it asks for the directory.
async fn directory_from(world: &World, address: &str) -> String {
    answer_to(world, address, b"GET /directory HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await
}

/// What a client at that address is answered; its request ends the connection.
pub(crate) async fn answer_to(world: &World, address: &str, request: &[u8]) -> String {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind(SocketAddr::new(address.parse().unwrap(), 0)).unwrap();
    let port = world.authority.external_url.rsplit(':').next().unwrap().parse().unwrap();
    let tcp = socket.connect(SocketAddr::from(([127, 0, 0, 1], port))).await.unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(world.authority.root_pem.as_bytes()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider).with_protocol_versions(VERSIONS).unwrap();
    let config = config.with_root_certificates(roots).with_no_client_auth();
    let name = ServerName::try_from("localhost").unwrap();
    let mut stream = tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    String::from_utf8(answer).unwrap()
}
