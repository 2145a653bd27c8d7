//! What limits there are, for people: where the `help` link of a refusal leads (RFC 8555 section 6.6).
//!
//! A page like the terms of service, and no resource of ACME: it is read by GET, with a browser.

use std::convert::Infallible;

use axum::extract::{FromRequestParts, State};
use axum::response::{IntoResponse, Response};
use certus_ca::limits::{MAX_IDENTIFIERS, MAX_OPEN_ORDERS, MAX_PENDING_AUTHORIZATIONS};
use certus_ca::{LimitName, RateLimits};
use http::header;
use http::request::Parts;

use super::App;
use crate::places::Peer;

pub(super) async fn page(State(app): State<App>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text(app.ca.rate_limits())).into_response()
}

fn text(limits: &RateLimits) -> String {
    let one = |limit: &LimitName| format!("{limit}: {}\n    {}\n", limits.rate(*limit), limit.counts());
    let rates = if limits.enabled {
        LimitName::ALL.iter().map(one).collect()
    } else {
        "How often something is done is not limited here.\n".to_owned()
    };
    format!(
        "The limits of this authority\n\n{rates}\n\
         At any time an account may have {MAX_OPEN_ORDERS} orders and {MAX_PENDING_AUTHORIZATIONS} authorizations open, and an order\n\
         may have {MAX_IDENTIFIERS} names.\n\n\
         Each may be used up at once and is refilled evenly. What goes beyond is refused, and Retry-After says in\n\
         how many seconds the same request is let through. Who needs more asks the operator, who can set a number\n\
         for one account.\n"
    )
}

impl<S: Send + Sync> FromRequestParts<S> for Peer {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Infallible> {
        // Who accepts connections says where they come from.
        Ok(parts.extensions.get::<Self>().copied().unwrap_or(Self::UNKNOWN))
    }
}
