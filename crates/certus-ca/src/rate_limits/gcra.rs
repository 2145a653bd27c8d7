//! The generic cell rate algorithm: so many at once, refilled evenly over the period.
//!
//! A bucket is one number, the theoretical arrival time: when it will be empty of what was spent, in milliseconds since
//! 1970. Each spending moves it on by period / count; what would move it further than a period past the present is refused.
//! So a whole period's worth may be spent at once, and within one period at most twice that.
//!
//! A clock that goes back leaves times that no spending at the present could have left. Such a bucket counts as full but
//! for one: one is let through and puts it right, so that it is neither shut until the clock catches up, nor open as if
//! nothing had been spent. Nodes whose clocks differ by less than [`limits::MAX_CLOCK_BEHIND`] take each other's times as
//! they are.

use std::fmt;
use std::time::Duration;

use certus_pki::Timestamp;

use crate::limits;

/// The longest period: ten years, beyond which nobody remembers.
const MAX_PERIOD: Duration = Duration::from_secs(3653 * 86_400);

/// So many in a period.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    count: u32,
    period: Duration,
}

impl Rate {
    /// So many in a period; `None` when that is none at all, more than one a millisecond, or a period over ten years.
    #[must_use]
    pub fn new(count: u32, period: Duration) -> Option<Self> {
        let possible = count > 0 && u128::from(count) <= period.as_millis() && period <= MAX_PERIOD;
        possible.then_some(Self { count, period })
    }

    /// One of the built-in ones, which a test reads with [`Rate::new`].
    pub(crate) const fn built_in(count: u32, period: Duration) -> Self {
        Self { count, period }
    }

    /// How many.
    #[must_use]
    pub const fn count(&self) -> u32 {
        self.count
    }

    /// In what time.
    #[must_use]
    pub const fn period(&self) -> Duration {
        self.period
    }

    /// What one costs, in milliseconds: rounded up, so that no more than `count` are refilled in a period.
    fn interval(&self) -> i64 {
        let period = i64::try_from(self.period.as_millis()).unwrap_or(i64::MAX);
        let count = i64::from(self.count).max(1);
        let whole = period / count;
        (if period % count == 0 { whole } else { whole.saturating_add(1) }).max(1)
    }

    /// How far past the present a bucket may be.
    fn tolerance(&self) -> i64 {
        self.interval().saturating_mul(i64::from(self.count))
    }

    /// Where a bucket stands: never before the present, and never where no clock of ours could have left it.
    fn standing(&self, tat: i64, now: i64) -> i64 {
        let slack = i64::try_from(limits::MAX_CLOCK_BEHIND.as_millis()).unwrap_or(i64::MAX);
        let full = now.saturating_add(self.tolerance());
        if tat > full.saturating_add(slack) { full.saturating_sub(self.interval()) } else { tat.max(now) }
    }

    /// Spends one of a bucket that stands at `tat` (`None`: nothing was spent yet). Gives where it stands then.
    ///
    /// # Errors
    ///
    /// When one may be spent again.
    pub fn spend(&self, tat: Option<Timestamp>, now: Timestamp) -> Result<Timestamp, Timestamp> {
        let now = now.unix_millis();
        let next = self.next(tat, now);
        let full = now.saturating_add(self.tolerance());
        if next <= full {
            return Ok(Timestamp::from_unix_millis(next));
        }
        Err(Timestamp::from_unix_millis(next.saturating_sub(self.tolerance())))
    }

    /// Spends one whatever was spent before: what has happened cannot be refused. The bucket is never more than full.
    #[must_use]
    pub fn force(&self, tat: Option<Timestamp>, now: Timestamp) -> Timestamp {
        let now = now.unix_millis();
        Timestamp::from_unix_millis(self.next(tat, now).min(now.saturating_add(self.tolerance())))
    }

    /// Gives one back.
    #[must_use]
    pub fn give_back(&self, tat: Timestamp) -> Timestamp {
        Timestamp::from_unix_millis(tat.unix_millis().saturating_sub(self.interval()))
    }

