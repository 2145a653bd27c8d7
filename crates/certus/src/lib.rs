//! Certus as a program: its commands, its settings, and the one place that puts an authority together.
//!
//! [`run`] is the whole program. Everything that decides something is in the crates beneath; here it is only read what
//! an operator wants (`cli`, `config`), composed (`compose`), kept running (`lifecycle`) and shown (`output`).

mod authority_tls;
mod cli;
mod commands;
mod compose;
pub mod config;
mod control;
mod eab;
mod exit;
mod lifecycle;
mod output;
mod plan;
mod rate_limits;
mod renewals;
mod state_dir;
mod status;
mod telemetry;
mod unix;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::{CommandFactory, FromArgMatches};

pub use compose::Hooks;
pub use exit::Exit;

/// Runs the program with these arguments, its own name first. `hooks` may wrap the store and the signers, as tests do.
pub fn run(args: impl IntoIterator<Item = OsString>, hooks: Hooks) -> ExitCode {
    let parsed = cli::Cli::command().try_get_matches_from(args);
    let cli = match parsed.and_then(|matches| cli::Cli::from_arg_matches(&matches)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to clap, with an exit code of 0.
            let code = if error.use_stderr() { Exit::Usage } else { Exit::Done };
            if error.print().is_err() {
                return Exit::Failed.into();
            }
            return code.into();
        }
    };
    let json = cli.json();
    match commands::run(cli, hooks) {
        Ok(exit) => exit.into(),
        Err(error) => output::failure(&error, json).into(),
    }
}
