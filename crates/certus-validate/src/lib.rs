//! Sees whether somebody controls a name, by asking the name's own servers: the only crate that dials where a
//! stranger chose.
//!
//! [`Validators`] is the port's implementation. The walk is name → addresses (`dns`) → [`PublicAddr`]s (`target`) →
//! connection (`dial`) → answer (`http_01`), and only a vetted address can be dialled. Deliberately absent: keys, the
//! store, trying again, and the decision what a failure means for an order.

mod any_certificate;
mod bounded;
mod config;
mod dial;
mod dns;
mod failure;
mod fetch;
mod http_01;
mod location;
mod name_servers;
mod special_purpose;
mod target;
mod turns;
mod unix;

use async_trait::async_trait;
use certus_acme::ChallengeType;
use certus_ca::ports::{ValidationError, ValidationRequest, Validator};
use certus_ca::state::ValidatedControl;
use http::HeaderValue;
use tokio::time::Instant;

pub use config::{Config, ConfigError, LocalNames};
pub use target::{Policy, PublicAddr, Refused};

use dns::Dns;
use http_01::Http01;
use location::Ports;
use target::OwnListeners;
use turns::Turns;

/// Every validation method, behind one port.
#[derive(Debug)]
pub struct Validators {
    dns: Dns,
    http_01: Http01,
    timeout: std::time::Duration,
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
            dns: Dns::new(&resolvers, config.local_names, config.timeout)?,
            http_01: Http01 {
                ports: Ports { http: config.http_port, https: config.https_port },
                policy: Policy::new(config.permit, config.deny),
                own: OwnListeners::new(config.own_listeners),
                turns: Turns::default(),
                tls: any_certificate::danger_accept_any_certificate().map_err(ConfigError::Tls)?,
                timeout: config.timeout,
                max_redirects: config.max_redirects,
                max_body_bytes: config.max_body_bytes,
                user_agent,
            },
            timeout: config.timeout,
        })
    }

    /// Asks whether a resolver answers at all, as a check before the first validation needs one.
    ///
    /// # Errors
    ///
    /// [`ValidationError::Ours`] when none is configured or none answers within [`Config::timeout`].
    pub async fn probe_resolver(&self) -> Result<(), ValidationError> {
        self.dns.probe(Instant::now() + self.timeout).await
    }
}

#[async_trait]
impl Validator for Validators {
    async fn validate(&self, request: &ValidationRequest) -> Result<ValidatedControl, ValidationError> {
        let evidence = match request.method {
            ChallengeType::Http01 => self.http_01.observe(&self.dns, request).await?,
        };
        // The one place where control is asserted: what a method saw is what was asked, for this identifier only.
        Ok(ValidatedControl::assertion(request.identifier.clone(), request.method, evidence))
    }
}
