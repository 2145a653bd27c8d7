//! `certus up`: a laboratory in one command, and nothing of it elsewhere.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use certus_acme::{NewOrder, RawIdentifier};
use certus_pki::KeyAlgorithm;
use certus_testkit::{Http01Target, RawHttp, TestClient, wait_for_ready_file};

use crate::process::{Running, Site, certus, run};

fn up(dir: &Path, more: &[&str]) -> Command {
    let mut command = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--dir"]);
    command.arg(dir).args(more);
    command
}

fn start(dir: &Path, more: &[&str]) -> Running {
    Running::start(&mut up(dir, more), &dir.with_extension("log"))
}

#[tokio::test(flavor = "multi_thread")]
async fn it_makes_an_authority_and_goes_on_with_it() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().canonicalize().unwrap().join("lab");
    let ready = temporary.path().join("ready.json");
    let target = Http01Target::bind(0).await.unwrap();
    let flags = ["--http-01-port", &target.port().to_string(), "--ready-file", ready.to_str().unwrap()];
    let running = start(&lab, &flags);
    let told = wait_for_ready_file(&ready, Duration::from_secs(60)).await.unwrap();
    assert_eq!(told.pid, running.pid());
    assert_eq!(running.said["directory_url"], told.directory_url.as_str());
    assert_eq!(Path::new(&told.root_path), lab.join("state/root.pem"));
    crate::golden::check("up.txt", &crate::golden::form(&running.said));

    // It answers at once, a certificate is had, and its own one names what a laboratory is reached by.
    let root = std::fs::read_to_string(&told.root_path).unwrap();
    let client = TestClient::connect(&told.directory_url, &root, KeyAlgorithm::EcP256).await.unwrap();
    let account = client.new_account().await.unwrap();
    let issued = client.obtain(&["site.localhost"], &target).await.unwrap();
    assert!(issued.chain_pem.starts_with("-----BEGIN CERTIFICATE-----"));
    let port = told.directory_url.trim_start_matches("https://localhost:").trim_end_matches("/directory");
    let http = RawHttp::trusting(&root).unwrap();
    assert_eq!(http.get(&format!("https://127.0.0.1:{port}/directory")).await.unwrap().status, 200);
    let pki_url = running.said["pki_url"].as_str().unwrap().replace("localhost", "127.0.0.1");
    let published = RawHttp::plain().unwrap().get(&format!("{pki_url}/root.pem")).await.unwrap();
    assert_eq!(published.text(), root);
    let listed = certificates(&lab);
    assert_eq!(listed[0]["names"].as_array().unwrap().len(), 3, "{listed:?}");
    assert_eq!(running.end(), Some(0));

    // Again: the same root, URL and accounts; and the ready file is this one's.
    let running = start(&lab, &flags);
    let again = wait_for_ready_file(&ready, Duration::from_secs(60)).await.unwrap();
    assert_eq!(again, certus_testkit::ReadyFile { pid: running.pid(), ..told.clone() });
    assert_eq!(running.said["directory_url"], told.directory_url.as_str());
    assert_eq!(std::fs::read_to_string(&told.root_path).unwrap(), root);
    assert_eq!(client.new_account().await.unwrap().url, account.url);
    assert_eq!(running.end(), Some(0));
    assert!(!ready.exists(), "nobody is ready any more");

    // The same directory as an authority: nothing of the laboratory is left.
    let mut serve = certus(&["ca", "serve", "--json", "--dir"]);
    let running = Running::start(serve.arg(&lab), &lab.with_extension("log"));
    let listed = certificates(&lab);
    let own = listed.last().unwrap();
    assert_eq!(own["names"], serde_json::json!(["localhost"]), "{listed:?}");
    assert!(RawHttp::trusting(&root).unwrap().get(&format!("https://127.0.0.1:{port}/directory")).await.is_err());
    let refused = client.obtain(&["site.localhost"], &target).await.unwrap_err();
    assert!(format!("{refused:?}").contains("site.localhost"), "{refused:?}");
    assert_eq!(running.end(), Some(0));
}

fn certificates(lab: &Path) -> Vec<serde_json::Value> {
    let mut command = certus(&["ca", "certificates", "--json", "--dir"]);
    let listed = run(command.arg(lab)).well().json();
    listed["certificates"].as_array().unwrap().clone()
}

