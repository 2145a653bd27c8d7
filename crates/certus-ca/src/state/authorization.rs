//! Authorizations (RFC 8555 sections 7.1.4 and 7.1.6).
//!
//! ```text
//!                 pending --------------------+
//!                    |                        |
//!  Challenge failure |  Challenge valid       |
//!          +---------+---------+              |
//!          V                   V              |
//!       invalid              valid            |
//!                              |              |
//!               +--------------+--------------+
//!        Client |                  Time after |
//!    deactivate |                   "expires" |
//!               V                             V
//!          deactivated                     expired
//! ```

use std::time::Duration;

use certus_acme::{AuthorizationStatus, ChallengeType, Identifier, Problem};
use certus_pki::Timestamp;

use super::challenge::{Challenge, ChallengeState, Evidence};
use super::control::ValidatedControl;
use crate::id::{AccountId, AuthorizationId, ChallengeId};
use crate::limits;

/// An account's standing with one identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authorization {
    /// Its id, the last part of its URL.
    pub id: AuthorizationId,
    /// The account that may act on it.
    pub account: AccountId,
    /// What it is for.
    pub identifier: Identifier,
    /// When it was made.
    pub created: Timestamp,
    /// From when on it is worth nothing.
    pub expires: Timestamp,
    /// When the client gave it up, if ever. Final (RFC 8555 section 7.5.2).
    pub deactivated: Option<Timestamp>,
    /// How long after it was met it may serve orders that are made later, as long as it is valid; `None` when it serves the
    /// order alone that it was made for.
    pub reuse: Option<Duration>,
    /// How often a challenge that failed is tried again (RFC 8555 section 8.2).
    pub retries: u8,
    /// Whether the key that the account is bound to vouches for the identifier: then it is valid without a challenge.
    pub vouched: bool,
    /// The challenges offered; any one will do.
    pub challenges: Vec<Challenge>,
}

impl Authorization {
    /// A new authorization that offers one challenge of each method.
    #[must_use]
    pub fn open(
        account: AccountId,
        identifier: Identifier,
        methods: &[ChallengeType],
        now: Timestamp,
        expires: Timestamp,
    ) -> Self {
        let challenges = methods.iter().map(|method| Challenge::offer(*method)).collect();
        Self {
            id: AuthorizationId::random(),
            account,
            identifier,
            created: now,
            expires,
            deactivated: None,
            reuse: None,
            retries: 0,
            vouched: false,
            challenges,
        }
    }

    /// An authorization that is valid from the beginning, since the key that the account is bound to vouches for the
    /// identifier (RFC 8555 section 7.3.4). It has no challenge and serves its own order alone.
    #[must_use]
    pub fn vouched(account: AccountId, identifier: Identifier, now: Timestamp, expires: Timestamp) -> Self {
        Self { vouched: true, ..Self::open(account, identifier, &[], now, expires) }
    }

    /// The same authorization, to serve later orders too for so long.
    #[must_use]
    pub fn with_reuse(self, reuse: Duration) -> Self {
        Self { reuse: (!reuse.is_zero()).then_some(reuse), ..self }
    }

    /// The same authorization, whose challenges are tried again so often.
    #[must_use]
    pub fn with_retries(self, retries: u8) -> Self {
        Self { retries, ..self }
    }

    /// Whether it may serve an order that is made now, for which these challenges are good enough if they were met within
    /// `within`. That does not hold for what was made ahead of orders (RFC 8555 section 7.4.1).
    #[must_use]
    pub fn serves_later_orders(&self, challenges: &[ChallengeType], within: Duration, now: Timestamp) -> bool {
        let (Some(reuse), Some((challenge, met, _))) = (self.reuse, self.proof()) else { return false };
        let reuse = if reuse > limits::AUTHORIZATION_LIFETIME { reuse } else { reuse.min(within) };
        self.status(now) == AuthorizationStatus::Valid && challenges.contains(&challenge) && now < met + reuse
    }

