//! What is published over plain HTTP (RFC 5280 sections 4.2.1.13 and 4.2.2.1): issuers, CRLs and the root. Nothing of
//! ACME.
//!
//! Anybody may ask, so the store is spared: what cannot be published is told by its name, which issuers there are is asked
//! once in [`limits::KEPT`], and what is published, or that it is not, is kept as long. That is safe: a list that is
//! replaced is seen within seconds, which is nothing beside the days it is good for, and numbers never go back, since
//! every reader of this process sees the list that was kept last.

use std::collections::BTreeSet;
use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use bytes::Bytes;
use certus_acme::base64url;
use certus_ca::{Ca, CaError};
use http::{HeaderMap, HeaderValue, StatusCode, header};

use crate::kept::Kept;
use crate::limits;

/// What the plain-HTTP listener serves, beside what the authority itself has.
#[derive(Debug, Clone)]
pub struct PkiSite {
    /// The authority.
    pub ca: Ca,
    /// The path of the `pki_url`, without a slash at its end; empty for a bare host.
    pub base_path: String,
    /// The root as PEM.
    pub root_pem: String,
    /// The root's id, hex as in URLs.
    pub root_id: String,
    /// The root in DER.
    pub root_der: Vec<u8>,
    /// The CRL that the root signed, in DER; none when the root is someone else's.
    pub root_crl: Option<Vec<u8>>,
}

/// The site at work.
#[derive(Debug)]
struct Open {
    site: PkiSite,
    /// The ids of every issuer there ever was.
    issuers: Kept<(), Arc<BTreeSet<String>>>,
    /// Certificates of issuers that are no longer configured, by id.
    certificates: Kept<String, Option<Publication>>,
    /// Lists by issuer and shard.
    lists: Kept<(String, u32), Option<Publication>>,
}

/// Something published, with its entity tag (RFC 9110 section 8.8.3): a list can be large, and is asked for by everybody.
#[derive(Debug, Clone)]
struct Publication {
    body: Bytes,
    tag: String,
}

impl Publication {
    fn new(body: impl Into<Bytes>) -> Self {
        let body = body.into();
        let tag = format!("\"{}\"", base64url::encode(&certus_pki::sha256(&body)));
        Self { body, tag }
    }
}

impl PkiSite {
    pub(crate) fn router(self) -> Router {
        let base = self.base_path.clone();
        let at = |path: &str| format!("{base}{path}");
        let open = Open { site: self, issuers: Kept::new(), certificates: Kept::new(), lists: Kept::new() };
        Router::new()
            .route(&at("/root.pem"), get(root))
            .route(&at("/issuer/{file}"), get(issuer))
            .route(&at("/crl/{issuer}/{file}"), get(crl))
            .with_state(Arc::new(open))
    }
}

impl Open {
    /// Whether an issuer is or was one of this authority's.
    async fn knows(&self, issuer: &str) -> Result<bool, CaError> {
        let ca = &self.site.ca;
        if !is_issuer_id(issuer) || ca.issuers().get(issuer).is_some() {
            return Ok(is_issuer_id(issuer));
        }
        let ask = async { Ok(Arc::new(ca.store().issuers().await?.into_iter().map(|(id, _)| id).collect())) };
        let known: Arc<BTreeSet<String>> = self.issuers.get((), || ca.now(), ask).await?;
        Ok(known.contains(issuer))
    }

    async fn list(&self, issuer: String, shard: u32) -> Result<Option<Publication>, CaError> {
        if !self.knows(&issuer).await? {
            return Ok(None);
        }
        let ca = &self.site.ca;
        let key = (issuer.clone(), shard);
        let ask = async { Ok(ca.store().crl(&issuer, shard).await?.map(|list| Publication::new(list.der))) };
        self.lists.get(key, || ca.now(), ask).await
    }

    /// An issuer that is no longer configured: its certificates still name this URL.
    async fn former_issuer(&self, id: &str) -> Result<Option<Publication>, CaError> {
        if !self.knows(id).await? {
            return Ok(None);
        }
        let ca = &self.site.ca;
        let ask = async { Ok(ca.issuer_certificate(id).await?.map(Publication::new)) };
        self.certificates.get(id.to_owned(), || ca.now(), ask).await
    }
}

