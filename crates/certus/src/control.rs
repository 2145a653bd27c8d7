//! The control socket: how commands ask a running authority. One line of JSON there, one line back.
//!
//! Whoever runs the authority may ask, and root. Nothing here opens the store beside it.

mod revoking;
pub(crate) mod words;

use std::io;
use std::time::Duration;

use anyhow::{Context, bail};
use certus_ca::Ca;
use certus_ca::limits::MAX_CLOCK_BEHIND;
use certus_pki::Timestamp;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::authority_tls::AuthorityTls;
use crate::eab;
use crate::exit::{Exit, ending};
use crate::rate_limits;
use crate::renewals;
use crate::state_dir::{Locked, StateDir, holder};
use crate::status::{Certificates, CrlStatus, IssuerStatus, ProfileStatus, Status, StoreStatus};
use crate::unix::{self, SocketListener, SocketStream};

/// The longest request: a command with two hundred names in it.
const MAX_REQUEST: u64 = 64 * 1024;
/// The longest answer: a page of a thousand certificates of a hundred names each.
const MAX_ANSWER: u64 = 64 * 1024 * 1024;
/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(30);
/// The most certificates on a page.
pub(crate) const MAX_PAGE: u32 = 1000;

/// What may be asked.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(crate) enum Request {
    /// How the authority stands.
    Status,
    /// What it has issued.
    Certificates {
        /// Only those with a name at or beneath this one.
        names: Option<String>,
        /// Only those after this one.
        after: Option<i64>,
        /// How many at most.
        limit: u32,
    },
    /// Revokes a certificate, named in one of two ways.
    Revoke {
        /// SHA-256 of its DER, hexadecimal.
        sha256: Option<String>,
        /// Its serial, hexadecimal.
        serial: Option<String>,
        /// The number of `CRLReason`.
        reason: Option<u8>,
    },
    /// Blocks a key.
    BlockKey {
        /// SHA-256 of its subjectPublicKeyInfo, hexadecimal.
        spki_sha256: String,
    },
    /// Revokes an account.
    RevokeAccount {
        /// Its URL, or the last part of it.
        account: String,
    },
    /// Keys of external account binding.
    Eab(eab::Ask),
    /// Rules that move times to renew.
    Renewals(renewals::Ask),
    /// Limits.
    Limits(rate_limits::Ask),
}

/// What is answered. Not printed: it may hold a secret.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Answer<T> {
    Ok(T),
    Error(String),
}

/// What the socket can tell beside what the authority knows itself.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) ca: Ca,
    pub(crate) tls: AuthorityTls,
    pub(crate) started: Timestamp,
    pub(crate) external_url: String,
    pub(crate) directory_url: String,
    pub(crate) listen: String,
    pub(crate) pki_listen: String,
    pub(crate) store: String,
}

/// Answers on the socket until `soft` is cancelled.
pub(crate) async fn serve(listener: SocketListener, told: Told, soft: CancellationToken, hard: CancellationToken) {
    let connections = TaskTracker::new();
    loop {
        let stream = tokio::select! {
            () = soft.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::warn!(%error, "a connection to the control socket could not be accepted");
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                }
            },
        };
        let (told, hard) = (told.clone(), hard.clone());
        connections.spawn(async move {
            let answered = tokio::select! {
                () = hard.cancelled() => return,
                answered = tokio::time::timeout(PATIENCE, answer(stream, &told)) => answered,
            };
            match answered {
                Ok(Ok(())) => {}
                Ok(Err(error)) => tracing::debug!(%error, "a request on the control socket was not answered"),
                Err(error) => tracing::debug!(%error, "a request on the control socket took too long"),
            }
        });
    }
    connections.close();
    connections.wait().await;
}

/// Whether a user may ask an authority that runs as `own`: root and that user alone, whatever the modes of files let in.
fn may_ask(user: u32, own: u32) -> bool {
    user == 0 || user == own
}

async fn answer(stream: SocketStream, told: &Told) -> io::Result<()> {
    let user = unix::peer_user(&stream)?;
    let (read, mut write) = stream.into_split();
    let mut line = String::new();
    BufReader::new(read.take(MAX_REQUEST)).read_line(&mut line).await?;
    let answer = if may_ask(user, unix::own_user()) {
        match serde_json::from_str(&line) {
            Ok(request) => told.answer(user, request).await,
            Err(error) => Answer::Error(format!("the request was not understood: {error}")),
        }
    } else {
        tracing::warn!(user, "a user who may not do so asked on the control socket");
        Answer::Error("only root and the user the authority runs as may ask it".to_owned())
    };
    let mut line = serde_json::to_vec(&answer)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    write.shutdown().await
}

impl Told {
    async fn answer(&self, user: u32, request: Request) -> Answer<serde_json::Value> {
        let answered = match request {
            Request::Status => self.status().await.map(serde_json::to_value),
            Request::Certificates { names, after, limit } => {
                let page = self.ca.store().certificates(names.as_deref(), after, limit.clamp(1, MAX_PAGE)).await;
                page.map(Certificates::from).map(serde_json::to_value).map_err(anyhow::Error::from)
            }
            Request::Revoke { sha256, serial, reason } => {
                revoking::revoke(&self.ca, user, sha256, serial, reason).await.map(serde_json::to_value)
            }
            Request::BlockKey { spki_sha256 } => {
                revoking::block(&self.ca, user, &spki_sha256).await.map(serde_json::to_value)
            }
            Request::RevokeAccount { account } => {
                revoking::revoke_account(&self.ca, user, &account).await.map(serde_json::to_value)
            }
            Request::Renewals(ask) => renewals::answer(&self.ca, user, ask).await.map(Ok),
            Request::Limits(ask) => rate_limits::answer(&self.ca, user, ask).await.map(Ok),
            Request::Eab(ask) => eab::answer(&self.ca, user, &self.directory_url, ask).await.map(Ok),
        };
        match answered {
            Ok(Ok(value)) => Answer::Ok(value),
            Ok(Err(error)) => Answer::Error(error.to_string()),
            Err(error) => Answer::Error(format!("{error:#}")),
        }
    }

