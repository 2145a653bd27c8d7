//! Texts that a change must be meant to change.

use std::fmt::Write;
use std::path::Path;

use serde_json::Value;

/// Compares with `tests/program/golden/NAME`. What is there now is left beside the build, to be looked at and copied.
#[track_caller]
pub(crate) fn check(name: &str, actual: &str) {
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/program/golden").join(name);
    let now = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&now, actual).unwrap();
    let expected = std::fs::read_to_string(&golden).unwrap_or_default();
    assert_eq!(actual, expected, "{} is not {}", now.display(), golden.display());
}

/// The form of a document: every path in it with its type, the schema with its value.
pub(crate) fn form(document: &Value) -> String {
    let mut lines = Vec::new();
    walk("", document, &mut lines);
    lines.dedup();
    lines.sort();
    lines.dedup();
    lines.into_iter().fold(String::new(), |mut text, line| {
        writeln!(text, "{line}").unwrap();
        text
    })
}

fn walk(path: &str, value: &Value, lines: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            for (name, member) in members {
                walk(&format!("{path}.{name}"), member, lines);
            }
        }
        Value::Array(elements) if elements.is_empty() => lines.push(format!("{path}[]: nothing")),
        Value::Array(elements) => elements.iter().for_each(|element| walk(&format!("{path}[]"), element, lines)),
        Value::String(text) if path == ".schema" => lines.push(format!("{path}: {text:?}")),
        Value::String(_) => lines.push(format!("{path}: text")),
        Value::Number(_) => lines.push(format!("{path}: number")),
        Value::Bool(_) => lines.push(format!("{path}: true or false")),
        Value::Null => lines.push(format!("{path}: null")),
    }
}
