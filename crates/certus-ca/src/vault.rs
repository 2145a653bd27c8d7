//! How what is secret in the store is sealed. Who has the keys implements this; the store sees only what is sealed.

use std::fmt;

use zeroize::Zeroizing;

/// A secret as the store keeps it.
#[derive(Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The id of the key that it is sealed under.
    pub key: String,
    /// What is sealed.
    pub octets: Vec<u8>,
}

impl fmt::Debug for Sealed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sealed(under {:?})", self.key)
    }
}

/// Seals and opens.
pub trait Vault: fmt::Debug + Send + Sync {
    /// Seals `secret` under the current key, bound to `context`: opening asks for the same.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Sealed, VaultError>;

    /// Opens what [`Vault::seal`] made, under whichever key it was sealed.
    ///
    /// # Errors
    ///
    /// [`VaultError`].
    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError>;
}

/// Why a secret cannot be sealed or opened.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum VaultError {
    /// The key is not there.
    #[error("the sealing key {0:?} is not in the state directory; restore it from a backup")]
    NoKey(String),
    /// The value was altered, or belongs to another row.
    #[error("a secret of the store does not open under the sealing key {0:?}: it was altered")]
    Altered(String),
}
