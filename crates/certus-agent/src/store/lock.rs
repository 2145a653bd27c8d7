//! One process at a time: an advisory lock that the kernel takes back from whoever dies.

use std::fs::{File, TryLockError};
use std::path::Path;

use super::{StoreError, io};
use crate::unix;

/// The lock of a store; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is as long as the file is open")] File);

impl Lock {
    pub(super) async fn take(path: &Path) -> Result<Self, StoreError> {
        let file = unix::open_marker(path).map_err(io(path))?;
        match file.try_lock() {
            Ok(()) => return Ok(Self(file)),
            Err(TryLockError::WouldBlock) => {
                tracing::info!(path = %path.display(), "another certus is at work in this store; waiting for it");
            }
            Err(TryLockError::Error(error)) => return Err(io(path)(error)),
        }
        let path = path.to_owned();
        let waited = tokio::task::spawn_blocking(move || {
            file.lock().map_err(io(&path))?;
            Ok(Self(file))
        });
        waited.await.unwrap_or_else(|error| Err(io(Path::new("lock"))(std::io::Error::other(error))))
    }
}
