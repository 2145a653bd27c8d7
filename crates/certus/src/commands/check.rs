//! `certus ca check`: everything a start needs, looked at one by one.
//!
//! Nothing stops at the first fault, so that one run names them all. The store is opened only under the lock; a running
//! authority is asked about it instead.

mod findings;
mod store;

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use certus_ca::issuers::crl_url;
use certus_http::limits;
use certus_pki::{Certificate, CertificateChain, CertificateList, Issuer, Timestamp};
use certus_store::StoreUrl;
use certus_validate::Validators;

use self::findings::{Findings, State};
use super::absolute;
use super::serve::{descriptors_wanted, listen};
use crate::cli::AtArgs;
use crate::compose::{self, Hooks, Surroundings};
use crate::config::{Config, FILE};
use crate::exit::Exit;
use crate::output;
use crate::plan::certificate_id;
use crate::state_dir::{Locked, StateDir};
use crate::unix;

pub(super) async fn run(args: &AtArgs, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Exit> {
    let clock = compose::clock();
    let now = clock.now();
    let mut findings = Findings::default();
    let directory = absolute(&args.dir)?;
    let config = Config::load(&directory).map_err(anyhow::Error::from);
    if let Some(config) = findings.take("settings", config, |config| config.directory.display().to_string()) {
        let state = StateDir::of(&config.directory);
        check_settings_file(&mut findings, &config);
        let ours = check_state_directory(&mut findings, &state);
        let issuers = check_issuers(&mut findings, &config, surroundings, hooks, now).await;
        check_root(&mut findings, &config, &state, now);
        // What it says of a server is for the store's own check to say.
        if let Ok(StoreUrl::Sqlite(sqlite)) = compose::store_url(&config.directory, &config.store, surroundings) {
            check_private(&mut findings, "database: mode", &sqlite.path);
        }
        let sealing = compose::sealing_keys(&config, surroundings);
        findings.take("sealing keys", sealing, |keys| {
            keys.current().map_or_else(String::new, |(id, _)| format!("current key {id}"))
        });
        check_resolver(&mut findings, &config).await;
        check_descriptors(&mut findings);
        if ours {
            look_at_work(&mut findings, &config, &state, surroundings, hooks, &issuers, now).await;
        } else {
            // What this user made there, the authority's own could not open.
            findings.add(
                "store",
                State::Warn,
                "not looked at, since the state directory is not there or not this user's",
            );
        }
    }
    let in_order = findings.end();
    if args.json {
        output::json("ca.check", &findings)?;
    } else {
        output::text(&findings.text()?)?;
    }
    Ok(if in_order { Exit::Done } else { Exit::NotInOrder })
}

/// Ports and store, if no authority is at work; otherwise it is asked.
async fn look_at_work(
    findings: &mut Findings,
    config: &Config,
    state: &StateDir,
    surroundings: &Surroundings,
    hooks: Hooks,
    issuers: &BTreeSet<String>,
    now: Timestamp,
) {
    match state.try_lock() {
        Ok(Locked::Taken(_lock)) => {
            findings.add("running", State::Ok, "no authority is at work here");
            // Both held at once, as a start holds them.
            let _acme = check_listener(findings, "listen", config.listen).await;
            let _pki = check_listener(findings, "pki_listen", config.pki_listen).await;
            store::at_rest(findings, config, surroundings, hooks, issuers, now).await;
        }
        Ok(Locked::Held { pid }) => store::in_use(findings, config, state, pid).await,
        Err(error) => findings.add("running", State::Fail, format!("{error:#}")),
    }
}

/// Says whether it belongs to the user who asks.
fn check_state_directory(findings: &mut Findings, state: &StateDir) -> bool {
    let shown = state.path().display();
    let mode = match unix::mode_and_owner(state.path()) {
        Ok((mode, _owner)) => mode,
        Err(error) => {
            findings.add(
                "state directory",
                State::Fail,
                format!("{shown} cannot be looked at: {error}; restore it from a backup"),
            );
            return false;
        }
    };
    let ours = state.check_owner();
    if mode & 0o077 != 0 {
        let detail = format!("{shown} has mode {mode:04o}; run: chmod 700 {shown}");
        findings.add("state directory", State::Fail, detail);
    } else if let Err(error) = &ours {
        findings.add("state directory", State::Fail, format!("{error:#}"));
    } else {
        findings.add("state directory", State::Ok, shown.to_string());
    }
    ours.is_ok()
}

async fn check_issuers(
    findings: &mut Findings,
    config: &Config,
    surroundings: &Surroundings,
    hooks: Hooks,
    now: Timestamp,
) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    for (name, files) in &config.issuers {
        let check = format!("issuer {name}");
        // Also of an issuer that cannot sign now: its table is there.
        if let Ok(certificate) = compose::issuer_certificate(files) {
            ids.insert(certificate_id(&certificate));
        }
        let issuer = compose::issuer(name, files, surroundings, hooks);
        let Some(issuer) = findings.take(&check, issuer, |issuer| issuer.certificate().subject_text()) else {
            continue;
        };
        for certificate in issuer.chain().certificates() {
            let subject = certificate.subject_text();
            let mend = "certificates end with it: get a new one and name it in [authority.issuers]";
            findings.expiry(&format!("{check}: {subject}"), certificate.not_after(), now, mend);
            if now < certificate.not_before() {
                let detail = format!("begins only at {}; set the clock", certificate.not_before());
                findings.add(format!("{check}: {subject}"), State::Fail, detail);
            }
        }
        for certificate in issuer.alternates().iter().flat_map(CertificateChain::certificates) {
            let subject = certificate.subject_text();
            let mend = "clients that chose this chain fail with it: take it out of alternate_chains, or name a new one";
            findings.expiry(&format!("{check}: alternate: {subject}"), certificate.not_after(), now, mend);
        }
        let host = config.external_url.host();
        if !issuer.permits(host) {
            let detail = format!("its name constraints leave out {host}, the host of external_url");
            findings.add(format!("{check}: names"), State::Fail, detail);
        }
        // Certificates of these profiles would end with the issuer, not when their profile says.
        for (profile, rule) in &config.profiles {
            let ends_first = now + rule.lifetime > issuer.certificate().not_after();
            if ends_first && (rule.ecdsa == *name || rule.rsa == *name) {
                let detail = format!("certificates of profile {profile} are cut short by the end of {name}");
                findings.add(format!("profile {profile}"), State::Warn, detail);
            }
        }
        let signed = throwaway(&issuer, now).await;
        findings.take(&format!("{check}: signing"), signed, |()| "signed a throwaway".to_owned());
    }
    ids
}

