//! The command line of `certus ca renewals`.

use std::path::PathBuf;

use certus_ca::state::SelectedName;
use clap::{Args, Subcommand};

use super::{AtArgs, PageArgs};
use crate::config::units::Period;

#[derive(Debug, Subcommand)]
pub(crate) enum RenewalsCommand {
    /// Has clients renew many certificates earlier than they would
    Advance(Box<AdvanceArgs>),
    /// Lists what was asked for, oldest first
    List(ListArgs),
    /// Takes it back: certificates that were not renewed yet are renewed when they would have been
    End(EndArgs),
}

impl RenewalsCommand {
    /// Whether the answer is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Advance(args) => args.at.json,
            Self::List(args) => args.at.json,
            Self::End(args) => args.at.json,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
Clients that know renewal information (RFC 9773) hear of it when they ask next: within 6 hours, as
they are told. It is for certificates that were issued before, never for those that replace them.
Kinds of flags narrow each other; of several values of one kind, any will do.

Examples:
  certus ca renewals advance --dir /etc/certus --profiles classic --within 2d
  certus ca renewals advance --key-files leaked.pem --names corp.example,=www.example \\
      --explanation-url https://ca.example/incidents/7 --json")]
pub(crate) struct AdvanceArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) which: WhichCertificates,
    /// Spread the renewals over this long from now on [default: all at once]
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse)]
    pub(crate) within: Option<Period>,
    /// How long it holds
    #[arg(long = "for", value_name = "PERIOD", default_value = "30d", value_parser = Period::parse)]
    pub(crate) holds: Period,
    /// A page that says why, which clients show to their operators
    #[arg(long, value_name = "URL")]
    pub(crate) explanation_url: Option<String>,
}

/// A set of certificates.
#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct WhichCertificates {
    /// Every certificate
    #[arg(long, conflicts_with_all = ["issuers", "profiles", "names", "accounts", "keys", "key_files"])]
    pub(crate) all: bool,
    /// Those of these issuers, by the ids that `certus ca status` shows
    #[arg(long, value_name = "ID,…", value_delimiter = ',')]
    pub(crate) issuers: Vec<String>,
    /// Those of these profiles
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',')]
    pub(crate) profiles: Vec<String>,
    /// Those good for names at and beneath these, for =NAME alone, or for these addresses
    #[arg(long, value_name = "NAME,…", value_delimiter = ',', value_parser = selected_name)]
    pub(crate) names: Vec<SelectedName>,
    /// Those of these accounts, by their URLs or the last part of those
    #[arg(long, value_name = "ACCOUNT,…", value_delimiter = ',', allow_hyphen_values = true)]
    pub(crate) accounts: Vec<String>,
    /// Those for keys whose subjectPublicKeyInfo has one of these SHA-256
    #[arg(long, value_name = "HEX,…", value_delimiter = ',')]
    pub(crate) keys: Vec<String>,
    /// Those for the keys in these files: certificates or public keys in PEM
    #[arg(long, value_name = "FILE,…", value_delimiter = ',')]
    pub(crate) key_files: Vec<PathBuf>,
}

fn selected_name(text: &str) -> Result<SelectedName, certus_pki::NameError> {
    text.parse()
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  certus ca renewals list --dir /etc/certus --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  certus ca renewals end --dir /etc/certus eJ3WcGgqlMs-ZNFNIvIBVA")]
pub(crate) struct EndArgs {
    /// Its id
    #[arg(value_name = "ID", allow_hyphen_values = true)]
    pub(crate) id: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}
