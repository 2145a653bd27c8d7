//! Proofs that names may stand in a certificate: types that cannot be had without the checks before them.
//!
//! Each has one constructor, `assertion`, and one caller of it; a test counts the callers. To issue for a name nobody
//! validated, one would have to write that word in a second place.

use std::collections::BTreeSet;

use crate::name::SubjectName;

/// Names that an order proved control of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuthorizedNames {
    set: BTreeSet<SubjectName>,
    in_order: Vec<SubjectName>,
}

impl AuthorizedNames {
    /// Asserts that every one of these names has a valid authorization of the account that asks; `None` if there are no
    /// names. The certificate lists them in this order, each once: clients file a certificate under its first name.
    ///
    /// Called in exactly one place: where an order has just checked its authorizations.
    #[must_use]
    pub fn assertion(names: impl IntoIterator<Item = SubjectName>) -> Option<Self> {
        let mut set = BTreeSet::new();
        let in_order: Vec<SubjectName> = names.into_iter().filter(|name| set.insert(name.clone())).collect();
        (!in_order.is_empty()).then_some(Self { set, in_order })
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        &self.set
    }
}

/// The names of the authority's own TLS certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnNames(BTreeSet<SubjectName>);

impl OwnNames {
    /// Asserts that these are the names under which this authority itself answers; `None` if there are no names.
    ///
    /// Called in exactly one place: where the external URL's host is taken from the configuration.
    #[must_use]
    pub fn assertion(names: BTreeSet<SubjectName>) -> Option<Self> {
        (!names.is_empty()).then_some(Self(names))
    }

    /// The names.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        &self.0
    }
}

/// Names with the proof that they may be certified, whichever it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SubjectNames {
    /// Proved by an order.
    Authorized(AuthorizedNames),
    /// Of the authority itself.
    Own(OwnNames),
}

impl SubjectNames {
    /// The names.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        match self {
            Self::Authorized(proof) => proof.names(),
            Self::Own(proof) => proof.names(),
        }
    }
}

impl SubjectNames {
    /// The names as the certificate lists them.
    pub(crate) fn in_order(&self) -> Vec<&SubjectName> {
        match self {
            Self::Authorized(proof) => proof.in_order.iter().collect(),
            Self::Own(proof) => proof.names().iter().collect(),
        }
    }
}

impl From<AuthorizedNames> for SubjectNames {
    fn from(names: AuthorizedNames) -> Self {
        Self::Authorized(names)
    }
}

impl From<OwnNames> for SubjectNames {
    fn from(names: OwnNames) -> Self {
        Self::Own(names)
    }
}
