//! `certus ca status`.

use std::fmt::Write;

use super::absolute;
use crate::cli::AtArgs;
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output::{self, BAD, GOOD, HEADING, WARNING};
use crate::state_dir::StateDir;
use crate::status::Status;

pub(super) async fn run(args: &AtArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.dir)?);
    let status: Status = control::ask(&state, &Request::Status).await?;
    if args.json {
        output::json("ca.status", &status)?;
    } else {
        output::text(&shown(&status)?)?;
    }
    Ok(Exit::Done)
}

fn shown(status: &Status) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{HEADING}Authority{HEADING:#}     {}", status.directory_url)?;
    writeln!(text, "Running       since {} as pid {}, version {}", status.started, status.pid, status.version)?;
    writeln!(
        text,
        "Listening     {} (ACME), {} (publications at {})",
        status.listen, status.pki_listen, status.pki_url
    )?;
    writeln!(text, "Own TLS       until {}", status.tls_certificate_not_after)?;
    let store = &status.store;
    match &store.problem {
        None => writeln!(text, "Store         {} {GOOD}ok{GOOD:#}", store.url)?,
        Some(problem) => writeln!(text, "Store         {} {BAD}{problem}{BAD:#}", store.url)?,
    }
    if store.clock_behind {
        let newest = store.newest_entry.as_deref().unwrap_or_default();
        writeln!(
            text,
            "{WARNING}Clock         behind the store's newest entry ({newest}): nothing is signed{WARNING:#}"
        )?;
    }
    writeln!(text, "\n{HEADING}Issuers{HEADING:#}")?;
    for issuer in &status.issuers {
        writeln!(text, "  {}  {}, until {}", issuer.id, issuer.subject, issuer.not_after)?;
    }
    writeln!(text, "\n{HEADING}Profiles{HEADING:#}")?;
    for profile in &status.profiles {
        let default = if profile.default { " (default)" } else { "" };
        writeln!(text, "  {}{default}: {}", profile.name, profile.description)?;
    }
    writeln!(text, "\n{HEADING}CRLs{HEADING:#}")?;
    for crl in &status.crls {
        writeln!(text, "  {}/{}  number {}, next {}", crl.issuer, crl.shard, crl.number, crl.next_update)?;
    }
    Ok(text)
}
