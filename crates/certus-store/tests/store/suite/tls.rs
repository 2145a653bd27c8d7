//! Certificates for a server of a test, made by OpenSSL.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A root and its key, in files.
#[derive(Debug)]
pub(crate) struct Root {
    pub(crate) certificate: PathBuf,
    key: PathBuf,
}

/// A new root.
pub(crate) fn root(directory: &Path, name: &str) -> Root {
    let root = Root { certificate: directory.join(format!("{name}.pem")), key: directory.join(format!("{name}.key")) };
    let subject = format!("/CN={name}");
    openssl(&["-subj", &subject, "-addext", "basicConstraints=critical,CA:TRUE"], &root.certificate, &root.key);
    root
}

/// A certificate for that host under the root, and its key: both as PEM.
pub(crate) fn server(directory: &Path, root: &Root, host: &str) -> (String, String) {
    let (certificate, key) = (directory.join("server.pem"), directory.join("server.key"));
    let name = format!("subjectAltName=DNS:{host}");
    let (ca, ca_key) = (root.certificate.display().to_string(), root.key.display().to_string());
    let rest = ["-subj", "/CN=server", "-addext", &name, "-addext", "basicConstraints=critical,CA:FALSE"];
    openssl(&[&rest[..], &["-CA", &ca, "-CAkey", &ca_key]].concat(), &certificate, &key);
    (std::fs::read_to_string(certificate).unwrap(), std::fs::read_to_string(key).unwrap())
}

fn openssl(rest: &[&str], certificate: &Path, key: &Path) {
    let output = Command::new("openssl")
        .args(["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2"])
        .args(rest)
        .arg("-out")
        .arg(certificate)
        .arg("-keyout")
        .arg(key)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

/// A port of this machine that nobody listens at.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}
