//! The document's text.

use std::fmt::Write as _;

use super::requirements::Requirement;
use super::{Conformance, NOTES, REQUIREMENTS};

/// The priorities that occur.
const PRIORITIES: [u8; 3] = [1, 2, 3];

/// The whole document.
pub(super) fn render(all: &Conformance) -> String {
    let mut text = String::new();
    let mut documents: Vec<String> = Vec::new();
    for row in &all.requirements {
        if !documents.contains(&row.document()) {
            documents.push(row.document());
        }
    }
    head(&mut text, all, &documents);
    for document in &documents {
        let _infallible =
            write!(text, "\n## {document}\n\n| id | section | side | level | priority | requirement | test |\n");
        text.push_str("|---|---|---|---|---|---|---|\n");
        for row in all.requirements.iter().filter(|row| row.document() == *document) {
            line(&mut text, all, row);
        }
    }
    text
}

fn head(text: &mut String, all: &Conformance, documents: &[String]) {
    let _infallible = write!(
        text,
        "# Conformance\n\n\
        Every requirement we hold ourselves to, and the tests that show it is kept. Written by `cargo xtask conformance` \
        from the list `{REQUIREMENTS}` (which also says how each is tested), the remarks in `{NOTES}` and the markers \
        above the tests; do not edit. \"Not yet\" means that no test shows it, whatever the code does; rows of the side \
        `client` speak of the agent, which is not begun.\n\n\
        Rows of the side `server` or `both`, as tested / all:\n\n\
        | source | priority 1 | priority 2 | priority 3 |\n|---|---|---|---|\n"
    );
    let mut lines: Vec<(String, Vec<&Requirement>)> = Vec::new();
    let server = |row: &&Requirement| row.side != "client";
    for document in documents {
        let rows: Vec<_> = all.requirements.iter().filter(server).filter(|row| row.document() == *document).collect();
        if !rows.is_empty() {
            lines.push((document.clone(), rows));
        }
    }
    lines.push(("in all".to_owned(), all.requirements.iter().filter(server).collect()));
    for (name, rows) in lines {
        let cells = PRIORITIES.map(|priority| {
            let of_priority: Vec<_> = rows.iter().filter(|row| row.priority == priority).collect();
            let tested = of_priority.iter().filter(|row| !all.tests(row).is_empty()).count();
            if of_priority.is_empty() { String::new() } else { format!("{tested} / {}", of_priority.len()) }
        });
        let _infallible = writeln!(text, "| {name} | {} |", cells.join(" | "));
    }
}

fn line(text: &mut String, all: &Conformance, row: &Requirement) {
    let section = row.source.strip_prefix(&row.document()).unwrap_or(&row.source).trim_start_matches([',', ' ']);
    let mut shown: Vec<String> = all.tests(row).iter().map(|test| format!("`{test}`")).collect();
    if shown.is_empty() {
        shown.push("not yet".to_owned());
    }
    if let Some(note) = all.notes.get(&row.id) {
        shown.push(cell(note));
    }
    let _infallible = writeln!(
        text,
        "| {} | {} | {} | {} | {} | {} | {} |",
        row.id,
        cell(section),
        row.side,
        row.level,
        row.priority,
        cell(&row.text),
        shown.join("<br>")
    );
}

/// Text that may stand in a cell.
fn cell(text: &str) -> String {
    text.replace('|', r"\|").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::super::requirements::read;
    use super::*;

    #[test]
    fn a_row_leads_to_its_tests_its_note_or_not_yet() {
        let list = "heading\n\
            a\tRFC 1 2.3\tserver\tMUST\tIt | holds.\thow\t1\n\
            b\tRFC 1 2.4\tserver\tMUST\tThat too.\thow\t1\n\
            c\tBR 7\tclient\tMUST\tAnd that.\thow\t2\n";
        let all = Conformance {
            requirements: read(list).unwrap(),
            tests: [("a".to_owned(), vec!["x.rs::y".to_owned()])].into(),
            notes: [("b".to_owned(), "later".to_owned())].into(),
        };
        let text = render(&all);
        assert!(text.contains("| a | 2.3 | server | MUST | 1 | It \\| holds. | `x.rs::y` |\n"), "{text}");
        assert!(text.contains("| b | 2.4 | server | MUST | 1 | That too. | not yet<br>later |\n"), "{text}");
        assert!(text.contains("## BR\n"), "{text}");
        assert!(text.contains("| RFC 1 | 1 / 2 |  |  |\n"), "{text}");
        assert!(text.contains("| in all | 1 / 2 |  |  |\n"), "{text}");
    }
}
