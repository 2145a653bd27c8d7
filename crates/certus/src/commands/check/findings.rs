//! What a check found, one line for each thing looked at.

use std::fmt::Write;
use std::time::Duration;

use certus_pki::Timestamp;
use serde::Serialize;

use crate::output::{BAD, GOOD, WARNING};

/// How long before something expires this is said.
const AHEAD: Duration = Duration::from_secs(30 * 86_400);

/// What was found, one line for each thing looked at.
#[derive(Debug, Default, Serialize)]
pub(super) struct Findings {
    ok: bool,
    checks: Vec<Finding>,
}

#[derive(Debug, Serialize)]
pub(super) struct Finding {
    check: String,
    state: State,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    Ok,
    Warn,
    Fail,
}

impl Findings {
    pub(super) fn add(&mut self, check: impl Into<String>, state: State, detail: impl Into<String>) {
        self.checks.push(Finding { check: check.into(), state, detail: detail.into() });
    }

    pub(super) fn extend(&mut self, more: Self) {
        self.checks.extend(more.checks);
    }

    pub(super) fn take<T>(
        &mut self,
        check: &str,
        found: anyhow::Result<T>,
        well: impl FnOnce(&T) -> String,
    ) -> Option<T> {
        match found {
            Ok(value) => {
                self.add(check, State::Ok, well(&value));
                Some(value)
            }
            Err(error) => {
                self.add(check, State::Fail, format!("{error:#}"));
                None
            }
        }
    }

    /// Something that ends at `end`: past, near, or ahead.
    pub(super) fn expiry(&mut self, check: &str, end: Timestamp, now: Timestamp, mend: &str) {
        if end < now {
            self.add(check, State::Fail, format!("is over since {end}; {mend}"));
        } else if end.duration_since(now) < AHEAD {
            self.add(check, State::Warn, format!("is over on {end}; {mend}"));
        } else {
            self.add(check, State::Ok, format!("until {end}"));
        }
    }

    /// All was looked at: says whether a start would do.
    pub(super) fn end(&mut self) -> bool {
        self.ok = self.checks.iter().all(|finding| finding.state != State::Fail);
        self.ok
    }

    /// For a person.
    pub(super) fn text(&self) -> Result<String, std::fmt::Error> {
        let mut text = String::new();
        for Finding { check, state, detail } in &self.checks {
            let (style, word) = match state {
                State::Ok => (GOOD, "ok  "),
                State::Warn => (WARNING, "warn"),
                State::Fail => (BAD, "FAIL"),
            };
            writeln!(text, "{style}{word}{style:#}  {check}: {detail}")?;
        }
        writeln!(text, "{}", if self.ok { "\nIn order." } else { "\nNot in order." })?;
        Ok(text)
    }
}
