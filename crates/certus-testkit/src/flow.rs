//! The whole way to a certificate over http-01, with polling that does what Retry-After says.

use std::time::Duration;

use certus_acme::{Authorization, AuthorizationStatus, ChallengeType, NewOrder, Order, OrderStatus};
use certus_pki::{KeyAlgorithm, KeyPair};
use serde::Serialize;

use crate::client::{ClientError, Resource, TestClient};
use crate::csr::{CsrOptions, csr};
use crate::http_target::Http01Target;
use crate::raw_http::Answer;

/// Polls before something counts as stuck. With [`POLL_EVERY`] and the authority's own holding back of answers this is
/// far beyond any validation.
const MAX_POLLS: usize = 120;
/// Time between polls when the answer asks for none.
const POLL_EVERY: Duration = Duration::from_millis(100);
/// The longest Retry-After that is honoured; the authority's are a few seconds.
const LONGEST_WAIT: Duration = Duration::from_secs(5);

/// A certificate and what belongs to it.
#[derive(Debug)]
pub struct Issued {
    /// The chain in PEM, the certificate first.
    pub chain_pem: String,
    /// The certificate's key.
    pub key: KeyPair,
    /// The order as it was in the end.
    pub order: Resource<Order>,
}

impl TestClient {
    /// Obtains a certificate for DNS names, with a new P-256 key. The account must be there.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: the first answer that does not lead on.
    pub async fn obtain(&self, names: &[&str], target: &Http01Target) -> Result<Issued, ClientError> {
        self.obtain_for(names, target, KeyPair::generate(KeyAlgorithm::EcP256)?).await
    }

    /// [`Self::obtain`] for a key of one's own.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: the first answer that does not lead on.
    pub async fn obtain_for(&self, names: &[&str], target: &Http01Target, key: KeyPair) -> Result<Issued, ClientError> {
        self.obtain_by(self.new_order(names).await?, target, key).await
    }

    /// [`Self::obtain`] by an order of one's own.
    ///
    /// # Errors
    ///
    /// [`ClientError`]: the first answer that does not lead on.
    pub async fn obtain_with(&self, wish: &NewOrder, target: &Http01Target) -> Result<Issued, ClientError> {
        self.obtain_by(self.new_order_with(wish).await?, target, KeyPair::generate(KeyAlgorithm::EcP256)?).await
    }

    async fn obtain_by(
        &self,
        order: Resource<Order>,
        target: &Http01Target,
        key: KeyPair,
    ) -> Result<Issued, ClientError> {
        let names: Vec<&str> = order.value.identifiers.iter().map(|one| one.value.as_str()).collect();
        let request = csr(&names, &key, &CsrOptions::default())?;
        let order = self.authorize(&order, target).await?;
        let order = self.finalize(&order.value, &request).await?;
        let order = self.issued(order).await?;
        let Some(url) = order.value.certificate.as_deref() else {
            let reason = "a valid order has no certificate".to_owned();
            return Err(ClientError::Form { url: order.url, reason, answer: Box::new(order.answer) });
        };
        let chain_pem = self.certificate(url).await?;
        Ok(Issued { chain_pem, key, order })
    }

    /// Meets an http-01 challenge of every pending authorization and waits for the order to be ready. Gives the order as
    /// it is then.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when a validation fails; [`ClientError::Unfinished`] when one does not end.
    pub async fn authorize(
        &self,
        order: &Resource<Order>,
        target: &Http01Target,
    ) -> Result<Resource<Order>, ClientError> {
        for url in &order.value.authorizations {
            let authorization = self.authorization(url).await?;
            if authorization.value.status == AuthorizationStatus::Pending {
                self.validate(&authorization, target).await?;
            }
        }
        let pending = |order: &Order| match order.status {
            OrderStatus::Pending => Some(Progress::Wait),
            OrderStatus::Ready | OrderStatus::Processing | OrderStatus::Valid => None,
            OrderStatus::Invalid => Some(Progress::Failed),
        };
        self.poll(self.order(&order.url).await?, pending, async |url: &str| self.order(url).await).await
    }

    /// Meets the http-01 challenge of an authorization, and waits for the outcome.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when the validation fails; [`ClientError::Unfinished`] when it does not end.
    pub async fn validate(
        &self,
        authorization: &Resource<Authorization>,
        target: &Http01Target,
    ) -> Result<Resource<Authorization>, ClientError> {
        let offered = &authorization.value.challenges;
        let challenge = offered.iter().find(|challenge| challenge.challenge_type() == Some(ChallengeType::Http01));
        let proof = challenge.and_then(|challenge| Some((challenge, self.key_authorization(&challenge.token)?)));
        let Some((challenge, text)) = proof else {
            let (url, reason) = (authorization.url.clone(), "no http-01 challenge with a token".to_owned());
            return Err(ClientError::Form { url, reason, answer: Box::new(authorization.answer.clone()) });
        };
        target.serve(&challenge.token, &text);
        self.respond(&challenge.url).await?;
        let validated = self.validated(authorization.url.as_str()).await;
        target.forget(&challenge.token);
        validated
    }

    /// Waits until an authorization is no longer pending.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when it ends otherwise than valid; [`ClientError::Unfinished`] when it does not end.
    pub async fn validated(&self, url: &str) -> Result<Resource<Authorization>, ClientError> {
        let progress = |authorization: &Authorization| match authorization.status {
            AuthorizationStatus::Pending => Some(Progress::Wait),
            AuthorizationStatus::Valid => None,
            AuthorizationStatus::Invalid
            | AuthorizationStatus::Deactivated
            | AuthorizationStatus::Expired
            | AuthorizationStatus::Revoked => Some(Progress::Failed),
        };
        self.poll(self.authorization(url).await?, progress, async |url: &str| self.authorization(url).await).await
    }

    /// Waits until a finalized order is valid.
    ///
    /// # Errors
    ///
    /// [`ClientError::Invalid`] when it becomes invalid; [`ClientError::Unfinished`] when it does not end.
    pub async fn issued(&self, order: Resource<Order>) -> Result<Resource<Order>, ClientError> {
        let progress = |order: &Order| match order.status {
            OrderStatus::Pending | OrderStatus::Ready | OrderStatus::Processing => Some(Progress::Wait),
            OrderStatus::Valid => None,
            OrderStatus::Invalid => Some(Progress::Failed),
        };
        self.poll(order, progress, async |url: &str| self.order(url).await).await
    }

    async fn poll<T: Serialize>(
        &self,
        first: Resource<T>,
        progress: impl Fn(&T) -> Option<Progress>,
        read: impl AsyncFn(&str) -> Result<Resource<T>, ClientError>,
    ) -> Result<Resource<T>, ClientError> {
        let mut seen = first;
        for _ in 0..MAX_POLLS {
            match progress(&seen.value) {
                None => return Ok(seen),
                Some(Progress::Failed) => return Err(ClientError::Invalid { url: seen.url, json: seen.answer.text() }),
                Some(Progress::Wait) => {}
            }
            tokio::time::sleep(wait_after(&seen.answer)).await;
            seen = read(&seen.url).await?;
        }
        Err(ClientError::Unfinished { url: seen.url, polls: MAX_POLLS, json: seen.answer.text() })
    }
}

/// What an object that is not yet as wanted means.
enum Progress {
    Wait,
    Failed,
}

fn wait_after(answer: &Answer) -> Duration {
    answer.retry_after().map_or(POLL_EVERY, |asked| asked.min(LONGEST_WAIT))
}
