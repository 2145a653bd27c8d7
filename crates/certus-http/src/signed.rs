//! The only door to a payload: RFC 8555 section 6 as one list.

use axum::body::Body;
use axum::extract::FromRequest;
use certus_acme::AccountStatus;
use certus_acme::{FlattenedJws, Jwk, KeyReference, ProblemKind, strict_object};
use certus_ca::CaError;
use certus_ca::ca::Revoker;
use certus_ca::id::RequestId;
use certus_ca::state::Account;
use certus_pki::check_account_key;
use http::{Request, StatusCode, header};
use http_body_util::BodyExt;
use serde::de::DeserializeOwned;

use crate::edge;
use crate::error::ErrorResponse;
use crate::limits;
use crate::routes::App;

/// A verified request of an account: what every resource but newAccount takes.
#[derive(Debug)]
pub(crate) struct Signed<P> {
    /// The account whose key signed.
    pub(crate) account: Account,
    /// What it sent.
    pub(crate) payload: P,
    /// The request's id.
    pub(crate) request: RequestId,
}

/// A verified request that carries its own key: newAccount.
#[derive(Debug)]
pub(crate) struct SignedByKey<P> {
    /// The key that signed.
    pub(crate) key: Jwk,
    /// What was sent.
    pub(crate) payload: P,
    /// The request's id.
    pub(crate) request: RequestId,
}

/// A verified request of an account, or of whoever has a key: revokeCert (RFC 8555 section 7.6).
#[derive(Debug)]
pub(crate) struct SignedByEither<P> {
    /// Who signed.
    pub(crate) signer: Revoker,
    /// What was sent.
    pub(crate) payload: P,
    /// The request's id.
    pub(crate) request: RequestId,
}

/// How a payload is read.
pub(crate) trait Payload: Sized {
    fn read(payload: &[u8]) -> Result<Self, ErrorResponse>;
}

/// A JSON object.
#[derive(Debug)]
pub(crate) struct Json<T>(pub(crate) T);

/// An empty payload and nothing else (RFC 8555 section 6.3).
#[derive(Debug)]
pub(crate) struct PostAsGet;

/// A JSON object, or an empty payload to read the resource.
#[derive(Debug)]
pub(crate) enum JsonOrGet<T> {
    /// POST-as-GET.
    Get,
    /// A change.
    Json(T),
}

impl<T: DeserializeOwned> Payload for Json<T> {
    fn read(payload: &[u8]) -> Result<Self, ErrorResponse> {
        strict_object(payload).map(Json).map_err(|error| error.problem().into())
    }
}

impl Payload for PostAsGet {
    fn read(payload: &[u8]) -> Result<Self, ErrorResponse> {
        if payload.is_empty() {
            return Ok(Self);
        }
        let detail = "this resource can only be read: send an empty payload (RFC 8555 section 6.3)";
        Err(ErrorResponse::new(ProblemKind::Malformed, detail))
    }
}

impl<T: DeserializeOwned> Payload for JsonOrGet<T> {
    fn read(payload: &[u8]) -> Result<Self, ErrorResponse> {
        if payload.is_empty() { Ok(Self::Get) } else { Json::read(payload).map(|Json(change)| Self::Json(change)) }
    }
}

/// Who may have signed a request.
trait Signer: Sized {
    async fn from_reference(app: &App, reference: KeyReference<'_>) -> Result<Self, ErrorResponse>;
    fn key(&self) -> &Jwk;
    fn usable(&self) -> Result<(), ErrorResponse>;
}

struct ByAccount(Account);
struct ByKey(Jwk);

impl Signer for ByAccount {
    async fn from_reference(app: &App, reference: KeyReference<'_>) -> Result<Self, ErrorResponse> {
        let KeyReference::Kid(kid) = reference else {
            let detail = "sign this request with \"kid\", the account's URL; \"jwk\" is for newAccount alone";
            return Err(ErrorResponse::new(ProblemKind::Malformed, detail));
        };
        let unknown = || {
            let detail = "no account has this \"kid\"; make one with newAccount and use the URL in its Location header";
            ErrorResponse::new(ProblemKind::AccountDoesNotExist, detail)
        };
        let id = app.urls.account_of(kid).ok_or_else(unknown)?;
        app.ca.account(id).await?.map(|stored| Self(stored.value)).ok_or_else(unknown)
    }

    fn key(&self) -> &Jwk {
        &self.0.key
    }

    fn usable(&self) -> Result<(), ErrorResponse> {
        usable(&self.0)
    }
}

fn usable(account: &Account) -> Result<(), ErrorResponse> {
    match account.status() {
        AccountStatus::Valid => Ok(()),
        AccountStatus::Deactivated | AccountStatus::Revoked => Err(CaError::deactivated().into()),
    }
}

impl Signer for ByKey {
    async fn from_reference(_: &App, reference: KeyReference<'_>) -> Result<Self, ErrorResponse> {
        let KeyReference::Jwk(key) = reference else {
            let detail = "sign newAccount with \"jwk\", the new account's key, not with \"kid\"";
            return Err(ErrorResponse::new(ProblemKind::Malformed, detail));
        };
        Ok(Self(key))
    }

    fn key(&self) -> &Jwk {
        &self.0
    }

    fn usable(&self) -> Result<(), ErrorResponse> {
        check_account_key(self.0.public_key())
            .map_err(|refused| ErrorResponse::new(ProblemKind::BadPublicKey, refused.to_string()))
    }
}

impl Signer for Revoker {
    async fn from_reference(app: &App, reference: KeyReference<'_>) -> Result<Self, ErrorResponse> {
        match reference {
            KeyReference::Kid(_) => ByAccount::from_reference(app, reference)
                .await
                .map(|ByAccount(account)| Self::Account(Box::new(account))),
            KeyReference::Jwk(key) => Ok(Self::Key(key)),
        }
    }

