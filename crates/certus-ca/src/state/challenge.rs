//! Challenges (RFC 8555 sections 7.1.5, 7.1.6 and 8).
//!
//! ```text
//!             pending
//!                | client responds
//!                V
//!            processing ---+
//!                |    ^    | failed, and tried again
//!                |    +----+
//!       +--------+--------+
//!   validated          failed
//!       V                 V
//!     valid            invalid
//! ```

use std::net::{IpAddr, SocketAddr};

use certus_acme::{ChallengeStatus, ChallengeType, Problem, ProblemKind, Token};
use certus_pki::Timestamp;

use super::caa::CaaFinding;
use crate::id::ChallengeId;
use crate::limits;

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
        /// What was seen so far, if it failed and is tried again (RFC 8555 section 8.2).
        retry: Option<Retry>,
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

/// A challenge that has failed and is tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Retry {
    /// How often it failed: once at least.
    pub failures: u8,
    /// Why, the last time.
    pub problem: Problem,
    /// When it is tried again.
    pub next: Timestamp,
}

impl Retry {
    /// After one more failure: what comes next, if the challenge may be tried `retries` times more than once.
    fn after(earlier: Option<&Self>, problem: &Problem, retries: u8, since: Timestamp, now: Timestamp) -> Option<Self> {
        let before = earlier.map_or(0, |retry| retry.failures);
        let wait = *limits::CHALLENGE_RETRIES.get(usize::from(before))?;
        let next = now + wait;
        // What a rule of ours says will be said again.
        let may_pass = [
            ProblemKind::Connection,
            ProblemKind::Dns,
            ProblemKind::IncorrectResponse,
            ProblemKind::Tls,
            ProblemKind::Unauthorized,
        ];
        let worth_it =
            before < retries && next <= since + limits::CHALLENGE_RETRY_PERIOD && may_pass.contains(&problem.kind);
        worth_it.then(|| Self { failures: before + 1, problem: problem.clone(), next })
    }

    /// Whether the client may have it tried at once (RFC 8555 section 8.2): as long after the last time as after the first.
    #[must_use]
    pub fn may_hurry(&self, now: Timestamp) -> bool {
        let [first, ..] = limits::CHALLENGE_RETRIES;
        let waits = limits::CHALLENGE_RETRIES.get(usize::from(self.failures.saturating_sub(1))).copied();
        now < self.next && now + waits.unwrap_or(first) >= self.next + first
    }
}

impl ChallengeState {
    /// What a failure leads to.
    pub(super) fn failed(&self, problem: Problem, retries: u8, now: Timestamp) -> Self {
        let again = match self {
            Self::Processing { since, retry } => {
                let again = Retry::after(retry.as_ref(), &problem, retries, *since, now);
                again.map(|retry| Self::Processing { since: *since, retry: Some(retry) })
            }
            Self::Pending | Self::Valid { .. } | Self::Invalid { .. } => None,
        };
        again.unwrap_or(Self::Invalid { at: now, problem })
    }

    /// The retry that it waits for.
    #[must_use]
    pub const fn retry(&self) -> Option<&Retry> {
        match self {
            Self::Processing { retry, .. } => retry.as_ref(),
            Self::Pending | Self::Valid { .. } | Self::Invalid { .. } => None,
        }
    }
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
    use std::time::Duration;

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
            (ChallengeState::Processing { since: at, retry: None }, ChallengeStatus::Processing),
            (ChallengeState::Valid { validated: at, evidence: Evidence::default() }, ChallengeStatus::Valid),
            (ChallengeState::Invalid { at, problem: Problem::new(ProblemKind::Dns, "x") }, ChallengeStatus::Invalid),
        ] {
            assert_eq!(Challenge { state, ..Challenge::offer(ChallengeType::Http01) }.status(), status);
        }
    }

    fn after_failures(problem: ProblemKind, retries: u8, gaps: &[u64]) -> ChallengeState {
        let mut now = Timestamp::UNIX_EPOCH;
        let mut state = ChallengeState::Processing { since: now, retry: None };
        for gap in gaps {
            now = now + Duration::from_secs(*gap);
            state = state.failed(Problem::new(problem, "x"), retries, now);
        }
        state
    }

    #[test]
    fn a_challenge_is_tried_again_as_often_as_the_profile_says_and_within_a_minute() {
        let waits = |problem, retries, gaps: &[u64]| {
            let retry = after_failures(problem, retries, gaps).retry().cloned()?;
            Some((retry.failures, retry.next.duration_since(Timestamp::UNIX_EPOCH).as_secs()))
        };
        let dns = ProblemKind::Dns;
        assert_eq!(waits(dns, 0, &[1]), None);
        assert_eq!(waits(dns, 3, &[1]), Some((1, 6)));
        assert_eq!(waits(dns, 1, &[1, 5]), None);
        assert_eq!(waits(dns, 3, &[1, 5]), Some((2, 16)));
        assert_eq!(waits(dns, 3, &[1, 5, 10]), Some((3, 36)));
        assert_eq!(waits(dns, 3, &[1, 5, 10, 20]), None);
        // Each try takes its time: a minute after the beginning none is begun.
        assert_eq!(waits(dns, 3, &[10, 15, 15]), Some((3, 60)));
        assert_eq!(waits(dns, 3, &[10, 15, 16]), None);
        for rule in [ProblemKind::Caa, ProblemKind::RejectedIdentifier, ProblemKind::ServerInternal] {
            assert_eq!(waits(rule, 3, &[1]), None, "{rule:?}");
        }
        assert!(matches!(after_failures(dns, 3, &[1, 5, 10, 20]), ChallengeState::Invalid { .. }));
    }

    #[test]
    fn a_client_may_hurry_once_the_first_wait_is_over() {
        let state = after_failures(ProblemKind::Dns, 3, &[1, 5]);
        let retry = state.retry().unwrap();
        let hurries = |seconds| retry.may_hurry(Timestamp::UNIX_EPOCH + Duration::from_secs(seconds));
        assert_eq!([6, 10, 11, 15, 16].map(hurries), [false, false, true, true, false]);
        let first = after_failures(ProblemKind::Dns, 3, &[1]);
        assert!(!first.retry().unwrap().may_hurry(Timestamp::UNIX_EPOCH + Duration::from_secs(5)));
    }
}
