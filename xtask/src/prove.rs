//! `cargo xtask prove`: the long proofs in full. To add one, add an entry to [`PROOFS`]; its figures, command and commit
//! go to `docs/proofs.md`.

use std::env;
use std::path::{Path, PathBuf};
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
    /// All of it, one command after the other. What is compared with an older binary is given that.
    full: fn(Option<&Path>) -> Result<Vec<Command>>,
}

/// Every long proof.
const PROOFS: &[Proof] = &[
    Proof {
        name: "fuzz",
        shows: "no input makes a parser panic, hang or grow: every target in fuzz/, 10 minutes each",
        tests: "the hostile-input tests of certus-pki, certus-acme, certus-validate and certus-http",
        short: None,
        full: |_| fuzz(),
    },
    Proof {
        name: "kills",
        shows: "whatever was acknowledged is there after kill -9: every commit point by name, then 50 at random",
        tests: "certus-chaos: every commit point, and a few kills at random",
        short: None,
        full: |_| {
            Ok(vec![with(
                cargo_words("test --locked -p certus-chaos --test crash -- --nocapture"),
                "CERTUS_KILLS",
                "50",
            )])
        },
    },
    Proof {
        name: "mutations",
        shows: "1,000,000 changed requests to all of the router: no panic, no answer of 5xx, memory stays, and it goes on issuing",
        tests: "certus-http: 3,000 of them",
        short: None,
        full: |_| {
            Ok(vec![with(
                cargo_words("test --locked -p certus-http --test protocol mutations -- --nocapture"),
                "CERTUS_MUTATIONS",
                "1000000",
            )])
        },
    },
    Proof {
        name: "bench",
        shows: "flows per second and per CPU-second, on both stores, at 1, 8, 32 and 128 clients; the other methods and \
                single requests at 32",
        tests: "none: figures of a debug build say nothing",
        short: None,
        full: |_| {
            let single = "--measure dns-01,tls-alpn-01,newNonce,newAccount,order,renewalInfo --clients 32";
            let mut commands = vec![release_build()];
            for store in ["sqlite", "postgres"] {
                commands.push(bench(&format!("--store {store}")));
                commands.push(bench(&format!("--store {store} {single}")));
            }
            Ok(commands)
        },
    },
    Proof {
        name: "scale",
        shows: "a flow and renewal information cost the same beside 100,000 and 1,000,000 certificates as beside none; \
                what those cost in room, and in CRLs",
        tests: "certus-store: loading and paging certificates",
        short: None,
        full: |_| {
            let mut commands = vec![release_build()];
            for store in ["sqlite", "postgres"] {
                for stored in ["0", "100000", "1000000"] {
                    let measured = "--measure http-01,order,renewalInfo --clients 32";
                    commands.push(bench(&format!("--store {store} {measured} --stored {stored}")));
                }
            }
            Ok(commands)
        },
    },
    Proof {
        name: "rate",
        shows: "flows per CPU-second against an older certus binary, which is given: the medians of 5 runs of each in turn",
        tests: "none: figures of a debug build say nothing",
        short: None,
        full: |binary| {
            let binary = binary.context("which binary? cargo xtask prove rate BINARY")?;
            let mut compare = bench("--clients 32 --against");
            compare.arg(std::path::absolute(binary)?);
            Ok(vec![release_build(), compare])
        },
    },
];

/// Names the proofs.
pub(crate) fn list() -> Result<()> {
    for proof in PROOFS {
        println!("{:<9} {}", proof.name, proof.shows);
        println!("          in short, by `cargo xtask test`: {}", proof.tests);
        if let Some(short) = proof.short {
            println!("          and {}", words(&short()));
        }
    }
    Ok(())
}

/// Runs one proof in full.
///
/// # Errors
///
/// If there is none of this name, something it needs is missing, or a command of it fails.
pub(crate) fn run_in_full(name: &str, binary: Option<&Path>) -> Result<()> {
    let names = || PROOFS.iter().map(|proof| proof.name).collect::<Vec<_>>().join(", ");
    let proof = PROOFS.iter().find(|proof| proof.name == name);
    let proof = proof.with_context(|| format!("there is no proof {name:?}; there are: {}", names()))?;
    println!("{}: {}", proof.name, proof.shows);
    let start = Instant::now();
    for mut command in (proof.full)(binary)? {
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

/// What one fuzz target may take for one input, in libFuzzer's words. 64 KiB is the largest request body; what takes ten
/// seconds hangs, and what takes 64 MiB at once has grown. The 2 GiB in all are mostly what the sanitizer holds back.
const FUZZ_LIMITS: &str = "-max_len=65536 -timeout=10 -malloc_limit_mb=64 -rss_limit_mb=2048 -print_final_stats=1";

/// The targets in `fuzz/fuzz_targets`, and the dictionary of each in `fuzz/dictionaries`.
const FUZZ_TARGETS: &[(&str, &str)] = &[
    ("jws", "json"),
    ("payload", "json"),
    ("csr", "der"),
    ("certificate", "der"),
    ("crl", "der"),
    ("chain", "pem"),
    ("cert_id", "cert_id"),
    ("dns", "dns"),
    ("answer", "answer"),
    ("binding", "json"),
    ("challenge_certificate", "der"),
];

fn fuzz() -> Result<Vec<Command>> {
    if find("cargo-fuzz").is_none() {
        bail!("cargo-fuzz is not there: `cargo install --locked cargo-fuzz`, then again");
    }
    let run = |(target, dictionary): &(&str, &str)| {
        let arguments = format!(
            "fuzz run {target} -- -max_total_time={FUZZ_SECONDS} -dict=fuzz/dictionaries/{dictionary}.dict {FUZZ_LIMITS}"
        );
        // The sanitizers are unstable options of the compiler; this lets the toolchain of the tree take them.
        with(cargo_words(&arguments), "RUSTC_BOOTSTRAP", "1")
    };
    let before = ["test --locked", "run --locked --example seeds"];
    let before = before.map(|command| cargo_words(&format!("{command} --manifest-path fuzz/Cargo.toml")));
    Ok(before.into_iter().chain(FUZZ_TARGETS.iter().map(run)).collect())
}

fn release_build() -> Command {
    cargo_words("build --locked --release -p certus -p certus-bench")
}

fn bench(arguments: &str) -> Command {
    let mut command = cargo_words("run --locked --quiet --release -p certus-bench -- --certus");
    command.arg(target_folder().join("release/certus")).args(arguments.split_whitespace());
    command
}

#[expect(clippy::disallowed_methods, reason = "cargo is told where to build by this variable")]
fn target_folder() -> PathBuf {
    root().join(env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into()))
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzz_target_is_run_and_has_its_dictionary() {
        let mut targets: Vec<String> = root()
            .join("fuzz/fuzz_targets")
            .read_dir()
            .unwrap()
            .map(|entry| entry.unwrap().path().file_stem().unwrap().to_string_lossy().into_owned())
            .collect();
        targets.sort();
        let mut listed: Vec<&str> = FUZZ_TARGETS.iter().map(|(target, _)| *target).collect();
        listed.sort_unstable();
        assert_eq!(listed, targets);
        for (_, dictionary) in FUZZ_TARGETS {
            assert!(root().join(format!("fuzz/dictionaries/{dictionary}.dict")).is_file(), "{dictionary}");
        }
    }
}
