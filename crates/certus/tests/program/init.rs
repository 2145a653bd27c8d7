//! `certus ca init`: what it writes, that it overwrites nothing, and what it says to a wrong command line.

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::process::{CERTUS, Site, certus, run};

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn openssl(words: &[&str], file: &Path) -> String {
    let output = Command::new("openssl").args(words).arg(file).output().unwrap();
    assert!(output.status.success(), "{words:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn a_new_authority_is_what_openssl_calls_one() {
    let site = Site::new(&["--organization", "Example", "--country", "SE", "--name", "Example"]);
    let [root, chain, crl] = ["root.pem", "issuer/issuing-1.pem", "root.crl"].map(|name| site.state(name));
    openssl(&["verify", "-x509_strict", "-CAfile", root.to_str().unwrap()], &chain);
    let text = openssl(&["x509", "-noout", "-text", "-in"], &chain);
    for expected in ["C = SE, O = Example, CN = Example Issuing 1", "CA:TRUE, pathlen:0", "/crl/", "/issuer/"] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
    openssl(&["crl", "-inform", "DER", "-noout", "-CAfile", root.to_str().unwrap(), "-verify", "-in"], &crl);
    // Twenty years and five, and a year of the root's CRL.
    for (words, file, seconds) in [
        (["x509", "-noout", "-checkend"], &root, 20 * 365 * 86_400),
        (["x509", "-noout", "-checkend"], &chain, 5 * 365 * 86_400 - 7_200),
    ] {
        let seconds = (seconds - 86_400_i64).to_string();
        openssl(&[&words[..], &[seconds.as_str(), "-in"]].concat(), file);
    }
}

#[test]
fn keys_are_for_their_owner_alone() {
    let site = Site::new(&[]);
    for (name, expected) in [
        ("", 0o700),
        ("issuer", 0o700),
        ("sealing", 0o700),
        ("root.key", 0o600),
        ("issuer/issuing-1.key", 0o600),
        ("sealing/current", 0o644),
    ] {
        let found = mode(&site.state(name));
        // The file that only names the current key is as open as the user wants it; its directory is not.
        if name != "sealing/current" {
            assert_eq!(found, expected, "{name}");
        }
    }
}

#[test]
fn nothing_is_ever_overwritten() {
    let site = Site::new(&[]);
    let files = ["certus.toml", "state/root.key", "state/root.pem", "state/issuer/issuing-1.key"];
    let read = || files.map(|name| std::fs::read(site.dir.join(name)).unwrap());
    let before = read();
    run(&mut site.init(&[])).refused(1, "is an authority already; nothing was changed");
    std::fs::remove_file(site.dir.join("certus.toml")).unwrap();
    run(&mut site.init(&[])).refused(1, "was interrupted there; remove");
    std::fs::write(site.dir.join("certus.toml"), &before[0]).unwrap();
    assert_eq!(read(), before);
    let left = std::fs::read_dir(&site.dir).unwrap().count();
    assert_eq!(left, 2, "something partial was left");
}

#[test]
fn every_kind_of_key_signs() {
    for kind in ["ec-p384", "rsa-2048", "rsa-3072"] {
        let site = Site::new(&["--key", kind]);
        let report = run(&mut site.ca(&["check", "--json"])).well().json();
        let signing = report["checks"].as_array().unwrap().iter().find(|c| c["check"] == "issuer issuing-1: signing");
        assert_eq!(signing.unwrap()["state"], "ok", "{kind}");
    }
}

#[test]
fn root_and_issuer_live_as_long_as_was_asked() {
    let site = Site::new(&["--root-lifetime", "3650d", "--issuer-lifetime", "365d"]);
    for (file, days) in [("root.pem", 3650), ("issuer/issuing-1.pem", 365)] {
        let pem = std::fs::read_to_string(site.state(file)).unwrap();
        let chain = certus_pki::CertificateChain::from_pem(&pem).unwrap();
        let certificate = &chain.certificates()[0];
        let valid = certificate.not_after().duration_since(certificate.not_before());
        assert_eq!(valid.as_secs().div_ceil(86_400), days, "{file}");
    }
}

#[test]
fn keys_are_encrypted_under_a_passphrase_that_every_start_reads() {
    let secrets = tempfile::tempdir().unwrap();
    let file = secrets.path().join("passphrase");
    std::fs::write(&file, "correct horse\n").unwrap();
    std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o600)).unwrap();
    let site = Site::new(&["--passphrase-file", file.to_str().unwrap()]);
    for name in ["root.key", "issuer/issuing-1.key"] {
        let text = std::fs::read_to_string(site.state(name)).unwrap();
        assert!(text.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), "{name}");
    }
    let sealing = std::fs::read_dir(site.state("sealing")).unwrap().map(|entry| entry.unwrap().path());
    let keys: Vec<_> = sealing.filter(|path| path.extension().is_some_and(|extension| extension == "key")).collect();
    let [key] = keys.as_slice() else { panic!("{keys:?}") };
    assert!(std::fs::read_to_string(key).unwrap().starts_with("scrypt:"));
    run(&mut site.ca(&["check"])).well();
    std::fs::write(&file, "wrong\n").unwrap();
    let found = run(&mut site.ca(&["check"]));
    assert_eq!(found.code, Some(3));
    assert!(found.out.contains("the passphrase does not open the key"), "{found:?}");
    assert!(found.out.contains("the passphrase of [authority.sealing] does not open the key"), "{found:?}");

    // The same as a credential of the service manager.
    std::fs::write(&file, "correct horse\n").unwrap();
    let site = Site::new(&[]);
    let directory = secrets.path().join("new");
    let mut init = site.init(&["--credential", "passphrase"]);
    init.arg("--dir").arg(&directory);
    run(&mut init).refused(2, "the argument '--dir <DIR>' cannot be used multiple times");
    let mut init = certus(&["ca", "init", "--external-url", "https://ca.example", "--pki-url", "http://ca.example"]);
    init.args(["--credential", "passphrase", "--dir"]).arg(&directory);
    run(&mut init).refused(1, "no CREDENTIALS_DIRECTORY is set");
    assert!(!directory.exists());
    run(init.env("CREDENTIALS_DIRECTORY", secrets.path())).well();
    let settings = std::fs::read_to_string(directory.join("certus.toml")).unwrap();
    assert_eq!(settings.matches("\ncredential = \"passphrase\"").count(), 2, "{settings}");
}

