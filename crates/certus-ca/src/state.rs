//! What an authority remembers: facts, and the statuses that follow from them (RFC 8555 section 7.1.6).
//!
//! Pure: no store, no network, no clock; time is an argument. Statuses are computed, never kept, so no job updates
//! them and none can disagree with the facts.

pub mod account;
pub mod authorization;
pub mod binding;
pub mod caa;
pub mod certificate;
pub mod challenge;
pub mod control;
pub mod order;
pub mod renewal;

#[cfg(test)]
mod tests;

pub use account::Account;
pub use authorization::Authorization;
pub use binding::{AccountBinding, BindingEntry, BindingKey, BindingScope, BindingUse};
pub use caa::{CaaAnswer, CaaFinding, CaaRecord, Security};
pub use certificate::{Intent, IssuedCertificate, KnownCertificate, Revocation};
pub use challenge::{Challenge, ChallengeState, Evidence, Hop, Perspective, Retry};
pub use control::ValidatedControl;
pub use order::{Order, OrderState, Replaces};
pub use renewal::{Renewable, RenewalRule, SelectedName, Selection, Window};
