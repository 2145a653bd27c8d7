//! An ACME client for tests: it signs what it is told, keeps nonces, and hands out every answer whole.
//!
//! Typed calls ([`TestClient::new_order`] and its like) fail with the answer when it is a refusal; [`TestClient::post`] and
//! [`TestClient::send`] give any answer back. [`crate::flow`] puts the calls together.

use std::sync::{Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use certus_acme::{
    Account, Authorization, Challenge, Directory, Finalize, Jwk, KeyAuthorization, NewAccount, NewOrder, Order,
    ProblemKind, Protected, RawIdentifier, RenewalInfo, Token, sign,
};
use certus_pki::{CryptoError, KeyAlgorithm, KeyPair};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::forge::Forge;
use crate::raw_http::{Answer, RawHttp};

/// What requests carry as User-Agent.
const USER_AGENT: &str = concat!("certus-testkit/", env!("CARGO_PKG_VERSION"));

/// How often a request is signed anew because its nonce was not good (RFC 8555 section 6.5).
const NONCE_ATTEMPTS: usize = 3;

/// A client with one account key.
#[derive(Debug)]
pub struct TestClient {
    http: RawHttp,
    directory: Directory,
    key: KeyPair,
    state: Mutex<State>,
}

/// What changes; nothing awaits under its lock.
#[derive(Debug, Default)]
struct State {
    account_url: Option<String>,
    nonces: Vec<String>,
    bad_nonces: u64,
}

/// An object and where it is.
#[derive(Debug, Clone)]
pub struct Resource<T> {
    /// The URL in the Location header field, or else the URL that was asked.
    pub url: String,
    /// The object.
    pub value: T,
    /// The whole answer.
    pub answer: Answer,
}

/// Why the client gave up.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// There was no answer.
    #[error("no answer from {url}")]
    Http {
        /// Who was asked.
        url: String,
        /// What happened.
        #[source]
        source: std::io::Error,
    },
    /// The answer was not the one that is needed to go on.
    #[error("{url} answered {answer:?}")]
    Refused {
        /// Who was asked.
        url: String,
        /// What it said.
        answer: Box<Answer>,
    },
    /// The answer has another form than it should.
    #[error("the answer of {url} is not as it should be: {reason}: {answer:?}")]
    Form {
        /// Who was asked.
        url: String,
        /// What is wrong with it.
        reason: String,
        /// What it said.
        answer: Box<Answer>,
    },
    /// The key could not sign.
    #[error("the key cannot sign")]
    Sign(#[from] CryptoError),
    /// An authorization or order became invalid; the text is its JSON.
    #[error("{url} became invalid: {json}")]
    Invalid {
        /// Which one.
        url: String,
        /// The object.
        json: String,
    },
    /// Something took more polls than it should.
    #[error("{url} is not finished after {polls} polls; last: {json}")]
    Unfinished {
        /// What was polled.
        url: String,
        /// How often.
        polls: usize,
        /// The object as it was last.
        json: String,
    },
}

impl TestClient {
    /// A client with a new key, over HTTPS with the given roots (PEM). Loads the directory.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is no directory at that URL or the key cannot be made.
    pub async fn connect(directory_url: &str, root_pem: &str, algorithm: KeyAlgorithm) -> Result<Self, ClientError> {
        let fault = |source| ClientError::Http { url: directory_url.to_owned(), source };
        Self::with_key(RawHttp::trusting(root_pem).map_err(fault)?, directory_url, KeyPair::generate(algorithm)?).await
    }

    /// A client with that key, over that HTTP client. Loads the directory.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is no directory at that URL.
    pub async fn with_key(http: RawHttp, directory_url: &str, key: KeyPair) -> Result<Self, ClientError> {
        let fault = |source| ClientError::Http { url: directory_url.to_owned(), source };
        let answer =
            http.send("GET", directory_url, &[("user-agent", USER_AGENT)], Bytes::new()).await.map_err(fault)?;
        let directory = object(directory_url, &answer)?;
        Ok(Self { http, directory, key, state: Mutex::default() })
    }

    /// A second client at the same authority, with a new key and connections shared with this one.
    ///
    /// # Errors
    ///
    /// [`ClientError::Sign`] when the key cannot be made.
    pub fn another(&self, algorithm: KeyAlgorithm) -> Result<Self, ClientError> {
        let (http, directory) = (self.http.clone(), self.directory.clone());
        Ok(Self { http, directory, key: KeyPair::generate(algorithm)?, state: Mutex::default() })
    }

    /// The directory as it was when the client was made.
    #[must_use]
    pub fn directory(&self) -> &Directory {
        &self.directory
    }

    /// The account key.
    #[must_use]
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// The HTTP client.
    #[must_use]
    pub fn http(&self) -> &RawHttp {
        &self.http
    }

    /// The account's URL, once [`Self::new_account`] was answered.
    #[must_use]
    pub fn account_url(&self) -> Option<String> {
        self.state().account_url.clone()
    }

    /// Signs with this account URL from now on; `None` signs with `jwk`.
    pub fn set_account_url(&self, url: Option<String>) {
        self.state().account_url = url;
    }

    /// How many requests were signed anew since their nonce was refused.
    #[must_use]
    pub fn bad_nonces(&self) -> u64 {
        self.state().bad_nonces
    }

    /// Throws kept nonces away, so that the next request asks for one.
    pub fn forget_nonces(&self) {
        self.state().nonces.clear();
    }

    /// A nonce: one from an earlier answer, or a new one. It is not handed out twice.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when newNonce gives none.
    pub async fn nonce(&self) -> Result<String, ClientError> {
        if let Some(nonce) = self.state().nonces.pop() {
            return Ok(nonce);
        }
        let url = &self.directory.new_nonce;
        let fault = |source| ClientError::Http { url: url.clone(), source };
        let answer = self.http.send("HEAD", url, &[("user-agent", USER_AGENT)], Bytes::new()).await.map_err(fault)?;
        match answer.nonce() {
            Some(nonce) => Ok(nonce.to_owned()),
            None => Err(refused(url, &answer)),
        }
    }

    /// The text that a challenge with this token asks for (RFC 8555 section 8.1); `None` when it is no token.
    #[must_use]
    pub fn key_authorization(&self, token: &str) -> Option<String> {
        let thumbprint = Jwk::from_public_key(self.key.public_key()).thumbprint();
        Token::parse(token).ok().map(|token| KeyAuthorization::new(&token, &thumbprint).as_str().to_owned())
    }

    /// Posts a body as it is, as `application/jose+json`, and keeps the nonce of the answer.
    ///
    /// # Errors
    ///
    /// [`ClientError::Http`] when there is no answer; refusals are answers.
    pub async fn send(&self, url: &str, body: impl Into<Bytes>) -> Result<Answer, ClientError> {
        let headers = [("content-type", "application/jose+json"), ("user-agent", USER_AGENT)];
        let fault = |source| ClientError::Http { url: url.to_owned(), source };
        let answer = self.http.send("POST", url, &headers, body).await.map_err(fault)?;
        if let Some(nonce) = answer.nonce() {
            self.state().nonces.push(nonce.to_owned());
        }
        Ok(answer)
    }

    /// Signs and posts a payload (its JSON), with `kid` once there is an account. A refused nonce is replaced.
    ///
    /// # Errors
    ///
    /// [`ClientError::Http`] when there is no answer; refusals are answers.
    pub async fn post(&self, url: &str, payload: &impl Serialize) -> Result<Answer, ClientError> {
        // Payloads are made of strings, numbers and lists.
        self.post_octets(url, &serde_json::to_vec(payload).unwrap_or_default()).await
    }

    /// Reads a resource (RFC 8555 section 6.3).
    ///
    /// # Errors
    ///
    /// As [`Self::post`].
    pub async fn post_as_get(&self, url: &str) -> Result<Answer, ClientError> {
        self.post_octets(url, b"").await
    }

    /// Signs and posts octets that need not be JSON.
    ///
    /// # Errors
    ///
    /// As [`Self::post`].
    pub async fn post_octets(&self, url: &str, payload: &[u8]) -> Result<Answer, ClientError> {
        let kid = self.account_url();
        let mut attempt = 1;
        loop {
            let nonce = self.nonce().await?;
            let header = Protected { kid: kid.as_deref(), nonce: Some(&nonce), url };
            let answer = self.send(url, sign(&self.key, &header, payload)?).await?;
            let bad_nonce = answer.problem().is_some_and(|problem| problem.kind == ProblemKind::BadNonce);
            if !bad_nonce || attempt == NONCE_ATTEMPTS {
                return Ok(answer);
            }
            attempt += 1;
            let mut state = self.state();
            state.bad_nonces += 1;
            // Older ones come from before whatever made the authority forget; the newest is in this answer.
            let newest = state.nonces.pop();
            state.nonces.clear();
            state.nonces.extend(newest);
        }
    }

    /// A signed request to take apart: with a nonce, and with `kid` once there is an account.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when there is no nonce to be had.
    pub async fn forge(&self, url: &str, payload: impl Into<Vec<u8>>) -> Result<Forge, ClientError> {
        let forge = Forge::new(&self.key, url, payload).nonce(&self.nonce().await?);
        Ok(match self.account_url() {
            Some(kid) => forge.kid(&kid),
            None => forge,
        })
    }

    /// Makes the account of this key, or finds it; its URL signs from then on.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no account.
    pub async fn new_account(&self) -> Result<Resource<Account>, ClientError> {
        let wish = NewAccount { terms_of_service_agreed: Some(true), ..NewAccount::default() };
        self.new_account_with(&wish).await
    }

    /// [`Self::new_account`] with a payload of one's own.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no account.
    pub async fn new_account_with(&self, wish: &NewAccount) -> Result<Resource<Account>, ClientError> {
        self.set_account_url(None);
        let url = &self.directory.new_account;
        let answer = self.post(url, wish).await?;
        let made = resource(url, answer)?;
        self.set_account_url(Some(made.url.clone()));
        Ok(made)
    }

    /// Orders a certificate for DNS names.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no order.
    pub async fn new_order(&self, names: &[&str]) -> Result<Resource<Order>, ClientError> {
        let identifiers =
            names.iter().map(|name| RawIdentifier { kind: "dns".to_owned(), value: (*name).to_owned() }).collect();
        self.new_order_with(&NewOrder { identifiers, ..NewOrder::default() }).await
    }

    /// [`Self::new_order`] with a payload of one's own.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no order.
    pub async fn new_order_with(&self, wish: &NewOrder) -> Result<Resource<Order>, ClientError> {
        let url = &self.directory.new_order;
        resource(url, self.post(url, wish).await?)
    }

    /// When a certificate with this id should be renewed (RFC 9773 section 4.1).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no renewal information.
    pub async fn renewal_info(&self, cert_id: &str) -> Result<Resource<RenewalInfo>, ClientError> {
        let url = format!("{}/{cert_id}", self.directory.renewal_info.as_deref().unwrap_or_default());
        let fault = |source| ClientError::Http { url: url.clone(), source };
        let answer = self.http.send("GET", &url, &[("user-agent", USER_AGENT)], Bytes::new()).await.map_err(fault)?;
        resource(&url, answer)
    }

    /// Reads an order.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no order.
    pub async fn order(&self, url: &str) -> Result<Resource<Order>, ClientError> {
        resource(url, self.post_as_get(url).await?)
    }

    /// Reads an authorization.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no authorization.
    pub async fn authorization(&self, url: &str) -> Result<Resource<Authorization>, ClientError> {
        resource(url, self.post_as_get(url).await?)
    }

    /// Tells the authority that a challenge may be validated (RFC 8555 section 7.5.1).
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no challenge.
    pub async fn respond(&self, challenge_url: &str) -> Result<Resource<Challenge>, ClientError> {
        resource(challenge_url, self.post_octets(challenge_url, b"{}").await?)
    }

    /// Finalizes an order with a certification request in DER.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no order.
    pub async fn finalize(&self, order: &Order, csr_der: &[u8]) -> Result<Resource<Order>, ClientError> {
        resource(&order.finalize, self.post(&order.finalize, &Finalize::new(csr_der)).await?)
    }

    /// Fetches a certificate chain in PEM.
    ///
    /// # Errors
    ///
    /// [`ClientError`] when the answer is no chain in PEM, or not labelled as one.
    pub async fn certificate(&self, url: &str) -> Result<String, ClientError> {
        let answer = self.post_as_get(url).await?;
        if answer.status != 200 || answer.header("content-type") != Some("application/pem-certificate-chain") {
            return Err(refused(url, &answer));
        }
        Ok(answer.text())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn refused(url: &str, answer: &Answer) -> ClientError {
    ClientError::Refused { url: url.to_owned(), answer: Box::new(answer.clone()) }
}

fn object<T: DeserializeOwned>(url: &str, answer: &Answer) -> Result<T, ClientError> {
    if !(200..300).contains(&answer.status) {
        return Err(refused(url, answer));
    }
    let form = |reason: String| ClientError::Form { url: url.to_owned(), reason, answer: Box::new(answer.clone()) };
    if answer.header("content-type") != Some("application/json") {
        return Err(form("it is not application/json".to_owned()));
    }
    answer.json().map_err(|error| form(error.to_string()))
}

fn resource<T: DeserializeOwned>(url: &str, answer: Answer) -> Result<Resource<T>, ClientError> {
    let value = object(url, &answer)?;
    let url = answer.location().unwrap_or(url).to_owned();
    Ok(Resource { url, value, answer })
}
