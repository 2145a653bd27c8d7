//! What a person or a script reads: text on standard output, or one JSON document with a schema's name in it.

use std::io::{ErrorKind, Write};

use anstyle::{AnsiColor, Style};
use anyhow::Context;
use serde::Serialize;

use crate::config::ConfigError;
use crate::exit::{Ending, Exit};

/// Something well.
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
/// Something to look at.
pub(crate) const WARNING: Style = AnsiColor::Yellow.on_default();
/// Something wrong.
pub(crate) const BAD: Style = AnsiColor::Red.on_default().bold();
/// A heading.
pub(crate) const HEADING: Style = Style::new().bold();

/// Writes text to standard output as it is; colours are dropped where nobody sees them.
pub(crate) fn text(text: &str) -> anyhow::Result<()> {
    let mut out = anstream::stdout().lock();
    match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
        // Whoever read has seen enough, as `head` has.
        Err(error) if error.kind() == ErrorKind::BrokenPipe => Ok(()),
        written => written.context("standard output cannot be written to"),
    }
}

/// Writes a document with `schema` named `certus.<name>/1`.
pub(crate) fn json(name: &str, document: &impl Serialize) -> anyhow::Result<()> {
    /// The schema first, whatever follows.
    #[derive(Serialize)]
    struct Document<'a, T> {
        schema: String,
        #[serde(flatten)]
        document: &'a T,
    }
    let document = Document { schema: format!("certus.{name}/1"), document };
    text(&format!("{}\n", serde_json::to_string(&document)?))
}

/// Says on standard error how far something is that takes long.
pub(crate) fn progress(sentence: &str) {
    let mut err = anstream::stderr().lock();
    // Nobody is left to be told when standard error is gone.
    drop(writeln!(err, "{sentence}"));
}

/// Says on standard error what was done but may not be meant.
pub(crate) fn warning(sentence: &str) {
    let mut err = anstream::stderr().lock();
    // Nobody is left to be told when standard error is gone.
    drop(writeln!(err, "{WARNING}warning:{WARNING:#} {sentence}"));
}

/// Says why a command failed: one sentence, its causes after it. Returns what the program ends with.
pub(crate) fn failure(error: &anyhow::Error, as_json: bool) -> Exit {
    let ending = |cause: &(dyn std::error::Error + 'static)| {
        let settings = || match cause.downcast_ref::<ConfigError>()? {
            ConfigError::Absent(_) | ConfigError::Line { .. } | ConfigError::Setting { .. } => Some(Exit::Usage),
            ConfigError::Read { .. } => None,
        };
        cause.downcast_ref::<Ending>().map(|end| end.exit).or_else(settings)
    };
    let exit = error.chain().find_map(ending).unwrap_or(Exit::Failed);
    let mut sentence = String::new();
    let mut last = String::new();
    for cause in error.chain() {
        let cause = cause.to_string();
        // Some libraries repeat their cause in their own words.
        if last.ends_with(&cause) {
            continue;
        }
        if !sentence.is_empty() {
            sentence.push_str(": ");
        }
        sentence.push_str(cause.trim_end());
        last = cause;
    }
    if as_json {
        #[derive(Serialize)]
        struct Failure<'a> {
            error: &'a str,
            exit: u8,
        }
        if json("error", &Failure { error: &sentence, exit: exit.code() }).is_err() {
            return exit;
        }
    }
    let mut err = anstream::stderr().lock();
    // Nobody is left to be told when standard error is gone too.
    drop(writeln!(err, "{BAD}certus:{BAD:#} {sentence}"));
    exit
}
