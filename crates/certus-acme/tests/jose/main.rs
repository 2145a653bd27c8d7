//! Signed requests as strangers send them: what is accepted, what is refused, and with which words.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod forge;
mod hostile;
mod keys;
mod requests;
mod signatures;
mod vectors;
