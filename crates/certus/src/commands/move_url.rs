//! `certus ca move-url`.

use serde::Serialize;

use super::absolute;
use crate::cli::AtArgs;
use crate::compose::{self, Hooks, Surroundings};
use crate::config::Config;
use crate::exit::Exit;
use crate::output;
use crate::state_dir::StateDir;

pub(super) async fn run(args: &AtArgs, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Moved<'a> {
        external_url: &'a str,
        previous: Option<&'a str>,
    }
    let config = Config::load(&absolute(&args.dir)?)?;
    let _lock = StateDir::of(&config.directory).lock()?;
    let store = compose::store(&config, surroundings, hooks).await?;
    let previous = compose::move_url(store.as_ref(), &config.external_url, compose::clock().as_ref()).await?;
    let external_url = config.external_url.as_str();
    if args.json {
        output::json("ca.move-url", &Moved { external_url, previous: previous.as_deref() })?;
        return Ok(Exit::Done);
    }
    output::text(&match previous {
        Some(previous) => format!(
            "The authority moves from {previous} to {external_url}.\nAccounts keep working under their earlier URLs. \
             Start it again with: certus ca serve --dir {}\n",
            config.directory.display()
        ),
        None => format!("The store belongs to {external_url} already; nothing was changed.\n"),
    })?;
    Ok(Exit::Done)
}
