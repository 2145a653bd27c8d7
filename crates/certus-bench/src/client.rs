//! One client: an account, a connection it keeps, and flow after flow, or request after request.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, bail};
use bytes::Bytes;
use certus_acme::{
    Authorization, AuthorizationStatus, CertId, Challenge, ChallengeStatus, ChallengeType, Directory, Finalize, Jwk,
    KeyAuthorization, NewOrder, Order, OrderStatus, Protected, RawIdentifier, Token, sign,
};
use certus_pki::{CertificateChain, KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, csr};
use http::{HeaderMap, Method, Request, StatusCode};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::http1::SendRequest;
use hyper_util::rt::TokioIo;
use rustls_pki_types::ServerName;
use rustls_pki_types::pem::PemObject as _;
use tokio::net::TcpStream;

use crate::authority::Authority;
use crate::measure::{Measure, Single, Steps, What};
use crate::target::Target;

/// Certificate keys are made once and used in turn: making keys is not what is measured.
const KEYS: usize = 8;

/// An ACME client with an account.
#[derive(Debug)]
pub(crate) struct Client {
    sender: SendRequest<Full<Bytes>>,
    authority: String,
    directory: Directory,
    account: KeyPair,
    kid: String,
    jwk: Jwk,
    nonce: String,
    target: Arc<Target>,
    keys: Vec<KeyPair>,
    /// The order of the last flow.
    order_url: String,
    /// Where to ask when the certificate of the last flow is to be renewed.
    renewal_url: String,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Client {
    /// Connects and makes an account.
    pub(crate) async fn register(authority: &Authority, target: Arc<Target>) -> anyhow::Result<Self> {
        let (sender, host) = connect(authority).await?;
        let account = KeyPair::generate(KeyAlgorithm::EcP256)?;
        let mut keys = Vec::new();
        for _ in 0..KEYS {
            keys.push(KeyPair::generate(KeyAlgorithm::EcP256)?);
        }
        let mut client = Self {
            sender,
            authority: host,
            directory: Directory::default(),
            jwk: Jwk::from_public_key(account.public_key()),
            account,
            kid: String::new(),
            nonce: String::new(),
            target,
            keys,
            order_url: String::new(),
            renewal_url: String::new(),
        };
        let directory = client.send(Method::GET, &authority.directory_url, String::new()).await?;
        client.directory = serde_json::from_slice(&directory.body)?;
        let new_nonce = client.directory.new_nonce.clone();
        client.send(Method::HEAD, &new_nonce, String::new()).await?;
        let url = client.directory.new_account.clone();
        let answer = client.post(&url, b"{}").await?;
        let location = answer.headers.get(http::header::LOCATION).context("newAccount gave no Location")?;
        client.kid = location.to_str()?.to_owned();
        Ok(client)
    }

    /// Sees that there is what will be asked for.
    pub(crate) async fn prepare(&mut self, measure: Measure) -> anyhow::Result<()> {
        match measure.what() {
            What::Flows(_) | What::Requests(Single::NewNonce | Single::NewAccount) => Ok(()),
            What::Requests(Single::Order | Single::RenewalInfo) => self.flow(ChallengeType::Http01).await.map(drop),
        }
    }

    /// Runs flows, or sends requests, until the deadline has passed.
    pub(crate) async fn run_until(mut self, measure: Measure, deadline: Instant) -> anyhow::Result<Vec<Steps>> {
        let mut done = Vec::new();
        while Instant::now() < deadline {
            done.push(match measure.what() {
                What::Flows(method) => self.flow(method).await?,
                What::Requests(request) => self.request(request).await?,
            });
        }
        Ok(done)
    }

    async fn request(&mut self, request: Single) -> anyhow::Result<Steps> {
        let signed = |key: &KeyPair, kid, url: &str, payload: &[u8]| {
            sign(key, &Protected { kid, nonce: Some(&self.nonce), url }, payload)
        };
        let (method, url, body) = match request {
            Single::NewNonce => (Method::HEAD, self.directory.new_nonce.clone(), String::new()),
            Single::NewAccount => {
                let (key, url) = (KeyPair::generate(KeyAlgorithm::EcP256)?, self.directory.new_account.clone());
                let body = signed(&key, None, &url, b"{}")?;
                (Method::POST, url, body)
            }
            Single::Order => {
                let url = self.order_url.clone();
                let body = signed(&self.account, Some(&self.kid), &url, b"")?;
                (Method::POST, url, body)
            }
            Single::RenewalInfo => (Method::GET, self.renewal_url.clone(), String::new()),
        };
        let started = Instant::now();
        let answer = self.send(method, &url, body).await?;
        anyhow::ensure!(answer.status.is_success(), "{url} answered {}", answer.status);
        Ok(Steps { taken: vec![started.elapsed()], polls: 0 })
    }

    async fn flow(&mut self, method: ChallengeType) -> anyhow::Result<Steps> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        // What stands for the machine itself has no records.
        let name = match method {
            ChallengeType::Http01 | ChallengeType::TlsAlpn01 => format!("host{number}.load.localhost"),
            ChallengeType::Dns01 => format!("host{number}.load.test"),
        };
        let kept = self.keys.get(usize::try_from(number)? % KEYS).context("no keys")?;
        let key = KeyPair::from_pkcs8(&kept.to_pkcs8())?;
        let request = csr(&[&name], &key, &CsrOptions::default())?;
        let identifiers = vec![RawIdentifier { kind: "dns".to_owned(), value: name.clone() }];
        let wish = serde_json::to_vec(&NewOrder { identifiers, ..NewOrder::default() })?;
        let mut steps = Steps::default();

        let started = Instant::now();
        let url = self.directory.new_order.clone();
        let answer = self.post(&url, &wish).await?;
        let order_url = answer.headers.get(http::header::LOCATION).context("no Location")?.to_str()?.to_owned();
        let order: Order = serde_json::from_slice(&answer.body)?;
        steps.taken.push(started.elapsed());

        let started = Instant::now();
        let authorization_url = order.authorizations.first().context("no authorization")?;
        let authorization: Authorization = serde_json::from_slice(&self.post(authorization_url, b"").await?.body)?;
        let challenge = of_method(&authorization, method)?;
        steps.taken.push(started.elapsed());

        let token = Token::parse(&challenge.token)?;
        let expected = KeyAuthorization::new(&token, &self.jwk.thumbprint()).as_str().to_owned();
        self.target.put_up(method, &name, token.as_str(), expected)?;
        let started = Instant::now();
        let answer = self.post(&challenge.url, b"{}").await?;
        let mut status = serde_json::from_slice::<Challenge>(&answer.body)?.status;
        while status == ChallengeStatus::Processing {
            steps.polls += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            let polled: Authorization = serde_json::from_slice(&self.post(authorization_url, b"").await?.body)?;
            if polled.status != AuthorizationStatus::Pending {
                status = of_method(&polled, method)?.status;
            }
        }
        anyhow::ensure!(status == ChallengeStatus::Valid, "the challenge is {status}");
        steps.taken.push(started.elapsed());
        self.target.take_down(method, &name, token.as_str());

        let started = Instant::now();
        let answer = self.post(&order.finalize, &serde_json::to_vec(&Finalize::new(&request))?).await?;
        let mut order: Order = serde_json::from_slice(&answer.body)?;
        while order.status == OrderStatus::Processing {
            steps.polls += 1;
            tokio::time::sleep(Duration::from_millis(100)).await;
            order = serde_json::from_slice(&self.post(&order_url, b"").await?.body)?;
        }
        steps.taken.push(started.elapsed());

        let started = Instant::now();
        let url = order.certificate.with_context(|| format!("the order is {}", order.status))?;
        let chain = self.post(&url, b"").await?.body;
        anyhow::ensure!(chain.starts_with(b"-----BEGIN CERTIFICATE-----"), "no certificate came");
        steps.taken.push(started.elapsed());
        self.order_url = order_url;
        if self.renewal_url.is_empty()
            && let Some(renewal_info) = &self.directory.renewal_info
        {
            let chain = CertificateChain::from_pem(std::str::from_utf8(&chain)?)?;
            let certificate = chain.certificates().first().context("no certificate came")?;
            self.renewal_url = format!("{renewal_info}/{}", CertId::of(certificate)?);
        }
        Ok(steps)
    }

