//! What is read and written, against the RFCs' own examples, forgeries and noise.

#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod forged;
mod hostile;
mod keys;
mod objects;
mod vectors;