#[test]
fn names_can_be_constrained() {
    let site = Site::new(&["--permit-names", "localhost,example.com"]);
    let text = openssl(&["x509", "-noout", "-text", "-in"], &site.state("issuer/issuing-1.pem"));
    for expected in ["X509v3 Name Constraints: critical", "DNS:localhost", "DNS:example.com"] {
        assert!(text.contains(expected), "{expected} is not in {text}");
    }
}

#[test]
fn an_existing_issuer_is_taken_over() {
    let first = Site::new(&[]);
    let [chain, key, root] = ["issuer/issuing-1.pem", "issuer/issuing-1.key", "root.pem"]
        .map(|name| first.state(name).display().to_string());
    let second = Site::new(&["--issuer-chain", &chain, "--issuer-key", &key]);
    assert_eq!(second.root_pem(), first.root_pem());
    assert!(!second.state("root.key").exists(), "the root is somebody else's");
    run(&mut second.ca(&["check"])).well();
    std::fs::remove_dir_all(&second.dir).unwrap();
    let again = run(&mut second.init(&["--issuer-chain", &chain, "--issuer-key", &key])).well();
    assert_eq!(again.err, "", "a warning of what is as it should be");

    let directory = tempfile::tempdir().unwrap();
    let leaf_first = directory.path().join("no-root.pem");
    let text = std::fs::read_to_string(&chain).unwrap();
    let end = "-----END CERTIFICATE-----\n";
    let (issuing, _) = text.split_at(text.find(end).unwrap() + end.len());
    std::fs::write(&leaf_first, issuing).unwrap();
    let other_key = Site::new(&[]).state("root.key");
    let other_key = other_key.display().to_string();
    std::fs::copy(first.state("root.key"), directory.path().join("root.key")).unwrap();
    let root_key = directory.path().join("root.key").display().to_string();
    for (chain, key, code, expected) in [
        (leaf_first.to_str().unwrap(), key.as_str(), 2, "does not end in a self-signed root"),
        (&chain, other_key.as_str(), 1, "cannot be read"),
        (&chain, root_key.as_str(), 1, "the key does not belong to the certificate"),
        ("/absent", key.as_str(), 1, "--issuer-chain /absent cannot be read"),
        (&key, key.as_str(), 1, "is not a chain in PEM"),
        // A root may sign leaves itself, but hardly should.
        (&root, root_key.as_str(), 0, "warning: the issuing certificate is self-signed"),
    ] {
        let free = directory.path().join("new");
        let mut init =
            certus(&["ca", "init", "--external-url", "https://ca.example", "--pki-url", "http://ca.example"]);
        init.args(["--issuer-chain", chain, "--issuer-key", key, "--dir"]).arg(&free);
        run(&mut init).refused(code, expected);
        assert_eq!(free.exists(), code == 0, "{expected}");
    }
}

