//! `certus ca init`.

use std::io::IsTerminal;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::PathBuf;

use anyhow::Context;
use certus_pki::{Certificate, CertificateChain, KeyAlgorithm, SubjectName};
use certus_signer::Secret;
use inquire::validator::Validation;
use inquire::{Confirm, Select, Text};
use serde::Serialize;

use super::absolute;
use crate::cli::InitArgs;
use crate::compose::{self, Surroundings};
use crate::config::{self, ExternalUrl, PkiUrl, SecretSource};
use crate::exit::{Exit, usage};
use crate::output::{self, HEADING};
use crate::plan::{ISSUING_LIFETIME, Made, Plan, ROOT_LIFETIME, Signing};

/// What is said of an issuing certificate that nobody stands above.
const ROOT_SIGNS_LEAVES: &str = "the issuing certificate is self-signed: a root that signs leaves directly, with its key \
    online, cannot be revoked or replaced without every client being told; better take one beneath it";

pub(super) async fn run(args: InitArgs, surroundings: &Surroundings) -> anyhow::Result<Exit> {
    let json = args.json;
    let plan = plan(args, surroundings)?;
    let made = plan.carry_out(compose::clock().as_ref()).await?;
    if made.issuing_certificate == made.root_certificate {
        output::warning(ROOT_SIGNS_LEAVES);
    }
    if json {
        output::json("ca.init", &Report::new(&plan, &made))?;
    } else {
        output::text(&shown(&plan, &made))?;
    }
    Ok(Exit::Done)
}

fn plan(args: InitArgs, surroundings: &Surroundings) -> anyhow::Result<Plan> {
    let directory = absolute(&args.dir)?;
    let answers = if !args.json && std::io::stdin().is_terminal() && std::io::stdout().is_terminal() {
        Answers::Asked
    } else {
        Answers::Given
    };
    let missing: Vec<&str> = [(args.external_url.is_none(), "--external-url"), (args.pki_url.is_none(), "--pki-url")]
        .into_iter()
        .filter_map(|(missing, flag)| missing.then_some(flag))
        .collect();
    if !missing.is_empty() && answers == Answers::Given {
        return Err(usage(format!("{} must be given (or run this on a terminal to be asked)", missing.join(" and "))));
    }
    let asked = !missing.is_empty();
    let external_url = match args.external_url {
        Some(url) => url,
        None => ask_external_url()?,
    };
    let pki_url = match args.pki_url {
        Some(url) => url,
        None => ask_pki_url(&external_url)?,
    };
    let chosen_new = args.key.is_some()
        || args.name.is_some()
        || args.organization.is_some()
        || args.country.is_some()
        || args.root_lifetime.is_some()
        || args.issuer_lifetime.is_some()
        || !args.permit_names.is_empty();
    let existing = match (args.issuer_chain, args.issuer_key) {
        (Some(chain), Some(key)) => Some((chain, key)),
        // Whoever was asked for something is asked for this as well.
        (None, None) if asked && !chosen_new => ask_existing()?,
        (None, None) => None,
        (Some(chain), None) if answers == Answers::Asked => Some((chain, ask_issuer_key()?)),
        (None, Some(key)) if answers == Answers::Asked => Some((ask_issuer_chain()?, key)),
        (Some(_), None) => return Err(usage("--issuer-chain needs --issuer-key <FILE>, its private key")),
        (None, Some(_)) => return Err(usage("--issuer-key needs --issuer-chain <FILE>, its certificates")),
    };
    let signing = match existing {
        Some((chain, key)) => Signing::Existing { chain, key },
        None => Signing::New {
            algorithm: match args.key {
                Some(algorithm) => algorithm,
                None if asked => ask_key()?,
                None => KeyAlgorithm::EcP256,
            },
            name: args.name.unwrap_or_else(|| default_name(external_url.host())),
            organization: args.organization,
            country: args.country,
            permitted: args.permit_names,
            root_lifetime: args.root_lifetime.map_or(ROOT_LIFETIME, |period| period.0),
            issuing_lifetime: args.issuer_lifetime.map_or(ISSUING_LIFETIME, |period| period.0),
        },
    };
    let source = match (args.passphrase_file, args.credential) {
        (Some(file), _) => SecretSource::File(absolute(&file)?),
        (None, Some(name)) => SecretSource::Credential(name),
        (None, None) => SecretSource::None,
    };
    let passphrase: Option<Secret> = surroundings.secret(&source)?;
    check_store(&args.store)?;
    let everywhere = every_address();
    let listen = args.listen.unwrap_or_else(|| SocketAddr::new(everywhere, external_url.port()));
    let pki_listen = args.pki_listen.unwrap_or_else(|| SocketAddr::new(everywhere, pki_url.port()));
    if config::overlap(listen, pki_listen) {
        return Err(usage(format!(
            "ACME and the publications would both be listened for on {listen}; give one of them another port with --listen \
             or --pki-listen"
        )));
    }
    Ok(Plan {
        listen,
        pki_listen,
        directory,
        external_url,
        pki_url,
        signing,
        passphrase: (source, passphrase),
        store: config::Store { url: args.store, password: SecretSource::None, passfile: None },
    })
}