    fn key(&self) -> &Jwk {
        match self {
            Self::Account(account) => &account.key,
            Self::Key(key) => key,
        }
    }

    fn usable(&self) -> Result<(), ErrorResponse> {
        match self {
            Self::Account(account) => usable(account),
            // Also a weak one: that is why its certificate is to be revoked.
            Self::Key(_) => Ok(()),
        }
    }
}

/// The list. Each step has its rule; nothing after a failed step happens.
async fn verify<S: Signer, P: Payload>(app: &App, request: Request<Body>) -> Result<(S, P), ErrorResponse> {
    let (head, body) = request.into_parts();
    // 1. Content type: RFC 8555 section 6.2.
    check_content_type(&head)?;
    // 2. Size: limits::MAX_BODY.
    let body = read_body(body).await?;
    // 3. A flattened JWS and nothing else: RFC 8555 section 6.2, RFC 7515 section 7.2.2.
    let jws = FlattenedJws::parse(&body)?;
    // 4. An algorithm that is offered: RFC 8555 section 6.2.
    let algorithm = jws.algorithm()?;
    // 5. For this URL: RFC 8555 section 6.4, compared by characters.
    let asked = app.urls.of(head.uri.path_and_query().map_or("/", |path| path.as_str()));
    if jws.url()? != asked {
        let detail = format!("the request was signed for another URL than it was sent to; sign it for {asked:?}");
        return Err(ErrorResponse::new(ProblemKind::Unauthorized, detail));
    }
    // 6. One key, by kid or jwk as the resource asks: RFC 8555 section 6.2.
    let signer = S::from_reference(app, jws.key_reference()?).await?;
    // 7. The signature: RFC 7515 section 5.2.
    let verified = jws.verify(signer.key().public_key(), algorithm)?;
    // 8. The nonce, spent only now that the signature holds: RFC 8555 section 6.5.
    let redeemed = app.ca.nonces().redeem(verified.nonce()?, app.ca.now()).await;
    redeemed.map_err(|error| ErrorResponse::new(ProblemKind::BadNonce, error.to_string()))?;
    // 9. An account that is in use: RFC 8555 section 7.3.6. Read in step 6, and no older than the last write. For newAccount, a key
    //    that is good enough: section 6.2. To look for weaknesses costs more than to verify, so only who has the key can
    //    make us; a key that cannot be used at all was refused in step 6.
    signer.usable()?;
    // 10. The payload.
    Ok((signer, P::read(verified.payload())?))
}

fn check_content_type(head: &http::request::Parts) -> Result<(), ErrorResponse> {
    let content_type = head.headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = content_type.and_then(|value| value.split(';').next()).map(str::trim);
    if essence.is_some_and(|essence| essence.eq_ignore_ascii_case("application/jose+json")) {
        return Ok(());
    }
    let detail = "send the request with Content-Type: application/jose+json (RFC 8555 section 6.2)";
    Err(ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::UNSUPPORTED_MEDIA_TYPE, detail))
}

async fn read_body(mut body: Body) -> Result<bytes::Bytes, ErrorResponse> {
    match tokio::time::timeout(limits::BODY_TIMEOUT, collect(&mut body)).await {
        Ok(Ok(Some(body))) => Ok(body),
        Ok(Ok(None)) => {
            let detail = format!("a request body may have {} octets at most", limits::MAX_BODY);
            Err(ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::PAYLOAD_TOO_LARGE, detail))
        }
        Ok(Err(_)) => Err(ErrorResponse::new(ProblemKind::Malformed, "the request body did not arrive whole")),
        Err(_) => {
            let detail = "the request body did not arrive in time";
            Err(ErrorResponse::with_status(ProblemKind::Malformed, StatusCode::REQUEST_TIMEOUT, detail))
        }
    }
}

/// The whole body; `None` when it is too large. Then the rest is thrown away, up to [`limits::MAX_DISCARDED`].
async fn collect(body: &mut Body) -> Result<Option<bytes::Bytes>, axum::Error> {
    let mut kept = bytes::BytesMut::new();
    let mut arrived = 0;
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        arrived += data.len();
        if arrived <= limits::MAX_BODY {
            kept.extend_from_slice(&data);
        } else if arrived > limits::MAX_DISCARDED {
            break;
        }
    }
    Ok((arrived <= limits::MAX_BODY).then(|| kept.freeze()))
}

impl<P: Payload + Send> FromRequest<App> for Signed<P> {
    type Rejection = ErrorResponse;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ErrorResponse> {
        let id = edge::request_id(&request);
        let (ByAccount(account), payload) = verify(app, request).await?;
        Ok(Self { account, payload, request: id })
    }
}

impl<P: Payload + Send> FromRequest<App> for SignedByKey<P> {
    type Rejection = ErrorResponse;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ErrorResponse> {
        let id = edge::request_id(&request);
        let (ByKey(key), payload) = verify(app, request).await?;
        Ok(Self { key, payload, request: id })
    }
}

impl<P: Payload + Send> FromRequest<App> for SignedByEither<P> {
    type Rejection = ErrorResponse;

    async fn from_request(request: Request<Body>, app: &App) -> Result<Self, ErrorResponse> {
        let id = edge::request_id(&request);
        let (signer, payload) = verify(app, request).await?;
        Ok(Self { signer, payload, request: id })
    }
}
