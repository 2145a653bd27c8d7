//! Which addresses may be dialled: the answer of a resolver is a stranger's choice until it has been vetted.
//!
//! Deliberately absent: looking names up ([`crate::dns`]) and dialling ([`crate::dial`]), which takes nothing but a
//! [`PublicAddr`].

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};

use ipnet::IpNet;

use crate::special_purpose::{self, Range, Rule};

/// An address that may be dialled. Made only by [`PublicAddr::vet`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicAddr(IpAddr);

impl PublicAddr {
    /// Vets an address against the special-purpose registries and the settings.
    ///
    /// An IPv6 address that carries an IPv4 address (NAT64, 6to4, Teredo, ISATAP) is vetted as both.
    ///
    /// # Errors
    ///
    /// [`Refused`] says which range it lies in.
    pub fn vet(ip: IpAddr, policy: &Policy) -> Result<Self, Refused> {
        if let Some(network) = policy.deny.iter().find(|network| network.contains(&ip)) {
            return Err(Refused::Denied { address: ip, network: *network });
        }
        if let Some(range) = special_purpose::range_of(ip)
            && !policy.admits(ip, range)
        {
            return Err(Refused::SpecialPurpose { address: ip, network: range.network, purpose: range.purpose });
        }
        if let IpAddr::V6(outer) = ip {
            for (embedded, mechanism) in special_purpose::embedded_in(outer) {
                Self::vet(embedded.into(), policy).map_err(|refused| Refused::Embedded {
                    address: ip,
                    embedded,
                    mechanism,
                    refused: Box::new(refused),
                })?;
            }
        }
        Ok(Self(ip))
    }

    /// The address.
    #[must_use]
    pub const fn ip(self) -> IpAddr {
        self.0
    }
}

/// What the settings say about addresses. The empty policy admits what is globally reachable.
#[derive(Debug, Clone, Default)]
pub struct Policy {
    permit: Vec<IpNet>,
    deny: Vec<IpNet>,
}

impl Policy {
    /// A policy of these networks; see [`crate::Config::permit`] and [`crate::Config::deny`].
    #[must_use]
    pub const fn new(permit: Vec<IpNet>, deny: Vec<IpNet>) -> Self {
        Self { permit, deny }
    }

    /// Whether the list of permitted networks, read as the only ones, has an address; an empty list has all.
    #[must_use]
    pub fn lists(&self, ip: IpAddr) -> bool {
        self.permit.is_empty() || self.permit.iter().any(|network| network.contains(&ip))
    }

    fn admits(&self, ip: IpAddr, range: &Range) -> bool {
        match range.rule {
            Rule::Global => true,
            Rule::Permitted => self.permit.iter().any(|network| network.contains(&ip)),
            Rule::Named => self.permit.iter().any(|network| network.contains(&ip) && range.network.contains(network)),
            Rule::Never => false,
        }
    }
}

/// Why an address may not be dialled.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is not a host on the Internet, and the settings do not permit it.
    #[error("{address} is in {network} ({purpose}), which this authority is not set up to validate against")]
    SpecialPurpose {
        /// The address.
        address: IpAddr,
        /// The range of the registry.
        network: IpNet,
        /// What that range is for.
        purpose: &'static str,
    },
    /// The settings forbid it.
    #[error("{address} is in {network}, which this authority does not validate against")]
    Denied {
        /// The address.
        address: IpAddr,
        /// The network of the settings.
        network: IpNet,
    },
    /// It stands for an IPv4 address that may not be dialled.
    #[error("{address} leads to another address by {mechanism}: {refused}")]
    Embedded {
        /// The address.
        address: IpAddr,
        /// The IPv4 address within.
        embedded: Ipv4Addr,
        /// How packets would get there.
        mechanism: &'static str,
        /// Why that one is refused.
        refused: Box<Self>,
    },
}

/// Where this program itself listens.
#[derive(Debug, Clone, Default)]
pub(crate) struct OwnListeners(Vec<SocketAddr>);

impl OwnListeners {
    pub(crate) const fn new(listeners: Vec<SocketAddr>) -> Self {
        Self(listeners)
    }

    /// Whether dialling `target` would reach this program. Addresses that are translated on the way are not seen.
    ///
    /// Fails when the kernel cannot be asked; then it is not known, and nothing may be dialled.
    pub(crate) fn include(&self, target: SocketAddr) -> io::Result<bool> {
        for listener in self.0.iter().filter(|listener| listener.port() == target.port()) {
            let ip = listener.ip().to_canonical();
            if ip == target.ip().to_canonical() || ip.is_unspecified() && is_this_machine(target.ip())? {
                return Ok(true);
            }
        }
        Ok(false)
    }
}

fn is_this_machine(ip: IpAddr) -> io::Result<bool> {
    // For an address of its own the kernel chooses that same address as the source.
    Ok(ip.to_canonical().is_loopback() || source_towards(ip)? == Some(ip))
}

/// Asks the kernel's routing table; connecting a datagram socket sends nothing. `None` when there is no way there.
fn source_towards(ip: IpAddr) -> io::Result<Option<IpAddr>> {
    let unspecified: IpAddr = match ip {
        IpAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((unspecified, 0))?;
    // The discard port; any would do.
    match socket.connect((ip, 9)) {
        Ok(()) => Ok(Some(socket.local_addr()?.ip())),
        // What the kernel will not send to is not this machine.
        Err(_) => Ok(None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn listeners(addresses: &[&str]) -> OwnListeners {
        OwnListeners::new(addresses.iter().map(|address| address.parse().unwrap()).collect())
    }

    #[test]
    fn own_listeners_are_recognised() {
        let check = |own: &[&str], target: &str| listeners(own).include(target.parse().unwrap()).unwrap();
        assert!(check(&["127.0.0.1:80"], "127.0.0.1:80"));
        assert!(!check(&["127.0.0.1:80"], "127.0.0.1:81"));
        assert!(!check(&["127.0.0.1:80"], "127.0.0.2:80"));
        assert!(check(&["0.0.0.0:80"], "127.0.0.2:80"));
        assert!(check(&["[::]:80"], "127.0.0.2:80"));
        assert!(check(&["[::]:80"], "[::1]:80"));
        assert!(check(&["[::ffff:127.0.0.1]:80"], "127.0.0.1:80"));
        // TEST-NET-2 is no address of any machine; the routing table is asked, nothing is sent.
        assert!(!check(&["0.0.0.0:80"], "198.51.100.1:80"));
    }
}
