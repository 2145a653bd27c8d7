//! What no file of the tree may say.

use super::none;
use super::tree::{FILES, File};

/// Folders of one person's machine; spelled in two, or this file would be found.
const FOLDERS: &[&str] = &[concat!("/wo", "rk/"), concat!("/ro", "ot/"), concat!("/ho", "me/"), concat!("/far", "m/")];
/// Hosts of package registries.
const REGISTRIES: &[&str] =
    &[concat!("crates", ".io"), concat!("py", "pi.org"), concat!("npm", "js."), concat!("proxy.go", "lang")];

#[test]
fn no_file_names_a_folder_of_one_machine() {
    let faults = find(|line| {
        FOLDERS.iter().any(|folder| {
            // Only where a path starts: {pki_url}/work/ would be one of ours.
            let starts = |at: usize| !line[..at].ends_with(|c: char| c.is_alphanumeric() || "}_-.$~*".contains(c));
            line.match_indices(folder).any(|(at, _)| starts(at))
        })
    });
    none(&faults);
}

#[test]
fn no_file_names_a_package_registry() {
    none(&find(|line| REGISTRIES.iter().any(|registry| line.contains(registry))));
}

fn find(is_fault: impl Fn(&str) -> bool) -> Vec<String> {
    let of = |file: &'static File| file.text.lines().enumerate().map(move |(index, line)| (file, index + 1, line));
    FILES
        .iter()
        .filter(|file| !file.path.ends_with("Cargo.lock"))
        .flat_map(of)
        .filter(|(_, _, line)| is_fault(line))
        .map(|(file, number, line)| format!("{}:{number}: {}", file.path, line.trim()))
        .collect()
}
