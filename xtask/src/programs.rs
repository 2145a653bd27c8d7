//! The outside programs that building and testing the tree run, and where each comes from.
//!
//! The house test compares this table with what the tests start: a test that runs another program adds it here.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crate::environments::Environment;

/// One outside program.
#[derive(Debug)]
pub(crate) struct Program {
    /// The name it is started by.
    pub(crate) name: &'static str,
    /// Where it comes from.
    pub(crate) source: Source,
    /// What the tree does with it.
    pub(crate) purpose: &'static str,
}

/// Where a program comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Source {
    /// A package of Debian.
    Debian(&'static str),
    /// A folder under `target/` that `cargo xtask test --install` makes.
    Made(Environment),
    /// A part of the Rust toolchain, by its name in rustup.
    Rust(&'static str),
    /// A cargo subcommand that only a long proof or an additional check needs: never installed, never missed by `test`.
    CargoInstall,
}

use Environment::{AcmeClient, Certbot, Pkilint};
use Source::{CargoInstall, Debian, Made, Rust};

/// Certbot's plug-in for dynamic updates of the DNS; it brings Certbot along.
const CERTBOT_RFC2136: &str = "python3-certbot-dns-rfc2136";
/// Where that package puts it.
const CERTBOT_RFC2136_FOLDER: &str = "/usr/lib/python3/dist-packages/certbot_dns_rfc2136";

/// Every outside program.
pub(crate) const PROGRAMS: &[Program] = &[
    Program { name: "cargo", source: Rust("cargo"), purpose: "builds and tests" },
    Program { name: "rustc", source: Rust("rustc"), purpose: "names the machine's target" },
    Program { name: "cargo-fmt", source: Rust("rustfmt"), purpose: "checks the format" },
    Program { name: "cargo-clippy", source: Rust("clippy"), purpose: "checks the lints" },
    Program { name: "cargo-deny", source: CargoInstall, purpose: "checks licences and origins of dependencies" },
    Program { name: "cargo-fuzz", source: CargoInstall, purpose: "fuzzes the parsers (`prove fuzz`)" },
    Program { name: "cc", source: Debian("build-essential"), purpose: "builds AWS-LC, SQLite and mimalloc, and links" },
    Program { name: "git", source: Debian("git"), purpose: "names the tree's files and commit" },
    Program { name: "sh", source: Debian("dash"), purpose: "runs the lines that `certus up` prints" },
    Program { name: "id", source: Debian("coreutils"), purpose: "tells whether the tests run as root" },
    Program { name: "kill", source: Debian("procps"), purpose: "ends processes as an operator would" },
    Program { name: "script", source: Debian("bsdutils"), purpose: "gives a program a terminal" },
    Program { name: "openssl", source: Debian("openssl"), purpose: "verifies and prints certificates, CRLs and keys" },
    Program { name: "curl", source: Debian("curl"), purpose: "asks the authority as a person would" },
    Program {
        name: "certbot",
        source: Debian(CERTBOT_RFC2136),
        purpose: "obtains certificates: a client we did not write",
    },
    Program { name: "lego", source: Debian("lego"), purpose: "obtains certificates: a client we did not write" },
    Program { name: "caddy", source: Debian("caddy"), purpose: "a web server that obtains its certificates by itself" },
    Program {
        name: "pebble",
        source: Debian("pebble"),
        purpose: "an authority that others wrote, made to be hard on clients",
    },
    Program { name: "pebble-challtestsrv", source: Debian("pebble"), purpose: "the name server that Pebble asks" },
    Program { name: "named", source: Debian("bind9"), purpose: "the name server whose zone clients change" },
    Program { name: "dnssec-keygen", source: Debian("bind9-utils"), purpose: "makes the keys of signed zones" },
    Program { name: "dnssec-signzone", source: Debian("bind9-utils"), purpose: "signs zones" },
    Program { name: "cp", source: Debian("coreutils"), purpose: "copies BIND's server out of AppArmor's reach" },
    Program { name: "keytool", source: Debian("default-jre-headless"), purpose: "accepts chain and names" },
    Program { name: "postgres", source: Debian("postgresql"), purpose: "the server that tests of the store start" },
    Program { name: "initdb", source: Debian("postgresql"), purpose: "makes the database cluster of a test" },
    Program { name: "createdb", source: Debian("postgresql"), purpose: "makes the database of a test" },
    Program { name: "psql", source: Debian("postgresql"), purpose: "looks into the database of a test" },
    Program { name: "setpriv", source: Debian("util-linux"), purpose: "starts PostgreSQL as an unprivileged user" },
    Program { name: "python3", source: Debian("python3-venv"), purpose: "runs pkilint and the newest Certbot" },
    Program { name: "lint_cabf_serverauth_cert", source: Made(Pkilint), purpose: "lints server certificates" },
    Program { name: "lint_crl", source: Made(Pkilint), purpose: "lints certificate revocation lists" },
    Program { name: "certbot", source: Made(Certbot), purpose: "obtains certificates, as the newest Certbot does" },
    Program { name: "node", source: Debian("nodejs"), purpose: "runs acme-client" },
    Program { name: "npm", source: Debian("npm"), purpose: "installs acme-client" },
    Program { name: "acme-client", source: Made(AcmeClient), purpose: "obtains certificates, rolls its key over" },
];

impl Program {
    /// Whether the machine has it.
    pub(crate) fn is_there(&self) -> bool {
        match self.source {
            // Debian ships python3 without what makes environments; the package named in the table adds it.
            Debian("python3-venv") => find(self.name).is_some_and(|python| can_make_environments(&python)),
            // Certbot without the plug-in obtains no wildcard.
            Debian(CERTBOT_RFC2136) => find(self.name).is_some() && Path::new(CERTBOT_RFC2136_FOLDER).is_dir(),
            // Another version than the one that is asked for is as good as none.
            Made(environment) => environment.program(self.name).is_file() && environment.is_current(),
            Debian(_) | Rust(_) | CargoInstall => find(self.name).is_some(),
        }
    }
}

/// Where the program of this name is: on the `PATH`, among the folders of administrators, or in a folder of PostgreSQL's
/// server programs.
pub(crate) fn find(name: &str) -> Option<PathBuf> {
    search_path().into_iter().map(|folder| folder.join(name)).find(|path| path.is_file())
}

/// The programs that `cargo xtask test` needs and the machine lacks.
pub(crate) fn missing() -> Vec<&'static Program> {
    PROGRAMS
        .iter()
        .filter(|program| match program.source {
            Debian(_) | Made(_) | Rust(_) => !program.is_there(),
            CargoInstall => false,
        })
        .collect()
}

#[expect(clippy::disallowed_methods, reason = "a program is looked for where the shell looks for it")]
fn search_path() -> Vec<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(["/usr/local/sbin", "/usr/sbin", "/sbin"].map(PathBuf::from));
    if let Ok(versions) = Path::new("/usr/lib/postgresql").read_dir() {
        folders.extend(versions.flatten().map(|version| version.path().join("bin")));
    }
    folders
}

fn can_make_environments(python: &Path) -> bool {
    Command::new(python)
        .args(["-c", "import venv, ensurepip"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_names_each_program_once_of_each_source() {
        for program in PROGRAMS {
            let is_same = |other: &&Program| other.name == program.name && other.source == program.source;
            assert_eq!(PROGRAMS.iter().filter(is_same).count(), 1, "{program:?}");
        }
    }

    #[test]
    fn a_program_is_found_and_a_made_up_one_is_not() {
        assert!(find("sh").is_some());
        assert_eq!(find("no-program-has-this-name"), None);
    }
}