/// Whether a text is of the form of an issuer's id ([`certus_pki::Issuer::id`]).
fn is_issuer_id(text: &str) -> bool {
    text.len() == 20 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// The shard of a list's file name.
fn shard_of(file: &str) -> Option<u32> {
    let digits = file.strip_suffix(".crl").filter(|digits| digits.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|shard| *shard < limits::MAX_SHARDS)
}

async fn root(State(open): State<Arc<Open>>, asked: HeaderMap) -> Response {
    PEM.published(&asked, Publication::new(open.site.root_pem.clone()))
}

async fn issuer(State(open): State<Arc<Open>>, Path(file): Path<String>, asked: HeaderMap) -> Response {
    let Some(id) = file.strip_suffix(".cer") else { return absent() };
    if id == open.site.root_id {
        return CERTIFICATE.published(&asked, Publication::new(open.site.root_der.clone()));
    }
    let found = match open.site.ca.issuers().get(id) {
        Some(issuer) => Ok(Some(Publication::new(issuer.certificate().der().to_vec()))),
        None => open.former_issuer(id).await,
    };
    CERTIFICATE.answer(&asked, found)
}

async fn crl(
    State(open): State<Arc<Open>>,
    Path((issuer, file)): Path<(String, String)>,
    asked: HeaderMap,
) -> Response {
    let Some(shard) = shard_of(&file) else { return absent() };
    if issuer == open.site.root_id {
        let crl = open.site.root_crl.as_ref().filter(|_| shard == 0);
        return LIST.answer(&asked, Ok(crl.cloned().map(Publication::new)));
    }
    LIST.answer(&asked, open.list(issuer, shard).await)
}

/// How a kind of publication is given out.
struct Kind {
    content_type: &'static str,
    /// How long others may keep it.
    cache_control: &'static str,
}

/// A day: what its name stands for never changes.
const CERTIFICATE: Kind = Kind { content_type: "application/pkix-cert", cache_control: "public, max-age=86400" };
/// An hour: another root takes longer to be handed round.
const PEM: Kind = Kind { content_type: "application/x-pem-file", cache_control: "public, max-age=3600" };
/// Seconds: with the 15 that it takes to sign a list, what was revoked is seen within a minute.
const LIST: Kind = Kind { content_type: "application/pkix-crl", cache_control: "public, max-age=15" };

impl Kind {
    fn answer(&self, asked: &HeaderMap, found: Result<Option<Publication>, CaError>) -> Response {
        match found {
            Ok(Some(publication)) => self.published(asked, publication),
            Ok(None) => absent(),
            Err(error) => {
                tracing::error!(%error, "a publication could not be read");
                (StatusCode::SERVICE_UNAVAILABLE, "try again later\n").into_response()
            }
        }
    }

    /// The publication, or that it is what the client has already (RFC 9110 section 13.1.2).
    fn published(&self, asked: &HeaderMap, publication: Publication) -> Response {
        let Publication { body, tag } = publication;
        let known = asked.get_all(header::IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
        let known = known.flat_map(|value| value.split(',')).any(|one| {
            let one = one.trim();
            one == "*" || one.strip_prefix("W/").unwrap_or(one) == tag
        });
        let headers = [
            (header::CONTENT_TYPE, HeaderValue::from_static(self.content_type)),
            (header::CACHE_CONTROL, HeaderValue::from_static(self.cache_control)),
        ];
        let mut response =
            if known { (StatusCode::NOT_MODIFIED, headers).into_response() } else { (headers, body).into_response() };
        // Base64url is always a header's value.
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, "nothing is published here\n").into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_publications_are_looked_for() {
        assert!(is_issuer_id("0123456789abcdef0123"));
        for no_id in
            ["", "0123456789abcdef012", "0123456789abcdef01234", "0123456789ABCDEF0123", "0123456789abcdef012g"]
        {
            assert!(!is_issuer_id(no_id), "{no_id}");
        }
        assert_eq!(shard_of("0.crl"), Some(0));
        assert_eq!(shard_of(&format!("{}.crl", limits::MAX_SHARDS - 1)), Some(limits::MAX_SHARDS - 1));
        for no_shard in
            ["1024.crl", "4294967295.crl", "99999999999.crl", "+1.crl", "-1.crl", ".crl", "1", "1.cr", "x.crl"]
        {
            assert_eq!(shard_of(no_shard), None, "{no_shard}");
        }
    }
}
