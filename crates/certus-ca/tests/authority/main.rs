//! A whole authority against failing parts: stores that forget, signers that lie, processes that take over.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod caa;
mod faults;
mod issuance;
mod keep;
mod work;
mod world;
