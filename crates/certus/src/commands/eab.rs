//! `certus ca eab …`: keys of external account binding.

use std::fmt::Write;

use super::absolute;
use crate::cli::eab::{CreateArgs, EabCommand, ListArgs, RevokeArgs};
use crate::control::{self, Request};
use crate::eab::{Ask, Key, Keys, Made, Wish};
use crate::exit::{Exit, usage};
use crate::output::{self, HEADING};
use crate::state_dir::StateDir;

pub(super) async fn run(command: &EabCommand) -> anyhow::Result<Exit> {
    match command {
        EabCommand::Create(args) => create(args).await,
        EabCommand::List(args) => list(args).await,
        EabCommand::Revoke(args) => revoke(args).await,
    }
}

async fn create(args: &CreateArgs) -> anyhow::Result<Exit> {
    if args.pre_authorize && args.permit_exact.is_empty() && args.permit_names.is_empty() {
        return Err(usage(
            "--pre-authorize is for names that are listed; add --permit-names or --permit-exact".to_owned(),
        ));
    }
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let names = args.permit_exact.iter().map(|text| crate::eab::identifier(text).map(|one| one.value()));
    let wish = Wish {
        names: names.collect::<anyhow::Result<_>>().map_err(|error| usage(format!("--permit-exact: {error:#}")))?,
        suffixes: args.permit_names.iter().map(ToString::to_string).collect(),
        profiles: args.profiles.clone(),
        quota: args.quota,
        expires_seconds: args.expires.map(|period| period.0.as_secs()),
        single_use: args.single_use,
        pre_authorize: args.pre_authorize,
    };
    let made: Made = control::ask(&state, &Request::Eab(Ask::Create(wish))).await?;
    if args.at.json {
        output::json("ca.eab.create", &made)?;
    } else {
        output::text(&shown_once(&made)?)?;
    }
    Ok(Exit::Done)
}

async fn list(args: &ListArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let ask = Ask::List { after: args.page.after, limit: args.page.limit };
    let page: Keys = control::ask(&state, &Request::Eab(ask)).await?;
    if args.at.json {
        output::json("ca.eab.list", &page)?;
    } else {
        output::text(&shown(&page)?)?;
    }
    Ok(Exit::Done)
}

async fn revoke(args: &RevokeArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let key: Key = control::ask(&state, &Request::Eab(Ask::Revoke { kid: args.kid.clone() })).await?;
    if args.at.json {
        output::json("ca.eab.revoke", &key)?;
    } else {
        output::text(&format!(
            "Revoked {}. No account is made with it any more, and nothing is issued to the {} it had.\n",
            key.kid, key.accounts
        ))?;
    }
    Ok(Exit::Done)
}

fn shown_once(made: &Made) -> Result<String, std::fmt::Error> {
    let Made { key, mac_key, directory_url } = made;
    let (kid, mac) = (&key.kid, mac_key.reveal());
    let mut text = String::new();
    writeln!(text, "{HEADING}Key id{HEADING:#}   {kid}")?;
    writeln!(text, "{HEADING}MAC key{HEADING:#}  {mac}")?;
    writeln!(text, "{HEADING}For{HEADING:#}      {}", scope(key))?;
    writeln!(text, "\nThe MAC key is shown this once. Clients take both when they make their account:")?;
    // With `=`: either may begin with a hyphen.
    writeln!(text, "\n  certbot register --server {directory_url} --eab-kid={kid} --eab-hmac-key={mac}")?;
    writeln!(text, "\n  lego --server {directory_url} --eab --kid={kid} --hmac={mac} …")?;
    Ok(text)
}

fn shown(page: &Keys) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for key in &page.keys {
        let state = match &key.revoked {
            Some(at) => format!("revoked {at}"),
            None if key.usable => "usable".to_owned(),
            None => "used up or expired".to_owned(),
        };
        let Key { kid, accounts, certificates, .. } = key;
        writeln!(text, "{kid}  {state}, {accounts} accounts, {certificates} certificates  {}", scope(key))?;
    }
    match page.next {
        Some(next) => writeln!(text, "More with --after {next}")?,
        None if page.keys.is_empty() => writeln!(text, "None.")?,
        None => {}
    }
    Ok(text)
}

/// What a key is good for, in one line.
fn scope(key: &Key) -> String {
    let beneath = key.suffixes.iter().map(|suffix| format!("{suffix} and beneath"));
    let names: Vec<String> = key.names.iter().cloned().chain(beneath).collect();
    let mut parts = vec![if names.is_empty() { "any name".to_owned() } else { names.join(", ") }];
    if key.pre_authorizes {
        parts.push("without a challenge".to_owned());
    }
    if !key.profiles.is_empty() {
        parts.push(format!("by profile {}", key.profiles.join(", ")));
    }
    if let Some(quota) = key.quota {
        parts.push(format!("{quota} certificates in all"));
    }
    parts.push(if key.single_use { "one account" } else { "any number of accounts" }.to_owned());
    if let Some(expires) = &key.expires {
        parts.push(format!("made by {expires}"));
    }
    parts.join("; ")
}
