//! The agent against a real authority, and against servers that are none.

mod obtaining;
mod pebble;
mod world;
