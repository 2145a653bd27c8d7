//! The client's side of ACME (RFC 8555): obtains certificates from any authority and keeps them on disk.
//!
//! - [`client`]: one account at one authority; every call of the protocol, typed.
//! - [`flow`]: an order from newOrder to its chain, as a machine without input or output.
//! - [`solver`]: meeting challenges.
//! - [`store`]: accounts, keys and certificates on disk.
//! - [`mod@obtain`]: these put together.
//!
//! What a server sends is data: its URLs ([`link`]), tokens and texts ([`shown`]) are checked before anything is done with
//! them, and nothing of it ever reaches a shell.
//!
//! Deliberately absent: anything of an authority, and any preference for one.

pub mod client;
pub mod flow;
pub mod link;
pub mod obtain;
pub mod shown;
pub mod solver;
pub mod store;
mod unix;

pub use client::{Client, ClientError};
pub use flow::{Flow, FlowError};
pub use link::{Link, LinkError};
pub use obtain::{ObtainError, Obtained, Progress, Wish, obtain};
pub use store::{Store, StoreError};
