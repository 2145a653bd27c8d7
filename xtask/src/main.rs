//! The tree's own commands, run as `cargo xtask …`.
//!
//! `test` is what a change must pass, here and in continuous integration; `prove` runs the long proofs in full;
//! `conformance` writes the document that leads from each requirement to its test. Nothing of the product is here, and
//! nothing here is part of the product.
#![expect(clippy::print_stdout, reason = "a command of the tree speaks to the person who ran it")]

mod conformance;
mod environments;
mod install;
mod programs;
mod prove;
mod step;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// The tree's own commands.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check format, lints, documents and walls, and run every test and a short form of each long proof
    Test {
        /// Install the outside programs that are missing (CI=true does so too)
        #[arg(long)]
        install: bool,
        /// Only say which outside programs are missing, then stop
        #[arg(long)]
        programs: bool,
    },
    /// Run one long proof in full
    Prove {
        /// The proof's name
        #[arg(required_unless_present = "list")]
        name: Option<String>,
        /// For `rate`: the older certus binary
        binary: Option<PathBuf>,
        /// Name the proofs and what each shows
        #[arg(long)]
        list: bool,
    },
    /// Write docs/conformance.md from docs/conformance.tsv and the markers above the tests
    Conformance {
        /// Write nothing; fail if the document is stale
        #[arg(long, conflicts_with = "missing")]
        check: bool,
        /// List the priority-1 server rows that have neither a test nor a note
        #[arg(long)]
        missing: bool,
    },
}

fn main() -> ExitCode {
    let Arguments { command } = Arguments::parse();
    let done = match command {
        Command::Test { install, programs } => test::run_all(install, programs),
        Command::Prove { list: true, name: _, binary: _ } => prove::list(),
        Command::Prove { list: false, name, binary } => {
            prove::run_in_full(name.as_deref().unwrap_or_default(), binary.as_deref())
        }
        Command::Conformance { check: true, missing: _ } => conformance::check(),
        Command::Conformance { check: false, missing: true } => conformance::missing(),
        Command::Conformance { check: false, missing: false } => conformance::write(),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// The top folder of the tree.
fn root() -> PathBuf {
    let own = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    own.parent().map(PathBuf::from).unwrap_or(own)
}
