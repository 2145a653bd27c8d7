//! Nonces (RFC 8555 section 6.5): no row for any of them.
//!
//! A nonce is the maker's name in clear, then a counter and a time sealed under a key that lives as long as the process.
//! Issuing one costs no memory; what is remembered is which of a bounded window of counters have been spent. A nonce of
//! another process, of an earlier run, or older than the window is refused, and the client retries with the fresh one
//! that every refusal carries. Deliberately absent: passing a foreign nonce to its maker; [`Nonces::redeem`] is
//! asynchronous so that this can come.

use std::time::Duration;

use async_trait::async_trait;
use certus_pki::{SealingKey, Timestamp, random_bytes};
use data_encoding::BASE64URL_NOPAD;
use parking_lot::Mutex;

/// How long a nonce is good: a client that pauses longer between two requests gets a badNonce and goes on at once.
pub const NONCE_LIFETIME: Duration = Duration::from_secs(3600);
/// How many counters are remembered as spent or not: 2^20 in 128 KiB. At a thousand requests a second that is 17 minutes.
pub const WINDOW: u64 = 1 << 20;
const WORDS: usize = (WINDOW / 64) as usize;

/// Makes nonces and takes each back once.
#[async_trait]
pub trait Nonces: std::fmt::Debug + Send + Sync {
    /// A new nonce: base64url (RFC 8555 section 6.5.1).
    fn issue(&self, now: Timestamp) -> String;

    /// Redeems a nonce: good once, then never again. Called after the signature is verified, so that a stranger cannot
    /// spend other people's nonces.
    async fn redeem(&self, nonce: &str, now: Timestamp) -> Result<(), NonceError>;
}

/// Why a nonce was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NonceError {
    /// Not made by this process, or tampered with.
    #[error("the nonce is not one of this server's; use the one in this answer")]
    Foreign,
    /// Spent before.
    #[error("the nonce was used before; use the one in this answer")]
    Used,
    /// Too old.
    #[error("the nonce is too old; use the one in this answer")]
    Expired,
}

/// The nonces of one process.
#[derive(Debug)]
pub struct NonceBook {
    maker: [u8; 6],
    key: SealingKey,
    window: Mutex<Window>,
}

/// A ring of bits over the newest [`WINDOW`] counters. Guards nothing that awaits.
#[derive(Debug)]
struct Window {
    next: u64,
    spent: Box<[u64]>,
}

impl NonceBook {
    /// A book with a key and a name of its own.
    #[must_use]
    pub fn new() -> Self {
        let window = Window { next: 0, spent: vec![0; WORDS].into_boxed_slice() };
        Self { maker: random_bytes(), key: SealingKey::generate(), window: Mutex::new(window) }
    }
}

impl Default for NonceBook {
    fn default() -> Self {
        Self::new()
    }
}

impl Window {
    fn take(&mut self) -> u64 {
        let counter = self.next;
        self.next += 1;
        self.set(counter, false);
        counter
    }

    fn spend(&mut self, counter: u64) -> Result<(), NonceError> {
        if counter >= self.next {
            return Err(NonceError::Foreign);
        }
        if self.next - counter > WINDOW {
            return Err(NonceError::Expired);
        }
        if self.is_spent(counter) {
            return Err(NonceError::Used);
        }
        self.set(counter, true);
        Ok(())
    }

    fn place(counter: u64) -> (usize, u64) {
        let slot = counter % WINDOW;
        (usize::try_from(slot / 64).unwrap_or(0), 1 << (slot % 64))
    }

    fn is_spent(&self, counter: u64) -> bool {
        let (word, bit) = Self::place(counter);
        self.spent.get(word).is_none_or(|value| value & bit != 0)
    }

    fn set(&mut self, counter: u64, spent: bool) {
        let (word, bit) = Self::place(counter);
        if let Some(value) = self.spent.get_mut(word) {
            if spent { *value |= bit } else { *value &= !bit }
        }
    }
}

#[async_trait]
impl Nonces for NonceBook {
    fn issue(&self, now: Timestamp) -> String {
        let counter = self.window.lock().take();
        let mut plain = [0; 16];
        let (first, second) = plain.split_at_mut(8);
        first.copy_from_slice(&counter.to_be_bytes());
        second.copy_from_slice(&now.unix_millis().to_be_bytes());
        let mut nonce = self.maker.to_vec();
        nonce.extend_from_slice(&self.key.seal(&self.maker, &plain));
        BASE64URL_NOPAD.encode(&nonce)
    }

