//! Libraries that one crate alone may know. `deny.toml` says which; this asserts it where cargo-deny is not installed.

use std::sync::LazyLock;

use super::graph::PACKAGES;
use super::none;
use super::tree::{Of, lines, text_of};

/// `deny.toml`.
pub(crate) static SETTINGS: LazyLock<toml::Table> = LazyLock::new(|| text_of("deny.toml").parse().unwrap());

#[test]
fn a_walled_library_is_known_only_to_its_keepers() {
    let denied = SETTINGS["bans"]["deny"].as_array().unwrap();
    assert!(denied.len() > 5, "deny.toml names the walls");
    let mut faults = Vec::new();
    for denied in denied {
        let library = denied["crate"].as_str().unwrap();
        let keepers: Vec<&str> = match denied.get("wrappers") {
            Some(keepers) => keepers.as_array().unwrap().iter().filter_map(toml::Value::as_str).collect(),
            None => {
                if PACKAGES.iter().any(|package| package.name == library) {
                    faults.push(format!("{library} is in the graph"));
                }
                continue;
            }
        };
        for package in PACKAGES.iter().filter(|package| !keepers.contains(&package.name.as_str())) {
            if package.needs.iter().any(|need| need.name == library) {
                faults.push(format!("{} may not need {library}; only {} may", package.name, keepers.join(", ")));
            }
        }
    }
    none(&faults);
}

#[test]
fn cryptography_is_called_in_one_module() {
    let faults: Vec<_> = lines()
        .filter(|line| line.of == Of::Product && !line.path.starts_with("crates/certus-pki/src/crypto"))
        .filter(|line| {
            // TLS is rustls's own business, which only needs to be told of a provider.
            let text = line.text.replace("rustls::crypto::aws_lc_rs", "").replace("features", "");
            ["aws_lc_rs", "pkcs5", "pbes2", "scrypt::"].iter().any(|library| text.contains(library))
        })
        .map(|line| line.place())
        .collect();
    none(&faults);
}
