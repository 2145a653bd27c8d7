//! The migrations of both backends, in the binary. Each is applied once, in order, in a transaction of its own.
//!
//! Never changed once released; a change is a new file. `refinery` would do the same with a second copy of both
//! drivers' features and a table of its own shape; the runners here are a page each, and say which version is needed.

use certus_ca::ports::StoreError;

use crate::rows::Place;

/// One step from a schema to the next.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Migration {
    /// The schema it leads to; the first is 1, and there are no gaps.
    pub(crate) version: u32,
    /// What it does, in a word.
    pub(crate) name: &'static str,
    /// The statements.
    pub(crate) sql: &'static str,
}

/// What leads a SQLite store to the present schema.
pub(crate) const SQLITE: &[Migration] =
    &[Migration { version: 1, name: "initial", sql: include_str!("../migrations/sqlite/V1__initial.sql") }];

/// What leads a PostgreSQL store there.
pub(crate) const POSTGRES: &[Migration] =
    &[Migration { version: 1, name: "initial", sql: include_str!("../migrations/postgres/V1__initial.sql") }];

/// The schema that this version reads and writes.
pub const KNOWN: u32 = 1;

/// The version of this program, which stands beside each migration that it applies.
pub(crate) const PROGRAM: &str = env!("CARGO_PKG_VERSION");

/// The schema of a store whose newest migration this is, applied by that version of the program.
///
/// Refuses a store that a newer version has migrated.
pub(crate) fn known(newest: i64, program: String) -> Result<u32, StoreError> {
    let found = Place::new("migrations", b"").number("version", newest)?;
    if found > KNOWN { Err(StoreError::NewerSchema { found, known: KNOWN, program }) } else { Ok(found) }
}

/// What is to be applied to a store of schema `found`; `None` when it is up to date.
pub(crate) fn next(migrations: &'static [Migration], found: u32) -> Option<&'static Migration> {
    migrations.iter().find(|migration| migration.version == found.saturating_add(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn migrations_have_no_gaps_and_end_at_the_known_schema() {
        for migrations in [SQLITE, POSTGRES] {
            let versions: Vec<u32> = migrations.iter().map(|migration| migration.version).collect();
            assert_eq!(versions, (1..=KNOWN).collect::<Vec<_>>());
        }
    }
}
