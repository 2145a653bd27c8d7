//! revokeCert (RFC 8555 section 7.6).

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use certus_acme::{ProblemKind, RevokeCert};
use http::StatusCode;

use super::App;
use crate::error::ErrorResponse;
use crate::signed::{Json, SignedByEither};

pub(super) async fn revoke(
    State(app): State<App>,
    signed: SignedByEither<Json<RevokeCert>>,
) -> Result<Response, ErrorResponse> {
    let SignedByEither { signer, payload: Json(wish), request } = signed;
    let der = wish.certificate_der().map_err(|error| {
        ErrorResponse::new(ProblemKind::Malformed, format!("\"certificate\" must be base64url of DER: {error}"))
    })?;
    app.ca.revoke(request, &signer, &der, wish.reason).await?;
    Ok(StatusCode::OK.into_response())
}
