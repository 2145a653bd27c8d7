//! The linter: rules that what is to be signed must keep, asked of its DER just before it is signed (BR 4.3.1.2).
//!
//! It shares nothing with the code that builds certificates but the types for reading DER: the bytes are parsed anew and
//! judged by what RFC 5280 (`rfc5280.rs`), the Baseline Requirements (`baseline.rs`) and our own profile (`profile.rs`)
//! say, each rule one function with its citation. A rule that public authorities alone must keep (validity limits)
//! applies to certificates that assert a reserved policy of the CA/Browser Forum.

mod baseline;
mod profile;
mod rfc5280;
#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;

use const_oid::ObjectIdentifier;

use crate::asn1::{Extension, TbsFields};
use crate::certificate::Certificate;
use crate::key::{KeyError, PublicKey};
use crate::name::SubjectName;
use crate::profile::Profile;
use crate::serial::SerialNumber;
use crate::tbs::TbsCertificate;
use crate::time::Timestamp;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where the rule stands.
    pub rule: &'static str,
    /// How it is broken.
    pub message: String,
}

/// Every rule that is broken. Never empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Findings(Vec<Finding>);

impl Findings {
    /// The broken rules.
    #[must_use]
    pub fn list(&self) -> &[Finding] {
        &self.0
    }
}

impl fmt::Display for Findings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, finding) in self.0.iter().enumerate() {
            let separator = if index == 0 { "" } else { "; " };
            write!(f, "{separator}{}: {}", finding.rule, finding.message)?;
        }
        Ok(())
    }
}

impl std::error::Error for Findings {}

/// What the certificate is meant to be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Expected<'a> {
    issuer: &'a Certificate,
    issuer_key_identifier: &'a [u8],
    names: &'a BTreeSet<SubjectName>,
    public_key: &'a PublicKey,
    serial: &'a SerialNumber,
    profile: &'a Profile,
    now: Timestamp,
}

impl<'a> Expected<'a> {
    pub(crate) fn new(
        tbs: &'a TbsCertificate,
        issuer: &'a Certificate,
        issuer_key_identifier: &'a [u8],
        now: Timestamp,
    ) -> Self {
        Self {
            issuer,
            issuer_key_identifier,
            names: tbs.names(),
            public_key: &tbs.public_key,
            serial: &tbs.serial,
            profile: &tbs.profile,
            now,
        }
    }
}

/// A rule: what is wrong, if something is.
type Rule = fn(&Linted<'_>) -> Result<(), String>;

/// What a rule looks at.
struct Linted<'a> {
    fields: TbsFields<'a>,
    public_key: Result<PublicKey, KeyError>,
    expected: &'a Expected<'a>,
}

impl<'a> Linted<'a> {
    fn public_key(&self) -> Result<&PublicKey, String> {
        self.public_key.as_ref().map_err(ToString::to_string)
    }

    fn extension(&self, id: ObjectIdentifier) -> Option<&Extension<'a>> {
        self.fields.extensions.iter().find(|extension| extension.id == id)
    }

    /// The value of an extension; a finding if it is absent or malformed.
    fn value<'s, T: der::Decode<'s>>(&'s self, id: ObjectIdentifier, name: &str) -> Result<T, String> {
        let extension = self.extension(id).ok_or_else(|| format!("{name} is absent"))?;
        T::from_der(extension.value.as_bytes()).map_err(|error| format!("{name} is malformed: {error}"))
    }

    /// Seconds of validity, both ends counted (BR 6.3.2).
    fn validity_seconds(&self) -> i64 {
        self.fields.not_after.at.unix_seconds() - self.fields.not_before.at.unix_seconds() + 1
    }
}

/// Lints the DER of a `TBSCertificate`.
///
/// # Errors
///
/// [`Findings`] with every rule that is broken.
pub(crate) fn run(tbs_der: &[u8], expected: &Expected<'_>) -> Result<(), Findings> {
    let fields = TbsFields::parse(tbs_der).map_err(|error| {
        Findings(vec![Finding { rule: "RFC 5280 4.1", message: format!("not well-formed DER: {error}") }])
    })?;
    let linted = Linted { public_key: PublicKey::from_spki_der(fields.spki), fields, expected };
    let findings: Vec<Finding> = [rfc5280::RULES, baseline::RULES, profile::RULES]
        .into_iter()
        .flatten()
        .filter_map(|(rule, check)| check(&linted).err().map(|message| Finding { rule, message }))
        .collect();
    if findings.is_empty() { Ok(()) } else { Err(Findings(findings)) }
}

/// A finding unless the condition holds.
fn ensure(holds: bool, message: impl FnOnce() -> String) -> Result<(), String> {
    if holds { Ok(()) } else { Err(message()) }
}
