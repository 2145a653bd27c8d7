//! One account at one authority: every call that an order needs, typed (RFC 8555 section 7).
//!
//! What passes by itself is waited for here, within limits: a nonce that is not good, an authority that is busy, a
//! connection that breaks. Asking twice does no harm: newAccount finds the account it made, an order that was made twice is
//! one order that nobody finalizes, and an order whose finalize was heard says so when it is read.
//!
//! Deliberately absent: what to do with an order ([`crate::flow`]).

mod error;
pub mod http;
mod retry_after;

use std::sync::Arc;
use std::time::Duration;

use ::http::Method;
use certus_acme::{
    Account, Authorization, Challenge, Directory, DirectoryMeta, Finalize, Jwk, KeyAuthorization, MacAlgorithm,
    NewAccount, NewOrder, Order, Problem, ProblemKind, Protected, Thumbprint, Token, authenticate, sign, strict_object,
};
use certus_pki::{Clock, KeyPair, MacKey};
use parking_lot::Mutex;
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;
use tokio::time::{Instant, sleep};

pub use self::error::ClientError;
pub use self::http::{Answer, Http, HttpError, Roots};
use crate::link::Link;

/// How often a request is signed anew because its nonce was not good: enough for an authority that refuses nine of ten.
const NONCE_TRIES: u32 = 50;
/// Nonces that are kept: more than are ever in use at once, and fewer than what grows without end.
const KEPT_NONCES: usize = 16;
/// The first wait after a failure that passes; each further one is twice as long.
const FIRST_WAIT: Duration = Duration::from_millis(500);
/// The longest of these waits.
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long one call goes on trying. What takes longer is for another day, which [`ClientError::retry_after`] may name.
const PATIENCE: Duration = Duration::from_secs(90);

/// What is at a URL, where it is, and when to look again.
#[derive(Debug, Clone)]
pub struct Resource<T> {
    /// Where it is: the Location header field, or else the URL that was asked.
    pub url: Link,
    /// The object.
    pub value: T,
    /// When the authority wants to be asked again.
    pub retry_after: Option<Duration>,
}

/// The directory of an authority, its URLs checked.
#[derive(Debug, Clone)]
struct Resources {
    new_nonce: Link,
    new_account: Link,
    new_order: Link,
    meta: DirectoryMeta,
}

/// What binds a new account to one that its owner has with the authority by other means (RFC 8555 section 7.3.4).
#[derive(Debug, Clone)]
pub struct Binding {
    /// The key id that was handed out.
    pub kid: String,
    /// The MAC key that was handed out.
    pub key: MacKey,
    /// The algorithm that the authority wants: HS256 with most.
    pub algorithm: MacAlgorithm,
}

/// A client of one authority, with one key.
#[derive(Debug)]
pub struct Client {
    http: Http,
    host: String,
    resources: Resources,
    key: KeyPair,
    clock: Arc<dyn Clock>,
    account: Option<Link>,
    nonces: Mutex<Vec<String>>,
}

impl Client {
    /// Reads the directory at that URL.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is none.
    pub async fn connect(
        http: Http,
        directory: &Link,
        key: KeyPair,
        clock: Arc<dyn Clock>,
    ) -> Result<Self, ClientError> {
        let host = directory.host();
        let answer = patiently(&*clock, &host, || http.ask(Method::GET, directory)).await?;
        let found: Directory = object(directory, &answer)?;
        let resources = Resources {
            new_nonce: Link::parse(&found.new_nonce)?,
            new_account: Link::parse(&found.new_account)?,
            new_order: Link::parse(&found.new_order)?,
            meta: found.meta.unwrap_or_default(),
        };
        Ok(Self { http, host, resources, key, clock, account: None, nonces: Mutex::default() })
    }

    /// What the authority says of itself.
    #[must_use]
    pub fn meta(&self) -> &DirectoryMeta {
        &self.resources.meta
    }

    /// The authority's host.
    #[must_use]
    pub fn host(&self) -> &str {
        &self.host
    }

    /// The account that requests are made for.
    #[must_use]
    pub fn account(&self) -> Option<&Link> {
        self.account.as_ref()
    }

    /// Makes requests for that account from now on: it is the one of the key.
    pub fn set_account(&mut self, account: Option<Link>) {
        self.account = account;
    }

    /// The thumbprint of the account's key (RFC 8555 section 8.1).
    #[must_use]
    pub fn thumbprint(&self) -> Thumbprint {
        Jwk::from_public_key(self.key.public_key()).thumbprint()
    }

    /// What a challenge with this token asks for (RFC 8555 section 8.1).
    #[must_use]
    pub fn key_authorization(&self, token: &Token) -> KeyAuthorization {
        KeyAuthorization::new(token, &self.thumbprint())
    }