    /// How many are spent at present.
    #[must_use]
    pub fn spent(&self, tat: Timestamp, now: Timestamp) -> u32 {
        let now = now.unix_millis();
        let ahead = self.standing(tat.unix_millis(), now).saturating_sub(now);
        let interval = self.interval();
        let spent = ahead / interval + i64::from(ahead % interval > 0);
        u32::try_from(spent).unwrap_or(u32::MAX).min(self.count)
    }

    fn next(&self, tat: Option<Timestamp>, now: i64) -> i64 {
        let tat = tat.map_or(now, Timestamp::unix_millis);
        self.standing(tat, now).saturating_add(self.interval())
    }
}

/// `300 in 3h`.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (count, seconds) = (self.count, self.period.as_secs());
        let unit = [(86_400, "d"), (3600, "h"), (60, "m")]
            .into_iter()
            .find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
        match unit {
            Some((unit, letter)) => write!(f, "{count} in {}{letter}", seconds / unit),
            None => write!(f, "{count} in {seconds}s"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(millis: i64) -> Timestamp {
        Timestamp::from_unix_millis(millis)
    }

    fn rate(count: u32, period: Duration) -> Rate {
        Rate::new(count, period).unwrap()
    }

    /// Spends at these moments, in seconds; which of them were let through.
    fn run(rate: Rate, moments: &[i64]) -> Vec<bool> {
        let mut tat = None;
        let spend = |moment: &i64| match rate.spend(tat, at(moment * 1000)) {
            Ok(next) => {
                tat = Some(next);
                true
            }
            Err(_) => false,
        };
        moments.iter().map(spend).collect()
    }

    #[test]
    fn a_bucket_is_spent_at_once_and_refilled_evenly() {
        for (count, period, moments, expected) in [
            (1, 10, &[0, 1, 9, 10, 19, 20][..], &[true, false, false, true, false, true][..]),
            (3, 30, &[0, 0, 0, 0, 9, 10, 10, 30], &[true, true, true, false, false, true, false, true]),
            (2, 10, &[0, 4, 4, 5, 9, 100, 100, 100], &[true, true, false, true, false, true, true, false]),
            // 10 s / 3, rounded up: never more than three in ten seconds of refilling.
            (3, 10, &[0, 0, 0, 3, 4, 4, 8], &[true, true, true, false, true, false, true]),
        ] {
            assert_eq!(run(rate(count, Duration::from_secs(period)), moments), expected, "{count} in {period} s");
        }
    }

    #[test]
    fn who_is_refused_is_told_the_very_moment() {
        let hourly = rate(4, HOUR);
        let mut tat = None;
        for _ in 0..4 {
            tat = Some(hourly.spend(tat, at(1000)).unwrap());
        }
        let again = hourly.spend(tat, at(1000)).unwrap_err();
        assert_eq!(again, at(1000) + HOUR / 4);
        assert!(hourly.spend(tat, again - Duration::from_millis(1)).is_err());
        assert!(hourly.spend(tat, again).is_ok());
    }

    #[test]
    fn what_happened_is_counted_and_no_more_than_fills_it() {
        let hourly = rate(4, HOUR);
        let mut tat = None;
        for _ in 0..100 {
            tat = Some(hourly.force(tat, at(0)));
        }
        assert_eq!(tat, Some(at(0) + HOUR));
        assert_eq!(hourly.spent(at(0) + HOUR, at(0)), 4);
        assert_eq!(hourly.spend(tat, at(0)), Err(at(0) + HOUR / 4));
        assert!(hourly.spend(Some(hourly.give_back(at(0) + HOUR)), at(0)).is_ok());
        assert_eq!(hourly.spent(at(0), at(0)), 0);
    }

    #[test]
    fn a_clock_that_goes_back_neither_opens_nor_shuts_a_bucket() {
        let hourly = rate(4, HOUR);
        let later = at(0) + 1000 * HOUR;
        let full = hourly.force(Some(later + HOUR), later);
        // Six weeks back: one is let through, then it is as full as it was.
        let once = hourly.spend(Some(full), at(0)).unwrap();
        assert_eq!(hourly.spend(Some(once), at(0)), Err(at(0) + HOUR / 4));
        // Two nodes' clocks that differ by a little are taken as they are.
        let behind = later - Duration::from_secs(30);
        assert!(hourly.spend(Some(full), behind).is_err());
    }

    #[test]
    fn a_number_that_is_lowered_holds_at_once() {
        let full = rate(1000, 24 * HOUR).force(Some(at(0) + 24 * HOUR), at(0));
        let lower = rate(10, HOUR);
        let once = lower.spend(Some(full), at(0)).unwrap();
        assert!(lower.spend(Some(once), at(0)).is_err());
        assert!(lower.spend(Some(once), at(0) + HOUR / 10).is_ok());
    }

    #[test]
    fn what_is_no_number_is_no_rate() {
        for (count, period) in [
            (0, HOUR),
            (1, Duration::ZERO),
            (2, Duration::from_millis(1)),
            (1, MAX_PERIOD + Duration::from_secs(1)),
            (u32::MAX, HOUR),
        ] {
            assert_eq!(Rate::new(count, period), None, "{count} in {period:?}");
        }
        assert_eq!(rate(300, 3 * HOUR).to_string(), "300 in 3h");
        assert_eq!(rate(5, 168 * HOUR).to_string(), "5 in 7d");
        assert_eq!(rate(5, Duration::from_secs(90)).to_string(), "5 in 90s");
        assert_eq!(rate(5, Duration::from_millis(1500)).to_string(), "5 in 1s");
    }

    fn rates() -> impl Strategy<Value = Rate> {
        (1..=u32::MAX, 1..=MAX_PERIOD.as_secs()).prop_map(|(count, seconds)| {
            let most = u32::try_from(seconds.saturating_mul(1000)).unwrap_or(u32::MAX);
            rate(count % most + 1, Duration::from_secs(seconds).max(Duration::from_millis(u64::from(count % most + 1))))
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

        /// From any state at any moment: no overflow, what is refused is let through at the moment that was told, and that is
        /// never further away than one refill and the difference of clocks.
        #[test]
        fn a_bucket_is_never_shut_for_ever(rate in rates(), tat in any::<i64>(), now in any::<i64>()) {
            if let Err(again) = rate.spend(Some(at(tat)), at(now)) {
                prop_assert!(again > at(now));
                let wait = again.unix_millis() - now;
                let slack = i64::try_from(limits::MAX_CLOCK_BEHIND.as_millis()).unwrap();
                prop_assert!(wait <= rate.interval().saturating_add(slack), "{wait}");
                prop_assert!(rate.spend(Some(at(tat)), again).is_ok());
            }
            prop_assert!(rate.spent(at(tat), at(now)) <= rate.count());
        }

        /// However the clock jumps, what is let through between two refills is bounded: a whole bucket at a moment, and one
        /// more for each jump back.
        #[test]
        fn a_bucket_is_never_open_for_ever(
            count in 1..20_u32,
            tat in any::<i64>(),
            moments in prop::collection::vec(-1_000_000_000_000_i64..4_000_000_000_000, 1..10),
        ) {
            let rate = rate(count, HOUR);
            let mut tat = Some(at(tat));
            for now in moments {
                let mut passed = 0;
                while let Ok(next) = rate.spend(tat, at(now)) {
                    tat = Some(next);
                    passed += 1;
                    prop_assert!(passed <= count, "{passed} of {count}");
                }
                prop_assert_eq!(rate.spent(tat.unwrap(), at(now)), count);
            }
        }

        /// Over any stretch of an honest clock: a bucket, and what was refilled meanwhile.
        #[test]
        fn no_more_passes_than_the_number(
            count in 1..50_u32,
            steps in prop::collection::vec(0..200_000_i64, 1..300),
        ) {
            let rate = rate(count, HOUR);
            let (mut tat, mut now, mut passed) = (None, 0, 0_i64);
            for step in steps {
                now += step;
                if let Ok(next) = rate.spend(tat, at(now)) {
                    tat = Some(next);
                    passed += 1;
                }
                prop_assert!(passed <= i64::from(count) + now / rate.interval());
            }
        }
    }
}
