//! The command line. What the commands do is in `commands`.

#![expect(clippy::doc_markdown, reason = "what is said of a flag is printed as help, where Markdown is noise")]

pub(crate) mod eab;
pub(crate) mod limits;
pub(crate) mod obtain;
pub(crate) mod renewals;

use std::net::SocketAddr;
use std::path::PathBuf;

use certus_pki::{DnsName, KeyAlgorithm, RevocationReason};
use clap::{Args, Parser, Subcommand};

use crate::config::units::{Network, Period};
use crate::config::{ExternalUrl, PkiUrl};

/// What every help ends with.
const EXIT_CODES: &str = "\
Exit codes:
  0   done
  1   it failed; the message says why
  2   the command line or a setting is wrong; nothing was done
  3   `certus ca check` found something that is not in order
  4   another process is at work on the state directory
  5   no authority is running there
  70  a part of the authority ended by itself; start it again";

/// An ACME (RFC 8555) certificate authority, and a client of any, in one program.
#[derive(Debug, Parser)]
#[command(name = "certus", version, after_help = EXIT_CODES, max_term_width = 100)]
#[command(propagate_version = true, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
    #[command(flatten)]
    pub(crate) surroundings: SurroundingArgs,
}

/// What the service manager and PostgreSQL's conventions hand over, in the environment.
#[derive(Debug, Args)]
pub(crate) struct SurroundingArgs {
    /// Where the service manager puts credentials
    #[arg(long, global = true, hide = true, env = "CREDENTIALS_DIRECTORY", hide_env = true)]
    pub(crate) credentials_directory: Option<PathBuf>,
    /// PostgreSQL's file of passwords
    #[arg(long, global = true, hide = true, env = "PGPASSFILE", hide_env = true)]
    pub(crate) pgpassfile: Option<PathBuf>,
}

