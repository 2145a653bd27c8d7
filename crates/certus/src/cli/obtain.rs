//! `certus obtain`.

use std::net::SocketAddr;
use std::path::PathBuf;

use certus_pki::KeyAlgorithm;
use clap::{Args, ValueEnum};

/// Obtains a certificate for this host and keeps it
#[derive(Debug, Args)]
#[command(after_help = "\
The authority looks at port 80 of each name (http-01); certus listens there while it does.
The files are in DIR/live/NAME: privkey.pem, cert.pem, chain.pem and fullchain.pem.
Obtained again, a certificate has a new key, and all four files change in one step.

Examples:
  certus obtain -d www.example.com --ca letsencrypt -m admin@example.com --agree-tos
  certus obtain -d host.corp.example --ca https://ca.corp.example/directory --ca-root root.pem")]
pub(crate) struct ObtainArgs {
    /// A name of the certificate, or an IP address; say it again for more
    #[arg(short = 'd', long = "domain", value_name = "NAME", required = true, value_delimiter = ',')]
    pub(crate) names: Vec<String>,
    /// The authority: the https: URL of its directory, or letsencrypt, letsencrypt-staging, zerossl, google
    #[arg(long, value_name = "URL")]
    pub(crate) ca: String,
    /// Believe this root (PEM), and no other, to be the authority's
    #[arg(long, value_name = "FILE")]
    pub(crate) ca_root: Option<PathBuf>,
    /// Where accounts, keys and certificates are kept
    #[arg(long, value_name = "DIR", default_value = "/var/lib/certus-agent")]
    pub(crate) dir: PathBuf,
    /// What the certificate is called there; its first name otherwise
    #[arg(long, value_name = "NAME")]
    pub(crate) cert_name: Option<String>,
    /// Where the authority may write to
    #[arg(short = 'm', long, value_name = "ADDRESS")]
    pub(crate) email: Option<String>,
    /// Agree to the authority's terms of service
    #[arg(long)]
    pub(crate) agree_tos: bool,
    /// The kind of the certificate's key
    #[arg(long, value_name = "KIND", value_enum, default_value = "p256")]
    pub(crate) key: KeyKind,
    /// The profile to ask for, of those that the authority has
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,
    /// The key id of external account binding, for authorities that ask for it; with --eab-key-file
    #[arg(long, value_name = "ID", requires = "eab_key_file")]
    pub(crate) eab_kid: Option<String>,
    /// The file that holds the MAC key of external account binding, in base64url
    #[arg(long, value_name = "FILE", requires = "eab_kid")]
    pub(crate) eab_key_file: Option<PathBuf>,
    /// The algorithm of external account binding
    #[arg(long, value_name = "ALGORITHM", default_value = "HS256", value_parser = ["HS256", "HS384", "HS512"])]
    pub(crate) eab_alg: String,
    /// Where to listen for the authority; say it again for more [default: port 80 of every address]
    #[arg(long, value_name = "ADDRESS:PORT")]
    pub(crate) listen: Vec<SocketAddr>,
    /// Answer in JSON
    #[arg(long)]
    pub(crate) json: bool,
}

/// A kind of key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KeyKind {
    /// ECDSA on P-256
    P256,
    /// ECDSA on P-384
    P384,
    /// RSA of 2048 bits
    Rsa2048,
    /// RSA of 3072 bits
    Rsa3072,
    /// RSA of 4096 bits
    Rsa4096,
}

impl KeyKind {
    pub(crate) fn algorithm(self) -> KeyAlgorithm {
        match self {
            Self::P256 => KeyAlgorithm::EcP256,
            Self::P384 => KeyAlgorithm::EcP384,
            Self::Rsa2048 => KeyAlgorithm::Rsa2048,
            Self::Rsa3072 => KeyAlgorithm::Rsa3072,
            Self::Rsa4096 => KeyAlgorithm::Rsa4096,
        }
    }
}
