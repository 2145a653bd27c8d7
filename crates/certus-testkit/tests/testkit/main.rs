//! What tests lean on does what it says.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod forge;
mod http;
mod requests;
