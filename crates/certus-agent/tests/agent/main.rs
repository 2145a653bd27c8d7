//! The agent against real authorities, and against servers that are none.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod faults;
mod obtaining;
mod pebble;
mod scripted;
mod world;
