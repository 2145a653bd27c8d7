//! Programs in folders of their own under `target/`, which pip or npm fills from a list of pinned versions.
//!
//! To have another version, change the list: what was made from another list than today's is as good as missing.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::programs::find;
use crate::root;
use crate::step::run;

/// One such folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Environment {
    /// pkilint, by pip.
    Pkilint,
    /// The newest Certbot, by pip.
    Certbot,
    /// acme-client, by npm.
    AcmeClient,
}

use Environment::{AcmeClient, Certbot, Pkilint};

impl Environment {
    /// What it is called: beneath `target/` too.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Pkilint => "pkilint",
            Certbot => "certbot",
            AcmeClient => "acme-client",
        }
    }

    fn folder(self) -> PathBuf {
        root().join("target").join(self.name())
    }

    /// What the program of this name is, once it is installed.
    pub(crate) fn program(self, name: &str) -> PathBuf {
        match self {
            Pkilint | Certbot => self.folder().join("bin").join(name),
            AcmeClient => self.folder().join("node_modules").join(name).join("package.json"),
        }
    }

    /// The pinned versions.
    fn list(self) -> PathBuf {
        match self {
            Pkilint | Certbot => root().join(format!("xtask/{}-requirements.txt", self.name())),
            AcmeClient => root().join("xtask/acme-client/package-lock.json"),
        }
    }

    /// A copy of the list that it was made from, written last.
    fn made_from(self) -> PathBuf {
        match self {
            Pkilint | Certbot => self.folder().join("requirements.txt"),
            AcmeClient => self.folder().join("made-from.json"),
        }
    }

    /// Whether it was made from today's list.
    pub(crate) fn is_current(self) -> bool {
        match (fs::read(self.made_from()), fs::read(self.list())) {
            (Ok(made_from), Ok(list)) => made_from == list,
            (Err(_), _) | (_, Err(_)) => false,
        }
    }

    /// Makes it anew.
    ///
    /// # Errors
    ///
    /// If Python or npm is not there or fails.
    pub(crate) fn make(self) -> Result<()> {
        match self {
            Pkilint | Certbot => self.make_by_pip()?,
            AcmeClient => self.make_by_npm()?,
        }
        fs::copy(self.list(), self.made_from()).context("what was installed cannot be noted")?;
        Ok(())
    }

    fn make_by_pip(self) -> Result<()> {
        let python = find("python3").context("python3 is not there")?;
        run(Command::new(python).args(["-m", "venv", "--clear"]).arg(self.folder()))?;
        run(Command::new(self.program("pip"))
            .args(["install", "--quiet", "--disable-pip-version-check", "--requirement"])
            .arg(self.list()))
    }

    fn make_by_npm(self) -> Result<()> {
        let npm = find("npm").context("npm is not there")?;
        fs::create_dir_all(self.folder())?;
        for file in ["package.json", "package-lock.json"] {
            fs::copy(self.list().with_file_name(file), self.folder().join(file)).context(file)?;
        }
        // Exactly what the lock file names, and nothing that a package would like to run.
        run(Command::new(npm)
            .args(["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--prefix"])
            .arg(self.folder()))
    }
}
