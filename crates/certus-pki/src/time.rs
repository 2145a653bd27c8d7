//! Points in time, and where they come from.
//!
//! Nothing in Certus reads the system's clock but [`SystemClock`], which the binary hands to whatever needs one; tests
//! hand a [`ManualClock`]. Deliberately absent: time zones, calendars, local time.

use std::fmt;
use std::ops::{Add, Sub};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

/// A point in time: milliseconds since 1970-01-01T00:00:00Z, without leap seconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// 1970-01-01T00:00:00Z.
    pub const UNIX_EPOCH: Self = Self(0);

    /// From milliseconds since the epoch.
    #[must_use]
    pub const fn from_unix_millis(millis: i64) -> Self {
        Self(millis)
    }

    /// From whole seconds since the epoch.
    #[must_use]
    pub const fn from_unix_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1000))
    }

    /// Milliseconds since the epoch.
    #[must_use]
    pub const fn unix_millis(self) -> i64 {
        self.0
    }

    /// Whole seconds since the epoch, rounded down: the resolution certificates have.
    #[must_use]
    pub const fn unix_seconds(self) -> i64 {
        self.0.div_euclid(1000)
    }

    /// The same time with the fraction of a second cut off.
    #[must_use]
    pub const fn whole_seconds(self) -> Self {
        Self::from_unix_seconds(self.unix_seconds())
    }

    /// How long after `earlier` this is; zero when it is not after.
    #[must_use]
    pub fn duration_since(self, earlier: Self) -> Duration {
        Duration::from_millis(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// RFC 3339 in UTC with whole seconds, as ACME objects carry it: `2026-11-24T21:00:00Z`.
    #[must_use]
    pub fn rfc3339(self) -> String {
        jiff::Timestamp::from_second(self.unix_seconds())
            .map_or_else(|_| String::from("9999-12-31T23:59:59Z"), |at| at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
    }

    /// Reads an RFC 3339 date-time with any offset.
    ///
    /// # Errors
    ///
    /// [`TimeError`] when the text is not such a date-time.
    pub fn parse_rfc3339(text: &str) -> Result<Self, TimeError> {
        // RFC 3339 section 5.6 asks for a date, "T", a full time and an offset; jiff alone would accept more.
        let shape = text.as_bytes();
        let separator = shape.get(10).is_some_and(|byte| matches!(byte, b'T' | b't'));
        let seconds = shape.get(16).is_some_and(|byte| *byte == b':');
        if !separator || !seconds || text.contains('[') {
            return Err(TimeError);
        }
        text.parse::<jiff::Timestamp>().map(|at| Self(at.as_millisecond())).or(Err(TimeError))
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, duration: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, duration: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.rfc3339())
    }
}

impl fmt::Debug for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}ms", self.0)
    }
}

/// A text that is not an RFC 3339 date-time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not an RFC 3339 date-time such as 2026-11-24T21:00:00Z")]
pub struct TimeError;

/// Where the present comes from.
pub trait Clock: fmt::Debug + Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The machine's clock. Made by the binary alone.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "this is the one place that reads the system's clock")]
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        Timestamp(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }
}

/// A clock that stands still until it is told to move. Clones share the time.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that shows `at`.
    #[must_use]
    pub fn new(at: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(at.unix_millis())))
    }

    /// Moves the clock forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_millis()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }

    /// Sets the clock, backwards too.
    pub fn set(&self, at: Timestamp) {
        self.0.store(at.unix_millis(), Ordering::SeqCst);
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rfc3339_goes_both_ways() {
        let at = Timestamp::from_unix_seconds(1_764_018_000);
        assert_eq!(at.rfc3339(), "2025-11-24T21:00:00Z");
        assert_eq!(Timestamp::parse_rfc3339("2025-11-24T21:00:00Z"), Ok(at));
        assert_eq!(Timestamp::parse_rfc3339("2025-11-24T22:00:00+01:00"), Ok(at));
        assert_eq!(Timestamp::parse_rfc3339("2025-11-24T21:00:00.000Z"), Ok(at));
        for bad in ["tomorrow", "2025-11-24", "2025-11-24 21:00:00Z", "2025-11-24T21:00Z", "2025-13-24T21:00:00Z", ""] {
            assert_eq!(Timestamp::parse_rfc3339(bad), Err(TimeError), "{bad}");
        }
    }

    #[test]
    fn a_duration_is_never_negative() {
        let at = Timestamp::from_unix_seconds(100);
        assert_eq!(at.duration_since(at + Duration::from_secs(5)), Duration::ZERO);
        assert_eq!((at + Duration::from_secs(5)).duration_since(at), Duration::from_secs(5));
        assert_eq!(Timestamp::from_unix_millis(-1).unix_seconds(), -1);
    }
}
