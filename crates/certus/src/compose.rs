//! The only place that says `new` to everything: from settings to a running authority.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, bail};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::ProcessId;
use certus_ca::issuers::{Issuers, ProfileRule};
use certus_ca::ports::{Process, Store, StoreError};
use certus_ca::{Ca, Parts};
use certus_http::{PkiSite, Urls};
use certus_pki::{Certificate, CertificateChain, Clock, Issuer, Profile, Signer, SubjectName, SystemClock, Timestamp};
use certus_signer::{FileSigner, SealingKeys, Secret};
use certus_store::{Password, StoreUrl};
use certus_validate::Validators;

use crate::config::{self, Config, ExternalUrl, SecretSource};
use crate::exit::usage;
use crate::plan::certificate_id;
use crate::state_dir::StateDir;
use crate::unix;

/// What tests put around the outside world of an authority; nothing by default.
#[derive(Debug, Clone, Copy)]
pub struct Hooks {
    /// Wraps the store.
    pub store: fn(Arc<dyn Store>) -> Arc<dyn Store>,
    /// Wraps the signer of each issuer.
    pub signer: fn(Arc<dyn Signer>) -> Arc<dyn Signer>,
}

impl Default for Hooks {
    fn default() -> Self {
        Self { store: |store| store, signer: |signer| signer }
    }
}

/// What the program is given by those who start it, beside its settings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Surroundings {
    /// Where the service manager puts credentials.
    pub(crate) credentials_directory: Option<PathBuf>,
    /// The file of passwords that PostgreSQL's own programs would read.
    pub(crate) passfile: Option<PathBuf>,
}

impl Surroundings {
    /// Reads a secret.
    pub(crate) fn secret(&self, source: &SecretSource) -> anyhow::Result<Option<Secret>> {
        match source {
            SecretSource::None => Ok(None),
            SecretSource::File(path) => Ok(Some(Secret::from_file(path)?)),
            SecretSource::Credential(name) => {
                let directory = self.credentials_directory.as_ref().with_context(|| {
                    format!(
                        "the credential {name:?} is asked for, but no CREDENTIALS_DIRECTORY is set; start the \
                         authority from a unit with LoadCredential={name}:FILE"
                    )
                })?;
                if name.is_empty() || name.contains('/') || name.starts_with('.') {
                    bail!("{name:?} is no credential's name");
                }
                Ok(Some(Secret::from_file(&directory.join(name))?))
            }
        }
    }
}

/// An authority that is ready to be served.
#[derive(Debug)]
pub(crate) struct Authority {
    pub(crate) ca: Ca,
    pub(crate) urls: Urls,
    pub(crate) site: PkiSite,
    pub(crate) started: Timestamp,
}

/// The present. The only clock of the program.
pub(crate) fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

