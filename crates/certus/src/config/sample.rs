//! The file that `certus ca init` writes: what was chosen, and every default as a comment.

use std::net::SocketAddr;

use certus_ca::LimitName;

use super::units::Period;
use super::urls::{ExternalUrl, PkiUrl};

/// What was chosen.
#[derive(Debug, Clone)]
pub struct Choices<'a> {
    /// Where the ACME service lives.
    pub external_url: &'a ExternalUrl,
    /// Where it publishes.
    pub pki_url: &'a PkiUrl,
    /// Where ACME is listened for.
    pub listen: SocketAddr,
    /// Where the plain HTTP of publications is listened for.
    pub pki_listen: SocketAddr,
    /// The issuer's name.
    pub issuer: &'a str,
    /// How its passphrase is found, as a line of TOML; empty for an unencrypted key.
    pub passphrase: String,
    /// The store.
    pub store: &'a str,
    /// How its password is found, as a line of TOML; empty for none.
    pub store_secret: String,
}

/// The text of the file. Uncommenting any of its settings changes nothing: each says the default.
#[must_use]
pub fn text(choices: &Choices<'_>) -> String {
    let Choices { external_url, pki_url, listen, pki_listen, issuer, passphrase, store, store_secret } = choices;
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let external_url = quoted(external_url.as_str());
    let pki_url = quoted(pki_url.as_str());
    let store = quoted(store);
    let passphrase = passphrase.as_str();
    // What is secret in the store is encrypted like the keys that sign.
    let sealing = if passphrase.is_empty() {
        "# The keys in state/sealing, under which secrets in the store are sealed; encrypted ones need one of the same two.\n\
         #[authority.sealing]\n"
            .to_owned()
    } else {
        format!(
            "# The keys in state/sealing, under which secrets in the store are sealed; encrypted like those that sign.\n\
             [authority.sealing]\n{passphrase}"
        )
    };
    let limits: String = LimitName::ALL.iter().map(limit).collect();
    format!(
        r##"# The settings of this Certus. Paths begin at the directory of this file. Durations and sizes carry their unit:
# "30s", "10m", "12h", "90d"; "512 B", "64 KiB". A line beginning with "#" and a key shows the default.
# After a change: certus ca check, then restart the authority.
version = 1

[authority]
# Where clients reach the ACME service: https, a host, perhaps a port. The URLs of accounts begin with it and live for
# years, so choose a name that can stay. Once an authority has run, a change needs: certus ca move-url
external_url = {external_url}

# Where certificates say that their issuer and CRL are: plain http, since clients fetch them before they can trust TLS.
pki_url = {pki_url}

# terms_of_service = "https://…" names the terms that every account has to agree to (a new URL is new terms, to which all
# have to agree anew), website = "https://…" a page about this authority. The directory shows them.

# Whether an account needs an external account binding: a key that `certus ca eab create` makes and its owner gives to the
# client. Without it such keys are taken, and narrow what their accounts may order.
#external_account_required = false

# Where the two are listened for. ACME is spoken over TLS only, with a certificate of the authority's own.
listen = "{listen}"
pki_listen = "{pki_listen}"

# The root, published as root.pem beneath pki_url; its CRL lies beside it.
#root = "state/root.pem"

# The profile of orders that ask for none.
#default_profile = "classic"

# How many CRLs new certificates are spread over. May change at any time: certificates keep theirs.
#crl_shards = 4

# Who signs. The chain is PEM, the issuing certificate first and its root last; the key is PKCS#8 in PEM. An encrypted
# key needs passphrase_file = "…" (mode 0600) or credential = "…" (systemd's LoadCredential=).
[authority.issuers.{issuer}]
chain = "state/issuer/{issuer}.pem"
# Chains to other roots that clients may choose: each begins with a certificate of the same name and key. Add at the end: each has its
# place in the URLs of certificates.
#alternate_chains = []
key = "state/issuer/{issuer}.key"
{passphrase}
{sealing}
# Kinds of certificates. Naming any replaces all of these.
#[authority.profiles.classic]
#description = "90 days, for servers that renew by themselves"
#lifetime = "90d"
#backdate = "1h"
#policies = []
#challenges = ["http-01", "dns-01", "tls-alpn-01"]
#reuse = "0s"
#retries = 0
#public_only = false
#client_auth = false
#keys = ["P-256", "P-384", "P-521", "RSA-2048"]
#caa = "all"
#issuers = {{ ecdsa = "{issuer}", rsa = "{issuer}" }}

#[authority.profiles.shortlived]
#description = "6 days, for servers that renew every few days"
#lifetime = "6d"
#backdate = "1h"
#policies = []
#challenges = ["http-01", "dns-01", "tls-alpn-01"]
#reuse = "0s"
#retries = 0
#public_only = false
#client_auth = false
#keys = ["P-256", "P-384", "P-521", "RSA-2048"]
#caa = "all"
#issuers = {{ ecdsa = "{issuer}", rsa = "{issuer}" }}

# What may be ordered. "example.com" stands for that name and all beneath it, "=example.com" for that name alone.
#[authority.identifiers]
# The only names that are certified; none leaves all. And names that are not, even so, nor by a wildcard.
#permit_names = []
#deny_names = []
# Domains of your own that the public DNS does not know, such as "corp": a profile with public_only certifies them too, one
# with caa = "except-internal" asks for no CAA records of their names, and they need not stand the test of DNSSEC.
#internal_domains = []
# The only addresses that are certified, such as "10.0.0.0/8"; none leaves all public ones, or no address at all where
# permit_names has names. Those that are not public must stand here, and to be validated in permit below as well.
#permit_addresses = []
# Addresses that are never certified.
#deny_addresses = []

# The names by which CAA records (RFC 8659) name this authority; none leaves the host of external_url.
#[authority.caa]
#identities = []

# How control of a name or address is seen.
#[authority.validation]
# The ports that http, https (in redirects) and tls-alpn-01 mean.
#http_port = 80
#https_port = 443
#tls_alpn_port = 443
# Recursive resolvers, such as "192.0.2.53:53"; none means those of /etc/resolv.conf.
#resolvers = []
# Networks such as "10.0.0.0/8" whose hosts may be validated although their addresses are not public; and networks that
# never may. Loopback and link-local must be named by themselves ("127.0.0.0/8").
#permit = []
#deny = []
# Answers must stand the test of DNSSEC: signed, or provably unsigned. trust_anchors = "FILE" names a file of DNSKEY records:
# keys of the root in place of the built-in ones, or of zones beneath, which then must be signed. "off" believes everything:
# only where the resolvers give no signatures, as certus ca check finds out.
#dnssec = "on"
#timeout = "10s"
#max_redirects = 10
#max_body = "1 KiB"

# What clients may do how often (certus ca limits shows what is near). What goes beyond is refused for a while; help_url =
# "https://…" names a page about it, in place of /limits beneath external_url.
#[authority.limits]
#enabled = true
{limits}
[store]
# "sqlite" is a file in the state directory. A server on another machine, or several of which the writable one is used:
# "postgres://user@host,host2/database?sslmode=verify-full&sslrootcert=/path/root.pem". A password never stands here:
# passfile = "…" (PostgreSQL's format), password_file = "…" or credential = "…".
url = {store}
{store_secret}
[log]
# error, warn, info, debug or trace; by module as "info,certus_validate=debug". Text or json, to standard error.
#level = "info"
#format = "text"
"##
    )
}

/// A limit with its built-in number.
fn limit(limit: &LimitName) -> String {
    let rate = limit.built_in();
    format!("#{limit} = {{ count = {}, period = \"{}\" }}\n", rate.count(), Period(rate.period()))
}
