//! One suite on every backend, and what each backend has of its own.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod postgres;
mod sqlite;
mod suite;
