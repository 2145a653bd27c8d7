//! An authority in this process: the real store, validator, issuers and listeners on loopback, with a clock that a test
//! may move and parts that it may wrap.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use certus_acme::ChallengeType;
use certus_ca::id::ProcessId;
use certus_ca::issuers::{Issuers, ProfileRule, crl_url, issuer_url};
use certus_ca::ports::{Process, Store, Validator};
use certus_ca::vault::{Sealed, Vault, VaultError};
use certus_ca::{Ca, CaaRule, NameRules, Parts, RateLimits, Service, keep};
use certus_http::limits::MAX_CONNECTIONS;
use certus_http::{PkiSite, Urls};
use certus_pki::{
    CaSubject, Certificate, CertificateChain, Clock, CrlScope, DnsName, Issuer, KeyAlgorithm, KeyPair, NameError,
    ObjectIdentifier, PermittedKeys, Profile, SealingKey, Signer, SubjectName, SystemClock, create_crl,
    create_intermediate, create_root,
};
use certus_validate::{Config, Dnssec, LocalNames, Validators};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use zeroize::Zeroizing;

use crate::http_target::Http01Target;

/// Puts something around a signer.
pub type WrapSigner = Box<dyn FnOnce(Arc<dyn Signer>) -> Arc<dyn Signer> + Send>;

/// Changes the settings of validation.
pub type ChangeValidation = Box<dyn FnOnce(&mut Config) + Send>;

/// What a test may decide about its authority.
pub struct Setup {
    /// Where it remembers.
    pub store: Arc<dyn Store>,
    /// The present.
    pub clock: Arc<dyn Clock>,
    /// The port that http-01 is validated at.
    pub http_01_port: u16,
    /// Changes the settings of validation.
    pub validation: ChangeValidation,
    /// Takes the validator's place, if given.
    pub validator: Option<Arc<dyn Validator>>,
    /// Wraps the issuing key.
    pub signer: WrapSigner,
    /// Kind of the root's and the issuer's key.
    pub key: KeyAlgorithm,
    /// Whether a second root certifies the same issuer, so that there is an alternate chain.
    pub second_root: bool,
    /// Name constraints of the issuer. The listener is `localhost`, which they must permit.
    pub permitted: Vec<DnsName>,
    /// What the directory says about it.
    pub service: Service,
    /// What clients may do how often: without limits, unless a test is about them.
    pub limits: RateLimits,
    /// The name of the one profile.
    pub profile: String,
    /// The challenges that it takes.
    pub challenges: Vec<ChallengeType>,
    /// How long authorizations serve later orders.
    pub reuse: Duration,
    /// Which names it certifies at all.
    pub names: NameRules,
    /// Whether its profile is for the public Internet alone.
    pub public_only: bool,
    /// How often a challenge that failed is tried again.
    pub retries: u8,
    /// Whether certificates are for TLS clients too.
    pub client_auth: bool,
    /// The kinds of keys that are certified.
    pub keys: PermittedKeys,
    /// Which names its profile certifies only if CAA permits it.
    pub caa: CaaRule,
    /// How long leaves are valid.
    pub lifetime: Duration,
    /// Policies of leaves.
    pub policies: Vec<ObjectIdentifier>,
    /// CRL shards.
    pub shards: u32,
    /// The issuer and its root, to start again with the same ones.
    pub hierarchy: Option<Hierarchy>,
    /// Whether the duties of the background run.
    pub duties: bool,
}

impl std::fmt::Debug for Setup {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Setup").field("store", &self.store).finish_non_exhaustive()
    }
}

impl Setup {
    /// The usual: the machine's clock, a P-256 hierarchy, http-01 at the target's port.
    #[must_use]
    pub fn new(store: Arc<dyn Store>, target: &Http01Target) -> Self {
        Self {
            store,
            clock: Arc::new(SystemClock),
            http_01_port: target.port(),
            validation: Box::new(|_| {}),
            validator: None,
            signer: Box::new(|signer| signer),
            key: KeyAlgorithm::EcP256,
            second_root: false,
            permitted: Vec::new(),
            service: Service::default(),
            limits: RateLimits::off(),
            profile: "classic".to_owned(),
            challenges: ChallengeType::ALL.to_vec(),
            reuse: Duration::ZERO,
            names: NameRules::default(),
            public_only: false,
            retries: 0,
            client_auth: false,
            keys: PermittedKeys::default(),
            caa: CaaRule::default(),
            lifetime: Duration::from_secs(90 * 24 * 3600),
            policies: Vec::new(),
            shards: 4,
            hierarchy: None,
            duties: true,
        }
    }
}

const YEAR: Duration = Duration::from_secs(365 * 24 * 3600);

