//! Clients that others wrote.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::authority::Authority;

/// Where a client put what it obtained.
#[derive(Debug)]
pub(crate) struct Obtained {
    pub(crate) leaf_and_chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// Debian's Certbot, standalone.
#[derive(Debug)]
pub(crate) struct Certbot<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) dir: PathBuf,
}

impl Certbot<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new("certbot");
        for (flag, folder) in [("--config-dir", "config"), ("--work-dir", "work"), ("--logs-dir", "logs")] {
            command.arg(flag).arg(self.dir.join(folder));
        }
        command.env("REQUESTS_CA_BUNDLE", self.authority.root()).arg("--non-interactive");
        command
    }

    pub(crate) fn obtain(&self, names: &[&str]) -> Obtained {
        let mut command = self.command();
        command.args(["certonly", "--standalone", "--http-01-port", &self.authority.http_01_port.to_string()]);
        command.args(["--server", &self.authority.directory_url, "--agree-tos", "--register-unsafely-without-email"]);
        command.args(names.iter().flat_map(|name| ["-d", name]));
        succeeded(&command.output().unwrap());
        self.obtained(names)
    }

    pub(crate) fn renew(&self, names: &[&str]) -> Obtained {
        let mut command = self.command();
        command.args(["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", names[0]]);
        command.args(["--http-01-port", &self.authority.http_01_port.to_string()]);
        succeeded(&command.output().unwrap());
        self.obtained(names)
    }

    fn obtained(&self, names: &[&str]) -> Obtained {
        let live = self.dir.join("config/live").join(names[0]);
        Obtained { leaf_and_chain: live.join("fullchain.pem"), key: live.join("privkey.pem") }
    }
}

/// Debian's lego.
#[derive(Debug)]
pub(crate) struct Lego<'a> {
    pub(crate) authority: &'a Authority,
    pub(crate) dir: PathBuf,
}

impl Lego<'_> {
    fn run(&self, names: &[&str], words: &[&str]) -> Obtained {
        let mut command = Command::new("lego");
        command.env("LEGO_CA_CERTIFICATES", self.authority.root());
        command.args(["--server", &self.authority.directory_url, "--accept-tos", "--email", "admin@peers.test"]);
        command.arg("--path").arg(&self.dir).args(["--http", "--http.port"]);
        command.arg(format!(":{}", self.authority.http_01_port));
        command.args(names.iter().flat_map(|name| ["--domains", name])).args(words);
        succeeded(&command.output().unwrap());
        let file = |extension: &str| self.dir.join("certificates").join(format!("{}.{extension}", names[0]));
        Obtained { leaf_and_chain: file("crt"), key: file("key") }
    }

    pub(crate) fn obtain(&self, names: &[&str]) -> Obtained {
        self.run(names, &["run"])
    }

    pub(crate) fn renew(&self, names: &[&str]) -> Obtained {
        self.run(names, &["renew", "--no-random-sleep", "--days", "365"])
    }
}

/// The leaf of what was obtained, as it stands in the file.
pub(crate) fn leaf(obtained: &Obtained) -> String {
    let text = std::fs::read_to_string(&obtained.leaf_and_chain).unwrap();
    text.split_inclusive("-----END CERTIFICATE-----").next().unwrap().to_owned()
}

pub(crate) fn folder(dir: &Path, name: &str) -> PathBuf {
    let folder = dir.join(name);
    std::fs::create_dir_all(&folder).unwrap();
    folder
}

pub(crate) fn succeeded(output: &Output) {
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(output.status.success(), "{}\n{out}\n{err}", output.status);
}
