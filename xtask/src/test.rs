//! `cargo xtask test`: everything a change must pass, here and in continuous integration.

use std::env;
use std::process::Command;

use anyhow::{Result, bail};

use crate::install::install;
use crate::programs::{Program, Source, find, missing};
use crate::step::{Steps, run};
use crate::{conformance, prove};

/// Runs every check and test.
///
/// # Errors
///
/// If a program is missing, or a step fails.
pub(crate) fn run_all(may_install: bool, only_programs: bool) -> Result<()> {
    check_programs(may_install)?;
    if only_programs {
        println!("every outside program is there");
        return Ok(());
    }
    let mut steps = Steps::default();
    steps.step("format", || run(cargo().args(["fmt", "--all", "--check"])));
    steps.step("lints", || {
        run(cargo().args(["clippy", "--workspace", "--all-targets", "--locked", "--", "-D", "warnings"]))
    });
    steps.step("documentation", || {
        run(cargo()
            .args(["doc", "--workspace", "--no-deps", "--document-private-items", "--locked"])
            .env("RUSTDOCFLAGS", "-D warnings"))
    });
    steps.step("conformance document", conformance::check);
    if find("cargo-deny").is_some() {
        steps.step("dependencies", || run(cargo().args(["deny", "--locked", "check", "bans", "licenses", "sources"])));
    } else {
        eprintln!("\n== dependencies: cargo-deny is not installed; the house test asserts the same walls");
    }
    // Tests start the programs they test: those are built first, with the features that the tests ask of libraries, or
    // all would be built twice.
    steps.step("programs", || run(cargo().args(["build", "--workspace", "--bins", "--tests", "--locked"])));
    prove::run_short_forms(&mut steps);
    steps.step("tests", || run(cargo().args(["test", "--workspace", "--locked", "--no-fail-fast"])));
    steps.end()
}

/// The cargo that runs this.
pub(crate) fn cargo() -> Command {
    Command::new(env!("CARGO"))
}

#[expect(clippy::disallowed_methods, reason = "continuous integration says so in its environment")]
fn check_programs(may_install: bool) -> Result<()> {
    let lacking = missing();
    if lacking.is_empty() {
        return Ok(());
    }
    println!("outside programs that this machine lacks:");
    for program in &lacking {
        println!("  {:<26} {:<40} {}", program.name, origin(program), program.purpose);
    }
    if may_install || env::var("CI").is_ok_and(|value| value == "true") {
        return install(&lacking);
    }
    bail!("{} outside programs are missing: install them, or run `cargo xtask test --install`", lacking.len())
}

fn origin(program: &Program) -> String {
    match program.source {
        Source::Debian(package) => format!("Debian package {package}"),
        Source::Made(environment) => format!("target/{}", environment.name()),
        Source::Rust(component) => format!("rustup component {component}"),
        Source::CargoInstall => format!("cargo install {}", program.name),
    }
}
