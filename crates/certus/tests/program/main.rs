#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]
//! The program as operators and scripts meet it: its files, its words, its exit codes.

mod bindings;
mod check;
mod golden;
mod hostile;
mod init;
mod laboratory;
mod limits;
mod obtaining;
mod postgres;
mod process;
mod renewals;
mod revoking;
mod running;
mod words;
