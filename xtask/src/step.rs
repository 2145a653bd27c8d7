//! Steps: a heading, a command, its time. All of it goes to standard error, so that the last lines of standard output are
//! those of the last command.

use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::root;

/// Runs a command in the top folder, its output passed through.
///
/// # Errors
///
/// If it cannot be started or does not succeed; the error names the command.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    let text = words(command);
    let status = command.current_dir(root()).status().with_context(|| format!("`{text}` could not be started"))?;
    if !status.success() {
        bail!("`{text}` failed ({status})");
    }
    Ok(())
}

/// The command as a person would type it.
pub(crate) fn words(command: &Command) -> String {
    let program = command.get_program().to_string_lossy();
    let name = program.rsplit('/').next().unwrap_or(&program).to_owned();
    let variables = command.get_envs().filter_map(|(name, value)| {
        value.map(|value| format!("{}={}", name.to_string_lossy(), quoted(&value.to_string_lossy())))
    });
    let arguments = command.get_args().map(|argument| quoted(&argument.to_string_lossy()));
    variables.chain([name]).chain(arguments).collect::<Vec<_>>().join(" ")
}

/// The steps of one run: each is run whatever came of those before, and the end tells of all.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    done: Vec<(String, Duration, Option<anyhow::Error>)>,
}

impl Steps {
    /// Runs one step under a heading.
    pub(crate) fn step(&mut self, heading: &str, job: impl FnOnce() -> Result<()>) {
        eprintln!("\n== {heading}");
        let start = Instant::now();
        let error = job().err();
        let took = start.elapsed();
        match &error {
            None => eprintln!("== {heading}: ok, {}", seconds(took)),
            Some(error) => eprintln!("== {heading}: FAILED, {}: {error:#}", seconds(took)),
        }
        self.done.push((heading.to_owned(), took, error));
    }

    /// The summary.
    ///
    /// # Errors
    ///
    /// If any step failed; the error names those.
    pub(crate) fn end(self) -> Result<()> {
        eprintln!();
        let mut failed = Vec::new();
        let mut all = Duration::ZERO;
        for (heading, took, error) in &self.done {
            all += *took;
            eprintln!("{} {:>9}  {heading}", if error.is_none() { "ok    " } else { "FAILED" }, seconds(*took));
            if error.is_some() {
                failed.push(heading.as_str());
            }
        }
        eprintln!("       {:>9}  in all", seconds(all));
        if !failed.is_empty() {
            bail!("failed: {}", failed.join(", "));
        }
        Ok(())
    }
}

/// Seconds with one decimal.
pub(crate) fn seconds(time: Duration) -> String {
    format!("{:.1} s", time.as_secs_f64())
}

fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./=:,+@%".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_shown_as_it_would_be_typed() {
        let mut command = Command::new("/usr/bin/cargo");
        command.args(["test", "a b", "it's"]).env("RUSTDOCFLAGS", "-D warnings");
        assert_eq!(words(&command), r"RUSTDOCFLAGS='-D warnings' cargo test 'a b' 'it'\''s'");
    }

    #[test]
    fn every_step_is_run_and_the_failed_ones_are_named() {
        let mut steps = Steps::default();
        steps.step("first", || bail!("no"));
        let mut ran = false;
        steps.step("second", || {
            ran = true;
            Ok(())
        });
        assert!(ran);
        assert_eq!(steps.end().unwrap_err().to_string(), "failed: first");
    }
}
