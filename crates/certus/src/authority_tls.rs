//! The authority's own TLS: a certificate of its own for a key in memory, replaced in time without a restart.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use arc_swap::ArcSwap;
use certus_ca::Ca;
use certus_pki::{Certificate, CertificateChain, KeyAlgorithm, KeyPair, SubjectName, Timestamp};
use rustls::ServerConfig;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_util::sync::CancellationToken;

/// How often it is seen whether the certificate is due, by the authority's clock: a machine that slept catches up.
const LOOK_EVERY: Duration = Duration::from_secs(60);

/// The authority's own certificate and what renews it.
#[derive(Debug, Clone)]
pub(crate) struct AuthorityTls {
    ca: Ca,
    names: BTreeSet<SubjectName>,
    config: Arc<ArcSwap<ServerConfig>>,
    validity: Arc<ArcSwap<Validity>>,
}

#[derive(Debug)]
struct Validity {
    from: Timestamp,
    to: Timestamp,
}

impl AuthorityTls {
    /// Has a first certificate issued for these names.
    pub(crate) async fn new(ca: Ca, names: BTreeSet<SubjectName>) -> anyhow::Result<Self> {
        let (config, validity) = issue(&ca, &names).await?;
        Ok(Self {
            ca,
            names,
            config: Arc::new(ArcSwap::from_pointee(config)),
            validity: Arc::new(ArcSwap::from_pointee(validity)),
        })
    }

    /// What connections are accepted with; changes when the certificate does.
    pub(crate) fn config(&self) -> Arc<ArcSwap<ServerConfig>> {
        Arc::clone(&self.config)
    }

    /// The last second of the present certificate.
    pub(crate) fn not_after(&self) -> Timestamp {
        self.validity.load().to
    }

    /// Replaces the certificate whenever two thirds of its time are over.
    pub(crate) async fn run(self, soft: CancellationToken) {
        let mut interval = tokio::time::interval(LOOK_EVERY);
        loop {
            tokio::select! {
                () = soft.cancelled() => return,
                _ = interval.tick() => {}
            }
            self.look().await;
        }
    }

    /// Replaces the certificate if it is due.
    async fn look(&self) {
        if self.ca.now() < self.validity.load().renewal() {
            return;
        }
        match issue(&self.ca, &self.names).await {
            Ok((config, validity)) => {
                tracing::info!(not_after = %validity.to, "the authority's own certificate was replaced");
                self.config.store(Arc::new(config));
                self.validity.store(Arc::new(validity));
            }
            // Tried again at the next look; there are days left.
            Err(error) => {
                let error = format!("{error:#}");
                tracing::error!(error, not_after = %self.not_after(), "the authority's own certificate is not replaced");
            }
        }
    }
}

impl Validity {
    fn renewal(&self) -> Timestamp {
        self.from + self.to.duration_since(self.from) / 3 * 2
    }
}

async fn issue(ca: &Ca, names: &BTreeSet<SubjectName>) -> anyhow::Result<(ServerConfig, Validity)> {
    let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
    let chain = ca.issue_own(names.clone(), &key).await.context("the authority has no TLS certificate of its own")?;
    let leaf = chain.certificates().first().context("the authority's own certificate is missing")?;
    let validity = Validity { from: leaf.not_before(), to: leaf.not_after() };
    Ok((server_config(&chain, &key)?, validity))
}

/// TLS 1.2 and 1.3, for HTTP/2 and HTTP/1.1.
fn server_config(chain: &CertificateChain, key: &KeyPair) -> anyhow::Result<ServerConfig> {
    // A client has the root already or does not trust it (RFC 8446 section 4.4.2).
    let self_signed = |certificate: &&Certificate| certificate.issuer_der() == certificate.subject_der();
    let sent = chain.certificates().iter().filter(|certificate| !self_signed(certificate));
    let sent = sent.map(|certificate| CertificateDer::from(certificate.der().to_vec())).collect();
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(sent, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

#[cfg(test)]
mod tests {
    use certus_pki::{Clock, DnsName, ManualClock, SystemClock};
    use certus_testkit::{Http01Target, Setup, TestAuthority};

    use super::*;

    const DAY: Duration = Duration::from_secs(86_400);

    #[tokio::test(flavor = "multi_thread")]
    async fn the_certificate_is_replaced_at_two_thirds_of_its_time_and_not_before() {
        let directory = tempfile::tempdir().unwrap();
        let store = certus_store::StoreUrl::parse("sqlite", &directory.path().join("certus.db")).unwrap();
        let store = certus_store::connect(&store).await.unwrap();
        let clock = ManualClock::new(SystemClock.now());
        let target = Http01Target::bind(0).await.unwrap();
        let setup = Setup { clock: Arc::new(clock.clone()), duties: false, ..Setup::new(store, &target) };
        let authority = TestAuthority::start(setup).await.unwrap();
        let names = BTreeSet::from([SubjectName::Dns(DnsName::parse("ca.example").unwrap())]);
        let tls = AuthorityTls::new(authority.ca.clone(), names).await.unwrap();
        let (first, end) = (tls.config().load_full(), tls.not_after());

        clock.advance(4 * DAY);
        tls.look().await;
        assert!(Arc::ptr_eq(&first, &tls.config().load_full()), "replaced too early");

        clock.advance(DAY);
        tls.look().await;
        assert!(!Arc::ptr_eq(&first, &tls.config().load_full()), "not replaced");
        assert_eq!(tls.not_after(), end + 5 * DAY);

        // What cannot be signed leaves the one that is there.
        let second = tls.config().load_full();
        clock.set(Timestamp::UNIX_EPOCH);
        assert!(issue(&tls.ca, &tls.names).await.is_err(), "signed with a clock that was set back");
        tls.look().await;
        assert!(Arc::ptr_eq(&second, &tls.config().load_full()));
    }
}