impl Cli {
    /// Whether the answer is wanted as JSON.
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Command::Up(up) => up.json,
            Command::Obtain(args) => args.json,
            Command::Ca { command } => match command {
                CaCommand::Init(args) => args.json,
                CaCommand::Check(args)
                | CaCommand::Serve(args)
                | CaCommand::MoveUrl(args)
                | CaCommand::Status(args) => args.json,
                CaCommand::Certificates(args) => args.at.json,
                CaCommand::Eab { command } => command.json(),
                CaCommand::Renewals { command } => command.json(),
                CaCommand::Limits(args) => args.json(),
                CaCommand::Revoke(args) => args.at.json,
                CaCommand::Keys { command: KeysCommand::Block(args) } => args.at.json,
                CaCommand::Accounts { command: AccountsCommand::Revoke(args) } => args.at.json,
            },
        }
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Makes and starts a laboratory: an authority on this machine, for trying things out
    Up(Box<UpArgs>),
    /// Obtains a certificate for this host and keeps it
    Obtain(Box<obtain::ObtainArgs>),
    /// Sets up and runs a certificate authority
    Ca {
        #[command(subcommand)]
        command: CaCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum CaCommand {
    /// Makes a new authority: certus.toml and a state directory with its keys
    Init(Box<InitArgs>),
    /// Says whether all that a start needs is in order
    #[command(after_help = "\
Each line is ok, warn or FAIL, and says what to do. Exit code 3 when anything failed.
A running authority is asked instead of opening its store.

Example:
  certus ca check --dir /etc/certus")]
    Check(AtArgs),
    /// Runs the authority until SIGTERM or SIGINT
    #[command(after_help = "\
The first signal lets open requests and running jobs finish; a second one, or 10 seconds, ends them.

Example:
  certus ca serve --dir /etc/certus")]
    Serve(AtArgs),
    /// Makes the store follow a changed external_url
    #[command(after_help = "\
Stop the authority, change external_url in certus.toml, run this, and start it again.
Account URLs under the earlier external URL stay valid: clients go on with their accounts.

Example:
  certus ca move-url --dir /etc/certus")]
    MoveUrl(AtArgs),
    /// Shows how the running authority stands
    #[command(after_help = "\
Example:
  certus ca status --dir /etc/certus --json")]
    Status(AtArgs),
    /// Lists the certificates of the running authority, oldest first
    Certificates(CertificatesArgs),
    /// Makes, lists and revokes keys of external account binding
    Eab {
        #[command(subcommand)]
        command: eab::EabCommand,
    },
    /// Has clients renew certificates earlier than they would
    Renewals {
        #[command(subcommand)]
        command: renewals::RenewalsCommand,
    },
    /// Shows who is near a limit; clears keys, and sets numbers for single accounts
    Limits(Box<limits::LimitsArgs>),
    /// Revokes a certificate of the running authority
    Revoke(RevokeArgs),
    /// Keys that are never certified
    Keys {
        #[command(subcommand)]
        command: KeysCommand,
    },
    /// Accounts that may do nothing any more
    Accounts {
        #[command(subcommand)]
        command: AccountsCommand,
    },
}

#[derive(Debug, Subcommand)]
pub(crate) enum AccountsCommand {
    /// Revokes an account for ever; its certificates stay
    Revoke(RevokeAccountArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Whatever the account asks for from now on is refused, and orders that wait come to nothing.
Its certificates are revoked by: certus ca revoke. Its owner may make another account, unless
accounts need a key (external_account_required) and his is revoked: certus ca eab revoke.

Example:
  certus ca accounts revoke https://ca.example/acme/acct/eJ3WcGgqlMs-ZNFNIvIBVA")]
pub(crate) struct RevokeAccountArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    /// Its URL, or the last part of it
    #[arg(value_name = "ACCOUNT")]
    pub(crate) account: String,
}

#[derive(Debug, Subcommand)]
pub(crate) enum KeysCommand {
    /// Blocks a key for ever: no certificate and no account for it any more
    Block(BlockArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "\
Its CRL tells within a minute. With key-compromise its key is blocked for ever, too.

Examples:
  certus ca revoke --certificate /etc/letsencrypt/live/example.com/cert.pem --reason superseded
  certus ca revoke --serial 3f0a…9c --reason key-compromise --json")]
pub(crate) struct RevokeArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) which: WhichCertificate,
    /// Why
    #[arg(long, value_enum)]
    pub(crate) reason: Option<Reason>,
}

/// One certificate.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichCertificate {
    /// The certificate in PEM; what follows it in the file is not read
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// Its serial, as `certus ca certificates` and OpenSSL print it
    #[arg(long, value_name = "HEX")]
    pub(crate) serial: Option<String>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Certificates for the key that were issued before stay valid until they are revoked.

Examples:
  certus ca keys block --certificate leaked.pem
  certus ca keys block --sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08")]
pub(crate) struct BlockArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    #[command(flatten)]
    pub(crate) which: WhichKey,
}

/// One key.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct WhichKey {
    /// The key of this certificate (PEM)
    #[arg(long, value_name = "FILE")]
    pub(crate) certificate: Option<PathBuf>,
    /// The key whose subjectPublicKeyInfo has this SHA-256
    #[arg(long, value_name = "HEX")]
    pub(crate) sha256: Option<String>,
}

/// Why a certificate is revoked (RFC 5280 section 5.3.1).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Reason {
    Unspecified,
    KeyCompromise,
    AffiliationChanged,
    Superseded,
    CessationOfOperation,
    PrivilegeWithdrawn,
}

impl Reason {
    /// The number of `CRLReason`; unspecified is written by leaving the reason out.
    pub(crate) fn code(self) -> Option<u8> {
        let reason = match self {
            Self::Unspecified => return None,
            Self::KeyCompromise => RevocationReason::KeyCompromise,
            Self::AffiliationChanged => RevocationReason::AffiliationChanged,
            Self::Superseded => RevocationReason::Superseded,
            Self::CessationOfOperation => RevocationReason::CessationOfOperation,
            Self::PrivilegeWithdrawn => RevocationReason::PrivilegeWithdrawn,
        };
        Some(reason.code())
    }
}

/// Which authority.
#[derive(Debug, Args)]
pub(crate) struct AtArgs {
    /// The directory with certus.toml
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Print one JSON document
    #[arg(long)]
    pub(crate) json: bool,
}

