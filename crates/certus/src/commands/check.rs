//! `certus ca check`: everything a start needs, looked at one by one.
//!
//! Nothing stops at the first fault, so that one run names them all. The store is opened only under the lock; a running
//! authority is asked about it instead.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use certus_ca::limits::MAX_CLOCK_BEHIND;
use certus_ca::ports::Store;
use certus_http::limits;
use certus_pki::{CertificateChain, CertificateList, Issuer, Timestamp};
use certus_validate::Validators;
use serde::Serialize;

use super::absolute;
use super::serve::{descriptors_wanted, listen};
use crate::cli::AtArgs;
use crate::compose::{self, EXTERNAL_URL, Hooks, Surroundings};
use crate::config::Config;
use crate::control::{self, Request};
use crate::exit::Exit;
use crate::output::{self, BAD, GOOD, WARNING};
use crate::plan::certificate_id;
use crate::state_dir::{Locked, StateDir, holder};
use crate::status::Status;
use crate::unix;

/// How long before something expires this is said.
const AHEAD: Duration = Duration::from_secs(30 * 86_400);

/// What was found, one line for each thing looked at.
#[derive(Debug, Default, Serialize)]
struct Findings {
    ok: bool,
    checks: Vec<Finding>,
}

#[derive(Debug, Serialize)]
struct Finding {
    check: String,
    state: State,
    detail: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
enum State {
    Ok,
    Warn,
    Fail,
}

impl Findings {
    fn add(&mut self, check: impl Into<String>, state: State, detail: impl Into<String>) {
        self.checks.push(Finding { check: check.into(), state, detail: detail.into() });
    }

    fn take<T>(&mut self, check: &str, found: anyhow::Result<T>, well: impl FnOnce(&T) -> String) -> Option<T> {
        match found {
            Ok(value) => {
                self.add(check, State::Ok, well(&value));
                Some(value)
            }
            Err(error) => {
                self.add(check, State::Fail, format!("{error:#}"));
                None
            }
        }
    }

    /// Something that ends at `end`: past, near, or ahead.
    fn expiry(&mut self, check: &str, end: Timestamp, now: Timestamp, mend: &str) {
        if end < now {
            self.add(check, State::Fail, format!("is over since {end}; {mend}"));
        } else if end.duration_since(now) < AHEAD {
            self.add(check, State::Warn, format!("is over on {end}; {mend}"));
        } else {
            self.add(check, State::Ok, format!("until {end}"));
        }
    }
}

pub(super) async fn run(args: &AtArgs, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Exit> {
    let clock = compose::clock();
    let now = clock.now();
    let mut findings = Findings::default();
    let directory = absolute(&args.dir)?;
    let config = Config::load(&directory).map_err(anyhow::Error::from);
    if let Some(config) = findings.take("settings", config, |config| config.directory.display().to_string()) {
        let state = StateDir::of(&config.directory);
        let ours = check_state_directory(&mut findings, &state);
        let issuers = check_issuers(&mut findings, &config, surroundings, hooks, now).await;
        check_root(&mut findings, &config, &state, now);
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
            findings.add("store", State::Warn, "not looked at, since the state directory is not this user's");
        }
    }
    findings.ok = findings.checks.iter().all(|finding| finding.state != State::Fail);
    if args.json {
        output::json("ca.check", &findings)?;
    } else {
        output::text(&shown(&findings)?)?;
    }
    Ok(if findings.ok { Exit::Done } else { Exit::NotInOrder })
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
            check_store(findings, config, surroundings, hooks, issuers, now).await;
        }
        Ok(Locked::Held { pid }) => check_running(findings, config, state, pid).await,
        Err(error) => findings.add("running", State::Fail, format!("{error:#}")),
    }
}

