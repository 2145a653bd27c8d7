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

use certus_acme::{AuthorizationStatus, ChallengeType, Identifier, Problem};
use certus_pki::Timestamp;

use super::challenge::{Challenge, ChallengeState, Evidence};
use crate::id::{AccountId, AuthorizationId, ChallengeId};

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
            challenges,
        }
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
                challenge.state = ChallengeState::Processing { since: now };
                Begun::Started(self)
            }
            Some(_) => Begun::Running,
            None => Begun::Closed,
        }
    }

    /// Takes in what a validation found. Without effect (`None`) unless the challenge is being validated and the proof
    /// is for this identifier and method, so that a result can neither be taken twice nor for another name.
    #[must_use]
    pub fn settle(
        mut self,
        id: ChallengeId,
        outcome: Result<ValidatedControl, Problem>,
        now: Timestamp,
        valid_until: Timestamp,
    ) -> Option<Self> {
        let identifier = self.identifier.clone();
        let challenge = self.challenges.iter_mut().find(|challenge| challenge.id == id)?;
        if !matches!(challenge.state, ChallengeState::Processing { .. }) {
            return None;
        }
        match outcome {
            Ok(control) => {
                if control.identifier != identifier || control.method != challenge.method {
                    return None;
                }
                challenge.state = ChallengeState::Valid { validated: now, evidence: control.evidence };
                // A valid authorization has a life of its own (RFC 8555 section 7.1.4).
                self.expires = valid_until;
            }
            Err(problem) => challenge.state = ChallengeState::Invalid { at: now, problem },
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

/// Proof that control of an identifier was seen. Made in one place, by the validator that saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ValidatedControl {
    identifier: Identifier,
    method: ChallengeType,
    evidence: Evidence,
}

impl ValidatedControl {
    /// Asserts that control of `identifier` was just seen by `method`. A test counts the callers: there is one.
    #[must_use]
    pub fn assertion(identifier: Identifier, method: ChallengeType, evidence: Evidence) -> Self {
        Self { identifier, method, evidence }
    }

    /// What was seen.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }
}
