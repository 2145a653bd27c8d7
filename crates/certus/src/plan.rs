//! A new authority on disk: what was chosen, and writing it down without ever overwriting anything.
//!
//! The state directory is written under another name and renamed, and `certus.toml` comes last: what was interrupted
//! halfway has no settings file and cannot be mistaken for an authority.

use std::io::Write;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use certus_ca::issuers::{crl_url, issuer_url};
use certus_pki::{
    CaSubject, Certificate, CertificateChain, Clock, CrlScope, DnsName, Issuer, KeyAlgorithm, KeyPair, Signer,
    SubjectName, create_crl, create_intermediate, create_root, random_bytes,
};
use certus_signer::{SealingKeys, Secret, create_private_directory, read_key, sync_directory, write_key};

use crate::config::sample::{self, Choices};
use crate::config::{self, ExternalUrl, PkiUrl, SecretSource};
use crate::exit::usage;
use crate::state_dir::StateDir;
use crate::unix;

/// How long a new root is valid by default: 20 years, so that trust stores are filled once.
pub(crate) const ROOT_LIFETIME: Duration = Duration::from_secs(7305 * 86_400);
/// How long a new issuing certificate is valid by default: 5 years.
pub(crate) const ISSUING_LIFETIME: Duration = Duration::from_secs(1826 * 86_400);
/// How long either may be valid: longer than it is back-dated, and not beyond what a certificate can say.
const LIFETIMES: RangeInclusive<Duration> = Duration::from_secs(86_400)..=Duration::from_secs(36_500 * 86_400);
/// How long the root's CRL is good (Baseline Requirements 7.2: 12 months at most).
const ROOT_CRL_LIFETIME: Duration = Duration::from_secs(365 * 86_400);
/// The name of the first issuer.
pub(crate) const ISSUER: &str = "issuing-1";

/// What was chosen for a new authority.
#[derive(Debug)]
pub(crate) struct Plan {
    pub(crate) directory: PathBuf,
    pub(crate) external_url: ExternalUrl,
    pub(crate) pki_url: PkiUrl,
    pub(crate) listen: SocketAddr,
    pub(crate) pki_listen: SocketAddr,
    pub(crate) signing: Signing,
    /// Where the passphrase of the keys is read from at every start, and what it is now.
    pub(crate) passphrase: (SecretSource, Option<Secret>),
    pub(crate) store: config::Store,
}

/// Who signs.
#[derive(Debug)]
pub(crate) enum Signing {
    /// A new root and issuing certificate beneath it.
    New {
        algorithm: KeyAlgorithm,
        /// What their names begin with.
        name: String,
        organization: Option<String>,
        country: Option<String>,
        /// The suffixes that may be certified; none leaves all.
        permitted: Vec<DnsName>,
        root_lifetime: Duration,
        issuing_lifetime: Duration,
    },
    /// An issuing certificate that exists.
    Existing { chain: PathBuf, key: PathBuf },
}

/// What was made.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) config: PathBuf,
    pub(crate) root: PathBuf,
    pub(crate) root_certificate: Certificate,
    pub(crate) issuing_certificate: Certificate,
    /// The root's private key, to be moved away; `None` when the root is somebody else's.
    pub(crate) root_key: Option<PathBuf>,
}

/// The chain, issuing certificate first, and the keys of an authority before they are on disk.
struct Authority {
    root: Certificate,
    chain: CertificateChain,
    key: KeyPair,
    /// The root's key and its CRL in DER, for a root of our own.
    own_root: Option<(KeyPair, Vec<u8>)>,
}

