//! The tls-alpn-01 method (RFC 8737; RFC 8738 section 6 for addresses): a certificate shown in a TLS handshake that asks
//! for the protocol `acme-tls/1` and nothing else.
//!
//! Deliberately absent: application data. The connection ends after the handshake.

use std::fmt::Display;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_ca::ports::{ValidationError, ValidationRequest};
use certus_ca::state::Evidence;
use certus_pki::{SubjectName, challenge_certificate, crypto};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::AsyncWriteExt;
use tokio::time::Instant;
use tokio_rustls::TlsConnector;

use crate::any_certificate::unreadable_certificate;
use crate::dns::Dns;
use crate::failure::{failed, within};
use crate::reach::{Host, Reach};
use crate::seen_here;

/// The protocol of RFC 8737 section 6.2.
pub(crate) const PROTOCOL: &[u8] = b"acme-tls/1";

/// Validates by tls-alpn-01.
#[derive(Debug)]
pub(crate) struct TlsAlpn01 {
    pub(crate) port: u16,
    pub(crate) tls: Arc<ClientConfig>,
    pub(crate) timeout: Duration,
}

impl TlsAlpn01 {
    /// Looks at the certificate that the host shows. What it returns is the evidence that it is the right one.
    pub(crate) async fn observe(
        &self,
        dns: &Dns,
        reach: &Reach,
        host: &Host,
        request: &ValidationRequest,
    ) -> Result<Evidence, ValidationError> {
        let mut deadline = Instant::now() + self.timeout;
        let reached = reach.connect(dns, host, self.port, request.account, &mut deadline).await?;
        let from = format!("{host} port {} (at {})", self.port, reached.address);
        let (indicated, subject) = match host {
            Host::Name(name) => (name.to_string(), SubjectName::Dns(name.clone())),
            Host::Address(address) => (reverse_name(*address), SubjectName::Ip(*address)),
        };
        let indicated = ServerName::try_from(indicated)
            .map_err(|error| failed(ProblemKind::Tls, format!("no TLS to {from}: {error}")))?;
        let hop = reached.hop(format!("tls://{host}:{}", self.port));
        let shaking = async {
            TlsConnector::from(Arc::clone(&self.tls)).connect(indicated, reached.stream).await.map_err(|error| {
                match unreadable_certificate(&error) {
                    Some(cause) => wrong(&from, cause),
                    None => failed(ProblemKind::Tls, format!("the TLS handshake with {from} failed: {error}")),
                }
            })
        };
        let mut tls = within(deadline, || format!("waiting for the TLS handshake of {from}"), shaking).await?;
        let (_, session) = tls.get_ref();
        if session.alpn_protocol() != Some(PROTOCOL) {
            let detail =
                format!("{from} did not take up the protocol acme-tls/1 (ALPN); it must be set up for tls-alpn-01");
            return Err(failed(ProblemKind::Tls, detail));
        }
        let shown = session.peer_certificates().and_then(<[_]>::first).map(|shown| shown.as_ref().to_vec());
        // All was seen. A peer that does not take the farewell changes nothing.
        drop(tokio::time::timeout_at(deadline, tls.shutdown()).await);
        let shown = shown.ok_or_else(|| failed(ProblemKind::Tls, format!("{from} showed no certificate")))?;
        let digest = crypto::sha256(request.key_authorization.as_bytes());
        match challenge_certificate::check(&shown, &subject, &digest) {
            Ok(_) => Ok(seen_here(vec![hop])),
            Err(error) => Err(wrong(&from, &error)),
        }
    }
}

/// What was shown is no answer.
fn wrong(from: &str, cause: &dyn Display) -> ValidationError {
    failed(ProblemKind::IncorrectResponse, format!("the answer of {from} is wrong: {cause}"))
}

/// The name that stands for an address in the handshake (RFC 8738 section 6): that of its reverse look-up.
fn reverse_name(address: IpAddr) -> String {
    match address {
        IpAddr::V4(address) => {
            let [a, b, c, d] = address.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(address) => {
            let nibbles = address.octets().into_iter().rev().flat_map(|octet| [octet & 0x0f, octet >> 4]);
            nibbles.map(|nibble| format!("{nibble:x}.")).collect::<String>() + "ip6.arpa"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // conformance: 8738-6-01
    #[test]
    fn an_address_is_indicated_by_its_reverse_name() {
        let reverse = |text: &str| reverse_name(text.parse().unwrap());
        assert_eq!(reverse("192.0.2.1"), "1.2.0.192.in-addr.arpa");
        let zeros = "0.".repeat(23);
        assert_eq!(reverse("2001:db8::1f"), format!("f.1.{}8.b.d.0.1.0.0.2.ip6.arpa", zeros.get(2..).unwrap()));
    }
}
