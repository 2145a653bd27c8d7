//! A server that says what a test has written down, one answer to each request, whatever was asked.

use std::collections::VecDeque;
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

use certus_agent::Link;
use rustls::ServerConfig;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::world::self_signed;

/// What is done with a request.
#[derive(Debug, Clone)]
pub(crate) enum Said {
    /// Status line and header fields, and the body; `BASE` stands for the server's own URL.
    Answer(&'static str, &'static str),
    /// The connection is cut.
    Nothing,
}

/// The server. It ends with the runtime of its test.
pub(crate) struct Scripted {
    pub(crate) base: String,
    pub(crate) root_pem: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    #[expect(clippy::disallowed_methods, reason = "it lives as long as the runtime of its test")]
    pub(crate) async fn start(dir: &Path, script: Vec<Said>) -> Self {
        let (certificate, key) = self_signed(dir);
        let root_pem = fs::read_to_string(certificate).unwrap();
        let chain = CertificateDer::pem_slice_iter(root_pem.as_bytes()).map(Result::unwrap).collect();
        let key = PrivateKeyDer::from_pem_file(key).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
        let config = config.with_no_client_auth().with_single_cert(chain, key).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let base = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let (asked, said) = (Arc::default(), Arc::new(Mutex::new(VecDeque::from(script))));
        let server = Self { base: base.clone(), root_pem, asked: Arc::clone(&asked) };
        let _serving = tokio::spawn(async move {
            loop {
                let (stream, _) = listener.accept().await.unwrap();
                let (acceptor, asked, said, base) =
                    (acceptor.clone(), Arc::clone(&asked), Arc::clone(&said), base.clone());
                let _connection = tokio::spawn(async move {
                    let Ok(mut stream) = acceptor.accept(stream).await else { return };
                    let mut request = Vec::new();
                    let mut buffer = [0; 4096];
                    while !whole(&request) {
                        match stream.read(&mut buffer).await {
                            Ok(length @ 1..) => request.extend_from_slice(&buffer[..length]),
                            Ok(_) | Err(_) => return,
                        }
                    }
                    let line = String::from_utf8_lossy(&request).lines().next().unwrap_or_default().to_owned();
                    asked.lock().unwrap().push(line.trim_end_matches(" HTTP/1.1").to_owned());
                    let next = said.lock().unwrap().pop_front();
                    if let Some(Said::Answer(head, body)) = next {
                        let (head, body) = (head.replace("BASE", &base), body.replace("BASE", &base));
                        let length = body.len();
                        let answer =
                            format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
                        stream.write_all(answer.as_bytes()).await.unwrap();
                        // Who is answered may have gone.
                        drop(stream.shutdown().await);
                    }
                });
            }
        });
        server
    }

    pub(crate) fn link(&self, path: &str) -> Link {
        Link::parse(&format!("{}{path}", self.base)).unwrap()
    }

    /// The first lines of the requests so far.
    pub(crate) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

/// Whether a request has come with its body.
fn whole(request: &[u8]) -> bool {
    let text = String::from_utf8_lossy(request);
    let Some((head, body)) = text.split_once("\r\n\r\n") else { return false };
    let length = head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    body.len() >= length.unwrap_or(0)
}