/// Whether what is missing can be asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Answers {
    Asked,
    Given,
}

fn ask_external_url() -> anyhow::Result<ExternalUrl> {
    let text = Text::new("Where will clients reach the ACME service?")
        .with_help_message("https://HOST[:PORT]; account URLs begin with it, so choose a name that can stay")
        .with_validator(|text: &str| {
            Ok(match ExternalUrl::parse(text) {
                Ok(_) => Validation::Valid,
                Err(error) => Validation::Invalid(error.into()),
            })
        })
        .prompt()
        .context("no answer")?;
    Ok(text.parse()?)
}

fn ask_pki_url(external_url: &ExternalUrl) -> anyhow::Result<PkiUrl> {
    let host = external_url.as_str().trim_start_matches("https://");
    let host = host.strip_suffix(&format!(":{}", external_url.port())).unwrap_or(host);
    let text = Text::new("Where will issuers and CRLs be published?")
        .with_default(&format!("http://{host}"))
        .with_help_message("http://HOST[:PORT][/PATH]: plain http, since certificates name it")
        .with_validator(|text: &str| {
            Ok(match PkiUrl::parse(text) {
                Ok(_) => Validation::Valid,
                Err(error) => Validation::Invalid(error.into()),
            })
        })
        .prompt()
        .context("no answer")?;
    Ok(text.parse()?)
}

/// The chain and the key of an issuing certificate that exists, if it is to be used.
fn ask_existing() -> anyhow::Result<Option<(PathBuf, PathBuf)>> {
    let exists = Confirm::new("Is there an issuing certificate to use?")
        .with_default(false)
        .with_help_message("with its key; without one, a root and an issuing certificate are made")
        .prompt()
        .context("no answer")?;
    if !exists {
        return Ok(None);
    }
    Ok(Some((ask_issuer_chain()?, ask_issuer_key()?)))
}

fn ask_issuer_chain() -> anyhow::Result<PathBuf> {
    ask_file("Which file has its chain?", "PEM: the issuing certificate first, its root last", |pem| {
        CertificateChain::from_pem(pem).context("it is not a chain in PEM").map(drop)
    })
}

fn ask_issuer_key() -> anyhow::Result<PathBuf> {
    ask_file("Which file has its private key?", "PKCS#8 in PEM; it is copied into the new authority", |_pem| Ok(()))
}

