//! The agent against real authorities, and against servers that are none.

mod faults;
mod obtaining;
mod pebble;
mod scripted;
mod world;
