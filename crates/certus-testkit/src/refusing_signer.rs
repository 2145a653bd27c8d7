//! A signer that refuses some messages, as a device with rules of its own does.

use std::sync::Arc;

use async_trait::async_trait;
use certus_pki::{PublicKey, SignError, SignatureAlgorithm, Signer};

/// Signs by another signer what does not contain a text.
#[derive(Debug)]
pub struct RefusingSigner {
    inner: Arc<dyn Signer>,
    text: String,
}

impl RefusingSigner {
    /// Refuses what contains `text`, such as a name.
    #[must_use]
    pub fn new(inner: Arc<dyn Signer>, text: String) -> Self {
        Self { inner, text }
    }
}

#[async_trait]
impl Signer for RefusingSigner {
    fn public_key(&self) -> &PublicKey {
        self.inner.public_key()
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        if message.windows(self.text.len().max(1)).any(|window| window == self.text.as_bytes()) {
            return Err(SignError::Refused(format!("it contains {:?}", self.text)));
        }
        self.inner.sign(algorithm, message).await
    }
}
