//! The rows of the requirement list, and the remarks on them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};

/// One testable requirement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Requirement {
    /// `8555-6.2-01`.
    pub(super) id: String,
    /// `RFC 8555 6.2`.
    pub(super) source: String,
    /// `server`, `client` or `both`.
    pub(super) side: String,
    /// `MUST`, `SHOULD`, `MAY` or `BEHAVIOUR`.
    pub(super) level: String,
    /// What is required.
    pub(super) text: String,
    /// 1 is the most pressing.
    pub(super) priority: u8,
}

impl Requirement {
    /// The document without its section: `RFC 8555`.
    pub(super) fn document(&self) -> String {
        let mut words = self.source.split_whitespace();
        let first = words.next().unwrap_or_default();
        match (first, words.next()) {
            ("RFC", Some(number)) => format!("RFC {}", number.trim_end_matches(',')),
            (_, Some(_) | None) => first.to_owned(),
        }
    }

    /// Whether the authority has to keep it before anything else.
    pub(super) fn is_first_of_server(&self) -> bool {
        self.priority == 1 && (self.side == "server" || self.side == "both")
    }
}

/// Reads the list: a heading, then rows of id, source, side, level, requirement, test, priority.
///
/// # Errors
///
/// A row of another shape, or an id that stands twice.
pub(super) fn read(text: &str) -> Result<Vec<Requirement>> {
    let mut rows: Vec<Requirement> = Vec::new();
    for (number, line) in text.lines().enumerate().skip(1) {
        let columns: Vec<&str> = line.split('\t').collect();
        let [id, source, side, level, text, _test, priority] = columns.as_slice() else {
            bail!("line {} of the requirements has {} columns, not 7", number + 1, columns.len());
        };
        if rows.iter().any(|row| row.id == *id) {
            bail!("the requirement {id} stands twice");
        }
        let priority = priority.parse().with_context(|| format!("the priority of {id}"))?;
        let [id, source, side, level, text] = [id, source, side, level, text].map(|&column| column.to_owned());
        rows.push(Requirement { id, source, side, level, text, priority });
    }
    Ok(rows)
}

/// Reads the remarks: a heading, then rows of id and note.
///
/// # Errors
///
/// A row of another shape, or an id that stands twice.
pub(super) fn read_notes(text: &str) -> Result<BTreeMap<String, String>> {
    let mut notes = BTreeMap::new();
    for line in text.lines().skip(1) {
        let Some((id, note)) = line.split_once('\t').filter(|(_, note)| !note.trim().is_empty()) else {
            bail!("not an id and a note: {line:?}");
        };
        if notes.insert(id.to_owned(), note.to_owned()).is_some() {
            bail!("there are two notes on {id}");
        }
    }
    Ok(notes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEADING: &str = "id\tsource\tside\tlevel\trequirement\ttest\tpriority\n";

    #[test]
    fn a_row_is_read() {
        let rows = read(&format!("{HEADING}8555-1-01\tRFC 8555 1\tserver\tMUST\tIt holds.\tTry it.\t1\n")).unwrap();
        assert_eq!(rows.len(), 1);
        assert_eq!((rows[0].id.as_str(), rows[0].priority), ("8555-1-01", 1));
        assert!(rows[0].is_first_of_server());
    }

    #[test]
    fn what_is_no_row_is_refused() {
        let row = "a\tRFC 1\tserver\tMUST\tx\ty\t1\n";
        for bad in ["a\tb\n".to_owned(), format!("{row}{row}"), row.replace("\t1\n", "\tone\n")] {
            assert!(read(&format!("{HEADING}{bad}")).is_err(), "{bad}");
        }
        assert!(read_notes("id\tnote\nx\n").is_err());
        assert!(read_notes("id\tnote\nx\ta\nx\tb\n").is_err());
    }

    #[test]
    fn the_document_is_the_source_without_its_section() {
        for (source, document) in [
            ("RFC 8555 6.2", "RFC 8555"),
            ("RFC 5280 5, BR 7.2", "RFC 5280"),
            ("RFC 8446, 6066, 7301", "RFC 8446"),
            ("BR 7.1.2.7", "BR"),
            ("draft-ietf-acme-dns-persist 4", "draft-ietf-acme-dns-persist"),
        ] {
            let rows = read(&format!("{HEADING}a\t{source}\tserver\tMUST\tx\ty\t2\n")).unwrap();
            assert_eq!(rows[0].document(), document);
        }
    }
}
