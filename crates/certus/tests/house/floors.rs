//! A crate depends only on floors beneath its own; crates of one floor never know each other.

use super::graph::members;
use super::none;

/// Each crate of the tree and its floor. Those above the product's topmost are tools: nothing of the product may need
/// them.
///
/// Tests of a crate may use whatever the testkit may, and the testkit itself: a library that only tests have cannot be
/// named in the product.
const FLOORS: &[(&str, u8)] = &[
    ("certus-pki", 0),
    ("certus-acme", 1),
    ("certus-ca", 2),
    ("certus-agent", 2),
    ("certus-http", 3),
    ("certus-store", 3),
    ("certus-validate", 3),
    ("certus-signer", 3),
    ("certus", TOP),
    ("certus-testkit", TESTKIT),
    ("certus-bench", 6),
    ("certus-chaos", 6),
    ("xtask", 6),
];
/// The product's topmost floor.
pub(crate) const TOP: u8 = 4;
const TESTKIT: u8 = 5;

/// What a crate does without, even through a library that anyone may take: its part of the walls in `docs/house.md`.
const ABSENT: &[(&str, &[&str])] = &[
    ("certus-pki", &["tokio", "serde", "serde_json", "hyper", "rustls", "url"]),
    ("certus-acme", &["tokio", "hyper", "http", "rustls", "aws-lc-rs", "async-trait"]),
    ("certus-ca", &["hyper", "http", "rustls", "hickory-proto", "url", "toml"]),
    ("certus-agent", &["axum", "rusqlite", "tokio-postgres", "toml"]),
    ("certus-validate", &["pkcs8", "zeroize"]),
    ("certus-signer", &["hyper", "rustls", "url", "toml"]),
];

/// The floor of a crate of the tree.
pub(crate) fn floor(name: &str) -> Option<u8> {
    FLOORS.iter().find(|(known, _)| *known == name).map(|(_, floor)| *floor)
}

#[test]
fn every_crate_depends_only_on_floors_beneath() {
    let mut faults = Vec::new();
    for package in members() {
        let Some(own) = floor(&package.name) else {
            faults.push(format!("{} has no floor: give it one in the house test and in docs/house.md", package.name));
            continue;
        };
        for need in &package.needs {
            let Some(beneath) = floor(&need.name) else { continue };
            let for_tests = need.only_tests && beneath <= TESTKIT;
            if beneath >= own && !for_tests {
                faults.push(format!("{} (floor {own}) needs {} (floor {beneath})", package.name, need.name));
            }
        }
    }
    none(&faults);
}

#[test]
fn what_is_deliberately_absent_is_absent() {
    let mut faults = Vec::new();
    for (name, absent) in ABSENT {
        for package in members().filter(|package| package.name == *name) {
            let needs = package.needs.iter().filter(|need| !need.only_tests);
            faults.extend(
                needs
                    .filter(|need| absent.contains(&need.name.as_str()))
                    .map(|need| format!("{name} is to do without {}", need.name)),
            );
        }
    }
    none(&faults);
}
