//! What tests may not do, and which programs they run.

use super::graph::members;
use super::none;
use super::tree::{Of, lines, text_of};

/// Who waits all the same: a client that does what `Retry-After` says.
const WAITS: &[&str] = &["crates/certus-testkit/src/flow.rs"];

/// What installs the missing programs is not itself installed.
const INSTALLS: &[&str] = &["xtask/src/install.rs", "xtask/src/environments.rs"];

#[test]
fn no_test_is_left_out() {
    let faults: Vec<_> =
        lines().filter(|line| line.text.trim_start().starts_with("#[ignore")).map(|l| l.place()).collect();
    none(&faults);
}

#[test]
fn no_test_sleeps() {
    // Spelled in two, or this line would be found.
    let call = concat!("sleep", "(");
    let faults: Vec<_> = lines()
        .filter(|line| line.of == Of::Tests && line.text.contains(call) && !WAITS.contains(&line.path))
        .map(|line| line.place())
        .collect();
    none(&faults);
}

#[test]
fn every_outside_program_is_in_the_list() {
    let table = text_of("xtask/src/programs.rs");
    let listed: Vec<&str> = table.split("name: \"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(listed.contains(&"openssl"), "{listed:?}");
    let own: Vec<&str> = members().flat_map(|package| package.binaries.iter().map(String::as_str)).collect();
    // Each is started by a literal name, through one of these.
    let starts = [concat!("Command::", "new(\""), concat!(".comm", "and(\""), concat!("prog", "ram(\"")];
    let mut faults = Vec::new();
    for line in lines().filter(|line| !INSTALLS.contains(&line.path)) {
        for program in starts.iter().flat_map(|start| line.text.split(start).skip(1)) {
            let name = program.split('"').next().unwrap_or_default().rsplit('/').next().unwrap();
            if !listed.contains(&name) && !own.contains(&name) {
                faults.push(format!("{} (xtask/src/programs.rs does not list {name})", line.place()));
            }
        }
    }
    none(&faults);
}
