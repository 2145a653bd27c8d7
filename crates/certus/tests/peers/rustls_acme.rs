//! A server of rustls-acme gets its certificate from `certus ca serve` by tls-alpn-01, and serves it.

use std::sync::Arc;
use std::time::Duration;

use certus_testkit::postgres::PostgresServer;
use futures_util::StreamExt as _;
use rustls::{ClientConfig, RootCertStore, ServerConfig};
use rustls_acme::{AcmeConfig, EventOk, is_tls_alpn_challenge};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, ServerName};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::{LazyConfigAcceptor, TlsConnector};

use crate::authority::Authority;
use crate::clients::folder;

const NAME: &str = "rustls.peers.test";
const GREETING: &[u8] = b"hello";
/// How long it may take on a machine that is busy with other tests.
const PATIENCE: Duration = Duration::from_secs(120);

/// Answers the authority's handshakes with the first configuration, all others with the second and a greeting.
async fn serve(listener: TcpListener, challenge: Arc<ServerConfig>, site: Arc<ServerConfig>) {
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        // Whoever breaks off is not waited for: the next one may do better.
        let Ok(start) = LazyConfigAcceptor::new(rustls::server::Acceptor::default(), stream).await else { continue };
        let (settings, greeting) = match is_tls_alpn_challenge(&start.client_hello()) {
            true => (&challenge, &b""[..]),
            false => (&site, GREETING),
        };
        let Ok(mut stream) = start.into_stream(Arc::clone(settings)).await else { continue };
        if stream.write_all(greeting).await.is_ok() {
            drop(stream.shutdown().await);
        }
    }
}

async fn rustls_acme_is_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let authority = Authority::start(&folder(dir.path(), "authority"), store).await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(authority.root()).unwrap()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let trust = Arc::new(versions.with_root_certificates(roots).with_no_client_auth());

    let wish = AcmeConfig::new_with_client_config([NAME], Arc::clone(&trust)).contact(["mailto:admin@peers.test"]);
    let mut state = wish.directory(&authority.directory_url).state();
    let address = ("127.0.0.1", authority.tls_alpn_01_port);
    let listener = TcpListener::bind(address).await.unwrap();
    let mut server = JoinSet::new();
    server.spawn(serve(listener, state.challenge_rustls_config(), state.default_rustls_config()));
    let deployed = async {
        while let Some(event) = state.next().await {
            if matches!(event.unwrap(), EventOk::DeployedNewCert) {
                return;
            }
        }
    };
    tokio::time::timeout(PATIENCE, deployed).await.unwrap();

    let name = ServerName::try_from(NAME).unwrap();
    let stream = TcpStream::connect(address).await.unwrap();
    let mut stream = TlsConnector::from(trust).connect(name, stream).await.unwrap();
    let mut greeting = Vec::new();
    stream.read_to_end(&mut greeting).await.unwrap();
    assert_eq!(greeting, GREETING);
    server.shutdown().await;
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn rustls_acme_obtains_on_sqlite() {
    rustls_acme_is_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rustls_acme_obtains_on_postgres() {
    let server = PostgresServer::start().unwrap();
    rustls_acme_is_served(&server.create_database("peers").unwrap()).await;
}
