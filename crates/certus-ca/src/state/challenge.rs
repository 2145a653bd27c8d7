//! Challenges (RFC 8555 sections 7.1.5, 7.1.6 and 8).
//!
//! ```text
//!             pending
//!                | client responds
//!                V
//!            processing
//!       +--------+--------+
//!   validated          failed
//!       V                 V
//!     valid            invalid
//! ```

use std::net::{IpAddr, SocketAddr};

use certus_acme::{ChallengeStatus, ChallengeType, Problem, Token};
use certus_pki::Timestamp;

use super::caa::CaaFinding;
use crate::id::ChallengeId;

/// One way to prove control of an authorization's identifier.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Challenge {
    /// Its id, the last part of its URL.
    pub id: ChallengeId,
    /// Its method.
    pub method: ChallengeType,
    /// Its token; no other challenge has the same.
    pub token: Token,
    /// What has happened to it.
    pub state: ChallengeState,
}

/// What has happened to a challenge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChallengeState {
    /// Nothing yet.
    Pending,
    /// The client has said that it is ready; a job validates.
    Processing {
        /// When the client said so.
        since: Timestamp,
    },
    /// It was met.
    Valid {
        /// When.
        validated: Timestamp,
        /// What was seen.
        evidence: Evidence,
    },
    /// It was not met. Final.
    Invalid {
        /// When.
        at: Timestamp,
        /// Why.
        problem: Problem,
    },
}

impl Challenge {
    /// A new challenge with a token of its own.
    #[must_use]
    pub fn offer(method: ChallengeType) -> Self {
        Self { id: ChallengeId::random(), method, token: Token::random(), state: ChallengeState::Pending }
    }

    /// The status a client sees.
    #[must_use]
    pub const fn status(&self) -> ChallengeStatus {
        match self.state {
            ChallengeState::Pending => ChallengeStatus::Pending,
            ChallengeState::Processing { .. } => ChallengeStatus::Processing,
            ChallengeState::Valid { .. } => ChallengeStatus::Valid,
            ChallengeState::Invalid { .. } => ChallengeStatus::Invalid,
        }
    }
}

/// What a validation saw. It is kept with the certificate as long as that is kept (Baseline Requirements 5.4.1).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Evidence {
    /// One entry for every place from which control was seen.
    pub perspectives: Vec<Perspective>,
    /// What CAA said right afterwards; `None` where it was not asked: for addresses, and names that a profile excepts.
    pub caa: Option<CaaFinding>,
}

/// What one perspective saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Perspective {
    /// Its name; `primary` is this process.
    pub name: String,
    /// Where it asked, in order: the first as the challenge says, each further one where a redirect led.
    pub hops: Vec<Hop>,
}

/// One question on the way to an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hop {
    /// What was asked: what a person needs to repeat it.
    pub url: String,
    /// The resolvers that were asked for its host, each as `address:port`; `local` for what is answered here; `None` when
    /// there was nothing to look up.
    pub resolver: Option<String>,
    /// Addresses that the resolver gave, permitted or not: the one that answered first, and 16 at most.
    pub resolved: Vec<IpAddr>,
    /// The one that answered, and its port; `None` when nothing was connected to.
    pub connected: Option<SocketAddr>,
}

#[cfg(test)]
mod tests {
    use certus_acme::ProblemKind;

    use super::*;

    #[test]
    fn a_challenge_is_offered_with_a_token_of_its_own() {
        let (one, other) = (Challenge::offer(ChallengeType::Http01), Challenge::offer(ChallengeType::Http01));
        assert_eq!((one.status(), other.status()), (ChallengeStatus::Pending, ChallengeStatus::Pending));
        assert_ne!(one.token, other.token);
        assert_ne!(one.id, other.id);
    }

    #[test]
    fn the_status_follows_from_the_facts() {
        let at = Timestamp::UNIX_EPOCH;
        for (state, status) in [
            (ChallengeState::Pending, ChallengeStatus::Pending),
            (ChallengeState::Processing { since: at }, ChallengeStatus::Processing),
            (ChallengeState::Valid { validated: at, evidence: Evidence::default() }, ChallengeStatus::Valid),
            (ChallengeState::Invalid { at, problem: Problem::new(ProblemKind::Dns, "x") }, ChallengeStatus::Invalid),
        ] {
            assert_eq!(Challenge { state, ..Challenge::offer(ChallengeType::Http01) }.status(), status);
        }
    }
}
