//! `certus ca limits …`: who is near a limit, and what is done about it.

use std::fmt::Write;
use std::time::Duration;

use super::absolute;
use crate::cli::limits::{ClearArgs, LimitsArgs, LimitsCommand, OverrideArgs, ShowArgs};
use crate::config::units::Period;
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output::{self, HEADING};
use crate::rate_limits::{Ask, Cleared, Key, Limit, Limits, Overridden};
use crate::state_dir::StateDir;

pub(super) async fn run(args: &LimitsArgs) -> anyhow::Result<Exit> {
    match &args.command {
        None => show(&args.show).await,
        Some(LimitsCommand::Clear(args)) => clear(args).await,
        Some(LimitsCommand::Override(args)) => set(args).await,
    }
}

async fn show(args: &ShowArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.dir)?);
    let ask = Ask::Show { all: args.all, after: args.page.after, limit: args.page.limit };
    let found: Limits = control::ask(&state, &Request::Limits(ask)).await?;
    if args.json {
        output::json("ca.limits", &found)?;
    } else {
        output::text(&text(&found, args.all)?)?;
    }
    Ok(Exit::Done)
}

async fn clear(args: &ClearArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let ask = Ask::Clear { name: args.name.clone(), key: args.key.clone() };
    let cleared: Cleared = control::ask(&state, &Request::Limits(ask)).await?;
    if args.at.json {
        output::json("ca.limits.clear", &cleared)?;
    } else {
        output::text(&format!("Cleared. Nothing is spent of {} for {} any more.\n", cleared.name, cleared.key))?;
    }
    Ok(Exit::Done)
}

async fn set(args: &OverrideArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let ask = Ask::Override { account: args.account.clone(), name: args.name.clone(), count: args.number.count };
    let set: Overridden = control::ask(&state, &Request::Limits(ask)).await?;
    if args.at.json {
        output::json("ca.limits.override", &set)?;
    } else {
        let Overridden { account, limit: Limit { name, count, period_seconds } } = &set;
        output::text(&format!("Of {name}, {account} has {count} in {} from now on.\n", period(*period_seconds)))?;
    }
    Ok(Exit::Done)
}

fn text(found: &Limits, all: bool) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    if !found.enabled {
        writeln!(text, "Limits are off: enabled = false in [authority.limits], or `certus up` without --limits.\n")?;
    }
    writeln!(text, "{HEADING}Limits{HEADING:#}")?;
    for Limit { name, count, period_seconds } in &found.limits {
        writeln!(text, "  {name:<42} {count} in {}", period(*period_seconds))?;
    }
    writeln!(text, "{HEADING}{}{HEADING:#}", if all { "Spent" } else { "Near or over" })?;
    for Key { name, key, spent, count, again, .. } in &found.keys {
        let again = again.as_ref().map_or_else(String::new, |at| format!(", again at {at}"));
        writeln!(text, "  {name} {key}  {spent} of {count}{again}")?;
    }
    match found.next {
        Some(next) => writeln!(text, "More with --after {next}")?,
        None if found.keys.is_empty() => writeln!(text, "  None.")?,
        None => {}
    }
    Ok(text)
}

fn period(seconds: u64) -> Period {
    Period(Duration::from_secs(seconds))
}
