//! A signer that fails, lies or dawdles when it is told to.
//!
//! It wraps a real signer; what it was asked to sign is kept, so that a test can compare it with the store.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use certus_pki::{PublicKey, SignError, SignatureAlgorithm, Signer};
use tokio::sync::Semaphore;

/// What a signer does instead of signing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignerFault {
    /// It answers that it will not.
    Refuse,
    /// It signs, but the answer is lost.
    Unavailable,
    /// One bit of the signature is another.
    WrongSignature,
    /// It signs something else.
    OtherMessage,
    /// It panics.
    Panic,
    /// It signs, but not before [`SignerPlan::release`].
    Hold,
}

/// What a signer will do, told by a test. Clones are the same plan.
#[derive(Debug, Clone)]
pub struct SignerPlan(Arc<Plan>);

#[derive(Debug)]
struct Plan {
    /// For the next signatures, in order. Nothing awaits under the lock.
    next: Mutex<VecDeque<SignerFault>>,
    /// Whatever it was asked to sign. Nothing awaits under the lock.
    messages: Mutex<Vec<Vec<u8>>>,
    /// A permit for every signature that waits.
    waiting: Semaphore,
    /// A permit for every signature that need wait no longer.
    gate: Semaphore,
}

impl Default for SignerPlan {
    fn default() -> Self {
        Self(Arc::new(Plan {
            next: Mutex::default(),
            messages: Mutex::default(),
            waiting: Semaphore::new(0),
            gate: Semaphore::new(0),
        }))
    }
}

impl SignerPlan {
    /// A plan to sign as asked.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// A signer that does what the plan says and otherwise what `inner` does.
    #[must_use]
    pub fn wrap(&self, inner: Arc<dyn Signer>) -> Arc<dyn Signer> {
        Arc::new(FaultySigner { inner, plan: self.clone() })
    }

    /// The faults of the next signatures, one each.
    pub fn next(&self, faults: &[SignerFault]) {
        self.lock(&self.0.next).extend(faults);
    }

    /// Whatever it was asked to sign so far, in order.
    #[must_use]
    pub fn messages(&self) -> Vec<Vec<u8>> {
        self.lock(&self.0.messages).clone()
    }

    /// Waits until a signature waits; each is waited for once.
    pub async fn held(&self) {
        take(&self.0.waiting).await;
    }

    /// Lets one signature that waits, or will, go on.
    pub fn release(&self) {
        self.0.gate.add_permits(1);
    }

    fn lock<'a, T>(&self, mutex: &'a Mutex<T>) -> MutexGuard<'a, T> {
        mutex.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes one permit for good. These semaphores are never closed.
async fn take(semaphore: &Semaphore) {
    if let Ok(permit) = semaphore.acquire().await {
        permit.forget();
    }
}

#[derive(Debug)]
struct FaultySigner {
    inner: Arc<dyn Signer>,
    plan: SignerPlan,
}

#[async_trait]
impl Signer for FaultySigner {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        let Plan { next, messages, waiting, gate } = self.plan.0.as_ref();
        self.plan.lock(messages).push(message.to_vec());
        let fault = self.plan.lock(next).pop_front();
        match fault {
            None => self.inner.sign(algorithm, message).await,
            Some(SignerFault::Refuse) => Err(SignError::Refused("a refusal was asked for".to_owned())),
            Some(SignerFault::Unavailable) => {
                self.inner.sign(algorithm, message).await?;
                Err(SignError::Unavailable("a fault was asked for".to_owned()))
            }
            Some(SignerFault::WrongSignature) => {
                let mut signature = self.inner.sign(algorithm, message).await?;
                // The lowest bit of the last octet, so that the form stays right.
                signature.iter_mut().next_back().into_iter().for_each(|octet| *octet ^= 1);
                Ok(signature)
            }
            Some(SignerFault::OtherMessage) => self.inner.sign(algorithm, &[message, b"!"].concat()).await,
            #[expect(clippy::panic, reason = "it was asked for")]
            Some(SignerFault::Panic) => panic!("a panic was asked for"),
            Some(SignerFault::Hold) => {
                waiting.add_permits(1);
                take(gate).await;
                self.inner.sign(algorithm, message).await
            }
        }
    }
}
