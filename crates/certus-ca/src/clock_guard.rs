//! Refuses to sign while the clock is behind what has already happened.
//!
//! A clock that was set back would back-date certificates and reissue CRLs with older dates.

use std::sync::atomic::{AtomicI64, Ordering};

use certus_pki::Timestamp;

use crate::limits::MAX_CLOCK_BEHIND;

/// The newest time seen so far.
#[derive(Debug)]
pub(crate) struct ClockGuard(AtomicI64);

impl ClockGuard {
    pub(crate) fn new(newest: Option<Timestamp>) -> Self {
        Self(AtomicI64::new(newest.unwrap_or(Timestamp::UNIX_EPOCH).unix_millis()))
    }

    /// Takes note of a time that the store bears.
    pub(crate) fn observe(&self, at: Timestamp) {
        self.0.fetch_max(at.unix_millis(), Ordering::SeqCst);
    }

    /// Takes note of the present.
    ///
    /// # Errors
    ///
    /// The newest time seen, when `now` is over [`MAX_CLOCK_BEHIND`] behind it.
    pub(crate) fn check(&self, now: Timestamp) -> Result<(), Timestamp> {
        let newest = Timestamp::from_unix_millis(self.0.fetch_max(now.unix_millis(), Ordering::SeqCst));
        if newest.duration_since(now) > MAX_CLOCK_BEHIND { Err(newest) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_minute_is_forgiven_and_more_is_not() {
        let newest = Timestamp::from_unix_seconds(1_000_000);
        let guard = ClockGuard::new(Some(newest));
        assert_eq!(guard.check(newest - Duration::from_secs(60)), Ok(()));
        assert_eq!(guard.check(newest - Duration::from_secs(61)), Err(newest));
        let later = newest + Duration::from_secs(600);
        guard.observe(later);
        assert_eq!(guard.check(newest), Err(later));
        assert_eq!(guard.check(later), Ok(()));
    }
}
