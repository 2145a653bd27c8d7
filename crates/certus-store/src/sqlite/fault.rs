//! What went wrong inside a transaction: the operation was refused, or the database is in trouble.

use certus_ca::ports::StoreError;
use rusqlite::ErrorCode;
use rusqlite::ffi::{SQLITE_CONSTRAINT_PRIMARYKEY, SQLITE_CONSTRAINT_UNIQUE};

/// Why an operation did not take effect.
#[derive(Debug)]
pub(super) enum Fault {
    /// The rows do not allow it. It takes nothing with it; the batch goes on.
    Refused(StoreError),
    /// SQLite failed: the disk, the memory, or a statement that does not fit its data.
    Broken(rusqlite::Error),
}

impl From<StoreError> for Fault {
    fn from(error: StoreError) -> Self {
        Self::Refused(error)
    }
}

impl From<rusqlite::Error> for Fault {
    fn from(error: rusqlite::Error) -> Self {
        let unique = error.sqlite_error().is_some_and(|code| {
            code.code == ErrorCode::ConstraintViolation
                && matches!(code.extended_code, SQLITE_CONSTRAINT_UNIQUE | SQLITE_CONSTRAINT_PRIMARYKEY)
        });
        if unique { Self::Refused(StoreError::Conflict) } else { Self::Broken(error) }
    }
}

impl From<Fault> for StoreError {
    fn from(fault: Fault) -> Self {
        match fault {
            Fault::Refused(error) => error,
            Fault::Broken(error) => unavailable(error),
        }
    }
}

/// The fault as callers see it, in words where the mend is known.
pub(super) fn unavailable(error: rusqlite::Error) -> StoreError {
    let detail = match error.sqlite_error_code() {
        Some(ErrorCode::DiskFull) => "SQLite found no room to write; free disk space or raise the store's limit",
        Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => {
            "another program holds the lock of the SQLite file; end it"
        }
        Some(ErrorCode::ReadOnly) => "the SQLite file is read-only; make it writable",
        Some(ErrorCode::CannotOpen) => "the SQLite file cannot be opened; look at its directory's permissions",
        Some(ErrorCode::NotADatabase | ErrorCode::DatabaseCorrupt) => {
            "the file is damaged or no SQLite database; restore it from a backup"
        }
        Some(_) | None => "SQLite failed",
    };
    StoreError::unavailable(detail, error)
}
