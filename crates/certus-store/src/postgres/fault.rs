//! What a driver's error means: who must act, and whether trying again helps.

use certus_ca::ports::StoreError;
use tokio_postgres::error::{Severity, SqlState};

/// What an error asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Somebody else's transaction was in the way: the same again.
    Retry,
    /// The connection is gone, or this host does not take writes: another connection.
    Reconnect,
    /// The statement itself failed.
    Statement,
}

/// Sorts an error.
pub(super) fn kind(error: &tokio_postgres::Error) -> Kind {
    let Some(state) = error.code() else {
        return if error.is_closed() || error.source_is_io() { Kind::Reconnect } else { Kind::Statement };
    };
    let retry = [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::T_R_DEADLOCK_DETECTED, SqlState::LOCK_NOT_AVAILABLE];
    let reconnect = [
        SqlState::READ_ONLY_SQL_TRANSACTION,
        SqlState::ADMIN_SHUTDOWN,
        SqlState::CRASH_SHUTDOWN,
        SqlState::CANNOT_CONNECT_NOW,
        SqlState::IDLE_IN_TRANSACTION_SESSION_TIMEOUT,
    ];
    if retry.contains(state) {
        Kind::Retry
    } else if reconnect.contains(state) || state.code().starts_with("08") {
        Kind::Reconnect
    } else {
        Kind::Statement
    }
}

/// Whether the server said that it did not do what it was asked. What ends the session (FATAL) or the server (PANIC) does
/// not say that, nor an error about the connection: the server, or a pooler before it, may send one after a commit.
pub(super) fn was_refused(error: &tokio_postgres::Error) -> bool {
    error.as_db_error().is_some_and(|error| says_no(error.parsed_severity(), error.code()))
}

fn says_no(severity: Option<Severity>, state: &SqlState) -> bool {
    /// Connection exceptions, and operator interventions such as a shutdown.
    const SAY_NOTHING: [&str; 2] = ["08", "57"];
    severity == Some(Severity::Error) && !SAY_NOTHING.iter().any(|class| state.code().starts_with(class))
}

trait SourceIsIo {
    fn source_is_io(&self) -> bool;
}

impl SourceIsIo for tokio_postgres::Error {
    fn source_is_io(&self) -> bool {
        std::error::Error::source(self).is_some_and(|source| source.is::<std::io::Error>())
    }
}

/// The error as a caller of one statement sees it.
pub(super) fn refused(error: tokio_postgres::Error) -> StoreError {
    if error.code() == Some(&SqlState::UNIQUE_VIOLATION) { StoreError::Conflict } else { unavailable(error) }
}

/// The error as a caller sees it when the server failed.
pub(super) fn unavailable(error: tokio_postgres::Error) -> StoreError {
    let detail = match error.code() {
        Some(state) if *state == SqlState::DISK_FULL => "PostgreSQL has no room to write; free disk space there",
        Some(state) if *state == SqlState::INSUFFICIENT_PRIVILEGE => {
            "the database user lacks a privilege; make it the owner of the database"
        }
        Some(_) | None => "PostgreSQL failed",
    };
    StoreError::unavailable(detail, error)
}

/// No host could be reached that takes writes.
pub(super) fn unreachable(error: super::hosts::Unreachable) -> StoreError {
    StoreError::unavailable("no PostgreSQL server that takes writes can be reached", error)
}

/// A column of a row; a type that does not fit is a statement of ours that does not fit its reader.
pub(super) fn column<'a, T: tokio_postgres::types::FromSql<'a>>(
    row: &'a tokio_postgres::Row,
    index: usize,
) -> Result<T, StoreError> {
    row.try_get(index).map_err(unavailable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_ends_a_session_does_not_say_that_nothing_was_committed() {
        for state in [SqlState::ADMIN_SHUTDOWN, SqlState::CONNECTION_FAILURE] {
            assert!(!says_no(Some(Severity::Error), &state), "{state:?}");
        }
        for state in [SqlState::T_R_SERIALIZATION_FAILURE, SqlState::UNIQUE_VIOLATION, SqlState::DISK_FULL] {
            assert!(says_no(Some(Severity::Error), &state), "{state:?}");
            for severity in [Some(Severity::Fatal), Some(Severity::Panic), None] {
                assert!(!says_no(severity, &state), "{severity:?} {state:?}");
            }
        }
    }
}
