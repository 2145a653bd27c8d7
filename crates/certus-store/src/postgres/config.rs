//! The URL of a PostgreSQL database, with the two words on TLS that matter and none of the others.

use std::net::IpAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio_postgres::config::{Host, SslMode, TargetSessionAttrs};

use crate::config::StoreUrlError;
use crate::password::{self, Login, PassfileError, Password};

/// How long a host may take to answer before the next one is tried.
const CONNECT: Duration = Duration::from_secs(5);
/// How long a packet may go unanswered before the connection counts as lost.
const SILENCE: Duration = Duration::from_secs(15);
/// PostgreSQL's port.
const PORT: u16 = 5432;

/// Which database, on which hosts, and how to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresConfig {
    /// What the operator wrote. There is no password in it.
    pub(crate) text: String,
    /// What of it the driver reads: without the words on TLS, which are below.
    settings: Box<tokio_postgres::Config>,
    /// The root that the server's certificate is verified against; `None` is no TLS.
    pub(super) root: Option<PathBuf>,
    password: Option<Password>,
    passfile: Option<PathBuf>,
}

impl PostgresConfig {
    pub(crate) fn parse(text: &str) -> Result<Self, StoreUrlError> {
        let (base, query) = text.split_once('?').unwrap_or((text, ""));
        let (mut mode, mut root, mut hosts, mut others) = (None, None, Vec::new(), Vec::new());
        for (pair, (name, value)) in
            query.split('&').filter(|pair| !pair.is_empty()).zip(url::form_urlencoded::parse(query.as_bytes()))
        {
            match name.as_ref() {
                "sslmode" => mode = Some(value.into_owned()),
                "sslrootcert" => root = Some(PathBuf::from(value.as_ref())),
                // The driver takes several sockets for one.
                "host" => hosts.extend(value.split(',').map(str::to_owned)),
                "password" => return Err(StoreUrlError::Password),
                _ => others.push(pair),
            }
        }
        let rest = format!("{base}?{}", others.join("&"));
        // The driver's own words could repeat what stands in the text, so only their kind is told.
        let mut settings: tokio_postgres::Config =
            rest.parse().map_err(|error: tokio_postgres::Error| StoreUrlError::Postgres(cause(&error)))?;
        for host in hosts {
            settings.host(host);
        }
        if settings.get_password().is_some() {
            return Err(StoreUrlError::Password);
        }
        if settings.get_hosts().is_empty() {
            return Err(StoreUrlError::NoHost);
        }
        let root = match mode.as_deref() {
            Some("disable") => None,
            Some("verify-full") => Some(root.ok_or(StoreUrlError::NoRoot)?),
            Some(other) => return Err(StoreUrlError::SslMode(other.to_owned())),
            None => match settings.get_hosts().iter().find_map(elsewhere) {
                Some(host) => return Err(StoreUrlError::SslUnsaid(host)),
                None => None,
            },
        };
        Ok(Self { text: text.to_owned(), settings: Box::new(settings), root, password: None, passfile: None })
    }

    pub(crate) fn with_password(self, password: Password) -> Self {
        Self { password: Some(password), ..self }
    }

    pub(crate) fn with_passfile(self, path: PathBuf) -> Self {
        Self { passfile: Some(path), ..self }
    }

    /// One set of settings a host, in the order they were written, with passwords as they are now.
    pub(super) fn logins(&self) -> Result<Vec<tokio_postgres::Config>, PassfileError> {
        let hosts = self.settings.get_hosts().iter().enumerate();
        hosts.map(|(index, host)| self.login(index, host)).collect()
    }

    fn login(&self, index: usize, host: &Host) -> Result<tokio_postgres::Config, PassfileError> {
        let ports = self.settings.get_ports();
        let port = ports.get(index).or_else(|| ports.first()).copied().unwrap_or(PORT);
        let mut login = tokio_postgres::Config::new();
        let name = match host {
            Host::Tcp(name) => {
                login.host(name);
                name.clone()
            }
            Host::Unix(path) => {
                login.host_path(path);
                path.display().to_string()
            }
        };
        let tls = self.root.is_some() && matches!(host, Host::Tcp(_));
        login
            .port(port)
            .connect_timeout(CONNECT)
            .tcp_user_timeout(SILENCE)
            .keepalives_idle(SILENCE)
            .application_name(self.settings.get_application_name().unwrap_or("certus"))
            .ssl_mode(if tls { SslMode::Require } else { SslMode::Disable })
            .target_session_attrs(TargetSessionAttrs::ReadWrite);
        let user = self.settings.get_user();
        if let Some(user) = user {
            login.user(user);
        }
        let database = self.settings.get_dbname().or(user);
        if let Some(database) = database {
            login.dbname(database);
        }
        if let Some(options) = self.settings.get_options() {
            login.options(options);
        }
        let password = match (&self.password, &self.passfile) {
            (Some(password), _) => Some(password.clone()),
            (None, Some(path)) => {
                let (database, user) = (database.unwrap_or_default(), user.unwrap_or_default());
                password::from_passfile(path, Login { host: &name, port, database, user })?
            }
            (None, None) => None,
        };
        if let Some(password) = password {
            login.password(password.as_str());
        }
        Ok(login)
    }
}

/// The name of a host that is not this machine.
fn elsewhere(host: &Host) -> Option<String> {
    match host {
        Host::Unix(_) => None,
        Host::Tcp(name) if name == "localhost" => None,
        Host::Tcp(name) => match name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>() {
            Ok(address) if address.is_loopback() => None,
            Ok(_) | Err(_) => Some(name.clone()),
        },
    }
}

/// The last cause of a driver's error: what it could not read.
fn cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), cause)
}
