//! `certus ca serve`, and the serving that `certus up` shares with it.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::path::Path;

use anyhow::Context;
use certus_ca::keep;
use certus_http::{limits, serve_acme, serve_pki};
use certus_pki::SubjectName;
use serde::Serialize;
use tokio::net::TcpListener;

use super::absolute;
use crate::authority_tls::AuthorityTls;
use crate::cli::AtArgs;
use crate::compose::{self, Authority, Hooks, Surroundings};
use crate::config::Config;
use crate::control::{self, Told};
use crate::exit::Exit;
use crate::lifecycle::Tasks;
use crate::state_dir::{Lock, StateDir};
use crate::unix::{self, Endings, SocketListener};
use crate::{output, telemetry};

pub(super) async fn run(args: &AtArgs, surroundings: &Surroundings, hooks: Hooks) -> anyhow::Result<Exit> {
    #[derive(Serialize)]
    struct Serving<'a> {
        directory_url: &'a str,
        pid: u32,
    }
    let config = Config::load(&absolute(&args.dir)?)?;
    telemetry::start(&config.log)?;
    let lock = StateDir::of(&config.directory).lock()?;
    let listeners = Listeners::bind(config.listen, config.pki_listen).await?;
    let json = args.json;
    serve(&config, surroundings, hooks, listeners, &[], lock, |ready| {
        if json {
            output::json("ca.serve", &Serving { directory_url: ready.directory_url, pid: std::process::id() })?;
        }
        Ok(())
    })
    .await
}

/// The two listeners, bound.
#[derive(Debug)]
pub(super) struct Listeners {
    pub(super) acme: TcpListener,
    pub(super) pki: TcpListener,
}

impl Listeners {
    /// Binds both.
    pub(super) async fn bind(acme: SocketAddr, pki: SocketAddr) -> anyhow::Result<Self> {
        Ok(Self { acme: listen("listen", acme).await?, pki: listen("pki_listen", pki).await? })
    }
}

/// Binds one; says which setting, and what to do.
pub(super) async fn listen(setting: &str, address: SocketAddr) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        let mend = if error.kind() == ErrorKind::PermissionDenied {
            "ports below 1024 need root, or CAP_NET_BIND_SERVICE"
        } else if error.kind() == ErrorKind::AddrNotAvailable {
            &format!("this machine has no such address; change {setting}")
        } else {
            &format!("stop what listens there, or change {setting}")
        };
        anyhow::Error::new(error).context(format!("{setting} = {address} cannot be listened on; {mend}"))
    })
}

/// What is known once requests are answered.
#[derive(Debug)]
pub(super) struct Ready<'a> {
    pub(super) directory_url: &'a str,
}

/// Runs an authority until it is told to end; `ready` is called once both listeners answer.
pub(super) async fn serve(
    config: &Config,
    surroundings: &Surroundings,
    hooks: Hooks,
    listeners: Listeners,
    more_names: &[SubjectName],
    lock: Lock,
    ready: impl FnOnce(&Ready<'_>) -> anyhow::Result<()>,
) -> anyhow::Result<Exit> {
    let mut signals = Endings::new().context("signals cannot be listened for")?;
    let (listen, pki_listen) = (listeners.acme.local_addr()?, listeners.pki.local_addr()?);
    let mut config = config.clone();
    config.validation.own_listeners = vec![listen, pki_listen];
    let started = tokio::select! {
        started = start(&config, surroundings, hooks, more_names) => started?,
        signal = signals.next() => {
            tracing::info!(signal, "ending before the authority was started");
            return Ok(Exit::Done);
        }
    };
    let (Authority { ca, urls, site, started }, tls) = started;
    let state = StateDir::of(&config.directory);
    let socket = control_socket(&state.socket())?;
    let directory_url = urls.directory();
    let told = Told {
        ca: ca.clone(),
        tls: tls.clone(),
        started,
        external_url: config.external_url.as_str().to_owned(),
        directory_url: directory_url.clone(),
        listen: listen.to_string(),
        pki_listen: pki_listen.to_string(),
        store: config.store.url.clone(),
    };
    let mut tasks = Tasks::new();
    let (soft, hard) = (tasks.soft.clone(), tasks.hard.clone());
    let connections = connections();
    let acme = serve_acme(listeners.acme, connections, tls.config(), ca.clone(), urls, soft.clone(), hard.clone());
    tasks.spawn("acme", acme);
    tasks.spawn("publications", serve_pki(listeners.pki, connections, site, soft.clone(), hard.clone()));
    tasks.spawn("control", control::serve(socket, told, soft.clone(), hard.clone()));
    tasks.spawn("own certificate", tls.run(soft.clone()));
    let duties = ca.clone();
    tasks.spawn("duties", async move { duties.run(soft, hard).await });
    tracing::info!(
        directory_url,
        %listen,
        %pki_listen,
        store = config.store.url,
        version = env!("CARGO_PKG_VERSION"),
        "the authority answers"
    );
    let exit = match ready(&Ready { directory_url: &directory_url }) {
        Ok(()) => tasks.run(&mut signals).await,
        Err(error) => {
            tasks.soft.cancel();
            tasks.hard.cancel();
            return Err(error);
        }
    };
    // Only now is no request taken any more.
    ca.retire().await;
    drop(std::fs::remove_file(state.socket()));
    drop(lock);
    tracing::info!("ended");
    Ok(exit)
}

/// How many connections each listener may have.
fn connections() -> usize {
    let descriptors = unix::raise_descriptors();
    let connections = limits::connections(descriptors);
    if connections < limits::MAX_CONNECTIONS {
        let wanted = descriptors_wanted();
        tracing::warn!(descriptors, connections, "few file descriptors, so few connections; set LimitNOFILE={wanted}");
    }
    connections
}

/// File descriptors that are enough for every connection there may be.
pub(super) const fn descriptors_wanted() -> u64 {
    limits::RESERVED_DESCRIPTORS + 2 * limits::MAX_CONNECTIONS as u64
}

/// Everything that must have worked before a request is answered.
async fn start(
    config: &Config,
    surroundings: &Surroundings,
    hooks: Hooks,
    more_names: &[SubjectName],
) -> anyhow::Result<(Authority, AuthorityTls)> {
    let authority = compose::authority(config, surroundings, hooks).await?;
    // What the first certificate names is there before it is issued.
    keep::publish_crls(&authority.ca).await.context("the CRLs are not published")?;
    let names = compose::own_names(config, more_names);
    let tls = AuthorityTls::new(authority.ca.clone(), names).await?;
    Ok((authority, tls))
}

fn control_socket(path: &Path) -> anyhow::Result<SocketListener> {
    unix::listen_on_socket(path).with_context(|| format!("{} cannot be listened on", path.display()))
}
