//! `certus ca revoke`, `certus ca keys block` and `certus ca accounts revoke`.

use std::path::Path;

use anyhow::Context;
use certus_pki::Certificate;

use super::absolute;
use crate::cli::{BlockArgs, RevokeAccountArgs, RevokeArgs};
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output;
use crate::plan::hex;
use crate::state_dir::StateDir;
use crate::status::{Blocked, Revoked, RevokedAccount};

const END: &str = "-----END CERTIFICATE-----";

pub(super) async fn revoke(args: &RevokeArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let sha256 = match &args.which.certificate {
        Some(file) => Some(hex(&certus_pki::crypto::sha256(certificate(file)?.der()))),
        None => None,
    };
    let reason = args.reason.and_then(crate::cli::Reason::code);
    let request = Request::Revoke { sha256, serial: args.which.serial.clone(), reason };
    let revoked: Revoked = control::ask(&state, &request).await?;
    if args.at.json {
        output::json("ca.revoke", &revoked)?;
        return Ok(Exit::Done);
    }
    let blocked = if revoked.key_blocked { " Its key is blocked for ever." } else { "" };
    output::text(&format!(
        "{} for {} is revoked since {}; its CRL tells within a minute.{blocked}\n",
        revoked.serial,
        revoked.names.join(" "),
        revoked.revoked
    ))?;
    Ok(Exit::Done)
}

pub(super) async fn block(args: &BlockArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let spki_sha256 = match (&args.which.certificate, &args.which.sha256) {
        (Some(file), _) => hex(&certificate(file)?.public_key().spki_sha256()),
        (None, given) => given.clone().unwrap_or_default(),
    };
    let blocked: Blocked = control::ask(&state, &Request::BlockKey { spki_sha256 }).await?;
    if args.at.json {
        output::json("ca.keys.block", &blocked)?;
    } else {
        output::text(&format!("The key {} is blocked: nothing is issued for it any more.\n", blocked.spki_sha256))?;
    }
    Ok(Exit::Done)
}

pub(super) async fn account(args: &RevokeAccountArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let over: RevokedAccount = control::ask(&state, &Request::RevokeAccount { account: args.account.clone() }).await?;
    if args.at.json {
        output::json("ca.accounts.revoke", &over)?;
    } else {
        output::text(&format!("The account {} is {} since {}.\n", over.account, over.status, over.since))?;
    }
    Ok(Exit::Done)
}

/// The first certificate of a file.
fn certificate(file: &Path) -> anyhow::Result<Certificate> {
    let pem = std::fs::read_to_string(file).with_context(|| format!("{} cannot be read", file.display()))?;
    certificate_in(&pem, file)
}

/// The first certificate of what a file holds.
pub(super) fn certificate_in(pem: &str, file: &Path) -> anyhow::Result<Certificate> {
    // Clients keep the chain behind it, some with empty lines between.
    let first = pem.find(END).and_then(|at| pem.get(..at + END.len())).unwrap_or(pem);
    Certificate::from_pem(&format!("{first}\n"))
        .with_context(|| format!("{} holds no certificate in PEM", file.display()))
}
