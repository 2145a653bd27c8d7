//! Authorizations (RFC 8555 sections 7.5 and 7.5.2).

use axum::extract::State;
use axum::response::Response;
use certus_acme::{AuthorizationUpdate, ChallengeStatus, NewAuthorization};
use certus_ca::id::AuthorizationId;
use http::{StatusCode, header};

use super::{App, PathId, id_of, json, located};
use crate::error::{ErrorResponse, seconds};
use crate::signed::{Json, JsonOrGet, Signed};
use crate::view;

/// RFC 8555 section 7.4.1.
pub(super) async fn new_authorization(
    State(app): State<App>,
    signed: Signed<Json<NewAuthorization>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload: Json(wish), request } = signed;
    let made = app.ca.new_authorization(request, &account, &wish).await?;
    let response = json(StatusCode::CREATED, &view::authorization(&app.urls, &made, app.ca.now()));
    Ok(located(response, &app.urls.authorization(made.id)))
}

pub(super) async fn authorization(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<JsonOrGet<AuthorizationUpdate>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload, request } = signed;
    let id = id_of(AuthorizationId::parse(&id), "authorization")?;
    let found = match payload {
        JsonOrGet::Get => app.ca.authorization(&account, id).await?,
        JsonOrGet::Json(update) => app.ca.update_authorization(request, &account, id, &update).await?,
    };
    let mut response = json(StatusCode::OK, &view::authorization(&app.urls, &found, app.ca.now()));
    if found.challenges.iter().any(|challenge| challenge.status() == ChallengeStatus::Processing) {
        response.headers_mut().insert(header::RETRY_AFTER, seconds(app.ca.poll_challenge_after(&found)));
    }
    Ok(response)
}