    /// The status a client sees (RFC 8555 section 7.1.6).
    #[must_use]
    pub fn status(&self, now: Timestamp) -> AuthorizationStatus {
        if self.deactivated.is_some() {
            return AuthorizationStatus::Deactivated;
        }
        if self.failure().is_some() {
            return AuthorizationStatus::Invalid;
        }
        if now >= self.expires {
            return AuthorizationStatus::Expired;
        }
        match self.proof() {
            Some(_) => AuthorizationStatus::Valid,
            None if self.vouched => AuthorizationStatus::Valid,
            None => AuthorizationStatus::Pending,
        }
    }

    /// The challenge that was met, with when and how.
    #[must_use]
    pub fn proof(&self) -> Option<(ChallengeType, Timestamp, &Evidence)> {
        self.challenges.iter().find_map(|challenge| match &challenge.state {
            ChallengeState::Valid { validated, evidence } => Some((challenge.method, *validated, evidence)),
            ChallengeState::Pending | ChallengeState::Processing { .. } | ChallengeState::Invalid { .. } => None,
        })
    }

    /// Why it is invalid, if a challenge has failed.
    #[must_use]
    pub fn failure(&self) -> Option<&Problem> {
        self.challenges.iter().find_map(|challenge| match &challenge.state {
            ChallengeState::Invalid { problem, .. } => Some(problem),
            ChallengeState::Pending | ChallengeState::Processing { .. } | ChallengeState::Valid { .. } => None,
        })
    }

    /// The challenge of that id.
    #[must_use]
    pub fn challenge(&self, id: ChallengeId) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.id == id)
    }

    /// The client says that it is ready for the challenge (RFC 8555 section 7.5.1).
    #[must_use]
    pub fn begin(mut self, id: ChallengeId, now: Timestamp) -> Begun {
        if self.status(now) != AuthorizationStatus::Pending {
            return Begun::Closed;
        }
        // One validation at a time: a second challenge of the same authorization waits for the first.
        let busy = self.challenges.iter().any(|challenge| matches!(challenge.state, ChallengeState::Processing { .. }));
        match self.challenges.iter_mut().find(|challenge| challenge.id == id) {
            Some(challenge) if !busy && challenge.state == ChallengeState::Pending => {
                challenge.state = ChallengeState::Processing { since: now, retry: None };
                Begun::Started(self)
            }
            Some(_) => Begun::Running,
            None => Begun::Closed,
        }
    }

    /// Takes in what a validation found; after a failure the challenge may wait for its next try. Without effect (`None`) unless the authorization still waits for it, the
    /// challenge is being validated and the proof is for this identifier and method, so that a result can neither be
    /// taken twice, nor too late, nor for another name.
    #[must_use]
    pub fn settle(
        mut self,
        id: ChallengeId,
        outcome: Result<ValidatedControl, Problem>,
        now: Timestamp,
        valid_until: Timestamp,
    ) -> Option<Self> {
        if self.status(now) != AuthorizationStatus::Pending {
            return None;
        }
        let identifier = self.identifier.clone();
        let challenge = self.challenges.iter_mut().find(|challenge| challenge.id == id)?;
        if !matches!(challenge.state, ChallengeState::Processing { .. }) {
            return None;
        }
        match outcome {
            Ok(control) => {
                let evidence = control.of(&identifier, challenge.method)?;
                challenge.state = ChallengeState::Valid { validated: now, evidence };
                // A valid authorization has a life of its own (RFC 8555 section 7.1.4).
                self.expires = valid_until;
            }
            Err(problem) => challenge.state = challenge.state.failed(problem, self.retries, now),
        }
        Some(self)
    }

    /// The client gives the authorization up (RFC 8555 section 7.5.2).
    #[must_use]
    pub fn deactivate(self, now: Timestamp) -> Self {
        Self { deactivated: Some(self.deactivated.unwrap_or(now)), ..self }
    }
}

