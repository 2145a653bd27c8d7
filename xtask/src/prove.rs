//! `cargo xtask prove`: the long proofs in full. To add one, add an entry to [`PROOFS`]; its figures, command and commit
//! go to `docs/proofs.md`.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::programs::find;
use crate::root;
use crate::step::{Steps, run, seconds, words};
use crate::test::cargo;

/// One long proof.
struct Proof {
    name: &'static str,
    shows: &'static str,
    /// The tests that are its short form: `cargo test --workspace` runs them anyway.
    tests: &'static str,
    /// A short form beside the tests, which `cargo xtask test` runs as a step of its own.
    short: Option<fn() -> Command>,
    /// All of it, one command after the other.
    full: fn() -> Result<Vec<Command>>,
}

/// Every long proof.
const PROOFS: &[Proof] = &[
    Proof {
        name: "fuzz",
        shows: "no input makes a parser panic, hang or grow: every target in fuzz/, 10 minutes each",
        tests: "the hostile-input tests of certus-pki, certus-acme and certus-http",
        short: None,
        full: fuzz,
    },
    Proof {
        name: "kills",
        shows: "whatever was acknowledged is there after kill -9: every commit point by name, then 50 at random",
        tests: "certus, test target crash: every commit point, and a few kills at random",
        short: None,
        full: || {
            Ok(vec![with(cargo_words("test --locked -p certus --test crash -- --nocapture"), "CERTUS_KILLS", "50")])
        },
    },
    Proof {
        name: "bench",
        shows: "full http-01 flows per second and per CPU-second, on both stores, at 1, 8, 32 and 128 clients",
        tests: "none: figures of a debug build say nothing",
        short: None,
        full: || {
            Ok(vec![
                cargo_words("build --locked --release -p certus -p certus-bench"),
                cargo_words("run --locked --release -p certus-bench"),
            ])
        },
    },
    Proof {
        name: "scale",
        shows: "a million certificates in the store: what a flow costs beside them, and how lists page",
        tests: "certus-store: loading and paging ten thousand certificates",
        short: None,
        full: || {
            Ok(vec![
                cargo_words("build --locked --release -p certus -p certus-bench"),
                cargo_words("run --locked --release -p certus-bench -- scale"),
            ])
        },
    },
];

/// Names the proofs.
pub(crate) fn list() -> Result<()> {
    for proof in PROOFS {
        println!("{:<8} {}", proof.name, proof.shows);
        println!("         in short, by `cargo xtask test`: {}", proof.tests);
        if let Some(short) = proof.short {
            println!("         and {}", words(&short()));
        }
    }
    Ok(())
}

/// Runs one proof in full.
///
/// # Errors
///
/// If there is none of this name, something it needs is missing, or a command of it fails.
pub(crate) fn run_in_full(name: &str) -> Result<()> {
    let names = || PROOFS.iter().map(|proof| proof.name).collect::<Vec<_>>().join(", ");
    let proof = PROOFS.iter().find(|proof| proof.name == name);
    let proof = proof.with_context(|| format!("there is no proof {name:?}; there are: {}", names()))?;
    println!("{}: {}", proof.name, proof.shows);
    let start = Instant::now();
    for mut command in (proof.full)()? {
        println!("\n== {}", words(&command));
        run(&mut command)?;
    }
    println!(
        "\nproved: {name}, {}; for docs/proofs.md: cargo xtask prove {name}, {}",
        seconds(start.elapsed()),
        commit()
    );
    Ok(())
}

/// Runs the short forms that are not among the tests.
pub(crate) fn run_short_forms(steps: &mut Steps) {
    for proof in PROOFS {
        if let Some(short) = proof.short {
            steps.step(&format!("{} in short", proof.name), || run(&mut short()));
        }
    }
}

/// How long each fuzz target runs, in seconds.
const FUZZ_SECONDS: u32 = 600;

fn fuzz() -> Result<Vec<Command>> {
    if find("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is not there: `cargo install --locked cargo-fuzz`, then again");
    }
    let folder = root().join("fuzz/fuzz_targets");
    let mut targets = Vec::new();
    for entry in folder.read_dir().with_context(|| format!("{} cannot be read", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "rs") {
            targets.extend(path.file_stem().map(|stem| stem.to_string_lossy().into_owned()));
        }
    }
    targets.sort();
    if targets.is_empty() {
        bail!("{} holds no target", folder.display());
    }
    let run = |target: &String| {
        // The sanitizers are unstable options of the compiler; this lets the toolchain of the tree take them.
        with(cargo_words(&format!("fuzz run {target} -- -max_total_time={FUZZ_SECONDS}")), "RUSTC_BOOTSTRAP", "1")
    };
    Ok(targets.iter().map(run).collect())
}

fn cargo_words(arguments: &str) -> Command {
    let mut command = cargo();
    command.args(arguments.split_whitespace());
    command
}

fn with(mut command: Command, variable: &str, value: &str) -> Command {
    command.env(variable, value);
    command
}

fn commit() -> String {
    let output = Command::new("git").args(["describe", "--always", "--dirty"]).current_dir(root()).output();
    match output {
        Ok(output) if output.status.success() => format!("commit {}", String::from_utf8_lossy(&output.stdout).trim()),
        Ok(_) | Err(_) => "commit unknown".to_owned(),
    }
}
