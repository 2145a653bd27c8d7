//! External account binding (RFC 8555 section 7.3.4): the JWS within newAccount's payload.

use certus_acme::{FlattenedJws, Jwk, KeyReference, ProblemKind};
use certus_ca::state::AccountBinding;

use super::{App, NEW_ACCOUNT};
use crate::error::ErrorResponse;

/// The list, as [`crate::signed`] has it for requests as a whole; `key` is that of the outer JWS. Nothing after a failed
/// step happens.
pub(super) async fn verify(app: &App, key: &Jwk, sent: &str) -> Result<AccountBinding, ErrorResponse> {
    let malformed = |detail: String| ErrorResponse::new(ProblemKind::Malformed, detail);
    // 1. A flattened JWS and nothing else: RFC 8555 section 7.3.4.
    let jws = FlattenedJws::parse(sent.as_bytes()).map_err(|error| {
        malformed(format!("externalAccountBinding must be a flattened JWS (RFC 8555 section 7.3.4): {error}"))
    })?;
    // 2. A MAC, never a signature.
    let algorithm = jws.mac_algorithm()?;
    // 3. The key by its id alone.
    let KeyReference::Kid(kid) = jws.key_reference()? else {
        return Err(malformed("the binding must have \"kid\", the key id that was handed out, not \"jwk\"".to_owned()));
    };
    // 4. No nonce: the outer JWS has it.
    if jws.header().nonce.is_some() {
        return Err(malformed("the binding must not have a \"nonce\"; the outer JWS has it".to_owned()));
    }
    // 5. For the URL of the outer JWS, which was compared before.
    let url = app.urls.of(NEW_ACCOUNT);
    if jws.url()? != url {
        return Err(malformed(format!("the binding must have the \"url\" of the outer JWS, {url:?}")));
    }
    // 6. The MAC. Under an id that nobody has none holds, and the answer is the same.
    let (id, secret) = app.ca.binding_secret(kid).await?;
    let verified = jws.verify_mac(&secret, algorithm)?;
    // 7. Over the account's key: the same key, however its members are written.
    let bound = std::str::from_utf8(verified.payload()).ok().and_then(|text| Jwk::parse(text).ok());
    if bound.is_none_or(|bound| bound.thumbprint() != key.thumbprint()) {
        return Err(malformed(
            "the payload of the binding must be the account's key, the \"jwk\" of the outer JWS".into(),
        ));
    }
    Ok(AccountBinding { key: id, jws: sent.to_owned() })
}