/// Signs something that is never published: a CRL of a moment, which is verified as it is made.
async fn throwaway(issuer: &Issuer, now: Timestamp) -> anyhow::Result<()> {
    let this_update = now.whole_seconds();
    issuer.crl(0, this_update, this_update + Duration::from_secs(1), &[], None).await?;
    Ok(())
}

fn check_root(findings: &mut Findings, config: &Config, state: &StateDir, now: Timestamp) {
    let root = compose::root(config);
    let Some(root) = findings.take("root", root, |root| root.subject_text()) else { return };
    for (name, files) in &config.issuers {
        let chains = compose::chains(files);
        if !chains.is_empty() && !chains.iter().any(|chain| compose::leads_to(chain, &root)) {
            let detail = "its chain does not lead to root.pem: clients of its profiles need another root";
            findings.add(format!("issuer {name}: root"), State::Warn, detail);
        }
    }
    findings.expiry("root: validity", root.not_after(), now, "every client has to be given a new root before");
    match compose::root_crl(config) {
        Ok(None) => {
            let url = crl_url(config.pki_url.as_str(), &certificate_id(&root), 0);
            let chains: Vec<_> = config.issuers.values().flat_map(compose::chains).collect();
            let mut named = chains.iter().flat_map(CertificateChain::certificates).flat_map(Certificate::crl_urls);
            if named.any(|named| *named == url) {
                let file = config.root_crl.display();
                let detail = format!(
                    "certificates name {url}, and there is none at {file}; restore it from a backup, or sign a new one with \
                     the root's key"
                );
                findings.add("root CRL", State::Fail, detail);
            } else {
                findings.add("root CRL", State::Ok, "none here, and no certificate of a chain says that it is here");
            }
        }
        Ok(Some(der)) => match CertificateList::parse(&der) {
            Ok(crl) if crl.verify(root.public_key()).is_err() => {
                let detail = format!("{} is not signed by the root", config.root_crl.display());
                findings.add("root CRL", State::Fail, detail);
            }
            Ok(crl) => {
                findings.expiry("root CRL", crl.next_update(), now, "sign a new one with the root's key");
            }
            Err(error) => {
                findings.add("root CRL", State::Fail, format!("{}: {error}", config.root_crl.display()));
            }
        },
        Err(error) => findings.add("root CRL", State::Fail, format!("{error:#}")),
    }
    let key = state.root_key();
    if key.exists() {
        let detail = format!("{} is still here; move it offline, the authority never opens it", key.display());
        findings.add("root key", State::Warn, detail);
        check_private(findings, "root key: mode", &key);
    }
}

