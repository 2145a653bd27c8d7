//! What is published over plain HTTP (RFC 5280 sections 4.2.1.13 and 4.2.2.1): issuers, CRLs and the root. Nothing of
//! ACME.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use certus_ca::Ca;
use http::{HeaderValue, StatusCode, header};

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

impl PkiSite {
    pub(crate) fn router(self) -> Router {
        let base = self.base_path.clone();
        let at = |path: &str| format!("{base}{path}");
        Router::new()
            .route(&at("/root.pem"), get(root))
            .route(&at("/issuer/{file}"), get(issuer))
            .route(&at("/crl/{issuer}/{file}"), get(crl))
            .with_state(Arc::new(self))
    }
}

async fn root(State(site): State<Arc<PkiSite>>) -> Response {
    published("application/x-pem-file", site.root_pem.clone().into_bytes())
}

async fn issuer(State(site): State<Arc<PkiSite>>, Path(file): Path<String>) -> Response {
    let Some(id) = file.strip_suffix(".cer") else { return absent() };
    if id == site.root_id {
        return published("application/pkix-cert", site.root_der.clone());
    }
    match site.ca.issuers().get(id) {
        Some(issuer) => published("application/pkix-cert", issuer.certificate().der().to_vec()),
        None => former_issuer(&site, id).await,
    }
}

/// An issuer that is no longer configured: its certificates still name this URL.
async fn former_issuer(site: &PkiSite, id: &str) -> Response {
    match site.ca.issuer_certificate(id).await {
        Ok(Some(der)) => published("application/pkix-cert", der),
        Ok(None) => absent(),
        Err(error) => unavailable(&error),
    }
}

async fn crl(State(site): State<Arc<PkiSite>>, Path((issuer, file)): Path<(String, String)>) -> Response {
    let shard = file.strip_suffix(".crl").filter(|digits| !digits.starts_with('+')).and_then(|text| text.parse().ok());
    let Some(shard) = shard else { return absent() };
    if issuer == site.root_id {
        return match &site.root_crl {
            Some(crl) if shard == 0 => published("application/pkix-crl", crl.clone()),
            Some(_) | None => absent(),
        };
    }
    match site.ca.store().crl(&issuer, shard).await {
        Ok(Some(crl)) => published("application/pkix-crl", crl.der),
        Ok(None) => absent(),
        Err(error) => unavailable(&error.into()),
    }
}

fn published(content_type: &'static str, body: Vec<u8>) -> Response {
    ([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))], body).into_response()
}

fn absent() -> Response {
    (StatusCode::NOT_FOUND, "nothing is published here\n").into_response()
}

fn unavailable(error: &certus_ca::CaError) -> Response {
    tracing::error!(%error, "a publication could not be read");
    (StatusCode::SERVICE_UNAVAILABLE, "try again later\n").into_response()
}
