//! The settings of this crate, with the defaults of a production authority.
//!
//! Deliberately absent: reading them from a file (the program does that).

use std::net::SocketAddr;
use std::time::Duration;

use certus_pki::DnsName;
use ipnet::IpNet;

use crate::dnssec::{Anchors, Dnssec};

/// How validation reaches out. [`Config::default`] is what a public authority does.
#[derive(Debug, Clone)]
pub struct Config {
    /// The TCP port that `http` URLs mean (RFC 8555 section 8.3: 80).
    pub http_port: u16,
    /// The TCP port that `https` URLs mean, in redirects only.
    pub https_port: u16,
    /// The TCP port of tls-alpn-01 (RFC 8737 section 3: 443).
    pub tls_alpn_port: u16,
    /// The recursive resolvers to ask, in no order. Empty means the name servers of `/etc/resolv.conf`, of which
    /// neither the search list nor the options are used; the hosts file never is.
    pub resolvers: Vec<SocketAddr>,
    /// Special-purpose addresses that may be dialled nevertheless. Loopback, link-local and metadata addresses only
    /// when the network named here lies wholly within theirs: `0.0.0.0/0` does not permit `127.0.0.1`.
    pub permit: Vec<IpNet>,
    /// Special-purpose addresses that may be ordered as ip identifiers (RFC 8738) nevertheless, by the same rules as `permit`.
    /// To be validated, they must be permitted there too.
    pub permit_identifiers: Vec<IpNet>,
    /// Addresses that are never ordered as ip identifiers.
    pub deny_identifiers: Vec<IpNet>,
    /// Addresses that are never dialled nor ordered, whatever `permit` says.
    pub deny: Vec<IpNet>,
    /// Where this program itself listens; never dialled. An unspecified address (`0.0.0.0`, `::`) stands for every
    /// address of this machine.
    pub own_listeners: Vec<SocketAddr>,
    /// Whether answers are validated by DNSSEC.
    pub dnssec: Dnssec,
    /// Domains that the public DNS does not know: answers about names in them are not validated by DNSSEC, unless they have
    /// a trust anchor of their own.
    pub internal_domains: Vec<DnsName>,
    /// Whether `localhost` names are answered here.
    pub local_names: LocalNames,
    /// The time that one validation may take in all, with look-ups and redirects.
    pub timeout: Duration,
    /// The redirects that are followed before giving up.
    pub max_redirects: u32,
    /// The longest answer that is read. A key authorization has 300 octets at most.
    pub max_body_bytes: usize,
    /// The `User-Agent` field: names the authority's software, best with a contact URL.
    pub user_agent: String,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            http_port: 80,
            https_port: 443,
            tls_alpn_port: 443,
            resolvers: Vec::new(),
            permit: Vec::new(),
            permit_identifiers: Vec::new(),
            deny_identifiers: Vec::new(),
            deny: Vec::new(),
            own_listeners: Vec::new(),
            dnssec: Dnssec::Validate(Anchors::of_the_root()),
            internal_domains: Vec::new(),
            local_names: LocalNames::Off,
            // 10 s: what large public CAs allow, so that servers already keep within it.
            timeout: Duration::from_secs(10),
            // 10 redirects: as Boulder follows.
            max_redirects: 10,
            max_body_bytes: 1024,
            user_agent: concat!("certus/", env!("CARGO_PKG_VERSION"), " (ACME validation; RFC 8555)").to_owned(),
        }
    }
}

/// What becomes of `localhost` and the names beneath it (RFC 6761 section 6.3). They are never sent to a resolver.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LocalNames {
    /// They do not exist.
    Off,
    /// They are `::1` and `127.0.0.1`, which must still be permitted.
    Localhost,
}

/// Why a [`Config`] cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The `User-Agent` text does not fit in a header field.
    #[error("the user agent {0:?} has characters that a header field cannot carry")]
    UserAgent(String),
    /// A port number is zero.
    #[error("port 0 cannot be validated against")]
    PortZero,
    /// The TLS library has no usable defaults.
    #[error("TLS cannot be set up")]
    Tls(#[source] rustls::Error),
    /// The resolver cannot be built.
    #[error("the resolver cannot be set up")]
    Resolver(#[source] hickory_resolver::net::NetError),
}
