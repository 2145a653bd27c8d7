//! The only place that can reach an authority's private keys.
//!
//! Today a key is a file: [`FileSigner`] opens one, [`write_key`] makes one, and [`SealingKeys`] keeps the keys under
//! which secrets in the store are sealed. Deliberately absent: what may be signed (that is decided above), and any key
//! that leaves this crate once it is open.

mod key_file;
mod sealing;
mod secret;
mod signer;
mod unix;
mod vault;

pub use key_file::{KeyFileError, read_key, write_key};
pub use sealing::{SealingError, SealingKeys};
pub use secret::{Secret, SecretError};
pub use signer::FileSigner;
pub use unix::{create_private_directory, sync_directory, write_private};
