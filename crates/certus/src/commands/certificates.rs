//! `certus ca certificates`.

use std::fmt::Write;

use super::absolute;
use crate::cli::CertificatesArgs;
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output;
use crate::state_dir::StateDir;
use crate::status::Certificates;

pub(super) async fn run(args: &CertificatesArgs) -> anyhow::Result<Exit> {
    let state = StateDir::of(&absolute(&args.at.dir)?);
    let names = args.names.as_ref().map(ToString::to_string);
    let request = Request::Certificates { names, after: args.page.after, limit: args.page.limit };
    let page: Certificates = control::ask(&state, &request).await?;
    if args.at.json {
        output::json("ca.certificates", &page)?;
    } else {
        output::text(&shown(&page)?)?;
    }
    Ok(Exit::Done)
}

fn shown(page: &Certificates) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for certificate in &page.certificates {
        let revoked = certificate.revoked.as_ref().map(|at| format!(", revoked {at}")).unwrap_or_default();
        let names = certificate.names.join(" ");
        let (serial, profile) = (&certificate.serial, &certificate.profile);
        writeln!(text, "{serial}  until {}  {profile}  {names}{revoked}", certificate.not_after)?;
    }
    match page.next {
        Some(next) => writeln!(text, "More with --after {next}")?,
        None if page.certificates.is_empty() => writeln!(text, "None.")?,
        None => {}
    }
    Ok(text)
}
