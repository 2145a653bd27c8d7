//! The command line of `certus ca limits`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{AtArgs, PageArgs};

#[derive(Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
#[command(after_help = "\
Shown are keys of which four fifths or more are spent. A key is an account, a domain, an address: as
the limit's name says. Their numbers stand in certus.toml, under [authority.limits].

Examples:
  certus ca limits --dir /etc/certus
  certus ca limits --dir /etc/certus --all --limit 1000 --json
  certus ca limits clear certificates_per_exact_set www.example.com --dir /etc/certus
  certus ca limits override eJ3WcGgqlMs-ZNFNIvIBVA new_orders_per_account --count 20000")]
pub(crate) struct LimitsArgs {
    #[command(subcommand)]
    pub(crate) command: Option<LimitsCommand>,
    #[command(flatten)]
    pub(crate) show: ShowArgs,
}

impl LimitsArgs {
    /// Whether the answer is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            None => self.show.json,
            Some(LimitsCommand::Clear(args)) => args.at.json,
            Some(LimitsCommand::Override(args)) => args.at.json,
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum LimitsCommand {
    /// Forgets what a key has spent, or that it is paused
    Clear(ClearArgs),
    /// Gives one account a number of its own
    Override(OverrideArgs),
}

// Like `AtArgs`, and not it: those of a subcommand would be looked for here as well.
#[derive(Debug, Args)]
pub(crate) struct ShowArgs {
    /// The directory with certus.toml
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
    /// Show every key that has spent anything
    #[arg(long)]
    pub(crate) all: bool,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  certus ca limits clear new_accounts_per_address 192.0.2.7 --dir /etc/certus
  certus ca limits clear consecutive_failures_per_account_and_name \\
      eJ3WcGgqlMs-ZNFNIvIBVA/www.example.com --dir /etc/certus")]
pub(crate) struct ClearArgs {
    /// The limit's name
    #[arg(value_name = "LIMIT")]
    pub(crate) name: String,
    /// The key, as `certus ca limits` shows it
    #[arg(value_name = "KEY", allow_hyphen_values = true)]
    pub(crate) key: String,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
It holds on every node from the account's next request on, also where the limit is shared with other
accounts: what this one spends there weighs less. The period stays the limit's own. A key that is used
up stays so and is refilled faster; clear it as well to make room at once.

Examples:
  certus ca limits override eJ3WcGgqlMs-ZNFNIvIBVA new_orders_per_account --count 20000
  certus ca limits override eJ3WcGgqlMs-ZNFNIvIBVA new_orders_per_account --none")]
pub(crate) struct OverrideArgs {
    /// The account: the last part of its URL
    #[arg(value_name = "ACCOUNT", allow_hyphen_values = true)]
    pub(crate) account: String,
    /// The limit's name
    #[arg(value_name = "LIMIT")]
    pub(crate) name: String,
    #[command(flatten)]
    pub(crate) number: Number,
    #[command(flatten)]
    pub(crate) at: AtArgs,
}

/// How many.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Number {
    /// How many in the limit's period
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) count: Option<u32>,
    /// The number of all others again
    #[arg(long)]
    pub(crate) none: bool,
}
