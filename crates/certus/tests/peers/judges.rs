//! Programs that say whether a certificate is good: OpenSSL and Java's keytool.

use std::net::IpAddr;
use std::path::Path;
use std::process::Command;

use crate::clients::{Obtained, leaf, succeeded};

/// OpenSSL verifies the chain to the root, strictly, for every name and address.
pub(crate) fn openssl_accepts(obtained: &Obtained, root: &Path, names: &[&str], dir: &Path) {
    let file = dir.join("leaf.pem");
    std::fs::write(&file, leaf(obtained)).unwrap();
    for name in names {
        let mut command = Command::new("openssl");
        let kind = if name.parse::<IpAddr>().is_ok() { "-verify_ip" } else { "-verify_hostname" };
        command.args(["verify", "-x509_strict", "-purpose", "sslserver", kind, name, "-CAfile"]);
        command.arg(root).arg("-untrusted").arg(&obtained.leaf_and_chain).arg(&file);
        succeeded(&command.output().unwrap());
    }
}

/// Java reads key and chain, verifies the chain to the root it was told to trust, and sees the names.
pub(crate) fn keytool_accepts(obtained: &Obtained, root: &Path, names: &[&str], dir: &Path) {
    let [keys, store] = ["keys.p12", "store.p12"].map(|name| dir.join(name));
    drop(std::fs::remove_file(&store));
    let file = dir.join("java-leaf.pem");
    std::fs::write(&file, leaf(obtained)).unwrap();
    let mut command = Command::new("openssl");
    command.args(["pkcs12", "-export", "-name", "site", "-passout", "pass:changeit", "-inkey"]);
    command.arg(&obtained.key).arg("-in").arg(&file).arg("-out").arg(&keys);
    succeeded(&command.output().unwrap());

    let keytool = |words: &[&str], file: &Path| {
        let mut command = Command::new("keytool");
        command.args(words).arg("-keystore").arg(&store).args(["-storepass", "changeit", "-noprompt"]);
        if words[0] == "-importcert" {
            command.arg("-file").arg(file);
        }
        let output = command.output().unwrap();
        succeeded(&output);
        String::from_utf8_lossy(&output.stdout).into_owned()
    };
    let mut import = Command::new("keytool");
    import.args(["-importkeystore", "-noprompt", "-srcstorepass", "changeit", "-deststorepass", "changeit"]);
    import.arg("-srckeystore").arg(&keys).arg("-destkeystore").arg(&store);
    succeeded(&import.output().unwrap());
    keytool(&["-importcert", "-alias", "root"], root);
    // As the reply to the key's request: refused unless the chain leads to a trusted certificate.
    keytool(&["-importcert", "-alias", "site"], &obtained.leaf_and_chain);
    let listed = keytool(&["-list", "-v", "-alias", "site"], &file);
    for name in names {
        assert!(listed.contains(&format!("DNSName: {name}")), "{listed}");
    }
}
