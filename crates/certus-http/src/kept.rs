//! What the store said a moment ago.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};

use certus_ca::CaError;
use certus_pki::Timestamp;
use tokio::sync::Semaphore;
use tokio::time::Instant;

use crate::limits;

/// Answers of the store, each good for [`limits::KEPT`]; also that there is nothing. Failures are not kept.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    /// Nothing awaits under the lock.
    answers: Mutex<HashMap<K, Answer<V>>>,
    asking: Semaphore,
}

#[derive(Debug)]
struct Answer<V> {
    /// When the store was asked for it.
    asked: Moment,
    value: V,
}

/// A moment by both clocks: time that passes, and the authority's present, which lists are made by.
#[derive(Debug, Clone, Copy)]
struct Moment {
    passed: Instant,
    present: Timestamp,
}

impl Moment {
    /// Whether an answer of this moment is good at that one. An authority's clock that was set makes it old.
    fn is_recent(self, now: Self) -> bool {
        let by_clock = self.present <= now.present && now.present.duration_since(self.present) < limits::KEPT;
        by_clock && now.passed.duration_since(self.passed) < limits::KEPT
    }
}

impl<K: Eq + Hash, V: Clone> Kept<K, V> {
    pub(crate) fn new() -> Self {
        Self { answers: Mutex::default(), asking: Semaphore::new(limits::MAX_ASKING) }
    }

    /// The answer about `key`: the kept one, or else what `ask` gives.
    pub(crate) async fn get(
        &self,
        key: K,
        present: impl Fn() -> Timestamp,
        ask: impl Future<Output = Result<V, CaError>>,
    ) -> Result<V, CaError> {
        let now = || Moment { passed: Instant::now(), present: present() };
        if let Some(value) = self.good(&key, now()) {
            return Ok(value);
        }
        // Never closed. Who waited for a turn may find that someone else asked the same.
        let _turn = self.asking.acquire().await;
        let asked = now();
        if let Some(value) = self.good(&key, asked) {
            return Ok(value);
        }
        let value = ask.await?;
        let (mut answers, now) = (self.answers(), now());
        answers.retain(|_, answer| answer.asked.is_recent(now));
        // Two may have asked at once: the later answer stays, so that a list is not followed by its predecessor.
        let is_newest = answers.get(&key).is_none_or(|other| other.asked.passed <= asked.passed);
        if is_newest && (answers.len() < limits::MAX_KEPT || answers.contains_key(&key)) {
            answers.insert(key, Answer { asked, value: value.clone() });
        }
        Ok(value)
    }

    fn good(&self, key: &K, now: Moment) -> Option<V> {
        self.answers().get(key).filter(|answer| answer.asked.is_recent(now)).map(|answer| answer.value.clone())
    }

    fn answers(&self) -> MutexGuard<'_, HashMap<K, Answer<V>>> {
        self.answers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use certus_pki::{Clock as _, ManualClock, SystemClock};

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_store_is_asked_once_in_a_while() -> Result<(), CaError> {
        let clock = ManualClock::new(SystemClock.now());
        let asked = AtomicU32::new(0);
        let kept = Kept::new();
        let get =
            async |key: u32| kept.get(key, || clock.now(), async { Ok(asked.fetch_add(1, Ordering::Relaxed)) }).await;
        for _ in 0..100 {
            assert_eq!(get(1).await?, 0);
        }
        assert_eq!(get(2).await?, 1);
        clock.advance(limits::KEPT);
        assert_eq!(get(1).await?, 2, "no longer than promised");
        assert_eq!(kept.answers().len(), 1, "what is old is not held");
        tokio::time::advance(limits::KEPT).await;
        assert_eq!(get(1).await?, 3, "nor when the authority's clock stands still");
        clock.set(SystemClock.now().whole_seconds());
        assert_eq!(get(1).await?, 4, "nor when it was set back");
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn an_answer_is_not_followed_by_an_older_one() -> Result<(), CaError> {
        let clock = ManualClock::new(SystemClock.now());
        let kept = Kept::new();
        let (asked, hear) = tokio::sync::oneshot::channel();
        let (answer, wait) = tokio::sync::oneshot::channel::<u32>();
        let slow = kept.get((), || clock.now(), async {
            assert_eq!(asked.send(()), Ok(()));
            Ok(wait.await.unwrap_or_default())
        });
        let quick = async {
            drop(hear.await);
            tokio::time::advance(limits::KEPT / 2).await;
            let number = kept.get((), || clock.now(), async { Ok(6) }).await;
            assert_eq!(answer.send(5), Ok(()));
            number
        };
        let (slow, quick) = tokio::join!(slow, quick);
        assert_eq!((slow?, quick?), (5, 6));
        assert_eq!(kept.get((), || clock.now(), async { Ok(7) }).await?, 6);
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn memory_is_bounded_and_failures_are_not_kept() -> Result<(), CaError> {
        let clock = ManualClock::new(SystemClock.now());
        let kept = Kept::new();
        assert!(kept.get(0, || clock.now(), async { Err(CaError::Contended) }).await.is_err());
        for key in 0..2 * limits::MAX_KEPT {
            assert_eq!(kept.get(key, || clock.now(), async { Ok(key) }).await?, key);
        }
        assert_eq!(kept.answers().len(), limits::MAX_KEPT);
        Ok(())
    }
}
