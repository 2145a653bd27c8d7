//! What only Unix has is called from one module of a crate, `unix`, so that a port knows where to look.

use super::floors::{TOP, floor};
use super::none;
use super::tree::{Of, lines};

/// What only Unix has.
const WORDS: &[&str] = &[
    "std::os::unix",
    "std::os::linux",
    "std::os::fd",
    "rustix::",
    "tokio::net::Unix",
    "tokio::net::unix",
    "tokio::signal::unix",
    "signal::unix",
    "cfg(unix)",
    "cfg(target_os",
    "cfg(target_family",
];

#[test]
fn unix_is_known_to_one_module_of_a_crate() {
    let is_unix = |path: &str| path.ends_with("/src/unix.rs") || path.contains("/src/unix/");
    let faults: Vec<_> = lines()
        .filter(|line| line.of == Of::Product && floor(line.member()).is_some_and(|floor| floor <= TOP))
        .filter(|line| WORDS.iter().any(|word| line.text.contains(word)) && !is_unix(line.path))
        .map(|line| line.place())
        .collect();
    none(&faults);
}
