//! Which identifiers may be ordered. Asked before anything is looked up or fetched.

use std::collections::BTreeSet;

use certus_acme::{Identifier, IdentifierError, Problem, ProblemKind, RawIdentifier, Subproblem};
use certus_pki::NameError;

use crate::error::CaError;
use crate::issuers::ProfileRule;
use crate::limits;

/// Reads the identifiers of a new order, each once, in the order given.
///
/// # Errors
///
/// `malformed` without identifiers or with too many; otherwise what is wrong with each, as subproblems when several
/// are (RFC 8555 section 6.7.1).
pub(crate) fn check(raw: &[RawIdentifier], profile: &ProfileRule) -> Result<Vec<Identifier>, CaError> {
    if raw.is_empty() {
        return Err(CaError::malformed("the order names no identifiers"));
    }
    if raw.len() > limits::MAX_IDENTIFIERS {
        let detail = format!("an order may have {} identifiers at most; make several orders", limits::MAX_IDENTIFIERS);
        return Err(CaError::malformed(detail));
    }
    let mut seen = BTreeSet::new();
    let mut identifiers = Vec::new();
    let mut faults = Vec::new();
    for one in raw {
        match check_one(one, profile) {
            Ok(identifier) => {
                if seen.insert(identifier.clone()) {
                    identifiers.push(identifier);
                }
            }
            Err((kind, detail)) => faults.push(Subproblem { kind, detail, identifier: Some(one.clone()) }),
        }
    }
    match faults.as_slice() {
        [] => Ok(identifiers),
        [one] => Err(CaError::Refused(Problem::new(one.kind, one.detail.clone()).with_subproblems(faults.clone()))),
        [first, rest @ ..] => {
            let same = rest.iter().all(|fault| fault.kind == first.kind);
            let kind = if same { first.kind } else { ProblemKind::Compound };
            let problem = Problem::new(kind, "several identifiers are not acceptable; see the subproblems");
            Err(CaError::Refused(problem.with_subproblems(faults)))
        }
    }
}

fn check_one(raw: &RawIdentifier, profile: &ProfileRule) -> Result<Identifier, (ProblemKind, String)> {
    let identifier = Identifier::parse(raw).map_err(|error| {
        let kind = match error {
            IdentifierError::UnsupportedType(_) => ProblemKind::UnsupportedIdentifier,
            IdentifierError::Name(NameError::Wildcard | NameError::Address) => ProblemKind::RejectedIdentifier,
            IdentifierError::Name(_) => ProblemKind::Malformed,
        };
        (kind, error.to_string())
    })?;
    let name = identifier.subject_name();
    if profile.ecdsa.permits(&name) && profile.rsa.permits(&name) {
        Ok(identifier)
    } else {
        let detail = format!("this authority's certificate does not permit it to certify {identifier}");
        Err((ProblemKind::RejectedIdentifier, detail))
    }
}