/// A part of a list.
#[derive(Debug, Args)]
pub(crate) struct PageArgs {
    /// How many at most
    #[arg(long, value_name = "N", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub(crate) limit: u32,
    /// Go on after this one: what the page before gave as its end
    #[arg(long, value_name = "KEY")]
    pub(crate) after: Option<i64>,
}

#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  certus ca certificates --names example.com
  certus ca certificates --limit 1000 --after 5000 --json")]
pub(crate) struct CertificatesArgs {
    #[command(flatten)]
    pub(crate) at: AtArgs,
    /// Only certificates with a name at or beneath this one
    #[arg(long, value_name = "SUFFIX", value_parser = dns_name)]
    pub(crate) names: Option<DnsName>,
    #[command(flatten)]
    pub(crate) page: PageArgs,
}

#[derive(Debug, Args)]
#[command(after_help = "\
What is missing is asked for on a terminal. Nothing that exists is overwritten.

Examples:
  certus ca init --dir /etc/certus --external-url https://ca.example --pki-url http://pki.example
  certus ca init --external-url https://ca.example:14000 --pki-url http://ca.example \\
      --key rsa-3072 --name 'Example' --permit-names ca.example,example.com \\
      --passphrase-file /etc/certus.passphrase
  certus ca init --external-url https://ca.example --pki-url http://ca.example \\
      --issuer-chain chain.pem --issuer-key issuing.key")]
pub(crate) struct InitArgs {
    /// Where to make it
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where clients reach the ACME service.
    #[arg(help = "Where clients reach the ACME service: https://HOST[:PORT]", long, value_name = "URL")]
    pub(crate) external_url: Option<ExternalUrl>,
    /// Where issuers and CRLs are published.
    #[arg(help = "Where issuers and CRLs are published: http://HOST[:PORT][/PATH]", long, value_name = "URL")]
    pub(crate) pki_url: Option<PkiUrl>,
    /// Where ACME is listened for [default: every address, the port of --external-url]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where publications are listened for [default: every address, the port of --pki-url]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) pki_listen: Option<SocketAddr>,
    /// The keys of the new root and issuing certificate: ec-p256, ec-p384, rsa-2048, rsa-3072, rsa-4096
    /// [default: ec-p256]
    #[arg(long, value_name = "KIND", value_parser = key_algorithm)]
    pub(crate) key: Option<KeyAlgorithm>,
    /// What the names of root and issuing certificate begin with [default: Certus and the host]
    #[arg(long)]
    pub(crate) name: Option<String>,
    /// Their organization
    #[arg(long)]
    pub(crate) organization: Option<String>,
    /// Their country: two capital letters (ISO 3166)
    #[arg(long, value_parser = country)]
    pub(crate) country: Option<String>,
    /// Certify names at and beneath these only, and no addresses
    #[arg(long, value_name = "SUFFIX,…", value_delimiter = ',', value_parser = dns_name)]
    pub(crate) permit_names: Vec<DnsName>,
    /// How long the new root is valid [default: 7305d]
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse)]
    pub(crate) root_lifetime: Option<Period>,
    /// How long the new issuing certificate is valid [default: 1826d]
    #[arg(long, value_name = "PERIOD", value_parser = Period::parse)]
    pub(crate) issuer_lifetime: Option<Period>,
    /// Use this issuing certificate: PEM, its root last
    #[arg(long, value_name = "FILE")]
    #[arg(conflicts_with_all = ["key", "name", "organization", "country", "permit_names", "root_lifetime", "issuer_lifetime"])]
    pub(crate) issuer_chain: Option<PathBuf>,
    /// Its private key: PKCS#8 in PEM
    #[arg(long, value_name = "FILE")]
    pub(crate) issuer_key: Option<PathBuf>,
    /// Encrypt the keys under the passphrase in this file, which every start reads
    #[arg(long, value_name = "FILE", conflicts_with = "credential")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// The same, in this credential of the service manager ($CREDENTIALS_DIRECTORY/NAME)
    #[arg(long, value_name = "NAME")]
    pub(crate) credential: Option<String>,
    /// The store.
    #[arg(
        help = "The store: sqlite, sqlite:PATH, or postgres://USER@HOST[,HOST2]/DATABASE",
        long,
        value_name = "URL",
        default_value = "sqlite"
    )]
    pub(crate) store: String,
    /// Print one JSON document; ask nothing
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
#[command(after_help = "\
In an empty directory it makes an authority for https://localhost first; run again, it carries
on with the same state. It permits loopback addresses, answers localhost and *.localhost itself
and validates http-01 at port 5002: all of that holds here alone, never for `certus ca serve`.

