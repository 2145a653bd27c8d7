#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
//! What survives when the process is killed: at every commit, before and after, and at random under load.

mod laboratory;
mod ledger;
mod named;
mod random;
mod renewals;
