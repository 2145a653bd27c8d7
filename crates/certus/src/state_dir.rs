//! The state directory: where things lie in it, and the lock that lets one process at a time work on it.

use std::fs::{File, TryLockError};
use std::io::{Read, Seek, Write};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};

use crate::config::FILE;
use crate::exit::{Exit, ending, usage};
use crate::unix;

/// The directory `state` of an authority.
#[derive(Debug, Clone)]
pub(crate) struct StateDir(PathBuf);

impl StateDir {
    /// That of the authority in `directory`.
    pub(crate) fn of(directory: &Path) -> Self {
        Self(directory.join("state"))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The directory of the authority that it belongs to: what `--dir` names.
    pub(crate) fn authority(&self) -> &Path {
        self.0.parent().unwrap_or(&self.0)
    }

    /// The root's private key, until it is moved away. Nothing but `ca check` looks at it again.
    pub(crate) fn root_key(&self) -> PathBuf {
        self.0.join("root.key")
    }

    pub(crate) fn sealing(&self) -> PathBuf {
        self.0.join("sealing")
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.0.join("control.sock")
    }

    pub(crate) fn database(&self) -> PathBuf {
        self.0.join("certus.db")
    }

    fn lock_file(&self) -> PathBuf {
        self.0.join("lock")
    }

    /// Takes the lock, and holds it as long as the result lives.
    ///
    /// # Errors
    ///
    /// [`Exit::Running`] and who holds it, if somebody does.
    pub(crate) fn lock(&self) -> anyhow::Result<Lock> {
        let shown = self.0.display();
        self.check_owner()?;
        if let Ok((mode, _)) = unix::mode_and_owner(&self.0)
            && mode & 0o077 != 0
        {
            bail!("{shown} has mode {mode:04o}, so that others can reach its keys; run: chmod 700 {shown}");
        }
        match self.try_lock()? {
            Locked::Taken(lock) => Ok(lock),
            Locked::Held { pid } => Err(ending(
                Exit::Running,
                format!(
                    "another process is at work on {} ({}); stop it first, or ask it with: certus ca status --dir {}",
                    self.0.display(),
                    holder(pid),
                    self.authority().display()
                ),
            )),
        }
    }

    /// Refuses a directory of another user: what this one made there, the other could not open.
    ///
    /// # Errors
    ///
    /// Whose it is.
    pub(crate) fn check_owner(&self) -> anyhow::Result<()> {
        match unix::mode_and_owner(&self.0) {
            Ok((_, owner)) if owner != unix::own_user() => {
                bail!("{} belongs to user {owner}; check and serve as that user", self.0.display())
            }
            Ok(_) | Err(_) => Ok(()),
        }
    }

    /// Takes the lock unless somebody holds it.
    pub(crate) fn try_lock(&self) -> anyhow::Result<Locked> {
        let path = self.lock_file();
        if !self.0.is_dir() {
            let authority = self.authority().display();
            if !self.authority().join(FILE).exists() {
                return Err(usage(format!("there is no authority in {authority}; name its directory with --dir")));
            }
            bail!("{} is not a directory; restore it from a backup", self.0.display());
        }
        let mut file = unix::open_private(&path).with_context(|| format!("{} cannot be opened", path.display()))?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut text = String::new();
                file.read_to_string(&mut text).with_context(|| format!("{} cannot be read", path.display()))?;
                return Ok(Locked::Held { pid: text.trim().parse().ok() });
            }
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("{} cannot be locked", path.display()));
            }
        }
        let write = |file: &mut File| {
            file.set_len(0)?;
            file.rewind()?;
            writeln!(file, "{}", std::process::id())
        };
        write(&mut file).with_context(|| format!("{} cannot be written", path.display()))?;
        Ok(Locked::Taken(Lock { _file: file }))
    }
}

/// Who holds a lock, for people.
pub(crate) fn holder(pid: Option<u32>) -> String {
    pid.map_or_else(|| "it has not said its pid yet".to_owned(), |pid| format!("pid {pid}"))
}

/// Whether the lock was free.
#[derive(Debug)]
pub(crate) enum Locked {
    /// It was, and is taken now.
    Taken(Lock),
    /// Somebody holds it.
    Held {
        /// Its process id, if it has written it already.
        pid: Option<u32>,
    },
}

/// The lock of a state directory. The system gives it back when this is dropped, and when the process dies.
#[derive(Debug)]
pub(crate) struct Lock {
    _file: File,
}