    async fn status(&self) -> anyhow::Result<Status> {
        let (ca, now) = (&self.ca, self.ca.now());
        let issuers = ca.issuers();
        let known: Vec<IssuerStatus> = issuers
            .configured
            .iter()
            .map(|issuer| IssuerStatus {
                id: issuer.id().to_owned(),
                subject: issuer.certificate().subject_text(),
                not_after: issuer.certificate().not_after().rfc3339(),
            })
            .collect();
        let profile = |(name, rule): (&String, &certus_ca::issuers::ProfileRule)| ProfileStatus {
            name: name.clone(),
            description: rule.description.clone(),
            lifetime_seconds: rule.profile.lifetime.as_secs(),
            default: *name == issuers.default_profile,
        };
        let store = self.store_status(now).await;
        let mut crls = Vec::new();
        // A store that is away is told as such; what else is known is told all the same.
        if store.ok {
            for issuer in &known {
                for shard in ca.store().crl_shards(&issuer.id).await? {
                    let Some(crl) = ca.store().crl(&issuer.id, shard).await? else { continue };
                    crls.push(CrlStatus {
                        issuer: issuer.id.clone(),
                        shard,
                        number: crl.number,
                        this_update: crl.this_update.rfc3339(),
                        next_update: crl.next_update.rfc3339(),
                    });
                }
            }
        }
        Ok(Status {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started: self.started.rfc3339(),
            uptime_seconds: now.duration_since(self.started).as_secs(),
            external_url: self.external_url.clone(),
            directory_url: self.directory_url.clone(),
            pki_url: issuers.pki_url.clone(),
            listen: self.listen.clone(),
            pki_listen: self.pki_listen.clone(),
            store,
            tls_certificate_not_after: self.tls.not_after().rfc3339(),
            profiles: issuers.profiles.iter().map(profile).collect(),
            issuers: known,
            crls,
        })
    }

    async fn store_status(&self, now: Timestamp) -> StoreStatus {
        let store = self.ca.store();
        let newest = match store.check().await {
            Ok(()) => store.newest_time().await,
            Err(error) => Err(error),
        };
        let url = self.store.clone();
        match newest {
            Ok(newest) => StoreStatus {
                url,
                ok: true,
                problem: None,
                newest_entry: newest.map(Timestamp::rfc3339),
                clock_behind: newest.is_some_and(|newest| newest.duration_since(now) > MAX_CLOCK_BEHIND),
            },
            Err(error) => StoreStatus {
                url,
                ok: false,
                problem: Some(error.to_string()),
                newest_entry: None,
                clock_behind: false,
            },
        }
    }
}

/// Asks the running authority.
///
/// # Errors
///
/// [`Exit::NotRunning`] when there is none, and what it answers.
pub(crate) async fn ask<T: DeserializeOwned>(state: &StateDir, request: &Request) -> anyhow::Result<T> {
    let stream = match unix::connect_to_socket(&state.socket()).await {
        Ok(stream) => stream,
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused) => {
            return Err(match state.try_lock()? {
                Locked::Taken(_) => ending(
                    Exit::NotRunning,
                    format!(
                        "no authority is running in {}; start it with: certus ca serve --dir {authority} (a laboratory: \
                         certus up --dir {authority})",
                        state.path().display(),
                        authority = state.authority().display()
                    ),
                ),
                Locked::Held { pid } => ending(
                    Exit::NotRunning,
                    format!("the process at work on {} ({}) does not answer yet", state.path().display(), holder(pid)),
                ),
            });
        }
        Err(error) => {
            let mend = "ask as the user it runs as, or as root";
            return Err(error).with_context(|| format!("{} cannot be asked; {mend}", state.socket().display()));
        }
    };
    let line = tokio::time::timeout(PATIENCE, exchange(stream, request)).await;
    let line = line.context("the authority does not answer")?.context("the authority did not answer")?;
    match serde_json::from_str(&line).context("the authority's answer was not understood; is it another version?")? {
        Answer::Ok(value) => Ok(value),
        Answer::Error(error) => bail!(error),
    }
}

async fn exchange(stream: SocketStream, request: &Request) -> io::Result<String> {
    let (read, mut write) = stream.into_split();
    let mut line = serde_json::to_vec(request)?;
    line.push(b'\n');
    write.write_all(&line).await?;
    let mut answer = String::new();
    read.take(MAX_ANSWER).read_to_string(&mut answer).await?;
    if answer.ends_with('\n') { Ok(answer) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn root_and_the_authoritys_own_user_may_ask() {
        for (user, own, expected) in
            [(0, 0, true), (0, 998, true), (998, 998, true), (998, 0, false), (997, 998, false), (u32::MAX, 0, false)]
        {
            assert_eq!(may_ask(user, own), expected, "{user} asks an authority of {own}");
        }
    }
}
