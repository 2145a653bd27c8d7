//! What is logged, and how: to standard error, as text or JSON.

use std::io::IsTerminal;

use anyhow::Context;
use tracing_subscriber::EnvFilter;

use crate::config::{Log, LogFormat};

/// What a level is called.
const LEVELS: [&str; 6] = ["off", "error", "warn", "info", "debug", "trace"];

/// Sets logging up for the rest of the process.
///
/// # Errors
///
/// If the level is not one, or logging was set up before.
pub(crate) fn start(log: &Log) -> anyhow::Result<()> {
    let filter = filter(&log.level)?;
    let colour = std::io::stderr().is_terminal();
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    let started = match log.format {
        LogFormat::Text => lines.try_init(),
        LogFormat::Json => lines.json().flatten_event(true).with_current_span(false).try_init(),
    };
    started.map_err(|error| anyhow::anyhow!("logging cannot be set up: {error}"))
}

/// Reads `info`, or `info,certus_http=debug`.
pub(crate) fn filter(level: &str) -> anyhow::Result<EnvFilter> {
    let wrong = || {
        format!("the setting level = {level:?} of [log] is not a level, such as \"info\" or \"info,certus_http=debug\"")
    };
    for part in level.split(',') {
        // A word alone would be taken for a module's name, and silence everything else.
        let word = part.rsplit('=').next().unwrap_or(part);
        anyhow::ensure!(LEVELS.contains(&word), wrong());
    }
    EnvFilter::builder().parse(level).with_context(wrong)
}

#[cfg(test)]
mod tests {
    use super::filter;

    #[test]
    fn a_level_is_a_level() {
        for good in ["error", "info", "off", "info,certus_http=debug", "certus_ca=trace,warn"] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["", "verbose", "info,loud", "certus_http", "certus_http=loud", "info,"] {
            assert!(filter(bad).is_err(), "{bad}");
        }
    }
}
