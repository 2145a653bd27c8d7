//! Clients that others wrote.

use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use certus_pki::Certificate;
use certus_testkit::BindServer;
use certus_testkit::unix::make_private;

use crate::authority::Authority;

/// What brings a program that is missing.
pub(crate) const INSTALL: &str = "run cargo xtask test --install";

/// Where a client put what it obtained.
#[derive(Debug)]
pub(crate) struct Obtained {
    pub(crate) leaf_and_chain: PathBuf,
    pub(crate) key: PathBuf,
}

/// Certbot.
#[derive(Debug)]
pub(crate) struct Certbot<'a> {
    pub(crate) authority: &'a Authority,
    program: PathBuf,
    dir: PathBuf,
}

impl<'a> Certbot<'a> {
    /// Debian's.
    pub(crate) fn of_debian(authority: &'a Authority, dir: PathBuf) -> Self {
        Self { authority, program: "certbot".into(), dir }
    }

    /// The newest.
    pub(crate) fn newest(authority: &'a Authority, dir: PathBuf) -> Self {
        Self { authority, program: made("certbot/bin/certbot"), dir }
    }

    /// Both, with what to begin names with.
    pub(crate) fn both(authority: &'a Authority, dir: &Path) -> [(&'static str, Self); 2] {
        let newest = Self::newest(authority, folder(dir, "newest-certbot"));
        [("debian", Self::of_debian(authority, folder(dir, "certbot"))), ("newest", newest)]
    }

    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(&self.program);
        for (flag, folder) in [("--config-dir", "config"), ("--work-dir", "work"), ("--logs-dir", "logs")] {
            command.arg(flag).arg(self.dir.join(folder));
        }
        command.env("REQUESTS_CA_BUNDLE", self.authority.root()).arg("--non-interactive");
        command
    }

    /// Asks for a certificate.
    fn ask(&self, names: &[&str], how: &[&str]) -> Output {
        let mut command = self.command();
        command.arg("certonly").args(how);
        command.args(["--server", &self.authority.directory_url, "--agree-tos", "--register-unsafely-without-email"]);
        command.args(names.iter().flat_map(|name| match name.parse::<IpAddr>() {
            Ok(_) => ["--ip-address", name],
            Err(_) => ["-d", name],
        }));
        command.output().unwrap_or_else(|error| panic!("{:?}: {error}: {INSTALL}", self.program))
    }

    fn obtain_by(&self, names: &[&str], how: &[&str]) -> Obtained {
        succeeded(&self.ask(names, how));
        self.obtained(names)
    }

    /// By http-01, standalone.
    pub(crate) fn obtain(&self, names: &[&str]) -> Obtained {
        self.obtain_with(names, &[])
    }

    /// By http-01, standalone, with more flags.
    pub(crate) fn obtain_with(&self, names: &[&str], flags: &[&str]) -> Obtained {
        let port = self.authority.http_01_port.to_string();
        self.obtain_by(names, &[&["--standalone", "--http-01-port", &port], flags].concat())
    }

    /// By dns-01, changing the zone (RFC 2136).
    pub(crate) fn obtain_by_dns(&self, names: &[&str]) -> Obtained {
        let BindServer { address, key, .. } = &self.authority.names;
        let settings = [
            ("server", address.ip().to_string()),
            ("port", address.port().to_string()),
            ("name", key.name.to_owned()),
            ("secret", key.secret.clone()),
            ("algorithm", "HMAC-SHA256".to_owned()),
        ];
        let file = self.dir.join("rfc2136.ini");
        let lines: String = settings.map(|(setting, value)| format!("dns_rfc2136_{setting} = {value}\n")).concat();
        std::fs::write(&file, lines).unwrap();
        make_private(&file).unwrap();
        let file = file.to_str().unwrap();
        let at_once = ["--dns-rfc2136-propagation-seconds", "0"];
        self.obtain_by(names, &[&["--dns-rfc2136", "--dns-rfc2136-credentials", file], &at_once[..]].concat())
    }

    pub(crate) fn renew(&self, names: &[&str]) -> Obtained {
        let mut command = self.command();
        command.args(["renew", "--force-renewal", "--no-random-sleep-on-renew", "--cert-name", names[0]]);
        command.args(["--http-01-port", &self.authority.http_01_port.to_string()]);
        succeeded(&command.output().unwrap());
        self.obtained(names)
    }

    /// Asks about every certificate, and renews those whose time it is.
    pub(crate) fn renew_due(&self) -> String {
        let mut command = self.command();
        command.args(["renew", "--no-random-sleep-on-renew"]);
        let output = command.args(["--http-01-port", &self.authority.http_01_port.to_string()]).output().unwrap();
        succeeded(&output);
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// By http-01, making its account by external account binding.
    pub(crate) fn obtain_bound(&self, names: &[&str], kid: &str, mac: &str) -> Obtained {
        self.obtain_with(names, &[&format!("--eab-kid={kid}"), &format!("--eab-hmac-key={mac}")])
    }

    /// What it says when it obtains nothing by http-01.
    pub(crate) fn refused(&self, names: &[&str]) -> String {
        self.refused_with(names, &[])
    }

    /// [`Self::refused`] with more flags.
    pub(crate) fn refused_with(&self, names: &[&str], flags: &[&str]) -> String {
        let port = self.authority.http_01_port.to_string();
        let output = self.ask(names, &[&["--standalone", "--http-01-port", &port], flags].concat());
        assert!(!output.status.success(), "{output:?}");
        String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned()
    }

    /// With its account, unless `how` names a key.
    pub(crate) fn revoke(&self, obtained: &Obtained, how: &[&str]) {
        let mut command = self.command();
        command.args(["revoke", "--no-delete-after-revoke", "--server", &self.authority.directory_url, "--cert-path"]);
        succeeded(&command.arg(&obtained.leaf_and_chain).args(how).output().unwrap());
    }

    /// What it has for these names now.
    pub(crate) fn obtained(&self, names: &[&str]) -> Obtained {
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
    fn run(&self, names: &[&str], how: &[&str], variables: &[(&str, &str)], words: &[&str]) -> Obtained {
        let mut command = Command::new("lego");
        command.env("LEGO_CA_CERTIFICATES", self.authority.root()).envs(variables.iter().copied());
        command.args(["--server", &self.authority.directory_url, "--accept-tos", "--email", "admin@peers.test"]);
        command.arg("--path").arg(&self.dir).args(how);
        command.args(names.iter().flat_map(|name| ["--domains", name])).args(words);
        succeeded(&command.output().unwrap());
        let name = names[0].replace('*', "_");
        let file = |extension: &str| self.dir.join("certificates").join(format!("{name}.{extension}"));
        Obtained { leaf_and_chain: file("crt"), key: file("key") }
    }

    fn by_http(&self, names: &[&str], words: &[&str]) -> Obtained {
        self.run(names, &["--http", "--http.port", &format!(":{}", self.authority.http_01_port)], &[], words)
    }

    /// By http-01.
    pub(crate) fn obtain(&self, names: &[&str]) -> Obtained {
        self.by_http(names, &["run"])
    }

    /// By http-01, making its account by external account binding.
    pub(crate) fn obtain_bound(&self, names: &[&str], kid: &str, mac: &str) -> Obtained {
        let how = ["--http", "--http.port", &format!(":{}", self.authority.http_01_port), "--eab"];
        let (kid, mac) = (format!("--kid={kid}"), format!("--hmac={mac}"));
        let bound = [kid.as_str(), mac.as_str()];
        self.run(names, &[&how[..], &bound].concat(), &[], &["run"])
    }

    /// By http-01.
    pub(crate) fn renew(&self, names: &[&str]) -> Obtained {
        self.by_http(names, &["renew", "--no-random-sleep", "--days", "365"])
    }

    pub(crate) fn revoke(&self, names: &[&str]) {
        let how = ["--http", "--http.port", &format!(":{}", self.authority.http_01_port)];
        self.run(names, &how, &[], &["revoke", "--keep"]);
    }

    /// By tls-alpn-01.
    pub(crate) fn obtain_by_tls_alpn(&self, names: &[&str]) -> Obtained {
        let address = format!("127.0.0.1:{}", self.authority.tls_alpn_01_port);
        self.run(names, &["--tls", "--tls.port", &address], &[], &["run"])
    }

    /// By dns-01, changing the zone (RFC 2136), at the end of aliases.
    pub(crate) fn obtain_by_dns(&self, names: &[&str]) -> Obtained {
        let BindServer { address, key, .. } = &self.authority.names;
        let address = address.to_string();
        let variables = [
            ("RFC2136_NAMESERVER", address.as_str()),
            ("RFC2136_TSIG_KEY", key.name),
            ("RFC2136_TSIG_SECRET", &key.secret),
            ("RFC2136_TSIG_ALGORITHM", "hmac-sha256."),
            // Seconds: the zone has one server, which answers anew as soon as it is told.
            ("RFC2136_POLLING_INTERVAL", "0"),
            ("RFC2136_SEQUENCE_INTERVAL", "0"),
            // Later versions follow aliases without being told.
            ("LEGO_EXPERIMENTAL_CNAME_SUPPORT", "true"),
        ];
        // Without the last flag lego asks the zone's servers at port 53.
        self.run(names, &["--dns", "rfc2136", "--dns.resolvers", &address, "--dns.disable-cp"], &variables, &["run"])
    }
}

/// The leaf of what was obtained, as it stands in the file.
pub(crate) fn leaf(obtained: &Obtained) -> String {
    let text = std::fs::read_to_string(&obtained.leaf_and_chain).unwrap();
    text.split_inclusive("-----END CERTIFICATE-----").next().unwrap().to_owned()
}

/// What `cargo xtask test --install` put at this path under `target/`.
pub(crate) fn made(path: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(path);
    assert!(path.exists(), "{} is missing: {INSTALL}", path.display());
    path
}

/// [`leaf`], read.
pub(crate) fn certificate(obtained: &Obtained) -> Certificate {
    Certificate::from_pem(&format!("{}\n", leaf(obtained))).unwrap()
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