impl Plan {
    /// Makes the authority.
    ///
    /// # Errors
    ///
    /// If there is one already, what was chosen does not fit together, or a file cannot be written. Nothing that was
    /// there before is changed, and what was begun is removed.
    pub(crate) async fn carry_out(&self, clock: &dyn Clock) -> anyhow::Result<Made> {
        refuse_unless_free(&self.directory)?;
        let authority = match &self.signing {
            Signing::New { algorithm, name, organization, country, permitted, root_lifetime, issuing_lifetime } => {
                if [root_lifetime, issuing_lifetime].into_iter().any(|lifetime| !LIFETIMES.contains(lifetime)) {
                    return Err(usage("--root-lifetime and --issuer-lifetime must be 1d to 36500d"));
                }
                if issuing_lifetime > root_lifetime {
                    return Err(usage("--issuer-lifetime is over --root-lifetime; nothing outlives its root"));
                }
                if !permitted.is_empty() && !covers(permitted, self.external_url.host()) {
                    return Err(usage(format!(
                        "--permit-names leaves out {}, the host of --external-url, for which the authority needs a \
                         certificate itself; add it",
                        self.external_url.host()
                    )));
                }
                let subject = |role: &str| CaSubject {
                    common_name: format!("{name} {role}"),
                    organization: organization.clone(),
                    country: country.clone(),
                };
                let subjects = [subject("Root"), subject("Issuing 1")];
                self.new_authority(*algorithm, &subjects, permitted, [*root_lifetime, *issuing_lifetime], clock).await?
            }
            Signing::Existing { chain, key } => self.existing_authority(chain, key)?,
        };
        let state = StateDir::of(&self.directory);
        std::fs::create_dir_all(&self.directory)
            .with_context(|| format!("{} cannot be made", self.directory.display()))?;
        let partial = self.directory.join(format!(".state-{}", hex(&random_bytes::<6>())));
        let written = self.write_state(&partial, &authority).and_then(|()| {
            // Fails if somebody was faster: a directory with anything in it is not replaced.
            std::fs::rename(&partial, state.path())
                .and_then(|()| sync_directory(&self.directory))
                .with_context(|| format!("{} cannot be put in place", state.path().display()))
        });
        if let Err(error) = written {
            // A partial directory is no authority; what cannot be removed is only untidy.
            drop(std::fs::remove_dir_all(&partial));
            return Err(error);
        }
        let config = self.directory.join(config::FILE);
        write_new(&config, self.sample().as_bytes())?;
        let issuing = authority.chain.certificates().first().context("the chain is empty")?;
        Ok(Made {
            config,
            root: state.path().join("root.pem"),
            root_certificate: authority.root.clone(),
            issuing_certificate: issuing.clone(),
            root_key: authority.own_root.is_some().then(|| state.root_key()),
        })
    }

    async fn new_authority(
        &self,
        algorithm: KeyAlgorithm,
        [root_subject, issuing_subject]: &[CaSubject; 2],
        permitted: &[DnsName],
        [root_lifetime, issuing_lifetime]: [Duration; 2],
        clock: &dyn Clock,
    ) -> anyhow::Result<Authority> {
        let now = clock.now();
        let root_key = generate(algorithm).await?;
        let key = generate(algorithm).await?;
        let root = create_root(root_subject, &root_key, root_lifetime, now).await.context("there is no root")?;
        let id = certificate_id(&root);
        let pki_url = self.pki_url.as_str();
        let issuing = create_intermediate(
            issuing_subject,
            &root,
            &root_key,
            key.public_key(),
            permitted,
            &issuer_url(pki_url, &id),
            &crl_url(pki_url, &id, 0),
            issuing_lifetime,
            now,
        )
        .await
        .context("there is no issuing certificate")?;
        // A number made of the time is above every earlier one, whatever was lost in between.
        let number = u64::try_from(now.unix_millis()).unwrap_or(0);
        let this_update = now.whole_seconds();
        let next_update = this_update + ROOT_CRL_LIFETIME;
        let crl = create_crl(&root, &root_key, number, this_update, next_update, &[], CrlScope::Everything)
            .await
            .context("the root's CRL was not signed")?;
        let chain = CertificateChain::new(vec![issuing, root.clone()]).context("the chain is empty")?;
        Ok(Authority { root, chain, key, own_root: Some((root_key, crl.der().to_vec())) })
    }

    fn existing_authority(&self, chain_path: &Path, key_path: &Path) -> anyhow::Result<Authority> {
        let pem = std::fs::read_to_string(chain_path)
            .with_context(|| format!("--issuer-chain {} cannot be read", chain_path.display()))?;
        let chain = CertificateChain::from_pem(&pem)
            .with_context(|| format!("--issuer-chain {} is not a chain in PEM", chain_path.display()))?;
        let root = chain.certificates().last().context("the chain is empty")?.clone();
        if root.issuer_der() != root.subject_der() || root.verify_signed_by(root.public_key()).is_err() {
            return Err(usage(format!(
                "--issuer-chain {} does not end in a self-signed root, which clients have to trust; append it",
                chain_path.display()
            )));
        }
        let key = read_key(key_path, self.passphrase.1.as_ref())?;
        let signer: std::sync::Arc<dyn Signer> = std::sync::Arc::new(key.clone());
        let issuer = Issuer::new(chain.clone(), signer)
            .with_context(|| format!("--issuer-chain {} cannot issue", chain_path.display()))?;
        if !issuer.permits(self.external_url.host()) {
            return Err(usage(format!(
                "the name constraints of --issuer-chain leave out {}, the host of --external-url, for which the \
                 authority needs a certificate itself",
                self.external_url.host()
            )));
        }
        Ok(Authority { root, chain, key, own_root: None })
    }

