//! What is told to whoever sent something that cannot be read.

use std::fmt::Display;

use certus_acme::Problem;

/// The most characters that a refusal has: a few sentences and short excerpts of what was sent.
const MAX_CHARS: usize = 1_000;

/// A refusal is one line of text that shows as what it is: no control characters, no change of direction.
pub(crate) fn printable(text: &impl Display) {
    let text = text.to_string();
    let deceives = |c: char| c.is_control() || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    assert!(!text.is_empty() && !text.chars().any(deceives), "{text:?}");
}

/// A refusal of the ACME service is short, printable, and can be sent.
pub(crate) fn told(problem: &Problem) {
    printable(&problem.detail);
    assert!(problem.detail.chars().count() <= MAX_CHARS, "{:?}", problem.detail);
    assert!((400..600).contains(&problem.status), "{problem:?}");
    serde_json::to_vec(problem).expect("a problem can be written");
}
