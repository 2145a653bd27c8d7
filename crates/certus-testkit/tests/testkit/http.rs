//! The client hides nothing, and targets answer what they were told.

use std::sync::Arc;
use std::time::Duration;

use certus_pki::{CaSubject, Clock as _, KeyAlgorithm, KeyPair, SignError, SignatureAlgorithm, SignatureEncoding};
use certus_testkit::{Http01Target, RawHttp, ReadyFile, Reply, wait_for_ready_file};
use rustls_pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

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

#[derive(Debug)]
struct Signer(KeyPair);

#[async_trait::async_trait]
impl certus_pki::Signer for Signer {
    fn public_key(&self) -> &certus_pki::PublicKey {
        self.0.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Ok(self.0.sign(algorithm, SignatureEncoding::Der, message).unwrap())
    }
}

/// A TLS server that is its own root, for one connection; says what it read before the first blank line.
async fn tls_server() -> (String, String, tokio::task::JoinHandle<String>) {
    let signer = Signer(KeyPair::generate(KeyAlgorithm::EcP256).unwrap());
    let subject = CaSubject { common_name: "Test".into(), organization: None };
    let now = certus_pki::SystemClock.now();
    let root = certus_pki::create_root(&subject, &signer, Duration::from_secs(86_400), now).await.unwrap();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(signer.0.to_pkcs8().to_vec()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![root.der().to_vec().into()], key)
        .unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("https://localhost:{}/", listener.local_addr().unwrap().port());
    let served = tokio::task::spawn(async move {
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
    });
    (url, root.pem(), served)
}

#[tokio::test]
async fn only_the_given_root_is_trusted() {
    // A root is no server's certificate, so even its own name is refused; what counts here is who signed.
    let (url, _, served) = tls_server().await;
    let (_, other_root, _other) = tls_server().await;
    let refused = RawHttp::trusting(&other_root).unwrap().get(&url).await.unwrap_err();
    assert!(format!("{refused}").contains("UnknownIssuer"), "{refused}");
    assert_eq!(served.await.unwrap(), "");
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
