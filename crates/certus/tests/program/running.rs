//! `certus ca serve` and the commands that ask it.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_pki::{Clock as _, KeyAlgorithm, SystemClock, Timestamp};
use certus_testkit::{RawHttp, TestClient};
use rustix::process::Signal;

use crate::process::{CERTUS, Site, run};

#[tokio::test(flavor = "multi_thread")]
async fn it_serves_and_ends_when_told() {
    let site = Site::new(&[]);
    let running = site.serve();
    let directory_url = format!("https://localhost:{}/directory", site.port);
    assert_eq!(running.said["directory_url"], directory_url.as_str());
    assert_eq!(running.said["pid"], running.pid());
    let address = format!("127.0.0.1:{}", site.port).parse().unwrap();
    let http = RawHttp::trusting(&site.root_pem()).unwrap().dialling(address);
    assert_eq!(http.get(&directory_url).await.unwrap().status, 200);
    let plain = RawHttp::plain().unwrap();
    let root = plain.get(&format!("http://127.0.0.1:{}/root.pem", site.pki_port)).await.unwrap();
    assert_eq!(root.text(), site.root_pem());
    // An open connection does not keep it from ending.
    assert_eq!(running.end(), Some(0));
    assert!(!site.state("control.sock").exists());
    assert!(http.get(&directory_url).await.is_err());
}

