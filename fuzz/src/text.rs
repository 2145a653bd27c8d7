//! What is told to whoever sent something that cannot be read.

use std::fmt::Display;

use certus_acme::Problem;

/// The most characters that a refusal has: a few sentences and short excerpts of what was sent.
const MAX_CHARS: usize = 1_000;

/// A refusal is one line of printable text.
pub(crate) fn printable(text: &impl Display) {
    let text = text.to_string();
    assert!(!text.is_empty() && !text.chars().any(char::is_control), "{text:?}");
}

/// A refusal of the ACME service is short, printable, and can be sent.
pub(crate) fn told(problem: &Problem) {
    printable(&problem.detail);
    assert!(problem.detail.chars().count() <= MAX_CHARS, "{:?}", problem.detail);
    assert!((400..600).contains(&problem.status), "{problem:?}");
    serde_json::to_vec(problem).expect("a problem can be written");
}
