//! Rows of facts, and the states they stand for. One match an aggregate; whatever no version of Certus writes is
//! [`StoreError::Inconsistent`], with table, column and key.
//!
//! Shared by the backends: each fills these from its own kind of row. Deliberately absent: SQL.

mod account;
mod authorization;
mod binding;
mod caa;
mod certificate;
mod job;
mod limit;
mod order;
mod renewal;

use certus_ca::ports::{StoreError, Version};
use certus_pki::Timestamp;
use data_encoding::BASE64URL_NOPAD;

pub(crate) use account::{AccountRow, limits_column};
pub(crate) use authorization::{
    AuthorizationRow, ChallengeFacts, ChallengeRow, PerspectiveRow, evidence_keys, resolved_column, reuse_column,
    settled_column,
};
pub(crate) use binding::{BindingRow, scope_columns};
pub(crate) use caa::{caa_column, caa_list_column};
pub(crate) use certificate::{
    CertificateRow, NameRow, column_of, entry, outcome, reason_column, revocation, revoked_entry,
};
pub(crate) use job::{JobRow, lease};
pub(crate) use limit::LimitRow;
pub(crate) use order::{IdentifierRow, OrderFacts, OrderRow, order_page};
pub(crate) use renewal::{RenewableRow, RuleRow};

/// Where a row stands, for errors about it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    table: &'static str,
    key: &'a [u8],
}

impl<'a> Place<'a> {
    /// A row of `table` that is named by its public id, serial number or the like.
    pub(crate) fn new(table: &'static str, key: &'a [u8]) -> Self {
        Self { table, key }
    }

    /// A column of this row has a value that is never written.
    pub(crate) fn inconsistent(&self, column: &'static str) -> StoreError {
        StoreError::Inconsistent { table: self.table, column, key: BASE64URL_NOPAD.encode(self.key) }
    }

    /// An octet string of fixed length.
    pub(crate) fn octets<const N: usize>(&self, column: &'static str, octets: &[u8]) -> Result<[u8; N], StoreError> {
        octets.try_into().ok().ok_or_else(|| self.inconsistent(column))
    }

    /// A number that is never negative and fits its type.
    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str, number: i64) -> Result<T, StoreError> {
        T::try_from(number).ok().ok_or_else(|| self.inconsistent(column))
    }

    /// A problem document, kept as JSON text.
    pub(crate) fn problem(&self, column: &'static str, json: &str) -> Result<certus_acme::Problem, StoreError> {
        serde_json::from_str(json).ok().ok_or_else(|| self.inconsistent(column))
    }

    /// How often the row was written.
    pub(crate) fn version(&self, version: i64) -> Result<Version, StoreError> {
        Ok(Version(self.number("version", version)?))
    }
}

/// A version as the backends keep it. None that was read from a row is out of range; another conflicts with every row.
pub(crate) fn version_column(version: Version) -> i64 {
    i64::try_from(version.0).unwrap_or(-1)
}

/// An unsigned number as the backends keep it. Beyond their range it is their largest.
pub(crate) fn number_column(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// A problem document as the backends keep it.
pub(crate) fn problem_column(problem: &certus_acme::Problem) -> Result<String, StoreError> {
    serde_json::to_string(problem).map_err(|error| StoreError::unavailable("a problem document cannot be kept", error))
}

/// A time as the backends keep it.
pub(crate) fn millis(at: Timestamp) -> i64 {
    at.unix_millis()
}
