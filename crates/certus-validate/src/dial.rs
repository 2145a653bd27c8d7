//! TCP to vetted addresses: the only place that opens connections to where a stranger said.
//!
//! Deliberately absent: names. What is dialled is a [`PublicAddr`], never resolved again, so that no second answer of
//! the DNS can lead elsewhere; no proxy of the environment is heeded.

use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, SocketAddr};

use certus_acme::ProblemKind;
use certus_ca::id::AccountId;
use certus_ca::ports::ValidationError;
use tokio::net::{TcpSocket, TcpStream};
use tokio::time::Instant;

use crate::failure::{failed, ours};
use crate::reach::Host;
use crate::target::{OwnListeners, Policy, PublicAddr, Refused};
use crate::turns::{Turn, Turns};
use crate::unix::is_missing_family;

/// The share of the remaining time that IPv6 gets when IPv4 may be tried after it.
const FIRST_ATTEMPT_SHARE: u32 = 3;
/// The refused addresses that a problem tells of.
const MAX_REFUSALS_TOLD: usize = 4;

/// Where to dial, in this order: at most one IPv6 and one IPv4 address.
#[derive(Debug)]
pub(crate) struct Candidates {
    first: PublicAddr,
    fallback: Option<PublicAddr>,
}

impl Candidates {
    /// Drops the addresses that may not be dialled and chooses among the rest.
    ///
    /// Fails when none is left.
    pub(crate) fn choose(host: &Host, addresses: &[IpAddr], policy: &Policy) -> Result<Self, ValidationError> {
        let mut ipv6 = None;
        let mut ipv4 = None;
        let mut refused = Vec::new();
        for address in addresses {
            match PublicAddr::vet(*address, policy) {
                Ok(vetted) if address.is_ipv6() => ipv6 = ipv6.or(Some(vetted)),
                Ok(vetted) => ipv4 = ipv4.or(Some(vetted)),
                Err(reason) => refused.push(reason),
            }
        }
        match (ipv6, ipv4) {
            (Some(first), fallback) => Ok(Self { first, fallback }),
            (None, Some(first)) => Ok(Self { first, fallback: None }),
            (None, None) => Err(failed(ProblemKind::Dns, none_left(host, &refused))),
        }
    }

    /// Connects when it is the account's turn at the address, whose wait moves `deadline` on: IPv6 first, and once to IPv4 if that fails.
    pub(crate) async fn dial(
        &self,
        port: u16,
        own: &OwnListeners,
        turns: &Turns,
        account: AccountId,
        deadline: &mut Instant,
    ) -> Result<Dialled, ValidationError> {
        let turn = turns.take(account, self.first.ip(), deadline).await?;
        let Some(fallback) = self.fallback else { return connect(self.first, port, own, turn, *deadline).await };
        let now = Instant::now();
        let early = now + deadline.saturating_duration_since(now) / FIRST_ATTEMPT_SHARE;
        let first = match connect(self.first, port, own, turn, early).await {
            Ok(connected) => return Ok(connected),
            Err(error) => error,
        };
        let turn = turns.take(account, fallback.ip(), deadline).await?;
        match (first, connect(fallback, port, own, turn, *deadline).await) {
            (_, Ok(connected)) => Ok(connected),
            (ValidationError::Failed(first), Err(ValidationError::Failed(second))) => {
                Err(failed(second.kind, format!("{}; {}", first.detail, second.detail)))
            }
            // That this machine has no IPv6 says nothing once IPv4 was answered by the world.
            (ValidationError::Ours { detail }, Err(ValidationError::Failed(second))) => {
                Err(failed(second.kind, format!("{detail}; {}", second.detail)))
            }
            (_, Err(error @ ValidationError::Ours { .. })) => Err(error),
        }
    }
}

/// A connection. The turn at its address lasts until it is dropped.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) stream: TcpStream,
    pub(crate) address: SocketAddr,
    pub(crate) turn: Turn,
}

fn none_left(host: &Host, refused: &[Refused]) -> String {
    let mut detail = format!("{host} has no address that may be validated against: ");
    for (index, reason) in refused.iter().take(MAX_REFUSALS_TOLD).enumerate() {
        let separator = if index == 0 { "" } else { "; " };
        // Writing to a String cannot fail.
        let _infallible = write!(detail, "{separator}{reason}");
    }
    detail
}

async fn connect(
    address: PublicAddr,
    port: u16,
    own: &OwnListeners,
    turn: Turn,
    deadline: Instant,
) -> Result<Dialled, ValidationError> {
    let target = SocketAddr::new(address.ip(), port);
    let no_socket = |error: io::Error| {
        let detail = format!("no socket could be opened for {target}: {error}");
        // A machine that has only one kind of addresses will not have the other when it tries again.
        if is_missing_family(&error) { failed(ProblemKind::Connection, detail) } else { ours(detail) }
    };
    if own.include(target).map_err(no_socket)? {
        return Err(failed(
            ProblemKind::Connection,
            format!("{target} is this authority itself; a challenge cannot be answered there"),
        ));
    }
    let socket = match address.ip() {
        IpAddr::V4(_) => TcpSocket::new_v4(),
        IpAddr::V6(_) => TcpSocket::new_v6(),
    }
    .map_err(no_socket)?;
    match tokio::time::timeout_at(deadline, socket.connect(target)).await {
        Ok(Ok(stream)) => {
            // The request is one small write; it must not wait for an acknowledgement.
            stream.set_nodelay(true).map_err(|error| ours(format!("the socket for {target}: {error}")))?;
            Ok(Dialled { stream, address: target, turn })
        }
        // The machine has run out of local ports.
        Ok(Err(error)) if error.kind() == io::ErrorKind::AddrNotAvailable && target.is_ipv4() => {
            Err(ours(format!("no local port is left to connect to {target}: {error}")))
        }
        Ok(Err(error)) => {
            Err(failed(ProblemKind::Connection, format!("{target} could not be connected to: {}", said(&error))))
        }
        Err(_elapsed) => Err(failed(ProblemKind::Connection, format!("time ran out while connecting to {target}"))),
    }
}

/// The kernel's reason in words, without the error number.
fn said(error: &io::Error) -> String {
    error.kind().to_string()
}