    async fn redeem(&self, nonce: &str, now: Timestamp) -> Result<(), NonceError> {
        let octets = BASE64URL_NOPAD.decode(nonce.as_bytes()).or(Err(NonceError::Foreign))?;
        let sealed = octets.strip_prefix(&self.maker).ok_or(NonceError::Foreign)?;
        let plain = self.key.open(&self.maker, sealed).or(Err(NonceError::Foreign))?;
        let (counter, made) = plain.split_first_chunk::<8>().ok_or(NonceError::Foreign)?;
        let made = made.first_chunk::<8>().ok_or(NonceError::Foreign)?;
        let made = Timestamp::from_unix_millis(i64::from_be_bytes(*made));
        if now.duration_since(made) > NONCE_LIFETIME {
            return Err(NonceError::Expired);
        }
        self.window.lock().spend(u64::from_be_bytes(*counter))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;
    use std::sync::atomic::{AtomicUsize, Ordering};

    const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

    // conformance: 8555-6.5-03 8555-6.5-04 8555-6.5-08
    #[tokio::test]
    async fn a_nonce_is_good_once_and_only_here() {
        let book = NonceBook::new();
        let nonce = book.issue(NOW);
        assert_eq!(book.redeem(&nonce, NOW).await, Ok(()));
        assert_eq!(book.redeem(&nonce, NOW).await, Err(NonceError::Used));
        // Another process, or this one after a restart, has issued a nonce of the same counter too.
        let other = NonceBook::new();
        other.issue(NOW);
        assert_eq!(other.redeem(&nonce, NOW).await, Err(NonceError::Foreign));
        for bad in
            ["", "x", "AAAA", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "=", "\u{e9}"]
        {
            assert_eq!(book.redeem(bad, NOW).await, Err(NonceError::Foreign), "{bad}");
        }
    }

    // conformance: 8555-6.5-07
    #[tokio::test]
    async fn of_two_tasks_with_one_nonce_one_redeems_it() {
        let book = NonceBook::new();
        let nonce = book.issue(NOW);
        let results = tokio::join!(book.redeem(&nonce, NOW), book.redeem(&nonce, NOW));
        assert_eq!(results, (Ok(()), Err(NonceError::Used)));
    }

    // conformance: 8555-6.5-07
    #[test]
    fn of_two_threads_with_one_nonce_one_redeems_it() {
        let book = NonceBook::new();
        let nonces: Vec<String> = (0..20_000).map(|_| book.issue(NOW)).collect();
        let arrived = AtomicUsize::new(0);
        // They wait for each other before every nonce, and there are many: between looking and writing down there is
        // little time to come between.
        let redeem_all = || {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let mut results = Vec::new();
            for nonce in &nonces {
                let both = arrived.fetch_add(1, Ordering::SeqCst) / 2 * 2 + 2;
                let mut looks = 0;
                while arrived.load(Ordering::SeqCst) < both {
                    looks += 1;
                    // The processor is given up only where there may be no second one.
                    if looks % 1000 == 0 { std::thread::yield_now() } else { std::hint::spin_loop() }
                }
                results.push(runtime.block_on(book.redeem(nonce, NOW)));
            }
            results
        };
        let (one, other) = std::thread::scope(|scope| {
            let other = scope.spawn(redeem_all);
            (redeem_all(), other.join().unwrap())
        });
        for results in one.into_iter().zip(other) {
            let ((Ok(()), Err(error)) | (Err(error), Ok(()))) = results else { panic!("{results:?}") };
            assert_eq!(error, NonceError::Used);
        }
    }

    #[tokio::test]
    async fn a_nonce_ages() {
        let book = NonceBook::new();
        let nonce = book.issue(NOW);
        assert_eq!(book.redeem(&nonce, NOW + NONCE_LIFETIME + Duration::from_secs(1)).await, Err(NonceError::Expired));
        assert_eq!(book.redeem(&nonce, NOW + NONCE_LIFETIME).await, Ok(()));
    }

    #[tokio::test]
    async fn the_window_slides_and_never_forgets_what_it_covers() {
        let book = NonceBook::new();
        let oldest = book.issue(NOW);
        let second = book.issue(NOW);
        assert_eq!(book.redeem(&second, NOW).await, Ok(()));
        for _ in 2..WINDOW {
            book.window.lock().take();
        }
        assert_eq!(book.redeem(&second, NOW).await, Err(NonceError::Used));
        book.window.lock().take();
        assert_eq!(book.redeem(&oldest, NOW).await, Err(NonceError::Expired));
        // A place that is given out again is as good as new.
        for _ in 0..2 * WINDOW {
            let counter = book.window.lock().take();
            assert_eq!(book.window.lock().spend(counter), Ok(()));
        }
    }

    // conformance: 8555-6.5.1-01 8555-6.5.1-02
    #[test]
    fn nonces_are_distinct_base64url_without_a_visible_counter() {
        let book = NonceBook::new();
        let nonces: Vec<String> = (0..10_000).map(|_| book.issue(NOW)).collect();
        assert_eq!(nonces.iter().collect::<HashSet<_>>().len(), nonces.len());
        let alphabet = |nonce: &str| nonce.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        assert!(nonces.iter().all(|nonce| alphabet(nonce) && nonce.len() >= 22));
        // Behind the maker's name, neighbours agree in no more characters than chance allows.
        for pair in nonces.windows(2) {
            let same = pair[0][8..].bytes().zip(pair[1][8..].bytes()).filter(|(a, b)| a == b).count();
            assert!(same < 16, "{} {}", pair[0], pair[1]);
        }
    }
}