#[test]
fn ctrl_c_ends_it_as_well() {
    let site = Site::new(&[]);
    let running = site.serve();
    running.signal(Signal::INT);
    assert_eq!(running.wait(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_connection_is_cut_off_by_the_second_signal() {
    let site = Site::new(&[]);
    let running = site.serve();
    // In the middle of a TLS handshake: nothing finishes by itself before its time-out.
    let silent = std::net::TcpStream::connect(("127.0.0.1", site.port)).unwrap();
    let address = format!("127.0.0.1:{}", site.port).parse().unwrap();
    let http = RawHttp::trusting(&site.root_pem()).unwrap().dialling(address);
    let url = format!("https://localhost:{}/directory", site.port);
    assert_eq!(http.get(&url).await.unwrap().status, 200);
    running.signal(Signal::TERM);
    while !running.log().contains("another signal ends at once") {
        std::thread::yield_now();
    }
    running.signal(Signal::TERM);
    assert_eq!(running.wait(), Some(0));
    drop(silent);
}

#[test]
fn one_process_at_a_time() {
    let site = Site::new(&[]);
    let running = site.serve();
    let pid = format!("pid {}", running.pid());
    run(&mut site.ca(&["serve"])).refused(4, &pid);
    run(&mut site.ca(&["move-url"])).refused(4, &pid);
    let refused = run(&mut site.ca(&["serve", "--json"])).refused(4, &pid).json();
    assert_eq!(refused["schema"], "certus.error/1");
    assert_eq!(refused["exit"], 4);
    // A process that is killed leaves no lock behind.
    running.signal(Signal::KILL);
    assert_eq!(running.wait(), None);
    assert_eq!(site.serve().end(), Some(0));
}

#[test]
fn one_file_is_one_processs_whatever_directories_name_it() {
    let shared = tempfile::tempdir().unwrap();
    let store = format!("sqlite:{}", shared.path().join("shared.db").display());
    let (site, other) = (Site::new(&["--store", &store]), Site::new(&["--store", &store]));
    let running = site.serve();
    let refused = run(&mut other.ca(&["serve"])).refused(1, "shared.db open; stop it first");
    assert!(refused.err.contains(&format!("process {}", running.pid())), "{refused:?}");
    assert_eq!(run(&mut other.ca(&["check"])).code, Some(3));
    assert_eq!(running.end(), Some(0));
}

#[test]
fn a_state_directory_that_others_can_enter_is_not_started_on() {
    use std::os::unix::fs::PermissionsExt;
    let site = Site::new(&[]);
    std::fs::set_permissions(site.state(""), std::fs::Permissions::from_mode(0o755)).unwrap();
    run(&mut site.ca(&["serve"])).refused(1, "run: chmod 700");
}

#[test]
fn a_running_authority_tells_how_it_stands() {
    let site = Site::new(&[]);
    run(&mut site.ca(&["status"])).refused(5, "no authority is running");
    run(&mut site.ca(&["certificates"])).refused(5, "no authority is running");
    let running = site.serve();
    let status = run(&mut site.ca(&["status", "--json"])).well().json();
    assert_eq!(status["pid"], running.pid());
    assert_eq!(status["external_url"], format!("https://localhost:{}", site.port));
    assert_eq!(status["store"]["ok"], true);
    assert_eq!(status["crls"].as_array().unwrap().len(), 4, "{status}");
    crate::golden::check("status.txt", &crate::golden::form(&status));
    let text = run(&mut site.ca(&["status"])).well().out;
    assert!(text.contains(&format!("as pid {}", running.pid())), "{text}");

    let listed = run(&mut site.ca(&["certificates", "--json"])).well().json();
    crate::golden::check("certificates.txt", &crate::golden::form(&listed));
    let certificates = listed["certificates"].as_array().unwrap();
    assert_eq!(certificates.len(), 1, "its own alone: {listed}");
    assert_eq!(certificates[0]["names"], serde_json::json!(["localhost"]));
    assert_eq!(certificates[0]["profile"], "authority-tls");
    for (suffix, count) in [("localhost", 1), ("example.com", 0)] {
        let listed = run(&mut site.ca(&["certificates", "--json", "--names", suffix])).well().json();
        assert_eq!(listed["certificates"].as_array().unwrap().len(), count, "{suffix}");
    }
    run(&mut site.ca(&["certificates", "--limit", "0"])).refused(2, "--limit");
    assert_eq!(running.end(), Some(0));
    run(&mut site.ca(&["status"])).refused(5, "no authority is running");
}

#[test]
fn certificates_are_listed_page_by_page() {
    let site = Site::new(&[]);
    for _ in 0..3 {
        // Each start has a certificate of its own.
        assert_eq!(site.serve().end(), Some(0));
    }
    let running = site.serve();
    let mut after = None;
    let mut serials = Vec::new();
    loop {
        let mut command = site.ca(&["certificates", "--json", "--limit", "3"]);
        if let Some(after) = after {
            command.args(["--after", &format!("{after}")]);
        }
        let page = run(&mut command).well().json();
        serials.extend(page["certificates"].as_array().unwrap().iter().map(|entry| entry["serial"].to_string()));
        match page["next"].as_i64() {
            Some(next) => after = Some(next),
            None => break,
        }
    }
    serials.sort();
    serials.dedup();
    assert_eq!(serials.len(), 4);
    assert_eq!(running.end(), Some(0));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_moves_keeps_its_accounts() {
    let site = Site::new(&[]);
    let old = format!("https://localhost:{}", site.port);
    let new = format!("https://127.0.0.1:{}", site.port);
    let address = format!("127.0.0.1:{}", site.port).parse().unwrap();
    let http = || RawHttp::trusting(&site.root_pem()).unwrap().dialling(address);
    let running = site.serve();
    let key = certus_pki::KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let client = TestClient::with_key(http(), &format!("{old}/directory"), key.clone()).await.unwrap();
    let account = client.new_account().await.unwrap();
    assert!(account.url.starts_with(&old), "{}", account.url);
    assert_eq!(running.end(), Some(0));

    site.edit(&old, &new);
    let refused = run(&mut site.ca(&["serve"])).refused(1, &old);
    assert!(refused.err.contains("certus ca move-url"), "{}", refused.err);
    let moved = run(&mut site.ca(&["move-url", "--json"])).well().json();
    assert_eq!(moved["previous"], old.as_str());
    assert_eq!(moved["external_url"], new.as_str());
    let again = run(&mut site.ca(&["move-url", "--json"])).well().json();
    assert_eq!(again["previous"], serde_json::Value::Null);

    let running = site.serve();
    let client = TestClient::with_key(http(), &format!("{new}/directory"), key).await.unwrap();
    client.set_account_url(Some(account.url.clone()));
    let order = client.new_order(&["www.example.com"]).await.unwrap();
    assert!(order.url.starts_with(&new), "{}", order.url);
    assert_eq!(running.end(), Some(0));
}

#[test]
fn a_start_that_cannot_succeed_says_why() {
    let site = Site::new(&[]);
    let taken = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    run(&mut site.ca(&["serve"])).refused(1, "cannot be listened on; stop what listens there, or change listen");
    drop(taken);
    let key = site.state("issuer/issuing-1.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::remove_file(&key).unwrap();
    run(&mut site.ca(&["serve"])).refused(1, "issuing-1.key is not there; restore it from a backup");
    std::fs::write(&key, kept).unwrap();
    run(&mut site.ca(&["serve"])).refused(1, "chmod 600");
    let elsewhere = tempfile::tempdir().unwrap();
    let mut serve = crate::process::certus(&["ca", "serve", "--dir"]);
    run(serve.arg(elsewhere.path())).refused(2, "certus ca init --dir");
}

#[tokio::test]
async fn a_clock_behind_the_store_keeps_it_from_starting() {
    let site = Site::new(&[]);
    assert_eq!(site.serve().end(), Some(0));
    // As if it had run at a time that is still to come.
    let write_at = async |at: Timestamp| {
        let url = format!("sqlite:{}", site.state("certus.db").display()).parse().unwrap();
        let store = certus_store::connect(&url).await.unwrap();
        let (actor, action, object) = (Actor::Operator { uid: 0 }, Action::SettingWritten, "test".to_owned());
        store.write_setting("test", "1", AuditEvent { at, actor, action, object, request: None }).await.unwrap();
    };
    let now = SystemClock.now();
    // Clocks of several machines differ by seconds.
    write_at(now + Duration::from_secs(30)).await;
    assert_eq!(site.serve().end(), Some(0));
    write_at(now + Duration::from_secs(3600)).await;
    let refused = run(&mut site.ca(&["serve"])).refused(1, "set the clock");
    assert!(!refused.err.contains("the authority answers"), "{refused:?}");
    let report = run(&mut site.ca(&["check"]));
    assert_eq!(report.code, Some(3));
    assert!(report.out.contains("FAIL  clock: is behind the store's newest entry"), "{report:?}");
}

#[test]
fn a_long_path_does_not_keep_it_from_being_asked() {
    // A socket's address has room for 107 octets only.
    let site = Site::named(&"long-".repeat(40), &[]);
    let running = site.serve();
    let status = run(&mut site.ca(&["status", "--json"])).well().json();
    assert_eq!(status["pid"], running.pid());
    assert_eq!(running.end(), Some(0));
}

#[test]
fn only_its_own_user_and_root_may_ask_it() {
    if !rustix::process::geteuid().is_root() {
        // Becoming somebody else takes root; the owner may ask, as every other test here shows.
        return;
    }
    let site = Site::new(&[]);
    let running = site.serve();
    assert_eq!(std::fs::metadata(site.state("control.sock")).unwrap().permissions().mode() & 0o777, 0o600);
    // Every lock but the last one opened: the directories, the socket, and a copy of the program to run.
    let open = |path: &Path, mode| std::fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    for dir in [site.dir.parent().unwrap(), &site.dir, &site.state("")] {
        open(dir, 0o755);
    }
    open(&site.state("control.sock"), 0o666);
    let program = site.dir.parent().unwrap().join("certus");
    std::fs::copy(CERTUS, &program).unwrap();
    let asked = |user: &str| {
        let mut command = Command::new("setpriv");
        command.args([format!("--reuid={user}"), "--regid=65534".to_owned(), "--clear-groups".to_owned()]);
        run(command.arg(&program).args(["ca", "status", "--dir"]).arg(&site.dir))
    };
    asked("65534").refused(1, "only root and the user the authority runs as may ask it");
    asked("0").well();
    assert_eq!(running.end(), Some(0));
}

/// What OpenSSL's client says of a handshake.
fn handshake(port: u16, root: &Path, flags: &[&str]) -> (bool, String) {
    let output = Command::new("openssl")
        .args(["s_client", "-verify_return_error", "-servername", "localhost", "-verify_hostname", "localhost"])
        .args(["-connect", &format!("127.0.0.1:{port}"), "-CAfile"])
        .arg(root)
        .args(flags)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    (output.status.success(), said)
}

// conformance: 8555-6.1-02
#[test]
fn tls_is_as_rfc_9325_wants_it() {
    let site = Site::new(&[]);
    let running = site.serve();
    let root = site.state("root.pem");
    // SECLEVEL=0 lets the client offer what it would not by itself, so that it is the server who refuses.
    for (flags, expected) in [
        (&["-tls1_3"][..], Some("New, TLSv1.3")),
        (&["-tls1_2"], Some("New, TLSv1.2")),
        (&["-tls1_1", "-cipher", "ALL:@SECLEVEL=0"], None),
        (&["-tls1", "-cipher", "ALL:@SECLEVEL=0"], None),
        // Not AEAD, and not forward secret.
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-SHA256:@SECLEVEL=0"], None),
        (&["-tls1_2", "-cipher", "ECDHE-ECDSA-AES256-SHA:@SECLEVEL=0"], None),
        (&["-tls1_2", "-cipher", "AES128-GCM-SHA256:@SECLEVEL=0"], None),
        (&["-tls1_2", "-comp"], Some("Compression: NONE")),
        (&["-alpn", "h2"], Some("ALPN protocol: h2")),
        (&["-alpn", "http/1.1"], Some("ALPN protocol: http/1.1")),
    ] {
        let (done, said) = handshake(site.port, &root, flags);
        assert_eq!(done, expected.is_some(), "{flags:?}: {said}");
        assert!(said.contains(expected.unwrap_or("alert")), "{flags:?}: {said}");
    }
    assert_eq!(running.end(), Some(0));
}

// conformance: 8555-6.1-01
#[tokio::test(flavor = "multi_thread")]
async fn acme_is_spoken_over_tls_alone() {
    let site = Site::new(&[]);
    let running = site.serve();
    let plain = RawHttp::plain().unwrap();
    for path in ["/directory", "/acme/new-nonce", "/acme/new-account", "/acme/new-order"] {
        // No plain HTTP where ACME is, and no ACME where plain HTTP is.
        let told = plain.get(&format!("http://127.0.0.1:{}{path}", site.port)).await.unwrap();
        assert_eq!((told.status, told.nonce()), (400, None), "{told:?}");
        let elsewhere = plain.get(&format!("http://127.0.0.1:{}{path}", site.pki_port)).await.unwrap();
        assert_eq!(elsewhere.status, 404, "{path}");
        assert_eq!(elsewhere.nonce(), None);
    }
    assert_eq!(running.end(), Some(0));
}

// conformance: BR-7.1.2.1-04
#[test]
fn the_authority_runs_without_the_key_of_its_root() {
    let site = Site::new(&[]);
    let elsewhere = tempfile::tempdir().unwrap();
    std::fs::copy(site.state("root.key"), elsewhere.path().join("root.key")).unwrap();
    std::fs::remove_file(site.state("root.key")).unwrap();
    let running = site.serve();
    let (done, said) = handshake(site.port, &site.state("root.pem"), &[]);
    assert!(done, "{said}");
    assert_eq!(running.end(), Some(0));
}

// conformance: 5280-5-04
#[test]
fn crl_numbers_do_not_go_backwards_whatever_was_lost() {
    let site = Site::new(&[]);
    let numbers = || -> Vec<u64> {
        let status = run(&mut site.ca(&["status", "--json"])).well().json();
        status["crls"].as_array().unwrap().iter().map(|crl| crl["number"].as_u64().unwrap()).collect()
    };
    let running = site.serve();
    let first = numbers();
    assert_eq!(running.end(), Some(0));
    let running = site.serve();
    assert_eq!(numbers(), first, "signed anew although nothing was due");
    assert_eq!(running.end(), Some(0));
    // The worst of restores: an empty store.
    for name in ["certus.db", "certus.db-wal", "certus.db-shm"] {
        drop(std::fs::remove_file(site.state(name)));
    }
    let running = site.serve();
    let highest = first.iter().max().unwrap();
    assert!(numbers().iter().all(|number| number > highest), "{:?} {first:?}", numbers());
    assert_eq!(running.end(), Some(0));
}

#[test]
fn logs_are_lines_of_json_where_that_is_wanted() {
    let site = Site::new(&[]);
    site.edit("#format = \"text\"", "format = \"json\"");
    let running = site.serve();
    running.signal(Signal::TERM);
    let log = site.dir.join("log");
    assert_eq!(running.wait(), Some(0));
    let log = std::fs::read_to_string(log).unwrap();
    let lines: Vec<serde_json::Value> = log.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let answers = lines.iter().find(|line| line["message"] == "the authority answers").unwrap();
    assert_eq!(answers["directory_url"], format!("https://localhost:{}/directory", site.port));
    assert_eq!(answers["level"], "INFO");
    site.edit("#level = \"info\"", "level = \"loud\"");
    run(&mut site.ca(&["serve"])).refused(2, "level = \"loud\" of [log] is not a level");
}
