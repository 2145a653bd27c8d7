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

use certus_acme::{AuthorizationStatus, CertId, Identifier, OrderStatus, Problem, ProblemKind, Subproblem};
use certus_pki::{AuthorizedNames, PublicKey, Timestamp, Validity};

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
    /// The dates its certificate is to have.
    pub validity: Validity,
    /// What the certificate is to name, in the order the client gave; never changed.
    pub identifiers: Vec<Identifier>,
    /// The authorizations it needs, one an identifier, in the same order; never changed.
    pub authorizations: Vec<AuthorizationId>,
    /// When it was made.
    pub created: Timestamp,
    /// Until when it can be finalized.
    pub expires: Timestamp,
    /// The certificate that its own is to replace (RFC 9773 section 5).
    pub replaces: Option<Replaces>,
    /// What has happened to it.
    pub state: OrderState,
}

/// A certificate that is to be replaced.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Replaces {
    /// The certificate.
    pub certificate: CertificateId,
    /// As the client named it.
    pub named: CertId,
    /// Whether that was asked for: the order came within the window that renewalInfo suggested or later, and has no other
    /// names, and is the first for a certificate that was not revoked. Limits on rates need not count it (RFC 9773 section 5).
    pub due: bool,
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
            validity: Validity::default(),
            identifiers: authorizations.iter().map(|authorization| authorization.identifier.clone()).collect(),
            authorizations: authorizations.iter().map(|authorization| authorization.id).collect(),
            created: now,
            expires,
            replaces: None,
            state: OrderState::Open,
        }
    }

    /// The same order for a certificate with these dates.
    #[must_use]
    pub fn with_validity(self, validity: Validity) -> Self {
        Self { validity, ..self }
    }

    /// The same order for a certificate that replaces this one.
    #[must_use]
    pub fn with_replaces(self, replaces: Option<Replaces>) -> Self {
        Self { replaces, ..self }
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

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use certus_acme::ChallengeType;
    use certus_pki::{DnsName, KeyAlgorithm, KeyPair, SubjectName};

    use super::super::authorization::Begun;
    use super::super::challenge::Evidence;
    use super::super::control::ValidatedControl;
    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000)
    }

    fn key() -> PublicKey {
        KeyPair::generate(KeyAlgorithm::EcP256).unwrap().public_key().clone()
    }

    /// What becomes of an authorization before the order is looked at.
    #[derive(Debug, Clone, Copy)]
    enum Fate {
        Pending,
        Processing,
        Valid,
        Invalid,
        GivenUp,
        ValidThenGivenUp,
    }

    fn authorization(account: AccountId, name: &str, fate: Fate) -> Authorization {
        let identifier = Identifier::Dns(DnsName::parse(name).unwrap());
        let open =
            Authorization::open(account, identifier.clone(), &[ChallengeType::Http01], start(), start() + 2 * HOUR);
        let id = open.challenges[0].id;
        let begun = match open.clone().begin(id, start()) {
            Begun::Started(begun) => begun,
            other @ (Begun::Running | Begun::Closed) => panic!("{other:?}"),
        };
        let seen = Ok(ValidatedControl::assertion(identifier, ChallengeType::Http01, Evidence::default()));
        let refused = Err(Problem::new(ProblemKind::Connection, format!("nobody was at {name}")));
        let settle = |outcome| begun.clone().settle(id, outcome, start(), start() + 2 * HOUR).unwrap();
        match fate {
            Fate::Pending => open,
            Fate::Processing => begun,
            Fate::Valid => settle(seen),
            Fate::Invalid => settle(refused),
            Fate::GivenUp => open.deactivate(start()),
            Fate::ValidThenGivenUp => settle(seen).deactivate(start()),
        }
    }

    /// An order of an hour over authorizations of those fates, whose own time is two hours.
    fn order(fates: &[Fate]) -> (Order, Vec<Authorization>) {
        let account = AccountId::random();
        let authorizations: Vec<_> = fates
            .iter()
            .enumerate()
            .map(|(index, fate)| authorization(account, &format!("n{index}.example"), *fate))
            .collect();
        let order = Order::open(account, "classic".to_owned(), &authorizations, start(), start() + HOUR);
        (order, authorizations)
    }

    #[test]
    fn the_status_of_an_open_order_follows_from_its_authorizations() {
        use Fate::{GivenUp, Invalid, Pending, Processing, Valid, ValidThenGivenUp};
        for (fates, status) in [
            (&[Pending][..], OrderStatus::Pending),
            (&[Processing], OrderStatus::Pending),
            (&[Valid], OrderStatus::Ready),
            (&[Valid, Valid], OrderStatus::Ready),
            (&[Valid, Pending], OrderStatus::Pending),
            (&[Pending, Valid], OrderStatus::Pending),
            (&[Invalid], OrderStatus::Invalid),
            (&[Valid, Invalid], OrderStatus::Invalid),
            (&[Pending, Invalid], OrderStatus::Invalid),
            (&[GivenUp], OrderStatus::Invalid),
            (&[Valid, ValidThenGivenUp], OrderStatus::Invalid),
        ] {
            let (order, authorizations) = order(fates);
            assert_eq!(order.status(&authorizations, start()), status, "{fates:?}");
            assert_eq!(order.error(&authorizations, start()).is_some(), status == OrderStatus::Invalid, "{fates:?}");
            assert_eq!(order.status(&authorizations, start() + HOUR), OrderStatus::Invalid, "{fates:?} expired");
            assert!(order.error(&authorizations, start() + HOUR).is_some(), "{fates:?} expired");

            let begun = order.begin_issuance(&authorizations, key(), start());
            assert_eq!(begun.as_ref().err(), (status != OrderStatus::Ready).then_some(&status), "{fates:?}");
        }
    }

    #[test]
    fn an_order_outlives_its_authorizations_once_it_is_decided() {
        let (order, authorizations) = order(&[Fate::Valid]);
        let processing = order.begin_issuance(&authorizations, key(), start()).unwrap();
        let issued = processing.clone().complete(CertificateId::random(), start());
        let failed = processing.clone().fail(Problem::new(ProblemKind::ServerInternal, "the signer was away"), start());
        let given_up: Vec<_> = authorizations.iter().map(|one| one.clone().deactivate(start())).collect();
        for at in [start(), start() + 10 * HOUR] {
            for authorizations in [&authorizations, &given_up] {
                assert_eq!(processing.status(authorizations, at), OrderStatus::Processing);
                assert_eq!(issued.status(authorizations, at), OrderStatus::Valid);
                assert_eq!(issued.error(authorizations, at), None);
                assert_eq!(failed.status(authorizations, at), OrderStatus::Invalid);
                assert_eq!(failed.error(authorizations, at).unwrap().detail, "the signer was away");
            }
        }
        for decided in [processing, issued, failed] {
            let status = decided.status(&authorizations, start());
            assert_eq!(decided.begin_issuance(&authorizations, key(), start()), Err(status));
        }
    }

    #[test]
    fn names_are_authorized_only_of_an_order_that_was_finalized_in_time() {
        let (order, authorizations) = order(&[Fate::Valid, Fate::Valid]);
        assert!(order.authorized_names(&authorizations).is_none(), "not finalized");
        let key = key();
        let processing = order.begin_issuance(&authorizations, key.clone(), start()).unwrap();
        let (names, certified) = processing.authorized_names(&authorizations).unwrap();
        let expected = ["n0.example", "n1.example"].map(|name| SubjectName::Dns(DnsName::parse(name).unwrap()));
        assert_eq!((names.names(), &certified), (&expected.into(), &key));

        let changed = |change: &dyn Fn(&mut Vec<Authorization>)| {
            let mut authorizations = authorizations.clone();
            change(&mut authorizations);
            processing.authorized_names(&authorizations)
        };
        for (what, names) in [
            ("one given up", changed(&|all| all[1] = all[1].clone().deactivate(start()))),
            ("one expired before it was finalized", changed(&|all| all[1].expires = start())),
            ("one missing", changed(&|all| drop(all.pop()))),
            ("one more", changed(&|all| all.push(all[0].clone()))),
            ("none", changed(&Vec::clear)),
            ("in another order", changed(&|all| all.reverse())),
            ("one twice", changed(&|all| all[1] = all[0].clone())),
            ("another account's", changed(&|all| all[1].account = AccountId::random())),
            ("another authorization", changed(&|all| all[1].id = AuthorizationId::random())),
            ("for another name", changed(&|all| all[1].identifier = all[0].identifier.clone())),
        ] {
            assert!(names.is_none(), "{what}");
        }
        let late = start() + 3 * HOUR;
        assert!(authorizations.iter().all(|one| one.status(late) == AuthorizationStatus::Expired));
        assert!(processing.authorized_names(&authorizations).is_some(), "the job may come late");
        for decided in [
            processing.clone().complete(CertificateId::random(), start()),
            processing.clone().fail(Problem::new(ProblemKind::ServerInternal, "x"), start()),
        ] {
            assert!(decided.authorized_names(&authorizations).is_none(), "{:?}", decided.state);
        }
    }

    #[test]
    fn an_invalid_order_says_which_names_failed() {
        let (order, authorizations) = order(&[Fate::Invalid, Fate::Valid, Fate::Invalid]);
        let error = order.error(&authorizations, start()).unwrap();
        let named: Vec<_> = error.subproblems.iter().map(|one| one.identifier.clone().unwrap().value).collect();
        assert_eq!(
            (error.kind, named),
            (ProblemKind::Compound, vec!["n0.example".to_owned(), "n2.example".to_owned()])
        );
        let (order, authorizations) = self::order(&[Fate::Valid, Fate::Invalid]);
        let error = order.error(&authorizations, start()).unwrap();
        assert_eq!((error.kind, error.subproblems.len()), (ProblemKind::Connection, 1));
        assert_eq!(error.detail, "nobody was at n1.example");
    }
}