/// Who may write the settings, or put others in their place, says what may be validated, and who signs.
fn check_settings_file(findings: &mut Findings, config: &Config) {
    /// In a directory with this bit only the owner of a file may put another in its place.
    const STICKY: u32 = 0o1000;
    for path in [config.directory.join(FILE), config.directory.clone()] {
        let Ok((mode, owner)) = unix::mode_and_owner(&path) else { continue };
        let shown = path.display();
        if mode & 0o022 != 0 && mode & STICKY == 0 {
            let detail = format!("{shown} can be written by others (mode {mode:04o}); run: chmod go-w {shown}");
            findings.add("settings: mode", State::Fail, detail);
        }
        if owner != 0 && owner != unix::own_user() {
            let detail =
                format!("{shown} belongs to user {owner}, who can change the settings; run: chown root {shown}");
            findings.add("settings: owner", State::Fail, detail);
        }
    }
}

/// A file that nobody else may read, if it is there.
fn check_private(findings: &mut Findings, check: &str, path: &Path) {
    if let Ok((mode, _)) = unix::mode_and_owner(path)
        && mode & 0o077 != 0
    {
        let shown = path.display();
        findings.add(check, State::Fail, format!("{shown} has mode {mode:04o}; run: chmod 600 {shown}"));
    }
}

async fn check_resolver(findings: &mut Findings, config: &Config) {
    match Validators::new(config.validation.clone()) {
        Ok(validators) => match validators.probe_resolver().await {
            Ok(()) => findings.add("resolver", State::Ok, "answers"),
            Err(error) => findings.add("resolver", State::Warn, format!("{error}; no name can be validated")),
        },
        Err(error) => findings.add("validation", State::Fail, format!("{:#}", anyhow::Error::from(error))),
    }
}

/// As a start from here would have them.
fn check_descriptors(findings: &mut Findings) {
    let (descriptors, wanted) = (unix::raise_descriptors(), descriptors_wanted());
    if descriptors < wanted {
        let detail = format!(
            "{descriptors} are room for {} connections to each listener; set LimitNOFILE={wanted} in the unit, or ulimit -n",
            limits::connections(descriptors)
        );
        findings.add("file descriptors", State::Warn, detail);
    } else {
        findings.add("file descriptors", State::Ok, format!("{descriptors}"));
    }
}

async fn check_listener(
    findings: &mut Findings,
    setting: &str,
    address: std::net::SocketAddr,
) -> Option<tokio::net::TcpListener> {
    let bound = listen(setting, address).await;
    findings.take(setting, bound, |_| format!("{address} is free"))
}
