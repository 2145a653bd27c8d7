//! One process at a time: an advisory lock that the kernel takes back from whoever dies.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::{FlockOperation, flock};
use rustix::io::Errno;

use super::{StoreError, io};

/// The lock of a store; given back when it is dropped.
#[derive(Debug)]
pub(super) struct Lock(#[expect(dead_code, reason = "the lock is as long as the file is open")] File);

impl Lock {
    pub(super) async fn take(path: &Path) -> Result<Self, StoreError> {
        let mut options = OpenOptions::new();
        let file = options.read(true).write(true).create(true).truncate(false).mode(0o600).open(path).map_err(io(path))?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => return Ok(Self(file)),
            Err(Errno::WOULDBLOCK) => {
                tracing::info!(path = %path.display(), "another certus is at work in this store; waiting for it");
            }
            Err(errno) => return Err(io(path)(errno.into())),
        }
        let path = path.to_owned();
        let waited = tokio::task::spawn_blocking(move || {
            flock(&file, FlockOperation::LockExclusive).map_err(|errno| io(&path)(errno.into()))?;
            Ok(Self(file))
        });
        waited.await.unwrap_or_else(|error| Err(io(Path::new("lock"))(std::io::Error::other(error))))
    }
}
