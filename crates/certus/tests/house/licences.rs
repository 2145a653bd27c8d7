//! Everything we build on has a licence and an origin that `deny.toml` accepts.

use super::graph::PACKAGES;
use super::none;
use super::walls::SETTINGS;

/// Whether an SPDX expression can be met by accepted licences alone. `OR` binds weaker than `AND`; a slash is an old way
/// to write `OR`.
fn is_met(expression: &str, accepted: &[&str]) -> bool {
    let spaced = expression.replace('/', " OR ").replace('(', " ( ").replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, accepted);
    met && words.next().is_none()
}

type Words<'a, 'w> = &'a mut std::iter::Peekable<std::str::SplitWhitespace<'w>>;

fn any(words: Words<'_, '_>, accepted: &[&str]) -> bool {
    let mut met = all(words, accepted);
    while words.next_if_eq(&"OR").is_some() {
        met |= all(words, accepted);
    }
    met
}

fn all(words: Words<'_, '_>, accepted: &[&str]) -> bool {
    let mut met = one(words, accepted);
    while words.next_if_eq(&"AND").is_some() {
        met &= one(words, accepted);
    }
    met
}

fn one(words: Words<'_, '_>, accepted: &[&str]) -> bool {
    if words.next_if_eq(&"(").is_some() {
        let met = any(words, accepted);
        return words.next_if_eq(&")").is_some() && met;
    }
    let mut name = words.next().unwrap_or_default().to_owned();
    if words.next_if_eq(&"WITH").is_some() {
        name = format!("{name} WITH {}", words.next().unwrap_or_default());
    }
    accepted.contains(&name.as_str())
}

#[test]
fn expressions_are_read_as_spdx_means_them() {
    let accepted = ["MIT", "ISC", "Apache-2.0 WITH LLVM-exception"];
    for met in ["MIT", "MIT OR GPL-2.0", "GPL-2.0/MIT", "ISC AND (GPL-2.0 OR MIT)", "Apache-2.0 WITH LLVM-exception"] {
        assert!(is_met(met, &accepted), "{met}");
    }
    for unmet in ["GPL-2.0", "MIT AND GPL-2.0", "Apache-2.0", "(GPL-2.0 OR AGPL-3.0) AND MIT", "", "(MIT"] {
        assert!(!is_met(unmet, &accepted), "{unmet}");
    }
}

#[test]
fn every_library_has_a_licence_and_an_origin_we_accept() {
    let accepted: Vec<_> =
        SETTINGS["licenses"]["allow"].as_array().unwrap().iter().filter_map(toml::Value::as_str).collect();
    let mut faults = Vec::new();
    for package in PACKAGES.iter() {
        let Some(source) = &package.source else { continue };
        let licence = package.licence.as_deref().unwrap_or_default();
        if !is_met(licence, &accepted) {
            faults.push(format!("{}: licence {licence:?}", package.name));
        }
        if !source.starts_with("registry+") {
            faults.push(format!("{}: comes from {source}", package.name));
        }
    }
    none(&faults);
}
