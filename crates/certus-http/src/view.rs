//! The authority's state as RFC 8555 draws it.

use certus_acme as acme;
use certus_ca::ports::{OrderAndAuthorizations, OrderPage};
use certus_ca::state::{Account, Authorization, Challenge, ChallengeState, OrderState};
use certus_pki::Timestamp;

use crate::urls::Urls;

pub(crate) fn account(urls: &Urls, account: &Account) -> acme::Account {
    acme::Account {
        status: account.status(),
        contact: account.contact.clone(),
        terms_of_service_agreed: account.terms.is_some().then_some(true),
        external_account_binding: account.binding.as_ref().and_then(|binding| as_sent(&binding.jws)),
        orders: urls.orders(account.id, None),
    }
}

/// What was read as JSON before it was kept.
fn as_sent(json: &str) -> Option<acme::AsSent> {
    serde_json::value::RawValue::from_string(json.to_owned()).ok().map(acme::AsSent)
}

pub(crate) fn orders(urls: &Urls, page: &OrderPage) -> acme::Orders {
    acme::Orders { orders: page.orders.iter().map(|id| urls.order(*id)).collect() }
}

pub(crate) fn order(urls: &Urls, found: &OrderAndAuthorizations, now: Timestamp) -> acme::Order {
    let OrderAndAuthorizations { order, authorizations } = found;
    let certificate = match &order.state {
        OrderState::Issued { certificate, .. } => Some(urls.certificate(*certificate)),
        OrderState::Open | OrderState::Processing { .. } | OrderState::Failed { .. } => None,
    };
    acme::Order {
        status: order.status(authorizations, now),
        expires: Some(order.expires.rfc3339()),
        identifiers: order.identifiers.iter().map(acme::Identifier::to_raw).collect(),
        not_before: order.validity.not_before.map(Timestamp::rfc3339),
        not_after: order.validity.not_after.map(Timestamp::rfc3339),
        replaces: order.replaces.as_ref().map(|replaces| replaces.named.to_string()),
        profile: Some(order.profile.clone()),
        error: order.error(authorizations, now),
        authorizations: order.authorizations.iter().map(|id| urls.authorization(*id)).collect(),
        finalize: urls.finalize(order.id),
        certificate,
    }
}

pub(crate) fn authorization(urls: &Urls, authorization: &Authorization, now: Timestamp) -> acme::Authorization {
    // RFC 8555 section 7.1.4: once it is decided, the challenge that decided it.
    let decided = authorization.challenges.iter().any(is_decided);
    let shown = authorization.challenges.iter().filter(|one| !decided || is_decided(one));
    acme::Authorization {
        identifier: authorization.identifier.authorized().to_raw(),
        status: authorization.status(now),
        expires: Some(authorization.expires.rfc3339()),
        challenges: shown.map(|one| challenge(urls, one)).collect(),
        wildcard: match authorization.identifier {
            acme::Identifier::Wildcard(_) => Some(true),
            acme::Identifier::Dns(_) | acme::Identifier::Ip(_) => None,
        },
    }
}

fn is_decided(challenge: &Challenge) -> bool {
    match challenge.state {
        ChallengeState::Valid { .. } | ChallengeState::Invalid { .. } => true,
        ChallengeState::Pending | ChallengeState::Processing { .. } => false,
    }
}

pub(crate) fn challenge(urls: &Urls, challenge: &Challenge) -> acme::Challenge {
    let (validated, error) = match &challenge.state {
        ChallengeState::Valid { validated, .. } => (Some(validated.rfc3339()), None),
        ChallengeState::Invalid { problem, .. } => (None, Some(problem.clone())),
        ChallengeState::Pending => (None, None),
        // RFC 8555 section 8.2: what was wrong so far.
        ChallengeState::Processing { retry, .. } => (None, retry.as_ref().map(|retry| retry.problem.clone())),
    };
    acme::Challenge {
        kind: challenge.method.name().to_owned(),
        url: urls.challenge(challenge.id),
        status: challenge.status(),
        token: challenge.token.to_string(),
        validated,
        error,
    }
}