/// What came of a client's being ready.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Begun {
    /// The challenge is to be validated now.
    Started(Authorization),
    /// A validation runs already.
    Running,
    /// The authorization is not pending any more: nothing is started.
    Closed,
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use certus_acme::{ChallengeStatus, ProblemKind};
    use certus_pki::DnsName;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn start() -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000)
    }

    fn dns(name: &str) -> Identifier {
        Identifier::Dns(DnsName::parse(name).unwrap())
    }

    /// Pending, with two challenges, until an hour after the start.
    fn open() -> Authorization {
        let methods = [ChallengeType::Http01, ChallengeType::Http01];
        Authorization::open(AccountId::random(), dns("a.example"), &methods, start(), start() + HOUR)
    }

    fn id(authorization: &Authorization, index: usize) -> ChallengeId {
        authorization.challenges[index].id
    }

    /// The first challenge is being validated.
    fn processing() -> Authorization {
        let authorization = open();
        let id = id(&authorization, 0);
        match authorization.begin(id, start()) {
            Begun::Started(begun) => begun,
            other @ (Begun::Running | Begun::Closed) => panic!("{other:?}"),
        }
    }

    fn seen(name: &str) -> Result<ValidatedControl, Problem> {
        Ok(ValidatedControl::assertion(dns(name), ChallengeType::Http01, Evidence::default()))
    }

    fn failed() -> Result<ValidatedControl, Problem> {
        Err(Problem::new(ProblemKind::Connection, "nobody was there"))
    }

    fn settled(
        authorization: Authorization,
        outcome: Result<ValidatedControl, Problem>,
        at: Timestamp,
    ) -> Option<Authorization> {
        let id = id(&authorization, 0);
        authorization.settle(id, outcome, at, at + 10 * HOUR)
    }

    #[test]
    fn the_status_follows_from_facts_and_time() {
        let valid = settled(processing(), seen("a.example"), start()).unwrap();
        let invalid = settled(processing(), failed(), start()).unwrap();
        for (what, authorization, early, late) in [
            ("pending", open(), AuthorizationStatus::Pending, AuthorizationStatus::Expired),
            ("processing", processing(), AuthorizationStatus::Pending, AuthorizationStatus::Expired),
            ("invalid", invalid.clone(), AuthorizationStatus::Invalid, AuthorizationStatus::Invalid),
            // A valid authorization has an expiry of its own.
            ("valid", valid.clone(), AuthorizationStatus::Valid, AuthorizationStatus::Valid),
            (
                "given up",
                open().deactivate(start()),
                AuthorizationStatus::Deactivated,
                AuthorizationStatus::Deactivated,
            ),
            (
                "valid, given up",
                valid.clone().deactivate(start()),
                AuthorizationStatus::Deactivated,
                AuthorizationStatus::Deactivated,
            ),
            (
                "invalid, given up",
                invalid.deactivate(start()),
                AuthorizationStatus::Deactivated,
                AuthorizationStatus::Deactivated,
            ),
        ] {
            assert_eq!(authorization.status(start()), early, "{what}");
            assert_eq!(authorization.status(start() + HOUR), late, "{what}");
        }
        let tick = Duration::from_millis(1);
        assert_eq!(valid.status(start() + 10 * HOUR - tick), AuthorizationStatus::Valid);
        assert_eq!(valid.status(start() + 10 * HOUR), AuthorizationStatus::Expired);
    }

    #[test]
    fn a_validation_begins_only_while_it_is_pending_and_once_at_a_time() {
        let begin = |authorization: Authorization, index: usize, at: Timestamp| {
            let id = id(&authorization, index);
            authorization.begin(id, at)
        };
        assert!(matches!(begin(open(), 0, start()), Begun::Started(_)));
        assert!(matches!(begin(open(), 1, start()), Begun::Started(_)));
        for (what, begun, expected) in [
            ("the same again", begin(processing(), 0, start()), Begun::Running),
            ("another meanwhile", begin(processing(), 1, start()), Begun::Running),
            ("a challenge of another", open().begin(ChallengeId::random(), start()), Begun::Closed),
            ("expired", begin(open(), 0, start() + HOUR), Begun::Closed),
            ("given up", begin(open().deactivate(start()), 0, start()), Begun::Closed),
            ("valid", begin(settled(processing(), seen("a.example"), start()).unwrap(), 1, start()), Begun::Closed),
            ("invalid", begin(settled(processing(), failed(), start()).unwrap(), 1, start()), Begun::Closed),
        ] {
            assert_eq!(begun, expected, "{what}");
        }
    }

    #[test]
    fn a_result_is_taken_once_in_time_and_for_the_right_name() {
        let late = start() + HOUR;
        let done = settled(processing(), seen("a.example"), start()).unwrap();
        let by_dns = Ok(ValidatedControl::assertion(dns("a.example"), ChallengeType::Dns01, Evidence::default()));
        for (what, authorization, outcome, at) in [
            ("nobody asked", open(), seen("a.example"), start()),
            ("nobody asked, and it failed", open(), failed(), start()),
            ("another name", processing(), seen("b.example"), start()),
            ("a name beneath", processing(), seen("a.a.example"), start()),
            ("another method", processing(), by_dns, start()),
            ("expired", processing(), seen("a.example"), late),
            ("expired, and it failed", processing(), failed(), late),
            ("given up", processing().deactivate(start()), seen("a.example"), start()),
            ("again", done.clone(), seen("a.example"), start()),
            ("again, and it failed", done, failed(), start()),
        ] {
            assert_eq!(settled(authorization, outcome, at), None, "{what}");
        }
        let other = processing();
        let pending = id(&other, 1);
        assert_eq!(other.settle(pending, seen("a.example"), start(), late), None, "the other challenge");
    }

    #[test]
    fn a_result_says_what_was_seen() {
        let at = start() + Duration::from_secs(5);
        let valid = settled(processing(), seen("a.example"), at).unwrap();
        assert_eq!(valid.proof(), Some((ChallengeType::Http01, at, &Evidence::default())));
        assert_eq!((valid.failure(), valid.expires), (None, at + 10 * HOUR));
        let statuses = |authorization: &Authorization| [0, 1].map(|index| authorization.challenges[index].status());
        assert_eq!(statuses(&valid), [ChallengeStatus::Valid, ChallengeStatus::Pending]);
        let invalid = settled(processing(), failed(), at).unwrap();
        assert_eq!((invalid.proof(), invalid.failure()), (None, failed().err().as_ref()));
        assert_eq!(statuses(&invalid), [ChallengeStatus::Invalid, ChallengeStatus::Pending]);
        assert_eq!(invalid.expires, start() + HOUR);
    }

    #[test]
    fn what_was_met_serves_later_orders_as_long_as_both_profiles_have_it() {
        let at = start() + Duration::from_secs(5);
        let met = |reuse| settled(processing().with_reuse(reuse), seen("a.example"), at).unwrap();
        let serves = |one: &Authorization, within, later: Duration| {
            one.serves_later_orders(&[ChallengeType::Http01], within, at + later)
        };
        let week = 7 * 24 * HOUR;
        let reused = met(4 * HOUR);
        assert!(serves(&reused, week, 3 * HOUR) && !serves(&reused, week, 5 * HOUR));
        assert!(serves(&reused, 2 * HOUR, HOUR) && !serves(&reused, 2 * HOUR, 3 * HOUR));
        assert!(!serves(&reused, Duration::ZERO, Duration::from_secs(1)), "a profile without reuse");
        assert!(!reused.serves_later_orders(&[ChallengeType::Dns01], week, at));
        assert!(!serves(&reused.clone().deactivate(at), week, HOUR), "it was given up");
        let expired = Authorization { expires: at + HOUR, ..reused.clone() };
        assert!(serves(&expired, week, HOUR / 2) && !serves(&expired, week, HOUR), "it expired");
        let ahead = met(limits::AHEAD_OF_ORDERS);
        assert!(serves(&ahead, Duration::ZERO, 3 * HOUR), "which is what it was made for");
    }

    #[test]
    fn giving_up_twice_keeps_the_first_time() {
        let given_up = open().deactivate(start());
        assert_eq!(given_up.clone().deactivate(start() + HOUR), given_up);
    }
}
