//! What every section needs: an authority of its own on a clock that stands still, a target for http-01, and clients.
//!
//! Deliberately absent: anything that only one section needs.

use std::sync::Arc;

use certus_acme::{Problem, ProblemKind, RawIdentifier};
use certus_pki::{Clock, KeyAlgorithm, ManualClock, SystemClock};
use certus_testkit::{Answer, Http01Target, Setup, TestAuthority, TestClient};
use futures_util::future::join_all;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;

/// A running authority and the web server that it validates at. Every test has its own.
#[derive(Debug)]
pub(crate) struct World {
    pub(crate) authority: TestAuthority,
    pub(crate) target: Http01Target,
    /// The authority's present: the machine's time at the start, and from then on what a test makes of it.
    pub(crate) clock: ManualClock,
    dir: TempDir,
}

impl World {
    /// The usual authority.
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// An authority that is set up otherwise than usual.
    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let target = Http01Target::bind(0).await.unwrap();
        Self::start(tempfile::tempdir().unwrap(), target, ManualClock::new(SystemClock.now()), change).await
    }

    /// Ends the authority in good order and starts it again with what it remembers, at other ports.
    pub(crate) async fn restarted(self) -> Self {
        self.restarted_with(|_| {}).await
    }

    /// The same, set up otherwise than before.
    pub(crate) async fn restarted_with(self, change: impl FnOnce(&mut Setup)) -> Self {
        let Self { authority, target, clock, dir } = self;
        let hierarchy = authority.hierarchy.clone();
        authority.stop().await;
        let change = |setup: &mut Setup| {
            setup.hierarchy = Some(hierarchy);
            change(setup);
        };
        Self::start(dir, target, clock, change).await
    }

    async fn start(dir: TempDir, target: Http01Target, clock: ManualClock, change: impl FnOnce(&mut Setup)) -> Self {
        let url = format!("sqlite:{}/store.sqlite", dir.path().display()).parse().unwrap();
        let store = certus_store::connect(&url).await.unwrap();
        let mut setup = Setup { clock: Arc::new(clock.clone()), ..Setup::new(store, &target) };
        change(&mut setup);
        let authority = TestAuthority::start(setup).await.unwrap();
        Self { authority, target, clock, dir }
    }

    /// A client without an account: it signs with `jwk`.
    pub(crate) async fn stranger(&self) -> TestClient {
        self.stranger_with(KeyAlgorithm::EcP256).await
    }

    /// [`Self::stranger`] with a key of that kind.
    pub(crate) async fn stranger_with(&self, algorithm: KeyAlgorithm) -> TestClient {
        TestClient::connect(&self.authority.directory_url, &self.authority.root_pem, algorithm).await.unwrap()
    }

    /// A client with an account: it signs with `kid`.
    pub(crate) async fn client(&self) -> TestClient {
        let client = self.stranger().await;
        client.new_account().await.unwrap();
        client
    }

    /// A TLS connection to the authority with these versions and protocols, to write to and read from as one likes.
    pub(crate) async fn tls(
        &self,
        versions: &[&'static rustls::SupportedProtocolVersion],
        protocols: &[&[u8]],
    ) -> std::io::Result<TlsStream<TcpStream>> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(self.authority.root_pem.as_bytes()).unwrap()).unwrap();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut config = rustls::ClientConfig::builder_with_provider(provider)
            .with_protocol_versions(versions)
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        let name = ServerName::try_from("localhost").unwrap();
        tokio_rustls::TlsConnector::from(Arc::new(config)).connect(name, self.tcp().await?).await
    }

    /// A TCP connection to the authority.
    pub(crate) async fn tcp(&self) -> std::io::Result<TcpStream> {
        TcpStream::connect(self.authority.external_url.strip_prefix("https://").unwrap()).await
    }

    /// The URL of a path of the authority.
    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.authority.external_url)
    }
}

/// Opens so many connections that so many requests can be sent at once. Without, each would come when its own handshake
/// is done, and the one before it might have been answered by then.
pub(crate) async fn connect(client: &TestClient, count: usize) {
    let (http, url) = (client.http(), &client.directory().new_nonce);
    http.forget_connections();
    let wanted = http.connections_opened() + u64::try_from(count).unwrap();
    // Again where one request was so quick that another came over its connection.
    while http.connections_opened() < wanted {
        let answers = join_all((0..count).map(|_| http.get(url))).await;
        assert!(answers.into_iter().all(|answer| answer.unwrap().status == 204));
    }
}

/// The identifier of a DNS name, as it stands in requests.
pub(crate) fn dns(name: &str) -> RawIdentifier {
    RawIdentifier { kind: "dns".to_owned(), value: name.to_owned() }
}

/// The payload of newOrder for DNS names.
pub(crate) fn order_for(names: &[&str]) -> Value {
    json!({ "identifiers": names.iter().copied().map(dns).collect::<Vec<_>>() })
}

/// Asserts that an answer is a refusal of that status and type, with everything that every refusal has, and gives its
/// problem document. `what` says in the failure's message what was asked.
#[track_caller]
pub(crate) fn assert_refused(what: &str, answer: &Answer, status: u16, kind: ProblemKind) -> Problem {
    let Some(problem) = answer.problem() else { panic!("{what}: no problem document: {answer:?}") };
    assert_eq!((answer.status, problem.kind), (status, kind), "{what}: {answer:?}");
    assert_eq!(problem.status, answer.status, "{what}: RFC 9457 section 3.1.2: {answer:?}");
    assert!(problem.detail.len() > 10, "{what}: a detail that a person can act on: {answer:?}");
    assert!(answer.header("x-request-id").is_some(), "{what}: a request id: {answer:?}");
    problem
}

/// [`assert_refused`] for `malformed` with its usual status.
#[track_caller]
pub(crate) fn assert_malformed(what: &str, answer: &Answer) -> Problem {
    assert_refused(what, answer, 400, ProblemKind::Malformed)
}

/// One of each resource of an account, by its URL.
#[derive(Debug)]
pub(crate) struct Resources {
    pub(crate) account: String,
    pub(crate) orders: String,
    pub(crate) order: String,
    pub(crate) finalize: String,
    pub(crate) authorization: String,
    pub(crate) challenge: String,
    pub(crate) certificate: String,
}

impl Resources {
    /// Obtains a certificate, so that there is one of each.
    pub(crate) async fn of(world: &World, client: &TestClient) -> Self {
        let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
        let order = issued.order;
        let authorization = order.value.authorizations.first().unwrap().clone();
        let challenge = client.authorization(&authorization).await.unwrap().value.challenges.remove(0).url;
        let account = client.account_url().unwrap();
        Self {
            orders: format!("{account}/orders"),
            account,
            order: order.url,
            finalize: order.value.finalize,
            authorization,
            challenge,
            certificate: order.value.certificate.unwrap(),
        }
    }

    /// Everything that a POST-as-GET reads.
    pub(crate) fn readable(&self) -> [&str; 6] {
        [&self.account, &self.orders, &self.order, &self.authorization, &self.challenge, &self.certificate]
    }
}
