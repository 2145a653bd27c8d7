//! `docs/conformance.md`: from each requirement to the tests that show it is kept.
//!
//! Requirements are rows of `docs/conformance.tsv`. A test names the rows it proves in a comment directly above it,
//! `// conformance: 8555-6.2-01 8555-6.2-02`; remarks on rows (a divergence, why there is no test yet) are rows of
//! `docs/conformance-notes.tsv`. The document is made of these three and of nothing else, so it cannot claim a test that
//! is not there.

mod document;
mod markers;
mod requirements;

use std::collections::BTreeMap;
use std::fs;

use anyhow::{Context, Result, bail};

use crate::root;
use markers::{Marker, markers_in};
use requirements::Requirement;

const REQUIREMENTS: &str = "docs/conformance.tsv";
const NOTES: &str = "docs/conformance-notes.tsv";
const DOCUMENT: &str = "docs/conformance.md";
/// Where tests are.
const FOLDERS: &[&str] = &["crates", "xtask", "fuzz"];

/// All that the document is made of.
struct Conformance {
    requirements: Vec<Requirement>,
    /// By requirement, the tests that prove it: `path::name`.
    tests: BTreeMap<String, Vec<String>>,
    /// By requirement, what there is to say about it.
    notes: BTreeMap<String, String>,
}

/// Writes the document.
///
/// # Errors
///
/// A marker or note that names no requirement, a marker that stands above no test, or a file that cannot be read or
/// written.
pub(crate) fn write() -> Result<()> {
    let text = document::render(&load()?);
    fs::write(root().join(DOCUMENT), text).with_context(|| format!("{DOCUMENT} cannot be written"))?;
    println!("written: {DOCUMENT}");
    Ok(())
}

/// Compares the document with what would be written.
///
/// # Errors
///
/// As [`write()`], and if the document is stale.
pub(crate) fn check() -> Result<()> {
    let text = document::render(&load()?);
    let there = fs::read_to_string(root().join(DOCUMENT)).unwrap_or_default();
    if there != text {
        bail!("{DOCUMENT} is stale: run `cargo xtask conformance` and commit what it writes");
    }
    println!("{DOCUMENT} is up to date");
    Ok(())
}

/// Lists the priority-1 server rows that have neither a test nor a note.
///
/// # Errors
///
/// As [`write()`].
pub(crate) fn missing() -> Result<()> {
    let all = load()?;
    for row in all.requirements.iter().filter(|row| row.is_first_of_server() && all.is_open(row)) {
        println!("{}\t{}\t{}", row.id, row.source, row.text);
    }
    Ok(())
}

impl Conformance {
    fn tests(&self, row: &Requirement) -> &[String] {
        self.tests.get(&row.id).map_or(&[], Vec::as_slice)
    }

    fn is_open(&self, row: &Requirement) -> bool {
        self.tests(row).is_empty() && !self.notes.contains_key(&row.id)
    }
}

fn load() -> Result<Conformance> {
    let requirements = requirements::read(&read(REQUIREMENTS)?)?;
    let known = |id: &str| requirements.iter().any(|row| row.id == id);
    let notes = requirements::read_notes(&read(NOTES)?)?;
    let mut faults = Vec::new();
    for id in notes.keys().filter(|id| !known(id)) {
        faults.push(format!("{NOTES}: there is no requirement {id}"));
    }
    let mut tests: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for path in sources()? {
        let text = read(&path)?;
        for Marker { line, ids, test } in markers_in(&text) {
            let Some(test) = test else {
                faults.push(format!("{path}:{line}: the marker stands above no test"));
                continue;
            };
            for id in ids {
                if !known(&id) {
                    faults.push(format!("{path}:{line}: there is no requirement {id}"));
                }
                let proved = tests.entry(id).or_default();
                let test = format!("{path}::{test}");
                if !proved.contains(&test) {
                    proved.push(test);
                }
            }
        }
    }
    if !faults.is_empty() {
        bail!("{}", faults.join("\n"));
    }
    Ok(Conformance { requirements, tests, notes })
}

/// The paths of the tree's Rust sources, in order.
fn sources() -> Result<Vec<String>> {
    let mut found = Vec::new();
    let mut folders: Vec<String> = FOLDERS.iter().map(|&folder| folder.to_owned()).collect();
    while let Some(folder) = folders.pop() {
        let Ok(entries) = root().join(&folder).read_dir() else { continue };
        for entry in entries {
            let entry = entry.with_context(|| folder.clone())?;
            let path = format!("{folder}/{}", entry.file_name().to_string_lossy());
            if entry.path().is_dir() {
                if !path.ends_with("/target") {
                    folders.push(path);
                }
            } else if path.ends_with(".rs") {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read(path: &str) -> Result<String> {
    fs::read_to_string(root().join(path)).with_context(|| format!("{path} cannot be read"))
}
