//! `certus obtain`: a certificate for this host, from an authority beside it.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use certus_pki::CertificateChain;
use certus_testkit::wait_for_ready_file;

use crate::process::{Running, certus, free_ports, run};

struct Host<'a> {
    directory_url: &'a str,
    root: &'a str,
    listen: String,
    dir: &'a Path,
}

impl Host<'_> {
    fn obtain(&self, more: &[&str]) -> Command {
        let mut command = certus(&["obtain", "--ca", self.directory_url, "--ca-root", self.root, "--listen"]);
        command.arg(&self.listen).arg("--dir").arg(self.dir).args(more);
        command
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_had_in_one_command() {
    let temporary = tempfile::tempdir().unwrap();
    let here = temporary.path().canonicalize().unwrap();
    let (lab, ready) = (here.join("lab"), here.join("ready.json"));
    let [port, _] = free_ports();
    let mut up = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--dir"]);
    up.arg(&lab).args(["--http-01-port", &port.to_string(), "--ready-file"]).arg(&ready);
    let running = Running::start(&mut up, &here.join("log"));
    let told = wait_for_ready_file(&ready, Duration::from_secs(60)).await.unwrap();
    let dir = here.join("host");
    let host = Host {
        directory_url: &told.directory_url,
        root: &told.root_path,
        listen: format!("127.0.0.1:{port}"),
        dir: &dir,
    };

    let ended = run(&mut host.obtain(&["-d", "www.a.localhost,a.localhost"])).well();
    assert!(ended.out.starts_with("a.localhost www.a.localhost until "), "{ended:?}");
    for said in ["account https://", "http-01 is ready to be looked at", "every name is proved", "issued: serial "] {
        assert!(ended.err.contains(said), "{said}: {ended:?}");
    }
    let chain = std::fs::read_to_string(dir.join("live/www.a.localhost/fullchain.pem")).unwrap();
    let first = CertificateChain::from_pem(&chain).unwrap();

    // Again, for a script: the same place, another certificate.
    let ended =
        run(&mut host.obtain(&["-d", "a.localhost", "--cert-name", "www.a.localhost", "--key", "rsa2048", "--json"]))
            .well();
    crate::golden::check("obtain.txt", &crate::golden::form(&ended.json()));
    assert_eq!(ended.err, "", "nothing beside the answer");
    let chain = std::fs::read_to_string(dir.join("live/www.a.localhost/fullchain.pem")).unwrap();
    assert_ne!(CertificateChain::from_pem(&chain).unwrap(), first);

    // A host of its own, bound to a key that the operator has made.
    let mut make = certus(&["ca", "eab", "create", "--json", "--dir"]);
    let made = run(make.arg(&lab)).well().json();
    let file = here.join("mac");
    std::fs::write(&file, format!("{}\n", made["mac_key"].as_str().unwrap())).unwrap();
    let other = here.join("other");
    let bound = Host { dir: &other, listen: host.listen.clone(), ..host };
    let kid = made["kid"].as_str().unwrap();
    run(&mut bound.obtain(&["-d", "b.localhost", "--eab-kid", kid, "--eab-key-file", file.to_str().unwrap()])).well();
    let mut list = certus(&["ca", "eab", "list", "--json", "--dir"]);
    let listed = run(list.arg(&lab)).well().json();
    assert_eq!(listed["keys"][0]["accounts"], 1, "{listed}");
    run(&mut bound.obtain(&["-d", "b.localhost", "--eab-kid", kid])).refused(2, "--eab-key-file");

    // What cannot be had is told, with what to do.
    let taken = std::net::TcpListener::bind(("127.0.0.1", port)).unwrap();
    run(&mut host.obtain(&["-d", "c.localhost"])).refused(1, "end what listens there");
    drop(taken);
    let no_root = here.join("no-root.pem");
    std::fs::write(&no_root, "hello").unwrap();
    let mut rootless = certus(&["obtain", "-d", "c.localhost", "--ca", &told.directory_url, "--ca-root"]);
    run(rootless.arg(&no_root).arg("--dir").arg(&dir)).refused(1, "no-root.pem does not hold the root");
    run(&mut host.obtain(&["-d", "www.a.localhost"])).refused(2, "say --cert-name");
    run(&mut host.obtain(&["-d", "a_b.localhost"])).refused(2, "-d a_b.localhost");
    run(&mut host.obtain(&["-d", "a.localhost", "--cert-name", "../x"])).refused(2, "--cert-name");
    run(&mut host.obtain(&["-d", "a.localhost", "--profile", "none"])).refused(1, "choose one of");
    run(&mut host.obtain(&["-d", "nobody.example"])).refused(1, "nobody.example");
    let plain = told.directory_url.replace("https:", "http:");
    run(certus(&["obtain", "-d", "a.localhost", "--ca", &plain, "--dir"]).arg(&dir)).refused(2, "letsencrypt");
    let mut untrusted =
        certus(&["obtain", "-d", "a.localhost", "--ca", &told.directory_url, "--listen", "127.0.0.1:0", "--dir"]);
    run(untrusted.arg(&dir)).refused(1, "say which root to believe");
    assert_eq!(running.end(), Some(0));
}
