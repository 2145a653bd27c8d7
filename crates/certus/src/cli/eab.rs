//! The command line of `certus ca eab`.

use certus_pki::DnsName;
use clap::{Args, Subcommand};

use super::{AtArgs, PageArgs, dns_name};
use crate::config::units::Period;

#[derive(Debug, Subcommand)]
pub(crate) enum EabCommand {
    /// Makes a key and shows it, this once
    Create(Box<CreateArgs>),
    /// Lists the keys, oldest first, and what was made of them
    List(ListArgs),
    /// Revokes a key: its accounts get nothing any more
    Revoke(RevokeArgs),
}

impl EabCommand {
    /// Whether the answer is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match self {
            Self::Create(args) => args.at.json,
            Self::List(args) => args.at.json,
            Self::Revoke(args) => args.at.json,
        }
    }
}

#[derive(Debug, Args)]
#[command(after_help = "\
A client gives key id and MAC key when it makes its account; what is permitted here holds for every
order of that account. Set external_account_required = true in certus.toml to let nobody in without.

Examples:
  certus ca eab create --dir /etc/certus --single-use --expires 7d --permit-names team.example.com
  certus ca eab create --dir /etc/certus --permit-exact www.example.com,192.0.2.7 \\
      --profiles shortlived --quota 100 --json")]
pub(crate) struct CreateArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    /// Permit names at and beneath these
    #[arg(long, value_name = "SUFFIX,…", value_delimiter = ',', value_parser = dns_name)]
    pub(crate) permit_names: Vec<DnsName>,
    /// Permit exactly these names, wildcards and addresses [default, without either: all]
    #[arg(long, value_name = "NAME,…", value_delimiter = ',')]
    pub(crate) permit_exact: Vec<String>,
    /// Permit these profiles [default: all]
    #[arg(long, value_name = "PROFILE,…", value_delimiter = ',')]
    pub(crate) profiles: Vec<String>,
    /// How many certificates all accounts of the key together may be issued, ever [default: no limit]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..=1_000_000_000))]
    pub(crate) quota: Option<u64>,
    /// How long accounts may be made with it; accounts outlive that [default: no limit]
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse)]
    pub(crate) expires: Option<Period>,
    /// One account alone may be made with it
    #[arg(long)]
    pub(crate) single_use: bool,
    /// Its accounts get the permitted names without a challenge
    #[arg(long)]
    pub(crate) pre_authorize: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example:
  certus ca eab list --dir /etc/certus --json")]
pub(crate) struct ListArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
No account is made with it any more; those that were order and obtain nothing from now on.
Their certificates stay as they are.

Example:
  certus ca eab revoke --dir /etc/certus eJ3WcGgqlMs-ZNFNIvIBVA")]
pub(crate) struct RevokeArgs {
    /// The key's id
    #[arg(value_name = "KID", allow_hyphen_values = true)]
    pub(crate) kid: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}