/// Opens what the settings name, and takes up work.
pub(crate) async fn authority(config: &Config, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Authority> {
    let clock = clock();
    let issuers = issuers(config, surroundings, hooks)?;
    let vault = Arc::new(sealing_keys(config, surroundings)?);
    let root = root(config)?;
    let in_profiles = issuers.profiles.values().flat_map(|rule| [&rule.ecdsa, &rule.rsa]);
    if let Some(issuer) = in_profiles.into_iter().find(|issuer| !issuer.permits(config.external_url.host())) {
        let (id, host) = (issuer.id(), config.external_url.host());
        bail!("the issuer {id} may not certify {host}, the host of external_url");
    }
    let validator = Validators::new(config.validation.clone())
        .map_err(|error| usage(format!("validation cannot be set up: {error}")))?;
    let store = store(config, surroundings, hooks).await?;
    let previous = settle_external_url(store.as_ref(), &config.external_url, clock.as_ref()).await?;
    let urls = Urls::new(config.external_url.as_str(), &previous)?;
    let process = Process {
        id: ProcessId::random(),
        host: unix::host_name(),
        pid: std::process::id(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
    };
    let started = clock.now();
    let ca = Ca::open(Parts {
        store,
        validator: Arc::new(validator),
        issuers,
        clock,
        process,
        vault,
        account_urls: Arc::new(urls.clone()),
        service: config.service.clone(),
        limits: config.limits.clone(),
    })
    .await?;
    let site = PkiSite {
        ca: ca.clone(),
        base_path: config.pki_url.path().to_owned(),
        root_pem: root.pem(),
        root_id: certificate_id(&root),
        root_der: root.der().to_vec(),
        root_crl: root_crl(config)?,
    };
    Ok(Authority { ca, urls, site, started })
}

/// The keys under which secrets in the store are sealed.
pub(crate) fn sealing_keys(config: &Config, surroundings: &Surroundings) -> anyhow::Result<SealingKeys> {
    let passphrase = surroundings.secret(&config.sealing)?;
    Ok(SealingKeys::open(&StateDir::of(&config.directory).sealing(), passphrase.as_ref())?)
}

/// The root's certificate: what clients are told to trust, so the chain of this authority's own TLS certificate must lead
/// to it.
pub(crate) fn root(config: &Config) -> anyhow::Result<Certificate> {
    let pem = read(&config.root)?;
    let root = Certificate::from_pem(&pem)
        .with_context(|| format!("{} is not a certificate in PEM", config.root.display()))?;
    let profile = config.profiles.get(&config.default_profile);
    let Some((name, files)) = profile.and_then(|profile| config.issuers.get_key_value(&profile.ecdsa)) else {
        bail!("the default profile {:?} has no issuer", config.default_profile);
    };
    // Of a chain that cannot be read, opening the issuer will tell.
    if chain(&files.chain).is_ok_and(|chain| !leads_to(&chain, &root)) {
        bail!(
            "{} is {}, to which the chain of {name} does not lead, so whoever trusts it refuses this authority; put the root \
             of that chain there",
            config.root.display(),
            root.subject_text()
        );
    }
    Ok(root)
}

/// The chains of an issuer, as far as they can be read; of the others, opening it will tell.
pub(crate) fn chains(files: &config::Issuer) -> Vec<CertificateChain> {
    std::iter::once(&files.chain).chain(&files.alternate_chains).filter_map(|file| chain(file).ok()).collect()
}

/// Whether clients that trust the root can follow the chain to it: where it stands there, also as a certificate of the
/// same name and key that another root signed, or where it signed one of the chain.
pub(crate) fn leads_to(chain: &CertificateChain, root: &Certificate) -> bool {
    chain.certificates().iter().any(|certificate| {
        let same = certificate.subject_der() == root.subject_der() && certificate.public_key() == root.public_key();
        let signed = || {
            certificate.issuer_der() == root.subject_der() && certificate.verify_signed_by(root.public_key()).is_ok()
        };
        same || signed()
    })
}

/// The root's CRL in DER, if there is one.
pub(crate) fn root_crl(config: &Config) -> anyhow::Result<Option<Vec<u8>>> {
    match std::fs::read(&config.root_crl) {
        Ok(der) => Ok(Some(der)),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("{} cannot be read", config.root_crl.display())),
    }
}

/// An issuer's own certificate.
pub(crate) fn issuer_certificate(files: &config::Issuer) -> anyhow::Result<Certificate> {
    let chain = chain(&files.chain)?;
    chain.certificates().first().cloned().context("a chain without certificates")
}

fn chain(file: &Path) -> anyhow::Result<CertificateChain> {
    let pem = read(file)?;
    CertificateChain::from_pem(&pem)
        .with_context(|| format!("{} is not a chain of certificates in PEM", file.display()))
}

/// One issuer with its signer.
pub(crate) fn issuer(
    name: &str,
    files: &config::Issuer,
    surroundings: &Surroundings,
    hooks: Hooks,
) -> anyhow::Result<Issuer> {
    let own = chain(&files.chain)?;
    let alternates = files.alternate_chains.iter().map(|file| chain(file)).collect::<anyhow::Result<_>>()?;
    let passphrase = surroundings.secret(&files.passphrase)?;
    let signer: Arc<dyn Signer> = Arc::new(FileSigner::open(there(&files.key)?, passphrase.as_ref())?);
    Issuer::new(own, (hooks.signer)(signer))
        .and_then(|issuer| issuer.with_alternates(alternates))
        .with_context(|| format!("the issuer {name:?} cannot issue"))
}

fn issuers(config: &Config, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Issuers> {
    let mut opened = std::collections::BTreeMap::new();
    for (name, files) in &config.issuers {
        opened.insert(name.as_str(), Arc::new(issuer(name, files, surroundings, hooks)?));
    }
    let names = Arc::new(config.names.clone());
    let mut profiles = std::collections::BTreeMap::new();
    for (name, profile) in &config.profiles {
        let by_name = |issuer: &str| opened.get(issuer).cloned().with_context(|| format!("no issuer {issuer:?}"));
        let rule = ProfileRule {
            profile: Profile {
                name: name.clone(),
                lifetime: profile.lifetime,
                backdate: profile.backdate,
                policies: profile.policies.clone(),
                client_auth: profile.client_auth,
                keys: profile.keys.clone(),
            },
            description: profile.description.clone(),
            challenges: profile.challenges.clone(),
            reuse: profile.reuse,
            retries: profile.retries,
            names: Arc::clone(&names),
            public_only: profile.public_only,
            caa: profile.caa,
            ecdsa: by_name(&profile.ecdsa)?,
            rsa: by_name(&profile.rsa)?,
        };
        let issuers = [(&profile.ecdsa, &rule.ecdsa), (&profile.rsa, &rule.rsa)];
        if profile.client_auth
            && let Some((issuer, subject)) =
                issuers.iter().find_map(|(name, one)| Some((name, one.without_client_auth()?)))
        {
            bail!(
                "[authority.profiles.{name}]: client_auth = true needs an issuer whose certificates permit it, which that \
                 of {subject:?} (issuer {issuer:?}) does not; name another issuer, or have that one made anew"
            );
        }
        profiles.insert(name.clone(), rule);
    }
    Ok(Issuers {
        configured: opened.into_values().collect(),
        profiles,
        default_profile: config.default_profile.clone(),
        pki_url: config.pki_url.as_str().to_owned(),
        shards: config.crl_shards,
    })
}

/// Refuses a store's URL that no start could use.
pub(crate) fn check_store_url(url: &str) -> anyhow::Result<()> {
    StoreUrl::parse(url, Path::new("certus.db"))?;
    Ok(())
}

/// The store that the settings name, migrated.
pub(crate) async fn store(
    config: &Config,
    surroundings: &Surroundings,
    hooks: Hooks,
) -> anyhow::Result<Arc<dyn Store>> {
    let url = store_url(&config.directory, &config.store, surroundings)?;
    let store = certus_store::connect(&url).await.context("the store cannot be opened")?;
    Ok((hooks.store)(store))
}

/// The name under which the store keeps the external URL.
pub(crate) const EXTERNAL_URL: &str = "external_url";
/// The name under which it keeps the earlier ones, as a JSON array.
const PREVIOUS_EXTERNAL_URLS: &str = "previous_external_urls";

/// Sees that the store belongs to this external URL, which a new store takes on. Returns the earlier ones.
async fn settle_external_url(
    store: &dyn Store,
    configured: &ExternalUrl,
    clock: &dyn Clock,
) -> anyhow::Result<Vec<String>> {
    match store.setting(EXTERNAL_URL).await? {
        Some(known) if known == configured.as_str() => {}
        Some(known) => bail!(other_url(&known, configured)),
        None => write(store, EXTERNAL_URL, configured.as_str(), clock).await?,
    }
    previous_urls(store).await
}

/// What is said when the settings and the store do not name the same external URL.
pub(crate) fn other_url(known: &str, configured: &ExternalUrl) -> String {
    format!(
        "the store belongs to the external URL {known}, but the settings say {configured}; put {known} back, or, if the \
         authority moves for good, run: certus ca move-url, with the same --dir"
    )
}

/// The external URLs an authority had before, whose account URLs still hold.
async fn previous_urls(store: &dyn Store) -> anyhow::Result<Vec<String>> {
    let Some(text) = store.setting(PREVIOUS_EXTERNAL_URLS).await? else { return Ok(Vec::new()) };
    serde_json::from_str(&text).with_context(|| format!("the setting {PREVIOUS_EXTERNAL_URLS} is not a list of URLs"))
}

/// Makes the store belong to the configured external URL; the one before it stays valid in account URLs. Returns it.
pub(crate) async fn move_url(
    store: &dyn Store,
    configured: &ExternalUrl,
    clock: &dyn Clock,
) -> anyhow::Result<Option<String>> {
    let Some(known) = store.setting(EXTERNAL_URL).await?.filter(|known| known != configured.as_str()) else {
        return Ok(None);
    };
    let mut previous = previous_urls(store).await?;
    previous.retain(|url| *url != known && url != configured.as_str());
    previous.push(known.clone());
    // The earlier one first: a crash between the two only makes it known twice.
    write(store, PREVIOUS_EXTERNAL_URLS, &serde_json::to_string(&previous)?, clock).await?;
    write(store, EXTERNAL_URL, configured.as_str(), clock).await?;
    Ok(Some(known))
}

async fn write(store: &dyn Store, name: &str, value: &str, clock: &dyn Clock) -> Result<(), StoreError> {
    let audit = AuditEvent {
        at: clock.now(),
        actor: Actor::Operator { uid: unix::own_user() },
        action: Action::SettingWritten,
        object: format!("{name}={value}"),
        request: None,
    };
    store.write_setting(name, value, audit).await
}

/// The names of the authority's own certificate: the external URL's host alone, unless a laboratory adds some.
pub(crate) fn own_names(config: &Config, more: &[SubjectName]) -> BTreeSet<SubjectName> {
    std::iter::once(config.external_url.host().clone()).chain(more.iter().cloned()).collect()
}

/// The path of a file that an authority once had; of anything but its absence, reading it will tell.
fn there(path: &Path) -> anyhow::Result<&Path> {
    if matches!(path.try_exists(), Ok(false)) {
        bail!("{} is not there; restore it from a backup, or name the right file in certus.toml", path.display());
    }
    Ok(path)
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(there(path)?).with_context(|| format!("{} cannot be read", path.display()))
}

/// Where the store is that the settings of this directory name.
pub(crate) fn store_url(
    directory: &Path,
    store: &config::Store,
    surroundings: &Surroundings,
) -> anyhow::Result<StoreUrl> {
    let database = StateDir::of(directory).database();
    let parsed = StoreUrl::parse(&store.url, &database)
        .map_err(|error| usage(format!("the setting url of [store] cannot be used: {error}")))?;
    let mut parsed = match parsed {
        StoreUrl::Sqlite(mut sqlite) => {
            sqlite.path = directory.join(&sqlite.path);
            StoreUrl::Sqlite(sqlite)
        }
        StoreUrl::Postgres(postgres) => StoreUrl::Postgres(postgres),
    };
    if let Some(passfile) = store.passfile.as_ref().or(surroundings.passfile.as_ref()) {
        parsed = parsed.with_passfile(passfile);
    }
    if let Some(password) = surroundings.secret(&store.password)? {
        parsed = parsed.with_password(Password::new(password.reveal()));
    }
    Ok(parsed)
}
