//! What the program ends with. The numbers are a promise to scripts; `docs/operating.md` lists them.

use std::fmt;
use std::process::ExitCode;

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exit {
    /// Done: 0.
    Done,
    /// It failed, and the message says why: 1.
    Failed,
    /// The command line or a setting is wrong; nothing was done: 2.
    Usage,
    /// `certus ca check` found something that is not in order: 3.
    NotInOrder,
    /// Refused because another process is at work on the state directory: 4.
    Running,
    /// No authority is running there: 5.
    NotRunning,
    /// A part of the authority ended that never should: 70, for the supervisor to start it again.
    Crashed,
}

impl Exit {
    /// The number.
    #[must_use]
    pub const fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::NotInOrder => 3,
            Self::Running => 4,
            Self::NotRunning => 5,
            Self::Crashed => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// An error that ends the program with another code than [`Exit::Failed`].
#[derive(Debug)]
pub(crate) struct Ending {
    pub(crate) exit: Exit,
    message: String,
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Ending {}

/// An error with its own exit code.
pub(crate) fn ending(exit: Exit, message: impl Into<String>) -> anyhow::Error {
    anyhow::Error::new(Ending { exit, message: message.into() })
}

/// A wrong command line or setting.
pub(crate) fn usage(message: impl Into<String>) -> anyhow::Error {
    ending(Exit::Usage, message)
}