/// Says whether it belongs to the user who asks.
fn check_state_directory(findings: &mut Findings, state: &StateDir) -> bool {
    let shown = state.path().display();
    let mode = match unix::mode_and_owner(state.path()) {
        Ok((mode, _owner)) => mode,
        Err(error) => {
            findings.add("state directory", State::Fail, format!("{shown} cannot be looked at: {error}"));
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
    findings.expiry("root: validity", root.not_after(), now, "every client has to be given a new root before");
    match compose::root_crl(config) {
        Ok(None) => findings.add(
            "root CRL",
            State::Ok,
            format!(
                "none here: right if the root is somebody else's; if it is yours, put its CRL at {}",
                config.root_crl.display()
            ),
        ),
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
    check_private(findings, "database: mode", &state.database());
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

async fn check_store(
    findings: &mut Findings,
    config: &Config,
    surroundings: &Surroundings,
    hooks: Hooks,
    issuers: &BTreeSet<String>,
    now: Timestamp,
) {
    // Looked at before it is opened: opening makes what is not there, and migrates what is old.
    let found = match compose::store_url(&config.directory, &config.store, surroundings) {
        Ok(url) => certus_store::schema(&url).await.map_err(anyhow::Error::from),
        Err(error) => Err(error),
    };
    match found {
        Err(error) => return findings.add("store", State::Fail, format!("{error:#}")),
        Ok(0) => {
            let detail = format!("{} is new: the first start makes its tables", config.store.url);
            return findings.add("store", State::Ok, detail);
        }
        Ok(found) if found < certus_store::KNOWN_SCHEMA => {
            let known = certus_store::KNOWN_SCHEMA;
            let detail = format!("has schema {found}; a start migrates it to {known}, so back it up before");
            return findings.add("store", State::Warn, detail);
        }
        // One that is newer is refused with the version needed.
        Ok(_) => {}
    }
    let opened = compose::store(config, surroundings, hooks).await;
    let Some(store) = findings.take("store", opened, |_| format!("{} is reachable and migrated", config.store.url))
    else {
        return;
    };
    let well = look_into(store, config, issuers, now).await;
    match well {
        Ok(lines) => findings.checks.extend(lines),
        Err(error) => findings.add("store", State::Fail, format!("{error:#}")),
    }
}

async fn look_into(
    store: Arc<dyn Store>,
    config: &Config,
    issuers: &BTreeSet<String>,
    now: Timestamp,
) -> anyhow::Result<Vec<Finding>> {
    let mut findings = Findings::default();
    store.check().await?;
    match store.setting(EXTERNAL_URL).await? {
        None => findings.add("external URL", State::Ok, "the store is new"),
        Some(known) if known == config.external_url.as_str() => findings.add("external URL", State::Ok, known),
        Some(known) => findings.add("external URL", State::Fail, compose::other_url(&known, &config.external_url)),
    }
    match store.newest_time().await? {
        Some(newest) if newest.duration_since(now) > MAX_CLOCK_BEHIND => {
            findings.add("clock", State::Fail, format!("is behind the store's newest entry, {newest}; set it"));
        }
        Some(_) | None => findings.add("clock", State::Ok, "not behind the store"),
    }
    for (id, pem) in store.issuers().await?.into_iter().filter(|(id, _)| !issuers.contains(id)) {
        let chain = CertificateChain::from_pem(&pem).with_context(|| format!("the issuer {id} of the store"))?;
        let Some(issuer) = chain.certificates().first().filter(|issuer| issuer.not_after() > now) else { continue };
        let detail = format!(
            "is known to the store, but has no table in [authority.issuers], so nobody signs its CRLs; put its table back \
             until {}",
            issuer.not_after()
        );
        findings.add(format!("former issuer {}", issuer.subject_text()), State::Warn, detail);
    }
    Ok(findings.checks)
}

async fn check_running(findings: &mut Findings, config: &Config, state: &StateDir, pid: Option<u32>) {
    findings.add("running", State::Ok, format!("an authority is at work here ({})", holder(pid)));
    let status: Status = match control::ask(state, &Request::Status).await {
        Ok(status) => status,
        Err(error) => {
            findings.add("store", State::Warn, format!("not looked at: {error:#}"));
            return;
        }
    };
    match status.store.problem {
        None => findings.add("store", State::Ok, status.store.url),
        Some(problem) => findings.add("store", State::Fail, problem),
    }
    if status.store.clock_behind {
        findings.add("clock", State::Fail, "is behind the store's newest entry; set it");
    } else {
        findings.add("clock", State::Ok, "not behind the store");
    }
    if status.external_url == config.external_url.as_str() {
        findings.add("external URL", State::Ok, status.external_url);
    } else {
        let detail = format!(
            "the running authority is {}, the settings say {}; see: certus ca move-url --help",
            status.external_url, config.external_url
        );
        findings.add("external URL", State::Warn, detail);
    }
}

fn shown(findings: &Findings) -> Result<String, std::fmt::Error> {
    let mut text = String::new();
    for Finding { check, state, detail } in &findings.checks {
        let (style, word) = match state {
            State::Ok => (GOOD, "ok  "),
            State::Warn => (WARNING, "warn"),
            State::Fail => (BAD, "FAIL"),
        };
        writeln!(text, "{style}{word}{style:#}  {check}: {detail}")?;
    }
    writeln!(text, "{}", if findings.ok { "\nIn order." } else { "\nNot in order." })?;
    Ok(text)
}
