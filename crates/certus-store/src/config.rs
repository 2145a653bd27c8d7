//! Where a store is: the text an operator writes, parsed once.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::password::Password;
use crate::postgres::PostgresConfig;
use crate::sqlite::SqliteConfig;

/// Where a store is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// In a file of this machine.
    Sqlite(SqliteConfig),
    /// In a database of a server, or of one of several that follow each other.
    Postgres(PostgresConfig),
}

impl StoreUrl {
    /// Reads what [`FromStr`] reads, and `sqlite` alone: the file `default_sqlite`.
    ///
    /// # Errors
    ///
    /// [`StoreUrlError`] says what is wrong with the text, and never repeats a password that stands in it.
    pub fn parse(text: &str, default_sqlite: &Path) -> Result<Self, StoreUrlError> {
        if text == "sqlite" { Ok(Self::Sqlite(SqliteConfig::at(default_sqlite))) } else { text.parse() }
    }

    /// The same with the password of the database user. A file needs none.
    #[must_use]
    pub fn with_password(self, password: Password) -> Self {
        match self {
            Self::Sqlite(config) => Self::Sqlite(config),
            Self::Postgres(config) => Self::Postgres(config.with_password(password)),
        }
    }

    /// The same with a passfile in which a password is looked up at every connection, unless one was given.
    #[must_use]
    pub fn with_passfile(self, path: impl Into<PathBuf>) -> Self {
        match self {
            Self::Sqlite(config) => Self::Sqlite(config),
            Self::Postgres(config) => Self::Postgres(config.with_passfile(path.into())),
        }
    }
}

impl FromStr for StoreUrl {
    type Err = StoreUrlError;

    /// Reads `sqlite:PATH` or `postgres://USER@HOST[:PORT][,HOST2…]/DATABASE[?sslmode=…&sslrootcert=…]`.
    fn from_str(text: &str) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            if path.is_empty() {
                return Err(StoreUrlError::NoPath);
            }
            return Ok(Self::Sqlite(SqliteConfig::at(PathBuf::from(path))));
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return PostgresConfig::parse(text).map(Self::Postgres);
        }
        Err(StoreUrlError::Scheme)
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(config) => write!(f, "sqlite:{}", config.path.display()),
            Self::Postgres(config) => f.write_str(&config.text),
        }
    }
}

/// Why a text says of no store where it is.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// Neither kind of store.
    #[error("a store is sqlite:PATH or postgres://USER@HOST/DATABASE")]
    Scheme,
    /// `sqlite:` alone.
    #[error("\"sqlite:\" is followed by the path of the file")]
    NoPath,
    /// A password stands in the text.
    #[error(
        "a password does not belong in the store's URL, where others can read it; put it into a passfile: \
             passfile in [store], --store-passfile of certus up, or PGPASSFILE"
    )]
    Password,
    /// No such URL.
    #[error("the store's URL cannot be read: {0}")]
    Postgres(String),
    /// No host.
    #[error("the store's URL names no host; give one, or host=DIRECTORY for a socket")]
    NoHost,
    /// A way of TLS that is not offered.
    #[error("sslmode={0} would not keep a stranger out; say sslmode=verify-full, or sslmode=disable")]
    SslMode(String),
    /// Another machine, and not a word on TLS.
    #[error(
        "{0} is another machine: say sslmode=verify-full and sslrootcert=FILE, or sslmode=disable if the network is safe"
    )]
    SslUnsaid(String),
    /// TLS without a root.
    #[error("sslmode=verify-full needs sslrootcert=FILE, the root that the server's certificate is checked against")]
    NoRoot,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> Result<StoreUrlError, String> {
        text.parse::<StoreUrl>().map_or_else(Ok, |url| Err(format!("{url:?}")))
    }

    #[test]
    fn both_kinds_of_store_are_read_and_shown() -> Result<(), StoreUrlError> {
        let default = Path::new("/state/store.sqlite");
        assert_eq!(StoreUrl::parse("sqlite", default)?, StoreUrl::Sqlite(SqliteConfig::at(default)));
        for text in [
            "sqlite:/var/lib/certus/store.sqlite",
            "postgres://certus@/certus?host=/run/postgresql",
            "postgres://certus@/certus?host=/run/one,/run/two&port=5432,5433",
            "postgresql://certus@localhost/certus",
            "postgres://certus@127.0.0.1:5433,[::1]:5434/certus",
            "postgres://certus@db1.example:5432,db2.example/certus?sslmode=verify-full&sslrootcert=/etc/root.pem",
            "postgres://certus@db.example/certus?sslmode=disable",
        ] {
            let url = StoreUrl::parse(text, default)?;
            assert_eq!(url.to_string(), text);
            let url = url.with_password(Password::new("hunter2"));
            assert!(!format!("{url:?} {url}").contains("hunter2"));
        }
        Ok(())
    }

    #[test]
    fn what_is_unsafe_or_unclear_is_refused_in_words() -> Result<(), String> {
        for (text, expected) in [
            ("", StoreUrlError::Scheme),
            ("sqlite", StoreUrlError::Scheme),
            ("mysql://a@b/c", StoreUrlError::Scheme),
            ("sqlite:", StoreUrlError::NoPath),
            ("postgres://certus:hunter2@localhost/certus", StoreUrlError::Password),
            ("postgres://certus@localhost/certus?password=hunter2", StoreUrlError::Password),
            ("postgres://certus@/certus", StoreUrlError::NoHost),
            ("postgres://certus@db.example/certus", StoreUrlError::SslUnsaid("db.example".into())),
            ("postgres://certus@localhost,db.example/certus", StoreUrlError::SslUnsaid("db.example".into())),
            ("postgres://certus@db.example/certus?sslmode=verify-full", StoreUrlError::NoRoot),
            ("postgres://certus@db.example/certus?sslmode=prefer", StoreUrlError::SslMode("prefer".into())),
            ("postgres://certus@db.example/certus?sslmode=require", StoreUrlError::SslMode("require".into())),
        ] {
            let refused = refusal(text)?;
            assert_eq!(refused, expected, "{text}");
            assert!(!refused.to_string().contains("hunter2"));
        }
        assert!(matches!(refusal("postgres://certus@localhost:port/certus")?, StoreUrlError::Postgres(_)));
        assert!(matches!(refusal("postgres://certus@localhost/certus?unknown=1")?, StoreUrlError::Postgres(_)));
        Ok(())
    }
}
