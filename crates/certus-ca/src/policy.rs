//! What the authority accepts, one rule a file.

pub(crate) mod binding;
pub(crate) mod caa;
pub(crate) mod contacts;
pub(crate) mod identifiers;
pub(crate) mod names;