/// A root and an issuer beneath it.
#[derive(Debug, Clone)]
pub struct Hierarchy {
    /// The root.
    pub root: Certificate,
    /// The root's CRL in DER.
    pub root_crl: Vec<u8>,
    /// The issuer first, then the root.
    pub chain: CertificateChain,
    /// The issuer beneath a second root, and that root, if there is one.
    pub alternate: Option<CertificateChain>,
    /// The issuer's key, PKCS #8.
    pub key: Vec<u8>,
    /// Where it publishes.
    pub pki_url: String,
}

impl Hierarchy {
    async fn create(setup: &Setup, pki_url: &str) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let now = setup.clock.now();
        let issuer_key = KeyPair::generate(setup.key)?;
        let (chain, root, root_key) = beneath_root("Test Root", &issuer_key, setup, pki_url).await?;
        let crl = create_crl(&root, &root_key, 1, now, now + YEAR, &[], CrlScope::Everything).await?;
        let alternate = match setup.second_root {
            true => Some(beneath_root("Second Root", &issuer_key, setup, pki_url).await?.0),
            false => None,
        };
        Ok(Self {
            root,
            root_crl: crl.der().to_vec(),
            chain,
            alternate,
            key: issuer_key.to_pkcs8().to_vec(),
            pki_url: pki_url.to_owned(),
        })
    }
}

/// A new root, its key, and the issuer of that key beneath it.
async fn beneath_root(
    name: &str,
    issuer_key: &KeyPair,
    setup: &Setup,
    pki_url: &str,
) -> Result<(CertificateChain, Certificate, KeyPair), Box<dyn std::error::Error + Send + Sync>> {
    let now = setup.clock.now();
    let subject = |name: &str| CaSubject { common_name: name.to_owned(), ..CaSubject::default() };
    let root_key = KeyPair::generate(setup.key)?;
    let root = create_root(&subject(name), &root_key, 20 * YEAR, now).await?;
    let root_id = root_id(&root);
    let issuer = create_intermediate(
        &subject("Test Issuer"),
        &root,
        &root_key,
        issuer_key.public_key(),
        &setup.permitted,
        &issuer_url(pki_url, &root_id),
        &crl_url(pki_url, &root_id, 0),
        5 * YEAR,
        now,
    )
    .await?;
    let chain = CertificateChain::new(vec![issuer, root.clone()]).ok_or("an empty chain")?;
    Ok((chain, root, root_key))
}

/// The id of a root in URLs: as [`Issuer::id`] makes it.
fn root_id(root: &Certificate) -> String {
    data_encoding::HEXLOWER.encode(&root.sha256()[..10])
}

/// Seals under a key that every test authority has, so that one can be started again on the store of another.
#[derive(Debug)]
struct FixedVault;

impl FixedVault {
    fn key() -> SealingKey {
        SealingKey::from_bytes(&[7; 32])
    }
}

impl Vault for FixedVault {
    fn seal(&self, context: &[u8], secret: &[u8]) -> Result<Sealed, VaultError> {
        Ok(Sealed { key: "fixed".to_owned(), octets: Self::key().seal(context, secret) })
    }

