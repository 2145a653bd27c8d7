//! One process at a time: a lock beside the file, wherever the file lies.
//!
//! The lock of a state directory is not enough, since two directories may name one file. It is held by the writer until
//! its last commit, and the system gives it back when the process dies.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use certus_ca::ports::StoreError;

use crate::unix;

/// How long a lock is waited for: a store that was just closed still commits what had queued.
const PATIENCE: Duration = Duration::from_secs(5);
/// Time between looks.
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// The lock of a file. Given back when dropped.
#[derive(Debug)]
pub(super) struct Lock {
    _file: File,
}

/// Takes the lock of the store in `path`.
pub(super) async fn take(path: &Path) -> Result<Lock, StoreError> {
    // Whatever links lead to it: beside the file itself.
    let real = std::fs::canonicalize(path)
        .map_err(|error| StoreError::unavailable(format!("the SQLite file {} is not there", path.display()), error))?;
    let beside = beside(&real);
    let failed = |error| StoreError::unavailable(format!("the lock {} cannot be used", beside.display()), error);
    let mut file = unix::open_private(&beside).map_err(failed)?;
    let deadline = Instant::now() + PATIENCE;
    loop {
        match file.try_lock() {
            Ok(()) => break,
            Err(TryLockError::WouldBlock) if Instant::now() < deadline => tokio::time::sleep(LOOK_EVERY).await,
            Err(TryLockError::WouldBlock) => return Err(held(path, &mut file)),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
    }
    let write = |file: &mut File| {
        file.set_len(0)?;
        file.rewind()?;
        writeln!(file, "{}", std::process::id())
    };
    write(&mut file).map_err(failed)?;
    Ok(Lock { _file: file })
}

fn beside(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push("-lock");
    PathBuf::from(name)
}

fn held(path: &Path, file: &mut File) -> StoreError {
    let mut pid = String::new();
    let holder = match file.read_to_string(&mut pid) {
        Ok(_) => format!("process {}", pid.trim()),
        Err(_) => "another process".to_owned(),
    };
    let detail = format!("{holder} has the SQLite file {} open; stop it first", path.display());
    StoreError::Unavailable { detail, source: None }
}
