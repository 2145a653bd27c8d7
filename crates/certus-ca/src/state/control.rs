//! The proof that control of an identifier was seen: a type that cannot be had without the validation before it.
//!
//! It has one constructor, `assertion`, and one caller of it; a test counts the callers. What was seen is had by naming the
//! identifier and the method it was seen for, and only if they are the proof's own.

use certus_acme::{ChallengeType, Identifier};

use super::caa::CaaFinding;
use super::challenge::Evidence;

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

    /// The same proof with what CAA said.
    #[must_use]
    pub fn with_caa(mut self, caa: Option<CaaFinding>) -> Self {
        self.evidence.caa = caa;
        self
    }

    /// What was seen.
    #[must_use]
    pub fn evidence(&self) -> &Evidence {
        &self.evidence
    }

    /// What was seen of this identifier by this method; `None` when it is a proof of another.
    pub(super) fn of(self, identifier: &Identifier, method: ChallengeType) -> Option<Evidence> {
        (self.identifier == *identifier && self.method == method).then_some(self.evidence)
    }
}
