//! When a certificate begins and ends: what its profile says, or what was wished within that.

use std::time::Duration;

use crate::certificate::Certificate;
use crate::profile::Profile;
use crate::time::Timestamp;

/// How far notBefore may lie from the time of signing, either way (Baseline Requirements 7.1.2.7).
const MAX_DISTANCE: Duration = Duration::from_secs(48 * 3600);

/// The dates that were wished (RFC 8555 section 7.4); none leaves both to the profile.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Validity {
    /// The first second.
    pub not_before: Option<Timestamp>,
    /// The last second.
    pub not_after: Option<Timestamp>,
}

/// Why dates cannot be had.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ValidityError {
    /// The profile's lifetime is below one second.
    #[error("the profile {0:?} has no lifetime")]
    Lifetime(String),
    /// The issuer's certificate ends before the new one would begin.
    #[error("the issuer's certificate ended at {0}")]
    IssuerExpired(Timestamp),
    /// Too far from now, or before the issuer's.
    #[error("notBefore can be {earliest} to {latest}; leave it out, or choose a time in between")]
    NotBefore {
        /// The first second that would do.
        earliest: Timestamp,
        /// The last.
        latest: Timestamp,
    },
    /// In the past, before notBefore, or later than profile and issuer allow.
    #[error("notAfter can be {earliest} to {latest}; leave it out, or choose a time in between")]
    NotAfter {
        /// The first second that would do.
        earliest: Timestamp,
        /// The last.
        latest: Timestamp,
    },
}

impl Validity {
    /// The first and the last second of a certificate that is signed now, in whole seconds.
    ///
    /// Without a wish, `notBefore` lies before `now` by the profile's backdate, but not before the issuer's; `notAfter`
    /// follows by the profile's lifetime, counted with both ends (BR 6.3.2), but not after the issuer's. What is wished is
    /// had to the second, or not at all.
    ///
    /// # Errors
    ///
    /// [`ValidityError`] says which dates could be had.
    pub fn within(
        &self,
        profile: &Profile,
        issuer: &Certificate,
        now: Timestamp,
    ) -> Result<(Timestamp, Timestamp), ValidityError> {
        if profile.lifetime < Duration::from_secs(1) {
            return Err(ValidityError::Lifetime(profile.name.clone()));
        }
        let not_before = match self.not_before {
            None => (now - profile.backdate).whole_seconds().max(issuer.not_before()),
            Some(wished) => {
                let earliest = (now - MAX_DISTANCE).whole_seconds().max(issuer.not_before());
                let latest = (now + MAX_DISTANCE).whole_seconds().min(issuer.not_after());
                if wished < earliest || wished > latest {
                    return Err(ValidityError::NotBefore { earliest, latest });
                }
                wished
            }
        };
        let latest = ((not_before + profile.lifetime).whole_seconds() - Duration::from_secs(1)).min(issuer.not_after());
        if latest < not_before {
            return Err(ValidityError::IssuerExpired(issuer.not_after()));
        }
        let not_after = match self.not_after {
            None => latest,
            Some(wished) => {
                let earliest = not_before.max(now.whole_seconds() + Duration::from_secs(1));
                if wished < earliest || wished > latest {
                    return Err(ValidityError::NotAfter { earliest, latest });
                }
                wished
            }
        };
        Ok((not_before, not_after))
    }
}
