//! Orders (RFC 8555 sections 7.1.3, 7.1.6 and 7.4).
//!
//! ```text
//!  pending --------------+
//!     |                  |
//!     | All authz        |
//!     | "valid"          |
//!     V                  |
//!   ready ---------------+
//!     |                  |
//!     | Receive          |
//!     | finalize         |
//!     V                  |
//! processing ------------+
//!     |                  |
//!     | Certificate      | Error or
//!     | issued           | Authorization failure
//!     V                  V
//!   valid             invalid
//! ```

use certus_acme::{AuthorizationStatus, Identifier, OrderStatus, Problem, ProblemKind, Subproblem};
use certus_pki::{AuthorizedNames, PublicKey, Timestamp};

use super::authorization::Authorization;
use crate::id::{AccountId, AuthorizationId, CertificateId, OrderId};

/// A client's wish for one certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    /// Its id, the last part of its URL.
    pub id: OrderId,
    /// The account that made it.
    pub account: AccountId,
    /// The profile its certificate will have, fixed when the order is made.
    pub profile: String,
    /// What the certificate is to name, in the order the client gave; never changed.
    pub identifiers: Vec<Identifier>,
    /// The authorizations it needs, one an identifier, in the same order; never changed.
    pub authorizations: Vec<AuthorizationId>,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it can be finalized.
    pub expires: Timestamp,
    /// What has happened to it.
    pub state: OrderState,
}

/// What has happened to an order. The status a client sees is derived; see [`Order::status`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderState {
    /// Neither finalized nor failed.
    Open,
    /// Finalized; a job issues the certificate.
    Processing {
        /// When it was finalized.
        since: Timestamp,
        /// The key to be certified: all that is kept of the certification request.
        key: PublicKey,
    },
    /// The certificate is there.
    Issued {
        /// The certificate.
        certificate: CertificateId,
        /// When it was issued.
        at: Timestamp,
    },
    /// Issuing failed. Final.
    Failed {
        /// When.
        at: Timestamp,
        /// Why.
        problem: Problem,
    },
}

impl Order {
    /// A new order over authorizations that were made for it.
    #[must_use]
    pub fn open(
        account: AccountId,
        profile: String,
        authorizations: &[Authorization],
        now: Timestamp,
        expires: Timestamp,
    ) -> Self {
        Self {
            id: OrderId::random(),
            account,
            profile,
            identifiers: authorizations.iter().map(|authorization| authorization.identifier.clone()).collect(),
            authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
            created: now,
            expires,
            state: OrderState::Open,
        }
    }

    /// RFC 8555 section 7.1.6. Facts that can no longer change are asked first, so an issued order stays valid after
    /// its authorizations expire.
    #[must_use]
    pub fn status(&self, authorizations: &[Authorization], now: Timestamp) -> OrderStatus {
        match self.state {
            OrderState::Issued { .. } => return OrderStatus::Valid,
            OrderState::Failed { .. } => return OrderStatus::Invalid,
            OrderState::Processing { .. } => return OrderStatus::Processing,
            OrderState::Open => {}
        }
        if now >= self.expires || !self.covers(authorizations) {
            return OrderStatus::Invalid;
        }
        let mut ready = true;
        for authorization in authorizations {
            match authorization.status(now) {
                AuthorizationStatus::Valid => {}
                AuthorizationStatus::Pending => ready = false,
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Deactivated
                | AuthorizationStatus::Expired
                | AuthorizationStatus::Revoked => return OrderStatus::Invalid,
            }
        }
        if ready { OrderStatus::Ready } else { OrderStatus::Pending }
    }

    /// Why the order is invalid, for its `error` member (RFC 8555 section 7.1.3).
    #[must_use]
    pub fn error(&self, authorizations: &[Authorization], now: Timestamp) -> Option<Problem> {
        if let OrderState::Failed { problem, .. } = &self.state {
            return Some(problem.clone());
        }
        if self.status(authorizations, now) != OrderStatus::Invalid {
            return None;
        }
        let failures: Vec<Subproblem> = authorizations
            .iter()
            .filter_map(|authorization| {
                let problem = authorization.failure()?;
                Some(Subproblem {
                    kind: problem.kind,
                    detail: problem.detail.clone(),
                    identifier: Some(authorization.identifier.to_raw()),
                })
            })
            .collect();
        Some(match failures.as_slice() {
            [] if now >= self.expires => {
                Problem::new(ProblemKind::Malformed, "the order expired before it was finalized; make a new order")
            }
            [] => Problem::new(
                ProblemKind::Unauthorized,
                "an authorization of this order expired or was deactivated; make a new order",
            ),
            [one] => Problem::new(one.kind, one.detail.clone()).with_subproblems(failures.clone()),
            _ => Problem::new(ProblemKind::Compound, "several identifiers could not be validated; see the subproblems")
                .with_subproblems(failures),
        })
    }

    /// Takes in the key to be certified: `ready` becomes `processing`.
    ///
    /// # Errors
    ///
    /// The status the order is in, when it is not ready.
    pub fn begin_issuance(
        self,
        authorizations: &[Authorization],
        key: PublicKey,
        now: Timestamp,
    ) -> Result<Self, OrderStatus> {
        match self.status(authorizations, now) {
            OrderStatus::Ready => Ok(Self { state: OrderState::Processing { since: now, key }, ..self }),
            other @ (OrderStatus::Pending | OrderStatus::Processing | OrderStatus::Valid | OrderStatus::Invalid) => {
                Err(other)
            }
        }
    }

    /// The proof that this order's names may be certified, for the key it was finalized with. `None` unless every
    /// identifier has an authorization of the same account that was valid when the order was finalized and has not
    /// been given up since.
    #[must_use]
    pub fn authorized_names(&self, authorizations: &[Authorization]) -> Option<(AuthorizedNames, PublicKey)> {
        let OrderState::Processing { since, key } = &self.state else { return None };
        if !self.covers(authorizations) {
            return None;
        }
        let valid = |authorization: &Authorization| authorization.status(*since) == AuthorizationStatus::Valid;
        if !authorizations.iter().all(valid) {
            return None;
        }
        // In the order the client gave: what it named first is how it knows the certificate.
        let names = self.identifiers.iter().map(Identifier::subject_name);
        Some((AuthorizedNames::assertion(names)?, key.clone()))
    }

    /// The certificate is there: `processing` becomes `valid`.
    #[must_use]
    pub fn complete(self, certificate: CertificateId, now: Timestamp) -> Self {
        Self { state: OrderState::Issued { certificate, at: now }, ..self }
    }

    /// Issuing failed for good: `processing` becomes `invalid`.
    #[must_use]
    pub fn fail(self, problem: Problem, now: Timestamp) -> Self {
        Self { state: OrderState::Failed { at: now, problem }, ..self }
    }

    /// Whether these are this order's authorizations, all of them, each for the identifier at its place.
    fn covers(&self, authorizations: &[Authorization]) -> bool {
        let same = |(index, authorization): (usize, &Authorization)| {
            self.identifiers.get(index) == Some(&authorization.identifier)
                && self.authorizations.get(index) == Some(&authorization.id)
                && authorization.account == self.account
        };
        !authorizations.is_empty()
            && authorizations.len() == self.identifiers.len()
            && authorizations.iter().enumerate().all(same)
    }
}
