//! Texts of servers, made fit to be read: in a log, on a terminal, in JSON.

use certus_acme::{Problem, ProblemKind};

/// Characters of a server's text that are shown at most: some sentences.
const MAX_CHARS: usize = 600;

/// The text on one line, without what moves a cursor or turns the direction of writing, and not for ever.
#[must_use]
pub fn shown(text: &str) -> String {
    let mut shown: String = text.chars().take(MAX_CHARS).map(|c| if harmless(c) { c } else { '\u{fffd}' }).collect();
    if text.chars().nth(MAX_CHARS).is_some() {
        shown.push('…');
    }
    shown
}

/// A problem in words: what is wrong, for each identifier where there are several, and its kind where that says something.
#[must_use]
pub fn told(problem: &Problem) -> String {
    /// Identifiers that are named: one look at a terminal.
    const MAX_NAMED: usize = 20;
    let mut text = shown(&problem.detail);
    for one in problem.subproblems.iter().take(MAX_NAMED) {
        let name = one.identifier.as_ref().map(|identifier| shown(&identifier.value));
        text = format!("{text}; {}: {}", name.unwrap_or_default(), shown(&one.detail));
    }
    // Also of those whose kind is not known.
    if problem.kind == ProblemKind::ServerInternal { text } else { format!("{text} ({})", problem.kind) }
}

fn harmless(c: char) -> bool {
    let turns = matches!(c, '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    let breaks = matches!(c, '\u{2028}' | '\u{2029}');
    !c.is_control() && !turns && !breaks
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_moves_the_cursor_or_goes_on_for_ever_is_not_shown() {
        assert_eq!(shown("no A record for a.example"), "no A record for a.example");
        assert_eq!(shown("ü — 証明書"), "ü — 証明書");
        assert_eq!(shown("a\x1b[2J\r\nb\u{202e}c\u{2028}"), "a\u{fffd}[2J\u{fffd}\u{fffd}b\u{fffd}c\u{fffd}");
        let long = shown(&"x".repeat(100_000));
        assert_eq!((long.chars().count(), long.chars().last()), (MAX_CHARS + 1, Some('…')));
    }
}