#[test]
fn a_wrong_command_line_is_told_what_is_wrong_and_nothing_is_made() {
    let directory = tempfile::tempdir().unwrap();
    let free = directory.path().join("new");
    let good = ["--external-url", "https://ca.example", "--pki-url", "http://ca.example"];
    for (words, code, expected) in [
        (&[][..], 2, "--external-url and --pki-url must be given"),
        (&["--external-url", "https://ca.example"], 2, "--pki-url must be given"),
        (&["--external-url", "http://ca.example"], 2, "does not begin with https://"),
        (&["--external-url", "https://ca.example/acme"], 2, "has a path, which it must not"),
        (&["--external-url", "ca.example"], 2, "is not a URL"),
        (&["--pki-url", "https://ca.example"], 2, "does not begin with http://"),
        (&[&good[..], &["--key", "dsa"]].concat(), 2, "is none of ec-p256"),
        (&[&good[..], &["--key", "ed25519"]].concat(), 2, "is none of ec-p256"),
        (&[&good[..], &["--permit-names", "example.org"]].concat(), 2, "leaves out ca.example"),
        (&[&good[..], &["--permit-names", "*.example"]].concat(), 2, "the name is a wildcard"),
        (&[&good[..], &["--country", "Sweden"]].concat(), 2, "must be two capital letters"),
        (&[&good[..], &["--name", &"x".repeat(80)]].concat(), 1, "must be 1 to 64 printable characters"),
        (&[&good[..], &["--issuer-chain", "a"]].concat(), 2, "--issuer-key <FILE>"),
        (&[&good[..], &["--issuer-chain", "a", "--issuer-key", "b", "--name", "c"]].concat(), 2, "cannot be used with"),
        (&[&good[..], &["--passphrase-file", "/absent"]].concat(), 1, "/absent cannot be read"),
        (&[&good[..], &["--store", "mysql://host"]].concat(), 2, "--store: a store is"),
        (&[&good[..], &["--listen", "ca.example:443"]].concat(), 2, "--listen"),
        (&["--external-url", "https://ca.example:80", "--pki-url", "http://ca.example"], 2, "both be listened for on"),
        (&[&good[..], &["--root-lifetime", "20y"]].concat(), 2, "is not a duration"),
        (&[&good[..], &["--root-lifetime", "100d"]].concat(), 2, "nothing outlives its root"),
        (&[&good[..], &["--issuer-lifetime", "1h"]].concat(), 2, "must be 1d to 36500d"),
        (&[&good[..], &["--root-lifetime", "36501d"]].concat(), 2, "must be 1d to 36500d"),
        (&[&good[..], &["--listen", "[::]:80", "--pki-listen", "127.0.0.1:80"]].concat(), 2, "both be listened for on"),
    ] {
        let mut init = certus(&["ca", "init", "--dir"]);
        init.arg(&free).args(words);
        run(&mut init).refused(code, expected);
        assert!(!free.exists(), "{words:?} made something");
    }
    // An address in place of a name, which constraints on names leave out.
    let mut init = certus(&["ca", "init", "--external-url", "https://192.0.2.1", "--pki-url", "http://192.0.2.1"]);
    init.args(["--permit-names", "example.org", "--dir"]).arg(&free);
    run(&mut init).refused(2, "leaves out 192.0.2.1");
}

