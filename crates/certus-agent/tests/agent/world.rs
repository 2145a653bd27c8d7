//! An authority in this process, and a host with a store and a listener where the authority looks.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;

use certus_agent::client::{Http, Roots};
use certus_agent::solver::http_01::Http01;
use certus_agent::store::CertificateName;
use certus_agent::{Link, ObtainError, Obtained, Progress, Store, Wish, obtain};
use certus_pki::{KeyAlgorithm, SubjectName, SystemClock};
use certus_testkit::{Http01Target, Setup, TestAuthority};
use tempfile::TempDir;

/// A certificate for `localhost` that vouches for itself, and its key, by OpenSSL.
pub(crate) fn self_signed(dir: &Path) -> (PathBuf, PathBuf) {
    let (certificate, key) = (dir.join("localhost.pem"), dir.join("localhost.key"));
    let names = "subjectAltName=DNS:localhost,IP:127.0.0.1";
    let made = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(["-subj", "/CN=localhost", "-addext", names, "-addext", "basicConstraints=critical,CA:FALSE", "-out"])
        .arg(&certificate)
        .arg("-keyout")
        .arg(&key)
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(made.success());
    (certificate, key)
}

/// An authority that looks at the listener of one host.
pub(crate) struct World {
    pub(crate) authority: TestAuthority,
    pub(crate) solver: Http01,
    dir: TempDir,
}

impl World {
    pub(crate) async fn new() -> Self {
        Self::with(|_| {}).await
    }

    pub(crate) async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let solver = Http01::listen(&[SocketAddr::from((Ipv4Addr::LOCALHOST, 0))]).await.unwrap();
        // Only its port is in the way; the listener's own takes its place.
        let elsewhere = Http01Target::bind(0).await.unwrap();
        let url = format!("sqlite:{}/store.sqlite", dir.path().display()).parse().unwrap();
        let mut setup = Setup::new(certus_store::connect(&url).await.unwrap(), &elsewhere);
        setup.http_01_port = solver.addresses()[0].port();
        change(&mut setup);
        Self { authority: TestAuthority::start(setup).await.unwrap(), solver, dir }
    }

    pub(crate) fn root(&self) -> PathBuf {
        self.dir.path().join("host")
    }

    pub(crate) async fn store(&self) -> Store {
        Store::open(&self.root()).await.unwrap()
    }

    pub(crate) fn http(&self) -> Http {
        Http::new(&Roots::Pem(self.authority.root_pem.clone())).unwrap()
    }

    pub(crate) fn wish(&self, names: &[&str]) -> Wish {
        let names: BTreeSet<SubjectName> = names.iter().map(|name| SubjectName::parse_dns(name).unwrap()).collect();
        Wish {
            directory: Link::parse(&self.authority.directory_url).unwrap(),
            contact: Vec::new(),
            agree_terms: false,
            called: CertificateName::of(names.first().unwrap()),
            names,
            key: KeyAlgorithm::EcP256,
            profile: None,
            binding: None,
        }
    }

    /// Obtains what is wished for; and what a watcher saw.
    pub(crate) async fn obtain(&self, store: &Store, wish: &Wish) -> (Result<Obtained, ObtainError>, Vec<String>) {
        let mut seen = Vec::new();
        let mut watch = |progress: Progress<'_>| {
            let text = format!("{progress:?}");
            seen.push(text.split(['(', ' ']).next().unwrap_or_default().to_owned());
        };
        let outcome = obtain(store, self.http(), Arc::new(SystemClock), &[&self.solver], wish, &mut watch).await;
        (outcome, seen)
    }
}