    /// The external account binding of this client's key.
    ///
    /// # Errors
    ///
    /// [`ClientError::Form`] if it cannot be written.
    pub fn bind(&self, binding: &Binding) -> Result<Box<RawValue>, ClientError> {
        let Binding { kid, key, algorithm } = binding;
        let url = self.resources.new_account.as_str();
        let header = serde_json::json!({ "alg": algorithm.name(), "kid": kid, "url": url }).to_string();
        let jwk = Jwk::from_public_key(self.key.public_key());
        let jws = authenticate(key, *algorithm, &header, jwk.canonical_json().as_bytes());
        RawValue::from_string(jws).map_err(|error| form(&self.resources.new_account, &error.to_string()))
    }

    /// Makes the account of the key, or finds it (RFC 8555 section 7.3), and makes requests for it from then on.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is no account.
    pub async fn new_account(&mut self, wish: &NewAccount) -> Result<Resource<Account>, ClientError> {
        self.account = None;
        let url = self.resources.new_account.clone();
        let answer = self.post(&url, wish).await?;
        if answer.header("location").is_none() {
            return Err(form(&url, "it does not say where the account is"));
        }
        let made = self.resource(&url, &answer)?;
        self.account = Some(made.url.clone());
        Ok(made)
    }

    /// Orders a certificate (RFC 8555 section 7.4).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is no order.
    pub async fn new_order(&self, wish: &NewOrder) -> Result<Resource<Order>, ClientError> {
        let url = &self.resources.new_order;
        let answer = self.post(url, wish).await?;
        if answer.header("location").is_none() {
            return Err(form(url, "it does not say where the order is"));
        }
        self.resource(url, &answer)
    }

    /// Reads an order.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when it is not there.
    pub async fn order(&self, url: &Link) -> Result<Resource<Order>, ClientError> {
        self.resource(url, &self.post_as_get(url).await?)
    }

    /// Reads an authorization (RFC 8555 section 7.5).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when it is not there.
    pub async fn authorization(&self, url: &Link) -> Result<Resource<Authorization>, ClientError> {
        self.resource(url, &self.post_as_get(url).await?)
    }

    /// Says that a challenge may be looked at (RFC 8555 section 7.5.1).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when that is refused.
    pub async fn respond(&self, url: &Link) -> Result<Resource<Challenge>, ClientError> {
        self.resource(url, &self.post_octets(url, b"{}").await?)
    }

    /// Asks for the certificate of an order (RFC 8555 section 7.4), with a request in DER.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when that is refused; `orderNotReady` also when it was asked for before.
    pub async fn finalize(&self, url: &Link, csr_der: &[u8]) -> Result<Resource<Order>, ClientError> {
        self.resource(url, &self.post(url, &Finalize::new(csr_der)).await?)
    }

    /// Fetches a chain in PEM (RFC 8555 section 7.4.2).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when it is not there, or is of another type.
    pub async fn certificate(&self, url: &Link) -> Result<String, ClientError> {
        let answer = self.post_as_get(url).await?;
        let kind = answer.header("content-type").unwrap_or_default();
        if kind.split(';').next().map(str::trim) != Some("application/pem-certificate-chain") {
            return Err(form(url, "it is no application/pem-certificate-chain"));
        }
        String::from_utf8(answer.body.to_vec()).map_err(|_error| form(url, "it is no text"))
    }

    async fn post_as_get(&self, url: &Link) -> Result<Answer, ClientError> {
        self.post_octets(url, b"").await
    }

    async fn post(&self, url: &Link, payload: &impl Serialize) -> Result<Answer, ClientError> {
        // Payloads are made of strings and lists.
        self.post_octets(url, &serde_json::to_vec(payload).unwrap_or_default()).await
    }

    /// Signs, posts, and does so again while that may help. An answer that is given back is of success.
    async fn post_octets(&self, url: &Link, payload: &[u8]) -> Result<Answer, ClientError> {
        let mut nonces_refused = 0;
        loop {
            let answer = patiently(&*self.clock, &self.host, || self.post_once(url, payload)).await;
            match answer {
                Err(error) if error.kind() == Some(ProblemKind::BadNonce) && nonces_refused < NONCE_TRIES => {
                    nonces_refused += 1;
                    // What is older comes from before whatever made the authority forget; the newest came with the refusal.
                    let mut nonces = self.nonces.lock();
                    let newest = nonces.pop();
                    nonces.clear();
                    nonces.extend(newest);
                }
                answer => return answer,
            }
        }
    }

