//! Every path that a document names exists.

use super::none;
use super::tree::{FILES, root};

/// Where a path in a document may start from.
const BASES: &[&str] = &["", "docs/", "crates/", "crates/certus/"];
/// What a path in a document starts with, when it is one of this tree's.
const TOPS: &[&str] = &["crates/", "docs/", "xtask/", "fuzz/", ".ci/", ".cargo/", "certus/", "certus-", "./", "../"];
/// A word that ends so names a file, wherever it stands.
const ENDINGS: &[&str] = &[".rs", ".md", ".tsv"];

#[test]
fn every_path_named_in_a_document_exists() {
    let mut faults = Vec::new();
    let mut seen = 0;
    for file in FILES.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, line) in file.text.lines().enumerate() {
            for name in names(line) {
                seen += 1;
                if !exists(&file.path, &name) {
                    faults.push(format!("{}:{}: {name}", file.path, index + 1));
                }
            }
        }
    }
    assert!(seen > 20, "documents name paths");
    none(&faults);
}

/// What stands in backticks or as a link's target in a line and looks like a path of this tree.
fn names(line: &str) -> Vec<String> {
    let quoted = line.split('`').skip(1).step_by(2).flat_map(str::split_whitespace);
    let linked = line.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let is_path = |word: &&str| {
        let is_foreign =
            word.contains("://") || word.contains(['{', '}', '<', '>', '*', '…', '$']) || word.starts_with('#');
        let names_file = ENDINGS.iter().any(|ending| word.ends_with(ending)) && !word.starts_with('/');
        let is_pathlike = word.contains('/') && TOPS.iter().any(|top| word.starts_with(top));
        !is_foreign && (names_file || is_pathlike)
    };
    // A test is named path::name, a line path:number, a heading path#heading.
    let path =
        |word: &str| word.split([':', '#']).next().unwrap_or_default().trim_end_matches([',', '.', ';']).to_owned();
    quoted.chain(linked).filter(|word| is_path(&word.split(':').next().unwrap_or(word))).map(path).collect()
}

/// The tests named in a line as `path::name`.
fn tests_named(line: &str) -> Vec<(&str, &str)> {
    let quoted = line.split('`').skip(1).step_by(2);
    quoted
        .filter_map(|word| word.split_once("::"))
        .filter(|(path, _)| path.contains('/') && path.ends_with(".rs"))
        .collect()
}

#[test]
fn every_test_named_in_a_document_exists() {
    let mut faults = Vec::new();
    for file in FILES.iter().filter(|file| file.path.ends_with(".md")) {
        for (index, line) in file.text.lines().enumerate() {
            for (path, name) in tests_named(line) {
                let there = FILES.iter().any(|file| {
                    file.path == path && file.text.lines().any(|line| line.contains(&format!("fn {name}(")))
                });
                if !there {
                    faults.push(format!("{}:{}: {path}::{name}", file.path, index + 1));
                }
            }
        }
    }
    none(&faults);
}

fn exists(document: &str, name: &str) -> bool {
    let beside = document.rsplit_once('/').map_or("", |(folder, _)| folder);
    let from_beside = root().join(beside).join(name);
    let from_base = BASES.iter().any(|base| root().join(base).join(name).exists());
    let by_end = || FILES.iter().any(|file| file.path.ends_with(&format!("/{name}")));
    from_beside.exists() || from_base || (!name.starts_with('.') && by_end())
}

#[test]
fn paths_are_told_from_other_words() {
    let line =
        "See `crates/x/src/a.rs::it_holds`, `house.md`, [b](docs/b.md#top), `a/b`, `https://x/y.md`, `{base}/root.rs`.";
    assert_eq!(names(line), ["crates/x/src/a.rs", "house.md", "docs/b.md"]);
}