Examples:
  certus up
  certus up --dir lab --listen 127.0.0.1:14000 --ready-file lab.json")]
pub(crate) struct UpArgs {
    /// The laboratory's directory
    #[arg(long, value_name = "DIR", default_value = ".")]
    pub(crate) dir: PathBuf,
    /// Where ACME is listened for [default: 127.0.0.1:14000]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) listen: Option<SocketAddr>,
    /// Where publications are listened for [default: the next port]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) pki_listen: Option<SocketAddr>,
    /// The store: sqlite, or postgres://USER@HOST/DATABASE [default: sqlite]
    #[arg(long, value_name = "URL")]
    pub(crate) store: Option<String>,
    /// Look PostgreSQL's password up in this file, in the format of .pgpass, mode 0600 [default: $PGPASSFILE]
    #[arg(long, value_name = "FILE", requires = "store")]
    pub(crate) store_passfile: Option<PathBuf>,
    /// PostgreSQL's password is this credential of the service manager ($CREDENTIALS_DIRECTORY/NAME)
    #[arg(long, value_name = "NAME", requires = "store", conflicts_with = "store_passfile")]
    pub(crate) store_credential: Option<String>,
    /// Ask this resolver [default: those of /etc/resolv.conf]
    #[arg(long, value_name = "ADDR:PORT", value_parser = address)]
    pub(crate) resolver: Option<SocketAddr>,
    /// The port that http-01 is validated at
    #[arg(long, value_name = "N", default_value_t = 5002, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) http_01_port: u16,
    /// The port that tls-alpn-01 is validated at
    #[arg(long, value_name = "N", default_value_t = 5001, value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) tls_alpn_01_port: u16,
    /// Special addresses that may be validated and certified
    #[arg(long, value_name = "CIDR,…", value_delimiter = ',', value_parser = Network::parse, default_value = "127.0.0.0/8,::1/128")]
    pub(crate) permit_addresses: Vec<Network>,
    /// Keep the limits of [authority.limits], which a laboratory is otherwise without
    #[arg(long)]
    pub(crate) limits: bool,
    /// Write directory_url, root_path and pid here as JSON once requests are answered
    #[arg(long, value_name = "FILE")]
    pub(crate) ready_file: Option<PathBuf>,
    /// Print one JSON document when ready
    #[arg(long)]
    pub(crate) json: bool,
}

fn country(text: &str) -> Result<String, String> {
    let is = text.len() == 2 && text.bytes().all(|byte| byte.is_ascii_uppercase());
    if is { Ok(text.to_owned()) } else { Err("it must be two capital letters, as SE".to_owned()) }
}

fn address(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_error| "it must be an IP address and a port, as 127.0.0.1:14000 or [::1]:14000".to_owned())
}

fn dns_name(text: &str) -> Result<DnsName, certus_pki::NameError> {
    DnsName::parse(text)
}

/// The kinds that authorities may have (Baseline Requirements 6.1.5; P-521 and Ed25519 are left to leaves and accounts).
fn key_algorithm(text: &str) -> Result<KeyAlgorithm, String> {
    let wrong = || format!("{text:?} is none of ec-p256, ec-p384, rsa-2048, rsa-3072 and rsa-4096");
    let algorithm = text.parse().map_err(|_error: certus_pki::UnknownKeyAlgorithm| wrong())?;
    match algorithm {
        KeyAlgorithm::EcP256
        | KeyAlgorithm::EcP384
        | KeyAlgorithm::Rsa2048
        | KeyAlgorithm::Rsa3072
        | KeyAlgorithm::Rsa4096 => Ok(algorithm),
        KeyAlgorithm::EcP521 | KeyAlgorithm::Ed25519 => Err(wrong()),
    }
}
