//! The steps of one flow and how long each took.

use std::time::Duration;

/// The steps, in their order.
pub(crate) const NAMES: [&str; 5] = ["newOrder", "authorization", "challenge", "finalize", "certificate"];

/// How long each step of one flow took, and how often something had to be polled.
#[derive(Debug, Clone, Default)]
pub(crate) struct Steps {
    /// In the order of [`NAMES`].
    pub(crate) taken: [Duration; 5],
    /// Requests beyond the five.
    pub(crate) polls: u32,
}

impl Steps {
    pub(crate) fn total(&self) -> Duration {
        self.taken.iter().sum()
    }
}
