//! The way to a host: its addresses, the vetted ones among them, a connection to one of these.
//!
//! Every method goes it, so that none can dial what another would not. Deliberately absent: what is spoken there.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use certus_ca::id::AccountId;
use certus_ca::ports::ValidationError;
use certus_ca::state::Hop;
use certus_pki::DnsName;
use tokio::net::TcpStream;
use tokio::time::Instant;

use crate::dial::{Candidates, Dialled};
use crate::dns::Dns;
use crate::target::{OwnListeners, Policy};
use crate::turns::{Turn, Turns};

/// What a URL or a handshake may be addressed to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Host {
    Name(DnsName),
    /// Of an ip identifier. Nothing is looked up (RFC 8738 section 5).
    Address(IpAddr),
}

/// As in URLs and `Host` fields: IPv6 in brackets (RFC 3986 section 3.2.2).
impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(IpAddr::V4(address)) => address.fmt(f),
            Self::Address(IpAddr::V6(address)) => write!(f, "[{address}]"),
        }
    }
}

/// The rules on the way.
#[derive(Debug)]
pub(crate) struct Reach {
    pub(crate) policy: Policy,
    pub(crate) own: OwnListeners,
    pub(crate) turns: Turns,
}

/// A connection to a host, and how it was come by.
#[derive(Debug)]
pub(crate) struct Reached {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    resolver: Option<String>,
    resolved: Vec<IpAddr>,
    _turn: Turn,
}

impl Reach {
    /// Connects to a host. A wait for the account's turn moves `deadline` on.
    pub(crate) async fn connect(
        &self,
        dns: &Dns,
        host: &Host,
        port: u16,
        account: AccountId,
        deadline: &mut Instant,
    ) -> Result<Reached, ValidationError> {
        let (addresses, resolver) = match host {
            Host::Name(name) => {
                let found = dns.addresses(name, *deadline).await?;
                (found.addresses, Some(found.resolver))
            }
            Host::Address(address) => (vec![*address], None),
        };
        let candidates = Candidates::choose(host, &addresses, &self.policy)?;
        let Dialled { stream, address, turn } =
            candidates.dial(port, &self.own, &self.turns, account, deadline).await?;
        // What was looked up is evidence; an identifier that is an address says it itself.
        let resolved = if resolver.is_some() { kept(&addresses, address.ip()) } else { Vec::new() };
        Ok(Reached { stream, address, resolver, resolved, _turn: turn })
    }
}

impl Reached {
    /// The evidence of a question that was asked here.
    pub(crate) fn hop(&self, url: String) -> Hop {
        Hop { url, resolver: self.resolver.clone(), resolved: self.resolved.clone(), connected: Some(self.address) }
    }
}

/// What of an answer is evidence: it is kept for as long as the certificate is, and how long it is, is a stranger's choice.
fn kept(resolved: &[IpAddr], connected: IpAddr) -> Vec<IpAddr> {
    /// More than any host that means well has of both kinds.
    const MAX_KEPT: usize = 16;
    let others = resolved.iter().copied().filter(|address| *address != connected);
    std::iter::once(connected).chain(others).take(MAX_KEPT).collect()
}
