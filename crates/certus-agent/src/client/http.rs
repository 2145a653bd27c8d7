//! HTTPS to an authority: one request, one answer, both bounded.
//!
//! Deliberately absent: redirects (a signed request is for one URL; the directory's URL is given by a person), cookies,
//! proxies, `http:`.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, header};
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::link::Link;

/// Who we are (RFC 8555 section 6.1).
const USER_AGENT: &str = concat!("certus/", env!("CARGO_PKG_VERSION"), " (+https://www.rfc-editor.org/rfc/rfc8555)");
/// How long one request may take: authorities hold an answer back for seconds at most.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(60);
/// How long a connection may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(15);
/// Octets of an answer at most: a chain of the largest certificates is a tenth of it.
const MAX_ANSWER: usize = 1024 * 1024;
/// How long an idle connection is kept.
const IDLE: Duration = Duration::from_secs(30);

/// Whose certificates are believed to be the authority's.
#[derive(Debug, Clone)]
pub enum Roots {
    /// The machine's.
    System,
    /// These certificates, in PEM, and no others.
    Pem(String),
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The roots cannot be used.
    #[error("the roots for the authority cannot be used: {0}")]
    Roots(String),
    /// Nobody answered, or the connection broke.
    #[error("{host} did not answer")]
    NoAnswer {
        /// The authority's host.
        host: String,
        /// What happened.
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// Somebody answered whose certificate is not believed to be the authority's.
    #[error("{host} is not believed to be itself: {why}; for a private authority, say which root to believe")]
    Untrusted {
        /// The authority's host.
        host: String,
        /// What is wrong with its certificate.
        why: String,
    },
    /// It took over a minute.
    #[error("{host} did not answer within {} s", ANSWER_TIMEOUT.as_secs())]
    TimedOut {
        /// The authority's host.
        host: String,
    },
    /// The answer goes on and on.
    #[error("{host} answered with more than {MAX_ANSWER} octets")]
    TooLarge {
        /// The authority's host.
        host: String,
    },
}

/// An answer, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// The header fields.
    pub headers: HeaderMap,
    /// The body.
    pub body: Bytes,
}

impl Answer {
    /// A header field, where it is there and is text.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// A client with its connections. Clones share them.
#[derive(Clone)]
pub struct Http(Client<HttpsConnector<HttpConnector>, Full<Bytes>>);

impl fmt::Debug for Http {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Http")
    }
}

impl Http {
    /// A client that believes these roots.
    ///
    /// # Errors
    ///
    /// [`HttpError::Roots`] when there are none, or one cannot be read.
    pub fn new(roots: &Roots) -> Result<Self, HttpError> {
        let refused = |error: rustls::Error| HttpError::Roots(error.to_string());
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(refused)?
            .with_root_certificates(read(roots)?)
            .with_no_client_auth();
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_connect_timeout(Some(CONNECT_TIMEOUT));
        connector.set_nodelay(true);
        let connector =
            HttpsConnectorBuilder::new().with_tls_config(config).https_only().enable_http1().wrap_connector(connector);
        Ok(Self(Client::builder(TokioExecutor::new()).pool_idle_timeout(IDLE).build(connector)))
    }

    /// Asks for something that needs no signature.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when there is no answer.
    pub async fn ask(&self, method: Method, url: &Link) -> Result<Answer, HttpError> {
        self.send(method, url, None).await
    }

    /// Posts a signed request.
    ///
    /// # Errors
    ///
    /// [`HttpError`] when there is no answer. Whether the request took effect is not known then.
    pub async fn post(&self, url: &Link, jws: String) -> Result<Answer, HttpError> {
        self.send(Method::POST, url, Some(jws)).await
    }

    async fn send(&self, method: Method, url: &Link, jws: Option<String>) -> Result<Answer, HttpError> {
        let host = url.host();
        let no_answer = |source| HttpError::NoAnswer { host: host.clone(), source };
        let is_signed = jws.is_some();
        let mut request = Request::new(Full::new(Bytes::from(jws.unwrap_or_default())));
        *request.method_mut() = method;
        *request.uri_mut() = url.as_str().parse().map_err(|error: http::uri::InvalidUri| no_answer(error.into()))?;
        let headers = request.headers_mut();
        headers.insert(header::USER_AGENT, HeaderValue::from_static(USER_AGENT));
        if is_signed {
            headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/jose+json"));
        }
        let exchange = async {
            let answer = self.0.request(request).await.map_err(|error| match certificate_fault(&error) {
                Some(why) => HttpError::Untrusted { host: host.clone(), why },
                None => no_answer(error.into()),
            })?;
            let (parts, body) = answer.into_parts();
            let body = match Limited::new(body, MAX_ANSWER).collect().await {
                Ok(body) => body.to_bytes(),
                Err(error) if error.is::<http_body_util::LengthLimitError>() => {
                    return Err(HttpError::TooLarge { host: host.clone() });
                }
                Err(error) => return Err(no_answer(error)),
            };
            Ok(Answer { status: parts.status.as_u16(), headers: parts.headers, body })
        };
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange).await {
            Ok(answer) => answer,
            Err(_elapsed) => Err(HttpError::TimedOut { host: host.clone() }),
        }
    }
}

fn read(roots: &Roots) -> Result<RootCertStore, HttpError> {
    let mut store = RootCertStore::empty();
    match roots {
        Roots::System => {
            // Some of a machine's may be unreadable; what is left is what it trusts.
            store.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
        }
        Roots::Pem(pem) => {
            for root in CertificateDer::pem_slice_iter(pem.as_bytes()) {
                let root = root.map_err(|error| HttpError::Roots(error.to_string()))?;
                store.add(root).map_err(|error| HttpError::Roots(error.to_string()))?;
            }
        }
    }
    if store.is_empty() {
        let detail = match roots {
            Roots::System => "this machine has no root certificates (install ca-certificates), or say which to believe",
            Roots::Pem(_) => "there is no certificate among them",
        };
        return Err(HttpError::Roots(detail.to_owned()));
    }
    Ok(store)
}

/// What is wrong with the certificate of who answered, where that is what is wrong.
fn certificate_fault(error: &(dyn std::error::Error + 'static)) -> Option<String> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(fault @ rustls::Error::InvalidCertificate(_)) = error.downcast_ref() {
            return Some(fault.to_string());
        }
        // An io::Error passes over what it carries when asked for its source.
        cause = match error.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref) {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}
