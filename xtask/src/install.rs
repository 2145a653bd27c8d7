//! Installing the outside programs that are missing: Debian packages by apt-get, others in folders of their own under
//! `target/`. Only ever on request.

use std::collections::BTreeSet;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::programs::{Program, Source, find, missing};
use crate::step::run;

/// Installs what is missing.
///
/// # Errors
///
/// A program that no installation provides, or an installer that fails.
pub(crate) fn install(lacking: &[&Program]) -> Result<()> {
    if lacking.is_empty() {
        return Ok(());
    }
    let mut packages = BTreeSet::new();
    let mut components = BTreeSet::new();
    let mut environments = BTreeSet::new();
    for program in lacking {
        match program.source {
            Source::Debian(package) => drop(packages.insert(package)),
            Source::Made(environment) => drop(environments.insert(environment)),
            Source::Rust(component) => drop(components.insert(component)),
            Source::CargoInstall => {}
        }
    }
    if !components.is_empty() {
        run(Command::new("rustup").args(["component", "add"]).args(components))?;
    }
    if !packages.is_empty() {
        run(apt_get()?.arg("update"))?;
        run(apt_get()?.args(["install", "-y", "--no-install-recommends"]).args(packages))?;
    }
    for environment in environments {
        environment.make()?;
    }
    let still: Vec<_> = missing().iter().map(|program| program.name).collect();
    if !still.is_empty() {
        bail!("still missing after the installation: {}", still.join(", "));
    }
    Ok(())
}

/// apt-get, by sudo unless the user is root.
fn apt_get() -> Result<Command> {
    if find("apt-get").is_none() {
        bail!("this machine has no apt-get: install the programs listed above by hand");
    }
    let user = Command::new("id").arg("-u").stderr(Stdio::inherit()).output().context("id -u")?;
    let mut command = if user.stdout.trim_ascii() == b"0" {
        Command::new("apt-get")
    } else {
        let mut sudo = Command::new("sudo");
        sudo.args(["--", "apt-get"]);
        sudo
    };
    command.env("DEBIAN_FRONTEND", "noninteractive");
    Ok(command)
}
