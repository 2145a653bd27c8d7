//! Every statement that is ever sent, for whoever reviews them, and for the tests that prepare each against the schema.

/// Those of the SQLite backend.
#[must_use]
pub fn sqlite() -> Vec<&'static str> {
    crate::sqlite::statements()
}

/// Those of the PostgreSQL backend.
#[must_use]
pub fn postgres() -> Vec<&'static str> {
    crate::postgres::statements()
}
