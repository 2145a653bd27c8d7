//! Challenges (RFC 8555 section 7.5.1).

use axum::extract::State;
use axum::response::Response;
use certus_acme::ChallengeStatus;
use certus_ca::CaError;
use certus_ca::id::ChallengeId;
use http::{StatusCode, header};
use serde::Deserialize;

use super::{App, PathId, id_of, json, link};
use crate::error::{ErrorResponse, seconds};
use crate::signed::{JsonOrGet, Signed};
use crate::view;

/// The response object of a challenge: none of the methods offered has members, and others are ignored.
#[derive(Debug, Deserialize)]
pub(super) struct ResponseObject {}

pub(super) async fn challenge(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<JsonOrGet<ResponseObject>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload, request } = signed;
    let id = id_of(ChallengeId::parse(&id), "challenge")?;
    let authorization = match payload {
        JsonOrGet::Get => app.ca.challenge(&account, id).await?,
        JsonOrGet::Json(ResponseObject {}) => app.ca.respond(request, &account, id).await?,
    };
    let found = authorization.challenge(id).ok_or(CaError::NotFound("challenge"))?;
    let mut response = json(StatusCode::OK, &view::challenge(&app.urls, found));
    let headers = response.headers_mut();
    // RFC 8555 section 7.1.
    headers.append(header::LINK, link(&app.urls.authorization(authorization.id), "up"));
    if found.status() == ChallengeStatus::Processing {
        headers.insert(header::RETRY_AFTER, seconds(app.ca.poll_challenge_after(&authorization)));
    }
    Ok(response)
}
