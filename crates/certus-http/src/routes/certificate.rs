//! Certificates (RFC 8555 section 7.4.2).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certus_ca::id::CertificateId;
use http::header;

use super::{App, PathId, id_of};
use crate::error::ErrorResponse;
use crate::signed::{PostAsGet, Signed};

pub(super) async fn read(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<PostAsGet>,
) -> Result<Response, ErrorResponse> {
    let chain = app.ca.certificate_chain(&signed.account, id_of(CertificateId::parse(&id), "certificate")?).await?;
    Ok(([(header::CONTENT_TYPE, "application/pem-certificate-chain")], chain).into_response())
}
