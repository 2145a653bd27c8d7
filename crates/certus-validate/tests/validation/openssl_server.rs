//! `openssl s_server`: a TLS server that also does what rustls does not.

use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Command, Stdio};

use certus_pki::KeyPair;
use tempfile::TempDir;

/// A running server on 127.0.0.1. It ends when this is dropped.
#[derive(Debug)]
pub(crate) struct OpensslServer {
    pub(crate) port: u16,
    child: Child,
    /// Open as long as the server runs, which tells of every connection on it.
    _output: BufReader<ChildStdout>,
    _place: TempDir,
}

impl OpensslServer {
    /// Shows a certificate to everybody. The arguments say how.
    pub(crate) fn start(certificate: &[u8], key: &KeyPair, arguments: &[&str]) -> Self {
        let place = tempfile::tempdir().unwrap();
        std::fs::write(place.path().join("certificate.der"), certificate).unwrap();
        std::fs::write(place.path().join("key.der"), &*key.to_pkcs8()).unwrap();
        // Its input stays open: at its end the server would leave.
        let mut child = Command::new("openssl")
            .args(["s_server", "-accept", "127.0.0.1:0", "-cert", "certificate.der", "-certform", "DER"])
            .args(["-key", "key.der", "-keyform", "DER"])
            .args(arguments)
            .current_dir(place.path())
            .env("OPENSSL_CONF", "/dev/null")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        let port = loop {
            let mut line = String::new();
            assert_ne!(output.read_line(&mut line).unwrap(), 0, "openssl s_server {arguments:?} does not serve");
            if let Some(address) = line.trim_end().strip_prefix("ACCEPT 127.0.0.1:") {
                break address.parse().unwrap();
            }
        };
        Self { port, child, _output: output, _place: place }
    }
}

impl Drop for OpensslServer {
    fn drop(&mut self) {
        // One that has ended already is waited for all the same.
        let _ended = self.child.kill();
        let _status = self.child.wait();
    }
}
