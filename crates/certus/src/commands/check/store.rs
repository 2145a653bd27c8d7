//! The store, as a start would find it or as a running authority sees it.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::Context;
use certus_ca::limits::MAX_CLOCK_BEHIND;
use certus_ca::ports::Store;
use certus_pki::{CertificateChain, Timestamp};

use super::findings::{Findings, State};
use crate::compose::{self, EXTERNAL_URL, Hooks, Surroundings};
use crate::config::Config;
use crate::control::{self, Request};
use crate::state_dir::{StateDir, holder};
use crate::status::Status;

/// Looks at a store that no authority uses; only what is there and of this version is opened.
pub(super) async fn at_rest(
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
        Ok(more) => findings.extend(more),
        Err(error) => findings.add("store", State::Fail, format!("{error:#}")),
    }
}

async fn look_into(
    store: Arc<dyn Store>,
    config: &Config,
    issuers: &BTreeSet<String>,
    now: Timestamp,
) -> anyhow::Result<Findings> {
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
    Ok(findings)
}

/// Asks the authority that uses it.
pub(super) async fn in_use(findings: &mut Findings, config: &Config, state: &StateDir, pid: Option<u32>) {
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
    if status.store.newest_entry.is_none() {
        findings.add("clock", State::Warn, "not compared: the store named no newest entry");
    } else if status.store.clock_behind {
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