    fn open(&self, context: &[u8], sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, VaultError> {
        let opened = Self::key().open(context, &sealed.octets);
        opened.map(Zeroizing::new).map_err(|_error| VaultError::Altered(sealed.key.clone()))
    }
}

/// A running authority. Dropping it ends it without grace.
#[derive(Debug)]
pub struct TestAuthority {
    /// The authority itself.
    pub ca: Ca,
    /// Where its directory is.
    pub directory_url: String,
    /// Its external URL.
    pub external_url: String,
    /// Where its publications are.
    pub pki_url: String,
    /// Its root as PEM.
    pub root_pem: String,
    /// Its root and issuer.
    pub hierarchy: Hierarchy,
    soft: CancellationToken,
    hard: CancellationToken,
    tasks: TaskTracker,
}

impl TestAuthority {
    /// Starts an authority on free ports of loopback.
    ///
    /// # Errors
    ///
    /// Whatever went wrong.
    pub async fn start(mut setup: Setup) -> Result<Self, Box<dyn std::error::Error + Send + Sync>> {
        let acme = TcpListener::bind("127.0.0.1:0").await?;
        let publications = TcpListener::bind("127.0.0.1:0").await?;
        let external_url = format!("https://localhost:{}", acme.local_addr()?.port());
        let listening = format!("http://localhost:{}", publications.local_addr()?.port());
        let hierarchy = match setup.hierarchy.take() {
            Some(hierarchy) => hierarchy,
            None => Hierarchy::create(&setup, &listening).await?,
        };
        let signer: Arc<dyn Signer> = Arc::new(KeyPair::from_pkcs8(&hierarchy.key)?);
        let issuer = Issuer::new(hierarchy.chain.clone(), (setup.signer)(signer))?;
        let issuer = Arc::new(issuer.with_alternates(hierarchy.alternate.iter().cloned().collect())?);
        let profile = Profile {
            name: setup.profile.clone(),
            lifetime: setup.lifetime,
            backdate: Duration::from_secs(3600),
            policies: setup.policies,
            client_auth: setup.client_auth,
            keys: setup.keys,
        };
        let rule = ProfileRule {
            profile,
            description: "what servers need".to_owned(),
            challenges: setup.challenges,
            reuse: setup.reuse,
            retries: setup.retries,
            names: Arc::new(setup.names),
            public_only: setup.public_only,
            caa: setup.caa,
            ecdsa: Arc::clone(&issuer),
            rsa: Arc::clone(&issuer),
        };
        let issuers = Issuers {
            configured: vec![Arc::clone(&issuer)],
            profiles: BTreeMap::from([(setup.profile.clone(), rule)]),
            default_profile: setup.profile,
            pki_url: hierarchy.pki_url.clone(),
            shards: setup.shards,
        };
        let validator = match setup.validator {
            Some(validator) => validator,
            None => {
                let mut config = Config {
                    http_port: setup.http_01_port,
                    permit: vec!["127.0.0.0/8".parse()?, "::1/128".parse()?],
                    local_names: LocalNames::Localhost,
                    // The servers of most tests sign nothing.
                    dnssec: Dnssec::Off,
                    own_listeners: vec![acme.local_addr()?, publications.local_addr()?],
                    ..Config::default()
                };
                (setup.validation)(&mut config);
                Arc::new(Validators::new(config)?)
            }
        };
        let process = Process {
            id: ProcessId::random(),
            host: "test".to_owned(),
            pid: std::process::id(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let urls = Urls::new(&external_url, &[])?;
        let mut service = setup.service;
        if service.caa_identities.is_empty() {
            service.caa_identities = vec![DnsName::parse("localhost")?];
        }
        let parts = Parts {
            store: setup.store,
            validator,
            issuers,
            clock: setup.clock,
            process,
            vault: Arc::new(FixedVault),
            account_urls: Arc::new(urls.clone()),
            service,
            limits: setup.limits,
        };
        let ca = Ca::open(parts).await?;
        keep::publish_crls(&ca).await?;
        let tls = own_tls(&ca, own_names(!setup.permitted.is_empty())?).await?;

        let (soft, hard, tasks) = (CancellationToken::new(), CancellationToken::new(), TaskTracker::new());
        let directory_url = urls.directory();
        tasks.spawn(certus_http::serve_acme(acme, MAX_CONNECTIONS, tls, ca.clone(), urls, soft.clone(), hard.clone()));
        let site = PkiSite {
            ca: ca.clone(),
            base_path: String::new(),
            root_pem: hierarchy.root.pem(),
            root_id: root_id(&hierarchy.root),
            root_der: hierarchy.root.der().to_vec(),
            root_crl: Some(hierarchy.root_crl.clone()),
        };
        tasks.spawn(certus_http::serve_pki(publications, MAX_CONNECTIONS, site, soft.clone(), hard.clone()));
        if setup.duties {
            let (background, soft, hard) = (ca.clone(), soft.clone(), hard.clone());
            tasks.spawn(async move { background.run(soft, hard).await });
        }
        tasks.close();
        let (pki_url, root_pem) = (hierarchy.pki_url.clone(), hierarchy.root.pem());
        Ok(Self { ca, directory_url, external_url, pki_url, root_pem, hierarchy, soft, hard, tasks })
    }

    /// Ends it in good order.
    pub async fn stop(self) {
        self.soft.cancel();
        self.tasks.wait().await;
        self.ca.retire().await;
    }
}

impl Drop for TestAuthority {
    fn drop(&mut self) {
        self.soft.cancel();
        self.hard.cancel();
    }
}

/// What the listener is called. Name constraints on DNS names exclude every address.
fn own_names(constrained: bool) -> Result<BTreeSet<SubjectName>, NameError> {
    let mut names = BTreeSet::from([SubjectName::Dns(DnsName::parse("localhost")?)]);
    if !constrained {
        names.insert(SubjectName::Ip(IpAddr::V4(Ipv4Addr::LOCALHOST)));
    }
    Ok(names)
}

async fn own_tls(
    ca: &Ca,
    names: BTreeSet<SubjectName>,
) -> Result<Arc<ArcSwap<rustls::ServerConfig>>, Box<dyn std::error::Error + Send + Sync>> {
    let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
    let chain = ca.issue_own(names, &key).await?;
    let chain: Vec<_> = chain.certificates().iter().map(|one| CertificateDer::from(one.der().to_vec())).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.to_pkcs8().to_vec()));
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(chain, key)?;
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(Arc::new(ArcSwap::from_pointee(config)))
}
