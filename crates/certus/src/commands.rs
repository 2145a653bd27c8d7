//! The commands, one module each.

mod certificates;
mod check;
mod eab;
mod init;
mod limits;
mod move_url;
mod obtain;
mod renewals;
mod revoke;
mod serve;
mod status;
mod up;

use std::path::Path;

use anyhow::Context;

use crate::cli::{AccountsCommand, CaCommand, Cli, Command, KeysCommand, SurroundingArgs};
use crate::compose::{Hooks, Surroundings};
use crate::exit::Exit;

/// Does what the command line says.
pub(crate) fn run(cli: Cli, hooks: Hooks) -> anyhow::Result<Exit> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let Cli { command, surroundings: SurroundingArgs { credentials_directory, pgpassfile } } = cli;
    let surroundings = Surroundings { credentials_directory, passfile: pgpassfile };
    let exit = runtime.block_on(async {
        match command {
            Command::Up(args) => Box::pin(up::run(&args, &surroundings, hooks)).await,
            Command::Obtain(args) => obtain::run(&args).await,
            Command::Ca { command } => match command {
                CaCommand::Init(args) => init::run(*args, &surroundings).await,
                CaCommand::Check(args) => Box::pin(check::run(&args, &surroundings, hooks)).await,
                CaCommand::Serve(args) => Box::pin(serve::run(&args, &surroundings, hooks)).await,
                CaCommand::MoveUrl(args) => move_url::run(&args, &surroundings, hooks).await,
                CaCommand::Status(args) => status::run(&args).await,
                CaCommand::Certificates(args) => certificates::run(&args).await,
                CaCommand::Revoke(args) => revoke::revoke(&args).await,
                CaCommand::Keys { command: KeysCommand::Block(args) } => revoke::block(&args).await,
                CaCommand::Accounts { command: AccountsCommand::Revoke(args) } => revoke::account(&args).await,
                CaCommand::Eab { command } => eab::run(&command).await,
                CaCommand::Renewals { command } => renewals::run(&command).await,
                CaCommand::Limits(args) => limits::run(&args).await,
            },
        }
    });
    // Threads that still block (a signature, a slow disk) are not waited for.
    runtime.shutdown_background();
    exit
}

/// The directory with every step of its path said, so that nothing depends on where the program stands.
fn absolute(directory: &Path) -> anyhow::Result<std::path::PathBuf> {
    let path = std::path::absolute(directory).with_context(|| format!("{} is no path", directory.display()))?;
    // What exists is said without `.`, `..` and links.
    Ok(path.canonicalize().unwrap_or(path))
}