#[test]
fn what_it_prints_names_everything_a_person_needs() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().canonicalize().unwrap().join("a lab");
    let running = start(&lab, &[]);
    let root = lab.join("state/root.pem");
    let quoted = format!("'{}'", root.display());
    let output =
        Command::new("openssl").args(["x509", "-noout", "-fingerprint", "-sha256", "-in"]).arg(&root).output().unwrap();
    let fingerprint = String::from_utf8(output.stdout).unwrap();
    assert_eq!(fingerprint.trim().split('=').nth(1), running.said["root_sha256"].as_str());
    let commands = &running.said["commands"];
    for (client, beginning) in [
        ("certbot", format!("REQUESTS_CA_BUNDLE={quoted} certbot certonly --standalone --http-01-port 5002 ")),
        ("lego", format!("LEGO_CA_CERTIFICATES={quoted} lego --server https://localhost:")),
        ("curl", "curl --fail ".to_owned()),
    ] {
        let line = commands[client].as_str().unwrap();
        assert!(line.starts_with(&beginning) && !line.contains('\n'), "{line}");
    }
    assert_eq!(running.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_permitted_are_certified() {
    let temporary = tempfile::tempdir().unwrap();
    let (lab, ready) = (temporary.path().join("lab"), temporary.path().join("ready.json"));
    let target = Http01Target::bind(0).await.unwrap();
    let port = target.port().to_string();
    let flags = ["--http-01-port", &port, "--ready-file", ready.to_str().unwrap()];
    let permitted = [&flags[..], &["--permit-addresses", "10.1.2.0/24"]].concat();
    let settings = "\n[authority.identifiers]\npermit_names = [\"a.localhost\"]\n";
    for (flags, listed, expected) in
        [(&flags[..], false, false), (&permitted[..], false, true), (&permitted[..], true, true)]
    {
        if listed {
            let file = lab.join("certus.toml");
            let text = std::fs::read_to_string(&file).unwrap() + settings;
            std::fs::write(file, text).unwrap();
        }
        let running = start(&lab, flags);
        let told = wait_for_ready_file(&ready, Duration::from_secs(60)).await.unwrap();
        let root = std::fs::read_to_string(&told.root_path).unwrap();
        let client = TestClient::connect(&told.directory_url, &root, KeyAlgorithm::EcP256).await.unwrap();
        client.new_account().await.unwrap();
        let identifiers = vec![RawIdentifier { kind: "ip".into(), value: "10.1.2.3".into() }];
        let order = client.new_order_with(&NewOrder { identifiers, ..NewOrder::default() }).await;
        assert_eq!(order.is_ok(), expected, "{flags:?} {listed}: {order:?}");
        // Nothing is sent there: no challenge is begun.
        assert_eq!(running.end(), Some(0));
    }
}

#[test]
fn it_is_for_laboratories_alone() {
    let site = Site::new(&[]);
    site.edit(&format!("https://localhost:{}", site.port), "https://ca.example");
    run(&mut up(&site.dir, &[])).refused(2, "is the authority for https://ca.example, not a laboratory");

    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().join("lab");
    let running = start(&lab, &[]);
    run(&mut up(&lab, &[])).refused(4, &format!("pid {}", running.pid()));
    let settings = lab.join("certus.toml");
    assert_eq!(running.end(), Some(0));
    for (more, expected) in [
        (&["--listen", "127.0.0.1:1"] as &[&str], "would make the external URL https://localhost:1"),
        (&["--pki-listen", "127.0.0.1:1"], "would publish at http://localhost:1"),
        (&["--store", "sqlite:other.db"], "is not the store of the laboratory"),
        (&["--store", "sqlite", "--store-credential", "other"], "has its store's password from elsewhere"),
        (&["--http-01-port", "0"], "--http-01-port"),
        (&["--permit-addresses", "127.0.0.1/33"], "--permit-addresses"),
        (&["--ready-file", "/absent/ready.json"], "there is no such directory"),
        (&["--ready-file", settings.to_str().unwrap()], "is no ready file"),
        (&["--store", "postgres://certus:geheim@localhost/certus"], "a password does not belong"),
    ] {
        let mut command = certus(&["up", "--dir"]);
        run(command.arg(&lab).args(more)).refused(2, expected);
    }
}

#[test]
fn it_does_not_settle_among_other_files() {
    let temporary = tempfile::tempdir().unwrap();
    std::fs::write(temporary.path().join("letter.txt"), "dear").unwrap();
    let mut command = certus(&["up", "--listen", "127.0.0.1:0"]);
    run(command.current_dir(temporary.path())).refused(2, "certus up --dir lab");
    assert_eq!(std::fs::read_dir(temporary.path()).unwrap().count(), 1);
}

#[test]
fn what_is_wrong_with_the_command_makes_nothing() {
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().join("lab");
    let ended = run(&mut up(&lab, &["--store", "postgres://certus:geheim@localhost/certus"])).refused(2, "passfile");
    assert!(!ended.err.contains("geheim") && !ended.out.contains("geheim"), "{ended:?}");
    assert!(!lab.exists());
    run(&mut up(&lab, &["--ready-file", "/absent/ready.json"])).refused(2, "there is no such directory");
    assert!(!lab.exists());
    // A store that cannot be reached is not what a laboratory is bound to.
    let passfile = temporary.path().join("pass");
    std::fs::write(&passfile, "*:*:*:*:geheim\n").unwrap();
    std::fs::set_permissions(&passfile, std::fs::Permissions::from_mode(0o600)).unwrap();
    let store = ["--store", "postgres://certus@127.0.0.1:1/certus?sslmode=disable", "--store-passfile"];
    let words = [&store[..], &[passfile.to_str().unwrap()]].concat();
    run(&mut up(&lab, &words)).refused(1, "nothing was made: the store cannot be opened");
    assert!(!lab.join("certus.toml").exists());
}
