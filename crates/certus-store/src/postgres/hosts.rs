//! The hosts of a database: the first that can be reached and takes writes is used.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use certus_ca::ports::StoreError;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use tokio_postgres::NoTls;
use tokio_postgres_rustls::MakeRustlsConnect;
use tokio_util::task::TaskTracker;

use super::config::PostgresConfig;
use super::connection::Connection;
use crate::password::PassfileError;

/// How a session of the store is set up, whatever the server's defaults are. A commit waits for the disk (a stronger
/// setting of the server stays); nothing of ours waits or lingers for minutes. Statements read a few rows each: where the
/// planner takes that for many, since it has no statistics yet, compiling one takes 140 ms of the server, each time.
const SESSION: &str = "
    SELECT set_config('synchronous_commit', 'on', false)
        WHERE current_setting('synchronous_commit') IN ('off', 'local');
    SET jit = off;
    SET default_transaction_isolation = 'read committed';
    SET lock_timeout = '10s';
    SET statement_timeout = '60s';
    SET idle_in_transaction_session_timeout = '60s';";

/// Where the database may be.
#[derive(Debug)]
pub(super) struct Hosts {
    config: PostgresConfig,
    tls: Option<MakeTls>,
    tasks: TaskTracker,
    /// The host that was reached last: it is tried first.
    last: AtomicUsize,
}

#[derive(Clone)]
struct MakeTls(MakeRustlsConnect);

impl std::fmt::Debug for MakeTls {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("MakeTls")
    }
}

/// Why no host was reached: what each said last.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unreachable {
    #[error(transparent)]
    Passfile(#[from] PassfileError),
    #[error(transparent)]
    Server(#[from] tokio_postgres::Error),
    #[error("the URL names no host")]
    NoHost,
}

impl Hosts {
    pub(super) fn new(config: &PostgresConfig, tasks: TaskTracker) -> Result<Self, StoreError> {
        let tls = match &config.root {
            Some(path) => {
                let bad = |detail: &dyn std::fmt::Display| StoreError::Unavailable {
                    detail: format!("sslrootcert {} cannot be used: {detail}", path.display()),
                    source: None,
                };
                let mut roots = RootCertStore::empty();
                for certificate in CertificateDer::pem_file_iter(path).map_err(|error| bad(&error))? {
                    roots.add(certificate.map_err(|error| bad(&error))?).map_err(|error| bad(&error))?;
                }
                if roots.is_empty() {
                    return Err(bad(&"there is no certificate in it"));
                }
                let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
                let client = ClientConfig::builder_with_provider(provider)
                    .with_safe_default_protocol_versions()
                    .map_err(|error| bad(&error))?
                    .with_root_certificates(roots)
                    .with_no_client_auth();
                Some(MakeTls(MakeRustlsConnect::new(client)))
            }
            None => None,
        };
        Ok(Self { config: config.clone(), tls, tasks, last: AtomicUsize::new(0) })
    }

    /// A connection to the first host that answers and takes writes.
    pub(super) async fn connect(&self) -> Result<Connection, Unreachable> {
        let logins = self.config.logins()?;
        let first = self.last.load(Ordering::Relaxed);
        let mut failure = Unreachable::NoHost;
        for (index, login) in logins.iter().enumerate().cycle().skip(first).take(logins.len()) {
            match self.connect_to(login).await {
                Ok(connection) => {
                    self.last.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(error) => {
                    tracing::debug!(host = index, error = &error as &dyn std::error::Error, "a host was not reached");
                    failure = error.into();
                }
            }
        }
        Err(failure)
    }

    async fn connect_to(&self, login: &tokio_postgres::Config) -> Result<Connection, tokio_postgres::Error> {
        let client = match &self.tls {
            Some(MakeTls(tls)) => {
                let (client, driver) = login.connect(tls.clone()).await?;
                self.tasks.spawn(drive(driver));
                client
            }
            None => {
                let (client, driver) = login.connect(NoTls).await?;
                self.tasks.spawn(drive(driver));
                client
            }
        };
        client.batch_execute(SESSION).await?;
        Ok(Connection::new(client))
    }
}

/// Moves a connection's bytes until it ends. What broke it, those who wait for answers are told.
async fn drive(driver: impl Future<Output = Result<(), tokio_postgres::Error>>) {
    if let Err(error) = driver.await {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection to PostgreSQL ended");
    }
}