    async fn post_once(&self, url: &Link, payload: &[u8]) -> Result<Answer, ClientError> {
        let nonce = self.nonce().await?;
        let kid = self.account.as_ref().map(Link::as_str);
        let header = Protected { kid, nonce: Some(&nonce), url: url.as_str() };
        let answer = self.http.post(url, sign(&self.key, &header, payload)?).await?;
        self.keep_nonce(&answer);
        Ok(answer)
    }

    /// A nonce that is used once (RFC 8555 section 7.2).
    async fn nonce(&self) -> Result<String, ClientError> {
        if let Some(nonce) = self.nonces.lock().pop() {
            return Ok(nonce);
        }
        let url = &self.resources.new_nonce;
        let answer = self.http.ask(Method::HEAD, url).await?;
        match nonce_of(&answer) {
            Some(nonce) => Ok(nonce.to_owned()),
            None if (200..300).contains(&answer.status) => Err(form(url, "there is no nonce")),
            None => Err(refusal(&self.host, &answer, &*self.clock)),
        }
    }

    fn keep_nonce(&self, answer: &Answer) {
        if let Some(nonce) = nonce_of(answer) {
            let mut nonces = self.nonces.lock();
            if nonces.len() >= KEPT_NONCES {
                nonces.remove(0);
            }
            nonces.push(nonce.to_owned());
        }
    }

    fn resource<T: DeserializeOwned>(&self, asked: &Link, answer: &Answer) -> Result<Resource<T>, ClientError> {
        let value = object(asked, answer)?;
        let url = match answer.header("location") {
            // A path alone is of the URL that was asked (RFC 9110 section 10.2.2).
            Some(location) => located(asked, location)?,
            None => asked.clone(),
        };
        Ok(Resource { url, value, retry_after: wait_of(answer, &*self.clock) })
    }
}

/// A Replay-Nonce that is one (RFC 8555 section 6.5.1): base64url, of any length a header has.
fn nonce_of(answer: &Answer) -> Option<&str> {
    let nonce = answer.header("replay-nonce")?;
    let alphabet = nonce.bytes().all(|octet| octet.is_ascii_alphanumeric() || octet == b'-' || octet == b'_');
    (alphabet && !nonce.is_empty()).then_some(nonce)
}

fn located(asked: &Link, location: &str) -> Result<Link, ClientError> {
    if location.starts_with('/')
        && let Ok(base) = url::Url::parse(asked.as_str())
        && let Ok(joined) = base.join(location)
    {
        return Ok(Link::parse(joined.as_str())?);
    }
    Ok(Link::parse(location)?)
}

fn wait_of(answer: &Answer, clock: &dyn Clock) -> Option<Duration> {
    retry_after::read(answer.header("retry-after")?, clock.now())
}

fn form(url: &Link, why: &str) -> ClientError {
    ClientError::Form { url: url.to_string(), why: why.to_owned() }
}

fn object<T: DeserializeOwned>(url: &Link, answer: &Answer) -> Result<T, ClientError> {
    strict_object(&answer.body).map_err(|error| form(url, &error.to_string()))
}

fn refusal(host: &str, answer: &Answer, clock: &dyn Clock) -> ClientError {
    let (host, retry_after, status) = (host.to_owned(), wait_of(answer, clock), answer.status);
    let is_problem = answer.header("content-type").is_some_and(|kind| kind.starts_with("application/problem+json"));
    match serde_json::from_slice::<Problem>(&answer.body) {
        Ok(problem) if is_problem => {
            ClientError::Refused { host, problem: Box::new(problem.with_status(status)), retry_after }
        }
        Ok(_) | Err(_) => ClientError::Status { host, status, retry_after },
    }
}

/// Asks until there is an answer of success, as long as that may help and [`PATIENCE`] lasts.
async fn patiently<E: Into<ClientError>, F: Future<Output = Result<Answer, E>>>(
    clock: &dyn Clock,
    host: &str,
    ask: impl Fn() -> F,
) -> Result<Answer, ClientError> {
    let begun = Instant::now();
    let mut wait = FIRST_WAIT;
    loop {
        let error = match ask().await {
            Ok(answer) if (200..300).contains(&answer.status) => return Ok(answer),
            Ok(answer) => refusal(host, &answer, clock),
            Err(error) => error.into(),
        };
        // A nonce is no matter of time.
        if !error.is_temporary() || error.kind() == Some(ProblemKind::BadNonce) {
            return Err(error);
        }
        // "At once", and a moment that is past by our clock, are no reason to hurry.
        let pause = error.retry_after().map_or(wait, |asked| asked.max(wait));
        if begun.elapsed() + pause > PATIENCE {
            return Err(error);
        }
        tracing::info!(error = &error as &dyn std::error::Error, ?pause, "asked again after a pause");
        sleep(pause).await;
        wait = (wait * 2).min(LONGEST_WAIT);
    }
}
