//! What the authority accepts, one rule a file.

pub mod contacts;
pub mod identifiers;
