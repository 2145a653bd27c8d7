//! Certificates and their chains (RFC 8555 section 7.4.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certus_ca::id::CertificateId;
use certus_ca::state::Account;
use http::header;

use super::{App, PathId, id_of, link, not_found};
use crate::error::ErrorResponse;
use crate::signed::{PostAsGet, Signed};

pub(super) async fn read(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<PostAsGet>,
) -> Result<Response, ErrorResponse> {
    download(&app, &signed.account, &id, 0).await
}

/// A chain to another root, which Link rel="alternate" of the certificate names.
pub(super) async fn read_alternate(
    State(app): State<App>,
    PathId((id, number)): PathId<(String, String)>,
    signed: Signed<PostAsGet>,
) -> Result<Response, ErrorResponse> {
    // One URL for each chain: "01", "+1" and "0" are none.
    match number.parse() {
        Ok(parsed @ 1..) if number == usize::to_string(&parsed) => download(&app, &signed.account, &id, parsed).await,
        Ok(_) | Err(_) => Err(not_found().await),
    }
}

async fn download(app: &App, account: &Account, id: &str, number: usize) -> Result<Response, ErrorResponse> {
    let id = id_of(CertificateId::parse(id), "certificate")?;
    let found = app.ca.certificate_chain(account, id, number).await?;
    let mut response = ([(header::CONTENT_TYPE, "application/pem-certificate-chain")], found.pem).into_response();
    for other in found.others {
        response.headers_mut().append(header::LINK, link(&app.urls.chain(id, other), "alternate"));
    }
    Ok(response)
}