/// Runs `ca init` on a terminal, which `script` gives it, answers its questions as they come, and gives what it shows
/// after the last one.
#[track_caller]
fn on_a_terminal(dir: &Path, words: &str, answers: &[(&str, &str)]) -> String {
    let mut terminal = Command::new("script")
        .args(["--quiet", "--return", "--command", &format!("'{CERTUS}' ca init --dir '{}' {words}", dir.display())])
        .arg("/dev/null")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    // What is never asked must not be waited for in vain: without its terminal the program ends.
    let (answered, waits) = mpsc::channel::<()>();
    let pid = Pid::from_child(&terminal);
    std::thread::spawn(move || {
        if waits.recv_timeout(Duration::from_secs(60)) == Err(RecvTimeoutError::Timeout) {
            kill_process(pid, Signal::KILL).unwrap();
        }
    });
    let mut screen = terminal.stdout.take().unwrap();
    let mut keys = terminal.stdin.take().unwrap();
    for (question, answer) in answers {
        let mut shown = Vec::new();
        // The help beneath the question is drawn last.
        while !String::from_utf8_lossy(&shown).contains(question) || !shown.ends_with(b"h") {
            let mut byte = [0];
            assert_eq!(
                screen.read(&mut byte).unwrap(),
                1,
                "not asked {question:?}: {}",
                String::from_utf8_lossy(&shown)
            );
            shown.push(byte[0]);
        }
        keys.write_all(answer.as_bytes()).unwrap();
        keys.flush().unwrap();
    }
    let mut rest = String::new();
    screen.read_to_string(&mut rest).unwrap();
    drop(answered);
    assert!(terminal.wait().unwrap().success(), "{rest}");
    rest
}

#[test]
fn what_is_missing_is_asked_for_on_a_terminal() {
    let directory = tempfile::tempdir().unwrap();
    let dir = directory.path().join("ca");
    let answers = [
        ("Where will clients reach the ACME service?", "https://ca.example:14000\r"),
        ("Where will issuers and CRLs be published?", "\r"),
        ("Is there an issuing certificate to use?", "\r"),
        ("Which keys shall root and issuing certificate have?", "\r"),
    ];
    on_a_terminal(&dir, "", &answers);
    let settings = std::fs::read_to_string(dir.join("certus.toml")).unwrap();
    for expected in ["external_url = \"https://ca.example:14000\"", "pki_url = \"http://ca.example\""] {
        assert!(settings.contains(expected), "{settings}");
    }
    assert!(dir.join("state/root.key").exists());
}

#[test]
fn an_existing_issuer_is_asked_for_on_a_terminal() {
    let first = Site::new(&[]);
    let directory = tempfile::tempdir().unwrap();
    let path = |name: &str| first.state(name).display().to_string();
    for (name, chain, key, warned) in [
        ("beneath", path("issuer/issuing-1.pem"), path("issuer/issuing-1.key"), false),
        ("root", path("root.pem"), path("root.key"), true),
    ] {
        let dir = directory.path().join(name);
        // What is no chain is asked for again; what was typed is taken away by as many Backspaces.
        let (chain_typed, key_typed) = (format!("{}{chain}\r", "\u{7f}".repeat(7)), format!("{key}\r"));
        let shown = on_a_terminal(
            &dir,
            "",
            &[
                ("Where will clients reach the ACME service?", "https://ca.example\r"),
                ("Where will issuers and CRLs be published?", "\r"),
                ("Is there an issuing certificate to use?", "y\r"),
                ("Which file has its chain?", "/absent\r"),
                ("it cannot be read", &chain_typed),
                ("Which file has its private key?", &key_typed),
            ],
        );
        let read = |path: &Path| std::fs::read_to_string(path).unwrap();
        assert_eq!(read(&dir.join("state/issuer/issuing-1.pem")), read(Path::new(&chain)));
        assert_eq!(read(&dir.join("state/root.pem")), first.root_pem());
        assert!(!dir.join("state/root.key").exists(), "the root is somebody else's");
        assert_eq!(shown.contains("self-signed: a root that signs leaves directly"), warned, "{shown}");
    }
}

#[test]
fn who_says_what_is_to_be_made_is_not_asked_for_what_exists() {
    let directory = tempfile::tempdir().unwrap();
    let answers = [
        ("Where will clients reach the ACME service?", "https://ca.example\r"),
        ("Where will issuers and CRLs be published?", "\r"),
    ];
    let shown = on_a_terminal(&directory.path().join("ca"), "--key ec-p384", &answers);
    assert!(!shown.contains("issuing certificate to use"), "{shown}");
}
