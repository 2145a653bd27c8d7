//! `certus ca renewals …`: moving times to renew.

use std::fmt::Write;
use std::path::Path;

use anyhow::Context;
use certus_pki::PublicKey;

use super::absolute;
use super::revoke::certificate_in;
use crate::cli::renewals::{AdvanceArgs, EndArgs, ListArgs, RenewalsCommand};
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output;
use crate::plan::hex;
use crate::renewals::{Ask, Rule, Rules, Selected, Wish};
use crate::state_dir::StateDir;

pub(super) async fn run(command: &RenewalsCommand) -> anyhow::Result<Exit> {
    match command {
        RenewalsCommand::Advance(args) => advance(args).await,
        RenewalsCommand::List(args) => list(args).await,
        RenewalsCommand::End(args) => end(args).await,
    }
}

async fn advance(args: &AdvanceArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let which = &args.which;
    let mut keys = which.keys.clone();
    for file in &which.key_files {
        keys.push(hex(&public_key(file)?.spki_sha256()));
    }
    let selected = Selected {
        issuers: which.issuers.clone(),
        profiles: which.profiles.clone(),
        names: which.names.iter().map(ToString::to_string).collect(),
        accounts: which.accounts.clone(),
        keys,
    };
    let wish = Wish {
        all: which.all,
        selected,
        within_seconds: args.within.map(|period| period.0.as_secs()),
        holds_seconds: args.holds.0.as_secs(),
        explanation_url: args.explanation_url.clone(),
    };
    let rule: Rule = control::ask(&state, &Request::Renewals(Ask::Advance(wish))).await?;
    if args.at.json {
        output::json("ca.renewals.advance", &rule)?;
    } else {
        let when = match args.within {
            None => "at once".to_owned(),
            Some(_) => format!("by {}", rule.window_end),
        };
        output::text(&format!(
            "Asked to be renewed {when}: {}, as far as they were issued by {}.\n\
             Clients hear of it when they ask next, within 6 hours. To take it back: certus ca renewals end {}\n",
            scope(&rule.selected),
            rule.made,
            rule.id
        ))?;
    }
    Ok(Exit::Done)
}

/// The key of a file: a certificate's, or one by itself.
fn public_key(file: &Path) -> anyhow::Result<PublicKey> {
    let pem = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    match certus_pki::pem::decode_one("PUBLIC KEY", &pem) {
        Some(der) => PublicKey::from_spki_der(&der).with_context(|| format!("the key in {} is none", file.display())),
        None => certificate_in(&pem, file).map(|certificate| certificate.public_key().clone()),
    }
}

async fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let ask = Ask::List { after: args.page.after, limit: args.page.limit };
    let page: Rules = control::ask(&state, &Request::Renewals(ask)).await?;
    if args.at.json {
        output::json("ca.renewals.list", &page)?;
    } else {
        output::text(&shown(&page)?)?;
    }
    Ok(Exit::Done)
}

async fn end(args: &EndArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let rule: Rule = control::ask(&state, &Request::Renewals(Ask::End { id: args.id.clone() })).await?;
    if args.at.json {
        output::json("ca.renewals.end", &rule)?;
    } else {
        output::text(&format!("{} is ended: what was not renewed yet is renewed when it would have been.\n", rule.id))?;
    }
    Ok(Exit::Done)
}

fn shown(page: &Rules) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for rule in &page.rules {
        let state = match &rule.ended {
            Some(at) => format!("ended {at}"),
            None if rule.active => format!("until {}", rule.ends),
            None => format!("ended {}", rule.ends),
        };
        let Rule { id, window_start, window_end, made, author, .. } = rule;
        writeln!(text, "{id}  {state}, made {made} by {author}  {}", scope(&rule.selected))?;
        let why = rule.explanation_url.as_ref().map(|url| format!(": {url}")).unwrap_or_default();
        writeln!(text, "    renewed from {window_start} to {window_end}{why}")?;
    }
    match page.next {
        Some(next) => writeln!(text, "More with --after {next}")?,
        None if page.rules.is_empty() => writeln!(text, "None.")?,
        None => {}
    }
    Ok(text)
}

/// Which certificates, in one line.
fn scope(selected: &Selected) -> String {
    let Selected { issuers, profiles, names, accounts, keys } = selected;
    let kinds = [
        ("good for", names),
        ("of profile", profiles),
        ("of issuer", issuers),
        ("of account", accounts),
        ("for key", keys),
    ];
    let parts: Vec<String> =
        kinds.iter().filter(|(_, of)| !of.is_empty()).map(|(kind, of)| format!("{kind} {}", of.join(" or "))).collect();
    if parts.is_empty() { "all certificates".to_owned() } else { format!("certificates {}", parts.join(", ")) }
}
