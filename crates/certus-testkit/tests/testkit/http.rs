//! The client hides nothing, and targets answer what they were told.

use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use certus_testkit::{Http01Target, RawHttp, ReadyFile, Reply, wait_for_ready_file};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

#[tokio::test]
async fn a_target_serves_tokens_until_told_otherwise() {
    let target = Http01Target::bind(0).await.unwrap();
    let http = RawHttp::plain().unwrap();
    let url = format!("http://{}/.well-known/acme-challenge/abc", target.address());
    assert_eq!(http.get(&url).await.unwrap().status, 404);
    target.serve("abc", "abc.def");
    let answer = http.send("GET", &url, &[("user-agent", "x"), ("host", "site.example")], "").await.unwrap();
    assert_eq!((answer.status, answer.text().as_str()), (200, "abc.def"));
    target.answer_token("abc", Reply::redirect(307, "http://b.example/"));
    target.serve("abc", "abc.def");
    let answer = http.get(&url).await.unwrap();
    assert_eq!((answer.status, answer.location()), (307, Some("http://b.example/")));
    target.forget("abc");
    assert_eq!(http.get(&url).await.unwrap().status, 404);
    let seen = target.requests();
    let hosts: Vec<&str> = seen.iter().map(|request| request.host.as_str()).collect();
    let own = target.address().to_string();
    assert_eq!(hosts, [own.as_str(), "site.example", &own, &own]);
    assert!(seen.iter().all(|request| request.method == "GET" && request.path == "/.well-known/acme-challenge/abc"));
    // One connection did for all of it.
    assert_eq!(http.connections_opened(), 1);
}

#[tokio::test]
async fn a_connection_that_the_server_closed_is_replaced() {
    let http = RawHttp::plain().unwrap();
    let first = Http01Target::bind(0).await.unwrap();
    let (url, port) = (format!("http://{}/", first.address()), first.port());
    assert_eq!(http.get(&url).await.unwrap().status, 404);
    drop(first);
    // The listener's own socket is gone with its task; until then the port is taken.
    let second = loop {
        match Http01Target::bind(port).await {
            Ok(target) => break target,
            Err(_) => tokio::task::yield_now().await,
        }
    };
    second.answer("/", Reply::new(200, "second"));
    assert_eq!(http.get(&url).await.unwrap().text(), "second");
}

#[tokio::test]
async fn octets_go_out_as_they_are() {
    let target = Http01Target::bind(0).await.unwrap();
    let http = RawHttp::plain().unwrap();
    let url = format!("http://{}/", target.address());
    let answer = http.write_raw(&url, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 404 "), "{answer:?}");
    let answer = http.write_raw(&url, b"no HTTP at all\r\n\r\n").await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 400 "), "{answer:?}");
    assert!(http.get("ftp://a.example/").await.is_err());
}

/// A certificate for localhost that is its own root, as OpenSSL makes it: PEM of certificate and key.
fn own_root(name: &str) -> (String, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = |file: &str| directory.path().join(file).into_os_string().into_string().unwrap();
    let (subject, key, certificate) = (format!("/CN={name}"), path("key.pem"), path("certificate.pem"));
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", &subject, "-keyout", &key, "-out", &certificate])
        .args(["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"])
        .output()
        .unwrap();
    assert!(made.status.success(), "{made:?}");
    (std::fs::read_to_string(certificate).unwrap(), std::fs::read_to_string(key).unwrap())
}

/// A TLS server for one connection; gives what it read up to the first blank line.
async fn tls_server(certificate: &str, key: &str) -> (String, JoinHandle<String>) {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(
            vec![CertificateDer::from_pem_slice(certificate.as_bytes()).unwrap()],
            PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap(),
        )
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let served = async move {
        let (stream, _) = listener.accept().await.unwrap();
        let Ok(mut tls) = tokio_rustls::TlsAcceptor::from(Arc::new(config)).accept(stream).await else {
            return String::new();
        };
        let mut request = Vec::new();
        while !request.ends_with(b"\r\n\r\n") {
            request.push(tls.read_u8().await.unwrap());
        }
        tls.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n").await.unwrap();
        tls.flush().await.unwrap();
        String::from_utf8(request).unwrap()
    };
    (url, tokio_util::task::TaskTracker::new().spawn(served))
}

#[tokio::test]
async fn only_the_given_root_is_trusted() {
    let ((certificate, key), (stranger, _)) = (own_root("one"), own_root("two"));
    let (url, served) = tls_server(&certificate, &key).await;
    let refused = RawHttp::trusting(&stranger).unwrap().get(&url).await.unwrap_err();
    assert!(format!("{refused}").contains("UnknownIssuer"), "{refused}");
    assert_eq!(served.await.unwrap(), "");

    let (url, served) = tls_server(&certificate, &key).await;
    let port = url.trim_matches('/').rsplit(':').next().unwrap();
    let address = format!("127.0.0.1:{port}").parse().unwrap();
    let http = RawHttp::trusting(&certificate).unwrap().dialling(address);
    let answer = http.send("PATCH", "https://localhost/x?y", &[("a", "1"), ("a", "2")], "body").await.unwrap();
    assert_eq!(answer.status, 200);
    assert_eq!(
        served.await.unwrap(),
        "PATCH /x?y HTTP/1.1\r\nhost: localhost\r\na: 1\r\na: 2\r\ncontent-length: 4\r\n\r\n"
    );
    assert!(RawHttp::trusting("no PEM").is_err());
}

#[tokio::test]
async fn a_ready_file_is_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ready.json");
    let late = wait_for_ready_file(&path, Duration::from_millis(50)).await.unwrap_err();
    assert_eq!(late.kind(), std::io::ErrorKind::TimedOut);
    let waiting = wait_for_ready_file(&path, Duration::from_secs(30));
    let writing = async {
        let temporary = directory.path().join("ready.tmp");
        std::fs::write(&temporary, r#"{"directory_url":"https://a/directory","root_path":"/r.pem","pid":7}"#).unwrap();
        std::fs::rename(&temporary, &path).unwrap();
    };
    let (ready, ()) = tokio::join!(waiting, writing);
    let expected = ReadyFile { directory_url: "https://a/directory".into(), root_path: "/r.pem".into(), pid: 7 };
    assert_eq!(ready.unwrap(), expected);
    std::fs::write(&path, "{}").unwrap();
    let bad = wait_for_ready_file(&path, Duration::from_secs(30)).await.unwrap_err();
    assert_eq!(bad.kind(), std::io::ErrorKind::InvalidData);
}
