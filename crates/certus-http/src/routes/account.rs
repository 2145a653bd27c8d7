//! newAccount, accounts and their lists of orders (RFC 8555 sections 7.3 and 7.1.2.1).

use axum::extract::{RawQuery, State};
use axum::response::Response;
use certus_acme::{AccountUpdate, NewAccount};
use certus_ca::CaError;
use certus_ca::ca::Opened;
use certus_ca::id::AccountId;
use http::{StatusCode, header};

use super::{App, PathId, binding, id_of, json, link, located};
use crate::error::ErrorResponse;
use crate::places::Peer;
use crate::signed::{Json, JsonOrGet, PostAsGet, Signed, SignedByKey};
use crate::urls::Urls;
use crate::view;

pub(super) async fn new_account(
    State(app): State<App>,
    Peer(from): Peer,
    signed: SignedByKey<Json<NewAccount>>,
) -> Result<Response, ErrorResponse> {
    let SignedByKey { key, payload: Json(wish), request } = signed;
    // A key that has an account needs none (RFC 8555 section 7.3.1), so that of such a request is not looked at.
    let binding = match &wish.external_account_binding {
        Some(sent) if wish.only_return_existing != Some(true) && !app.ca.has_account(&key).await? => {
            Some(binding::verify(&app, &key, sent.get()).await?)
        }
        Some(_) | None => None,
    };
    let (status, account) = match app.ca.new_account(request, &key, &wish, binding.as_ref(), from).await? {
        Opened::Created(account) => (StatusCode::CREATED, account),
        Opened::Existing(account) => (StatusCode::OK, account),
    };
    Ok(located(json(status, &view::account(&app.urls, &account)), &app.urls.account(account.id)))
}

pub(super) async fn account(
    State(app): State<App>,
    PathId(id): PathId,
    signed: Signed<JsonOrGet<AccountUpdate>>,
) -> Result<Response, ErrorResponse> {
    let Signed { account, payload, request } = signed;
    if id_of(AccountId::parse(&id), "account")? != account.id {
        return Err(CaError::NotYours("account").into());
    }
    let account = match payload {
        JsonOrGet::Get => account,
        JsonOrGet::Json(update) => app.ca.update_account(request, &account, &update).await?,
    };
    Ok(json(StatusCode::OK, &view::account(&app.urls, &account)))
}

pub(super) async fn orders(
    State(app): State<App>,
    PathId(id): PathId,
    RawQuery(query): RawQuery,
    signed: Signed<PostAsGet>,
) -> Result<Response, ErrorResponse> {
    let account = signed.account;
    if id_of(AccountId::parse(&id), "account")? != account.id {
        return Err(CaError::NotYours("list of orders").into());
    }
    let Some(after) = Urls::after(query.as_deref()) else {
        return Err(CaError::malformed("this URL is no page of the list; follow the Link with rel=\"next\"").into());
    };
    let page = app.ca.account_orders(&account, after).await?;
    let mut response = json(StatusCode::OK, &view::orders(&app.urls, &page));
    if let Some(last) = page.orders.last().filter(|_| page.more) {
        response.headers_mut().append(header::LINK, link(&app.urls.orders(account.id, Some(*last)), "next"));
    }
    Ok(response)
}