/// Asks for a file of text that can be read and is what it should be.
fn ask_file(question: &str, help: &str, judge: fn(&str) -> anyhow::Result<()>) -> anyhow::Result<PathBuf> {
    let path = Text::new(question)
        .with_help_message(help)
        .with_validator(move |path: &str| {
            let text = std::fs::read_to_string(path).context("it cannot be read");
            Ok(match text.and_then(|text| judge(&text)) {
                Ok(()) => Validation::Valid,
                Err(error) => Validation::Invalid(format!("{error:#}").into()),
            })
        })
        .prompt()
        .context("no answer")?;
    Ok(path.into())
}

fn ask_key() -> anyhow::Result<KeyAlgorithm> {
    let kinds = vec![
        KeyAlgorithm::EcP256,
        KeyAlgorithm::EcP384,
        KeyAlgorithm::Rsa2048,
        KeyAlgorithm::Rsa3072,
        KeyAlgorithm::Rsa4096,
    ];
    Select::new("Which keys shall root and issuing certificate have?", kinds).prompt().context("no answer")
}

fn default_name(host: &SubjectName) -> String {
    /// A common name has 64 characters at most, of which the role takes some.
    const ROOM: usize = 40;
    let host = host.to_string();
    if host.len() > ROOM { "Certus".to_owned() } else { format!("Certus {host}") }
}

/// Refuses what no start could use, before anything is written.
pub(super) fn check_store(url: &str) -> anyhow::Result<()> {
    compose::check_store_url(url).map_err(|error| usage(format!("--store: {error:#}")))
}

/// The address that stands for all of this machine's: both kinds where IPv6 is there.
fn every_address() -> IpAddr {
    match std::net::TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)) {
        Ok(_) => Ipv6Addr::UNSPECIFIED.into(),
        Err(_) => Ipv4Addr::UNSPECIFIED.into(),
    }
}

/// What was made, for scripts.
#[derive(Debug, Serialize)]
struct Report {
    config: String,
    directory_url: String,
    root: String,
    root_sha256: String,
    root_subject: String,
    root_not_after: String,
    root_key: Option<String>,
    issuer_subject: String,
    issuer_not_after: String,
}

impl Report {
    fn new(plan: &Plan, made: &Made) -> Self {
        Self {
            config: made.config.display().to_string(),
            directory_url: format!("{}/directory", plan.external_url),
            root: made.root.display().to_string(),
            root_sha256: fingerprint(&made.root_certificate),
            root_subject: made.root_certificate.subject_text(),
            root_not_after: made.root_certificate.not_after().rfc3339(),
            root_key: made.root_key.as_ref().map(|path| path.display().to_string()),
            issuer_subject: made.issuing_certificate.subject_text(),
            issuer_not_after: made.issuing_certificate.not_after().rfc3339(),
        }
    }
}

/// SHA-256 as OpenSSL prints it.
pub(super) fn fingerprint(certificate: &Certificate) -> String {
    certificate.sha256().iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().join(":")
}

fn shown(plan: &Plan, made: &Made) -> String {
    let Report {
        config,
        directory_url,
        root,
        root_sha256,
        root_subject,
        root_not_after,
        root_key,
        issuer_subject,
        issuer_not_after,
    } = Report::new(plan, made);
    let directory = plan.directory.display();
    let mut text = format!(
        "{HEADING}Made an authority in {directory}.{HEADING:#}\n\n\
         Settings  {config}\n\
         Root      {root}\n          {root_subject}, until {root_not_after}\n          SHA-256 {root_sha256}\n\
         Issuer    {issuer_subject}, until {issuer_not_after}\n\n"
    );
    if let Some(root_key) = root_key {
        text.push_str(&format!(
            "{HEADING}Move {root_key} to a place that is offline now.{HEADING:#} The authority never opens it: it is \
             needed once a\nyear for the root's CRL and when a new issuing certificate is made.\n\n"
        ));
    }
    text.push_str(&format!(
        "Next:  certus ca check --dir {directory}\n       certus ca serve --dir {directory}\n\
         Then clients use {directory_url}\n"
    ));
    text
}
