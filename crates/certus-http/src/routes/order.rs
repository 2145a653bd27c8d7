//! newOrder, orders and finalize (RFC 8555 section 7.4).

use axum::extract::State;
use axum::response::Response;
use certus_acme::{ChallengeStatus, Finalize, NewOrder, OrderStatus, ProblemKind};
use certus_ca::id::OrderId;
use certus_ca::ports::OrderAndAuthorizations;
use http::{StatusCode, header};

use super::{App, PathId, id_of, json, located};
use crate::error::{ErrorResponse, seconds};
use crate::signed::{Json, PostAsGet, Signed};
use crate::view;

pub(super) async fn new_order(
    State(app): State<App>,
    signed: Signed<Json<NewOrder>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload: Json(wish), request } = signed;
    let found = app.ca.new_order(request, &account, &wish).await?;
    Ok(show(&app, StatusCode::CREATED, &found))
}

pub(super) async fn read(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<PostAsGet>,
) -> Result<Response, ErrorResponse> {
    let found = app.ca.order(&signed.account, id_of(OrderId::parse(&id), "order")?).await?;
    Ok(show(&app, StatusCode::OK, &found))
}

pub(super) async fn finalize(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<Json<Finalize>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload: Json(finalize), request } = signed;
    let csr = finalize.csr_der().map_err(|error| {
        ErrorResponse::new(ProblemKind::Malformed, format!("\"csr\" must be base64url of DER: {error}"))
    })?;
    let found = app.ca.finalize(request, &account, id_of(OrderId::parse(&id), "order")?, &csr).await?;
    Ok(show(&app, StatusCode::OK, &found))
}

/// An order with its Location on every answer: clients look for it after finalize too.
fn show(app: &App, status: StatusCode, found: &OrderAndAuthorizations) -> Response {
    let order = view::order(&app.urls, found, app.ca.now());
    let mut response = located(json(status, &order), &app.urls.order(found.order.id));
    let being_validated = found.authorizations.iter().flat_map(|one| &one.challenges);
    let mut being_validated = being_validated.filter(|challenge| challenge.status() == ChallengeStatus::Processing);
    let soon = match order.status {
        OrderStatus::Processing => true,
        OrderStatus::Pending => being_validated.next().is_some(),
        OrderStatus::Ready | OrderStatus::Valid | OrderStatus::Invalid => false,
    };
    if soon {
        response.headers_mut().insert(header::RETRY_AFTER, seconds(app.ca.poll_after()));
    }
    response
}
