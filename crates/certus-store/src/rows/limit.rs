//! Buckets of rate limits.

use certus_ca::ports::{LimitEntry, StoreError};
use certus_ca::rate_limits::LimitName;
use certus_pki::Timestamp;

use super::Place;

/// A row of `limits`.
#[derive(Debug)]
pub(crate) struct LimitRow {
    pub(crate) name: String,
    pub(crate) subject: String,
    pub(crate) tat: i64,
}

impl LimitRow {
    /// The bucket.
    pub(crate) fn into_state(self) -> Result<LimitEntry, StoreError> {
        let Self { name, subject, tat } = self;
        match LimitName::parse(&name) {
            Some(limit) => Ok(LimitEntry { limit, subject, tat: Timestamp::from_unix_millis(tat) }),
            None => Err(Place::new("limits", subject.as_bytes()).inconsistent("name")),
        }
    }
}
