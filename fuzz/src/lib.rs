//! What the fuzz targets do with the octets they are given: a function for each target, which panics where a parser
//! does not do what it promises.
//!
//! A parser may refuse whatever it likes, but it must not panic, hang or take memory out of proportion, and what it
//! reads must be sound: read anew from what is written of it, it is the same. The targets themselves
//! (`fuzz_targets/`) are one line each, so that a plain test runs every check too ([`seeds`]).
#![forbid(unsafe_code)]

pub mod der;
pub mod seeds;

mod answer;
mod binding;
mod cert_id;
mod certificate;
mod chain;
mod challenge_certificate;
mod crl;
mod csr;
mod dns;
mod jws;
mod payload;
mod text;

pub use answer::answer;
pub use binding::binding;
pub use cert_id::cert_id;
pub use certificate::certificate;
pub use chain::chain;
pub use challenge_certificate::challenge_certificate;
pub use crl::crl;
pub use csr::csr;
pub use dns::dns;
pub use jws::jws;
pub use payload::payload;

/// A check that a target runs.
pub type Check = fn(&[u8]);

/// Every target by its name.
pub const TARGETS: [(&str, Check); 11] = [
    ("jws", jws),
    ("payload", payload),
    ("csr", csr),
    ("certificate", certificate),
    ("crl", crl),
    ("chain", chain),
    ("cert_id", cert_id),
    ("dns", dns),
    ("binding", binding),
    ("challenge_certificate", challenge_certificate),
    ("answer", answer),
];
