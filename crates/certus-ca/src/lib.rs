//! Every rule of the authority.
//!
//! The walk from request to certificate stands here, with no HTTP, SQL, DNS or clock of its own: what the outside
//! world must do is in [`ports`], and time, randomness and settings are handed in. Start at [`Ca`].

pub mod audit;
pub mod id;
pub mod job;
pub mod ports;
pub mod state;
