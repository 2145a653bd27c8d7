//! Where the authority under measurement keeps its records.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use certus_testkit::postgres::PostgresServer;

/// The name of the database on the server.
const DATABASE: &str = "bench";

/// A database of one run.
#[derive(Debug)]
pub(crate) enum Database {
    /// A file somewhere in the laboratory's folder.
    Sqlite(PathBuf),
    /// A server of our own, and the URL of the database there.
    Postgres(Box<PostgresServer>, String),
}

impl Database {
    pub(crate) fn new(store: &str, laboratory: &Path) -> anyhow::Result<Self> {
        match store {
            "sqlite" => Ok(Self::Sqlite(laboratory.to_owned())),
            "postgres" => {
                let server = PostgresServer::start()?;
                let url = server.create_database(DATABASE)?;
                Ok(Self::Postgres(Box::new(server), url))
            }
            other => bail!("the store {other:?} is neither \"sqlite\" nor \"postgres\""),
        }
    }

    /// What `certus up` is told.
    pub(crate) fn for_certus(&self) -> &str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_, url) => url,
        }
    }

    /// What this program opens, while certus does not run.
    pub(crate) fn url(&self) -> anyhow::Result<certus_store::StoreUrl> {
        Ok(match self {
            Self::Sqlite(laboratory) => format!("sqlite:{}", file(laboratory)?.display()).parse()?,
            Self::Postgres(_, url) => url.parse()?,
        })
    }

    pub(crate) fn server_pid(&self) -> Option<u32> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(server, _) => server.pid(),
        }
    }

    /// How large it is, in octets. SQLite has all of it in one file once certus has ended in order.
    pub(crate) fn octets(&self) -> anyhow::Result<u64> {
        match self {
            Self::Sqlite(laboratory) => Ok(std::fs::metadata(file(laboratory)?)?.len()),
            Self::Postgres(server, _) => {
                let answer = server.ask(DATABASE, &format!("SELECT pg_database_size('{DATABASE}')"))?;
                answer.trim().parse().with_context(|| format!("PostgreSQL answered {answer:?}"))
            }
        }
    }
}

fn file(laboratory: &Path) -> anyhow::Result<PathBuf> {
    let mut folders = vec![laboratory.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder)? {
            let path = entry?.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "sqlite" || extension == "db") {
                return Ok(path);
            }
        }
    }
    bail!("the laboratory has no database file")
}
