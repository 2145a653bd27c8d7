//! Sees whether somebody controls a name, by asking the name's own servers: the only crate that dials where a
//! stranger chose.
//!
//! [`Validators`] is the port's implementation. The walk is name → addresses (`dns`) → [`PublicAddr`]s (`target`) →
//! connection (`dial`), all of it in `reach` → answer (`http_01`, `tls_alpn_01`), and only a vetted address can be dialled;
//! or name → TXT records (`dns_01`) or CAA records (`caa`). Deliberately absent: keys, the
//! store, trying again, and the decision what a failure means for an order.

mod answer;
mod any_certificate;
mod bounded;
mod caa;
mod config;
mod dial;
mod dns;
mod dns_01;
mod dnssec;
mod failure;
mod fetch;
mod http_01;
mod location;
mod name_servers;
mod question;
mod reach;
mod received;
mod special_purpose;
mod target;
mod tls_alpn_01;
mod turns;
mod unix;

use std::net::IpAddr;
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{ChallengeType, Identifier, ProblemKind};
use certus_ca::ports::{ValidationError, ValidationRequest, Validator};
use certus_ca::state::{CaaAnswer, Evidence, Hop, Perspective, ValidatedControl};
use certus_pki::DnsName;
use http::HeaderValue;
use tokio::time::Instant;

pub use config::{Config, ConfigError, LocalNames};
pub use dnssec::{AnchorError, Anchors, Dnssec};
pub use received::{read_addresses, read_caa, read_texts};
pub use target::{Policy, PublicAddr, Refused};

use dns::Dns;
use failure::failed;
use http_01::Http01;
use location::Ports;
use reach::{Host, Reach};
use target::OwnListeners;
use tls_alpn_01::TlsAlpn01;
use turns::Turns;

/// Every validation method, behind one port.
#[derive(Debug)]
pub struct Validators {
    dns: Dns,
    reach: Reach,
    http_01: Http01,
    tls_alpn_01: TlsAlpn01,
    /// Which addresses may be identifiers.
    identifiers: Policy,
    timeout: Duration,
}

impl Validators {
    /// Sets validation up. Reads the system's name servers if the settings name no resolver; sends nothing.
    ///
    /// # Errors
    ///
    /// [`ConfigError`] names the setting that cannot be used.
    pub fn new(config: Config) -> Result<Self, ConfigError> {
        if [config.http_port, config.https_port, config.tls_alpn_port].contains(&0) {
            return Err(ConfigError::PortZero);
        }
        let user_agent = HeaderValue::from_str(&config.user_agent)
            .map_err(|_error| ConfigError::UserAgent(config.user_agent.clone()))?;
        let resolvers = if config.resolvers.is_empty() { name_servers::of_this_machine() } else { config.resolvers };
        Ok(Self {
            dns: Dns::new(&resolvers, config.local_names, &config.dnssec, &config.internal_domains, config.timeout)?,
            identifiers: Policy::new(
                config.permit_identifiers,
                [config.deny.clone(), config.deny_identifiers].concat(),
            ),
            reach: Reach {
                policy: Policy::new(config.permit, config.deny),
                own: OwnListeners::new(config.own_listeners),
                turns: Turns::default(),
            },
            http_01: Http01 {
                ports: Ports { http: config.http_port, https: config.https_port },
                tls: any_certificate::danger_accept_any_certificate().map_err(ConfigError::Tls)?,
                timeout: config.timeout,
                max_redirects: config.max_redirects,
                max_body_bytes: config.max_body_bytes,
                user_agent,
            },
            tls_alpn_01: TlsAlpn01 {
                port: config.tls_alpn_port,
                tls: any_certificate::danger_accept_any_certificate_for(tls_alpn_01::PROTOCOL)
                    .map_err(ConfigError::Tls)?,
                timeout: config.timeout,
            },
            timeout: config.timeout,
        })
    }

    /// Asks whether a resolver answers at all, and so that DNSSEC can be validated if it is to be, as a check before the first validation needs one.
    ///
    /// # Errors
    ///
    /// [`ValidationError::Ours`] when none is configured or none answers within [`Config::timeout`].
    pub async fn probe_resolver(&self) -> Result<(), ValidationError> {
        self.dns.probe(Instant::now() + self.timeout).await
    }

    async fn observe(&self, request: &ValidationRequest) -> Result<Evidence, ValidationError> {
        let Self { dns, reach, .. } = self;
        match (request.method, &request.identifier) {
            (ChallengeType::Http01, Identifier::Dns(name)) => {
                self.http_01.observe(dns, reach, &Host::Name(name.clone()), request).await
            }
            (ChallengeType::Http01, Identifier::Ip(address)) => {
                self.http_01.observe(dns, reach, &Host::Address(*address), request).await
            }
            (ChallengeType::TlsAlpn01, Identifier::Dns(name)) => {
                self.tls_alpn_01.observe(dns, reach, &Host::Name(name.clone()), request).await
            }
            (ChallengeType::TlsAlpn01, Identifier::Ip(address)) => {
                self.tls_alpn_01.observe(dns, reach, &Host::Address(*address), request).await
            }
            (ChallengeType::Dns01, Identifier::Dns(name) | Identifier::Wildcard(name)) => {
                dns_01::observe(dns, name, request, self.timeout).await
            }
            // Never offered; and were it, it would prove nothing (see `ChallengeType::for_identifier`).
            (ChallengeType::Http01 | ChallengeType::TlsAlpn01, Identifier::Wildcard(_))
            | (ChallengeType::Dns01, Identifier::Ip(_)) => {
                let detail = format!("{} cannot prove control of {}", request.method, request.identifier);
                Err(failed(ProblemKind::Malformed, detail))
            }
        }
    }
}

/// The evidence of what this process saw.
fn seen_here(hops: Vec<Hop>) -> Evidence {
    Evidence { perspectives: vec![Perspective { name: PRIMARY.to_owned(), hops }], ..Evidence::default() }
}

/// The name of the perspective of this process.
const PRIMARY: &str = "primary";

#[async_trait]
impl Validator for Validators {
    fn admits(&self, identifier: &Identifier) -> Result<(), String> {
        match identifier {
            Identifier::Dns(_) | Identifier::Wildcard(_) => Ok(()),
            Identifier::Ip(address) => {
                if !self.identifiers.lists(*address) {
                    return Err(format!(
                        "this authority certifies the addresses of a list only, and {address} is not of it"
                    ));
                }
                PublicAddr::vet(*address, &self.identifiers).map(drop).map_err(|refused| refused.to_string())
            }
        }
    }

    fn is_public(&self, address: IpAddr) -> bool {
        PublicAddr::vet(address, &Policy::new(Vec::new(), Vec::new())).is_ok()
    }

    async fn caa(&self, name: &DnsName) -> Result<CaaAnswer, ValidationError> {
        caa::find(&self.dns, name, Instant::now() + self.timeout).await
    }

    async fn validate(&self, request: &ValidationRequest) -> Result<ValidatedControl, ValidationError> {
        let evidence = self.observe(request).await?;
        // The one place where control is asserted: what a method saw is what was asked, for this identifier only.
        Ok(ValidatedControl::assertion(request.identifier.clone(), request.method, evidence))
    }
}