    async fn post(&mut self, url: &str, payload: &[u8]) -> anyhow::Result<Answer> {
        let kid = Some(self.kid.as_str()).filter(|kid| !kid.is_empty());
        let body = sign(&self.account, &Protected { kid, nonce: Some(&self.nonce), url }, payload)?;
        let answer = self.send(Method::POST, url, body).await?;
        if !answer.status.is_success() {
            bail!("{url} answered {}: {}", answer.status, String::from_utf8_lossy(&answer.body));
        }
        Ok(answer)
    }

    async fn send(&mut self, method: Method, url: &str, body: String) -> anyhow::Result<Answer> {
        let path = url.strip_prefix(&format!("https://{}", self.authority)).context("a URL of another host")?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(http::header::HOST, &self.authority)
            .header(http::header::CONTENT_TYPE, "application/jose+json")
            .body(Full::new(Bytes::from(body)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        if let Some(nonce) = head.headers.get("replay-nonce") {
            self.nonce = nonce.to_str()?.to_owned();
        }
        Ok(Answer { status: head.status, headers: head.headers, body })
    }
}

/// The challenge of that method.
fn of_method(authorization: &Authorization, method: ChallengeType) -> anyhow::Result<&Challenge> {
    let found = authorization.challenges.iter().find(|challenge| challenge.challenge_type() == Some(method));
    found.with_context(|| format!("{method} is not offered"))
}

async fn connect(authority: &Authority) -> anyhow::Result<(SendRequest<Full<Bytes>>, String)> {
    let rest = authority.directory_url.strip_prefix("https://").context("the directory is not https")?;
    let host = rest.split('/').next().unwrap_or_default().to_owned();
    let (name, port) = host.rsplit_once(':').context("the directory URL has no port")?;
    let stream = TcpStream::connect(("127.0.0.1", port.parse::<u16>()?)).await?;
    stream.set_nodelay(true)?;
    let mut roots = rustls::RootCertStore::empty();
    roots.add(rustls_pki_types::CertificateDer::from_pem_slice(authority.root_pem.as_bytes())?)?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    let stream = connector.connect(ServerName::try_from(name.to_owned())?, stream).await?;
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    #[expect(clippy::disallowed_methods, reason = "the connection ends with its sender")]
    drop(tokio::spawn(connection));
    Ok((sender, host))
}
