//! Every rule of the authority.
//!
//! The walk from request to certificate stands here, with no HTTP, SQL, DNS or clock of its own: what the outside
//! world must do is in [`ports`], and time, randomness and settings are handed in. Start at [`Ca`].

pub mod audit;
pub mod ca;
mod caa;
mod clock_guard;
pub mod error;
pub mod id;
mod issuance;
pub mod issuers;
pub mod job;
pub mod keep;
pub mod limits;
pub mod nonce;
mod policy;
pub mod ports;
pub mod rate_limits;
mod renewals;
pub mod state;
pub mod vault;
mod work;

pub use ca::{Ca, Parts, Service};
pub use error::CaError;
pub use policy::caa::{CaaClaim, CaaRefusal, CaaRule, judge as judge_caa};
pub use policy::names::{NamePattern, NameRules};
pub use rate_limits::{LimitName, RateLimits};