    fn write_state(&self, partial: &Path, authority: &Authority) -> anyhow::Result<()> {
        let place = |path: &Path| format!("{} cannot be written", path.display());
        create_private_directory(partial).with_context(|| place(partial))?;
        let issuers = partial.join("issuer");
        create_private_directory(&issuers).with_context(|| place(&issuers))?;
        let passphrase = self.passphrase.1.as_ref();
        write_new(&partial.join("root.pem"), authority.root.pem().as_bytes())?;
        if let Some((root_key, crl)) = &authority.own_root {
            write_key(&partial.join("root.key"), root_key, passphrase)?;
            write_new(&partial.join("root.crl"), crl)?;
        }
        write_new(&issuers.join(format!("{ISSUER}.pem")), authority.chain.to_pem().as_bytes())?;
        write_key(&issuers.join(format!("{ISSUER}.key")), &authority.key, passphrase)?;
        SealingKeys::create(&partial.join("sealing"), passphrase)?;
        sync_directory(partial).with_context(|| place(partial))
    }

    fn sample(&self) -> String {
        let quoted = |text: &str| toml::Value::from(text).to_string();
        let source = |source: &SecretSource, file: &str| match source {
            SecretSource::None => String::new(),
            SecretSource::File(path) => format!("{file} = {}\n", quoted(&path.to_string_lossy())),
            SecretSource::Credential(name) => format!("credential = {}\n", quoted(name)),
        };
        let passphrase = source(&self.passphrase.0, "passphrase_file");
        let passfile =
            self.store.passfile.as_ref().map(|path| format!("passfile = {}\n", quoted(&path.to_string_lossy())));
        let password = source(&self.store.password, "password_file");
        sample::text(&Choices {
            external_url: &self.external_url,
            pki_url: &self.pki_url,
            listen: self.listen,
            pki_listen: self.pki_listen,
            issuer: ISSUER,
            passphrase,
            store: &self.store.url,
            store_secret: passfile.unwrap_or(password),
        })
    }
}

/// The name a certificate has in URLs: as [`Issuer::id`], for certificates that issue nothing here.
pub(crate) fn certificate_id(certificate: &Certificate) -> String {
    /// As many octets as an issuer's id has.
    const OCTETS: usize = 10;
    hex(certificate.sha256().get(..OCTETS).unwrap_or_default())
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn refuse_unless_free(directory: &Path) -> anyhow::Result<()> {
    let shown = directory.display();
    if directory.join(config::FILE).exists() {
        bail!("{shown} is an authority already; nothing was changed");
    }
    if StateDir::of(directory).path().exists() {
        bail!(
            "{shown} has a state directory but no {}: the making of an authority was interrupted there; remove \
             {shown}/state, or choose another --dir",
            config::FILE
        );
    }
    Ok(())
}

fn covers(permitted: &[DnsName], host: &SubjectName) -> bool {
    match host {
        SubjectName::Dns(name) | SubjectName::Wildcard(name) => permitted.iter().any(|suffix| name.is_within(suffix)),
        // An authority bound to names certifies no addresses.
        SubjectName::Ip(_) => false,
    }
}

async fn generate(algorithm: KeyAlgorithm) -> anyhow::Result<KeyPair> {
    // RSA takes up to seconds.
    Ok(tokio::task::spawn_blocking(move || KeyPair::generate(algorithm)).await??)
}

/// Writes a file that was not there: whole or not at all, durable when this returns, and for its owner alone to change.
fn write_new(path: &Path, bytes: &[u8]) -> anyhow::Result<()> {
    let write = || -> std::io::Result<()> {
        let partial = path.with_extension(format!("partial-{}", hex(&random_bytes::<6>())));
        let mut file = std::fs::File::create_new(&partial)?;
        unix::forbid_writing(&file)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        // A link, unlike a renaming, never replaces what is there.
        let linked = std::fs::hard_link(&partial, path);
        std::fs::remove_file(&partial)?;
        linked?;
        path.parent().map_or(Ok(()), sync_directory)
    };
    write().with_context(|| format!("{} cannot be written", path.display()))
}
