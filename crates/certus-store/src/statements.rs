//! Every statement that is ever sent, for whoever reviews them, and for the tests that prepare each against the schema.

/// Those of the SQLite backend.
#[must_use]
pub fn sqlite() -> Vec<&'static str> {
    crate::sqlite::statements()
}
