//! The tree's files, as git names them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::LazyLock;

/// One text file.
pub(crate) struct File {
    /// From the top folder.
    pub(crate) path: String,
    pub(crate) text: String,
}

/// The text files that git tracks or would track.
pub(crate) static FILES: LazyLock<Vec<File>> = LazyLock::new(|| {
    let listed = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    let names = String::from_utf8(listed.stdout).unwrap();
    let mut files: Vec<File> = names
        .split_terminator('\0')
        .filter_map(|path| {
            let text = std::fs::read(root().join(path)).ok().and_then(|bytes| String::from_utf8(bytes).ok())?;
            Some(File { path: path.to_owned(), text })
        })
        .collect();
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files.dedup_by(|a, b| a.path == b.path);
    assert!(files.iter().any(|file| file.path == "Cargo.toml"), "this is not the tree");
    files
});

/// The top folder.
pub(crate) fn root() -> &'static Path {
    static ROOT: LazyLock<PathBuf> =
        LazyLock::new(|| Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_path_buf());
    &ROOT
}

/// The text of one file that must be there.
pub(crate) fn text_of(path: &str) -> &'static str {
    &FILES.iter().find(|file| file.path == path).unwrap_or_else(|| panic!("{path} is not there")).text
}

/// What a line of code belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Of {
    Product,
    Tests,
}

/// A line of Rust, comments left out.
pub(crate) struct Line {
    pub(crate) path: &'static str,
    pub(crate) number: usize,
    pub(crate) text: &'static str,
    pub(crate) of: Of,
}

impl Line {
    /// Where it stands, for a message.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}: {}", self.path, self.number, self.text.trim())
    }

    /// The crate it belongs to: `certus-pki`.
    pub(crate) fn member(&self) -> &'static str {
        self.path.split('/').nth(1).unwrap_or_default()
    }
}

/// Every line of Rust under `crates/` and `xtask/`.
pub(crate) fn lines() -> impl Iterator<Item = Line> {
    FILES.iter().filter(|file| file.path.ends_with(".rs")).flat_map(lines_of)
}

fn lines_of(file: &'static File) -> Vec<Line> {
    let parts: Vec<&str> = file.path.split('/').collect();
    let of_tests = parts.contains(&"tests") || parts.ends_with(&["tests.rs"]) || parts.contains(&"certus-testkit");
    let mut of = if of_tests { Of::Tests } else { Of::Product };
    let all: Vec<&'static str> = file.text.lines().collect();
    let mut found = Vec::new();
    for (index, &text) in all.iter().enumerate() {
        // Unit tests stand last in their file: from the module that opens them on, all is test.
        if text.trim() == "#[cfg(test)]" {
            let item = all[index + 1..].iter().find(|line| !line.trim().starts_with("#["));
            if item.is_some_and(|item| item.trim().starts_with("mod ") && item.trim().ends_with('{')) {
                of = Of::Tests;
            }
        }
        if !text.trim_start().starts_with("//") {
            found.push(Line { path: &file.path, number: index + 1, text, of });
        }
    }
    found
}
