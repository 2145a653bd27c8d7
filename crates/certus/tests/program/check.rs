//! `certus ca check` finds what would keep an authority from starting, and says what to do.

use std::os::unix::fs::{MetadataExt, PermissionsExt};

use serde_json::Value;

use crate::process::{Site, run};

/// What it says of one thing: state and detail.
fn finding(report: &Value, check: &str) -> (String, String) {
    let checks = report["checks"].as_array().unwrap();
    let found = checks.iter().rev().find(|found| found["check"] == check);
    let found = found.unwrap_or_else(|| panic!("{check} is not in {report}"));
    (found["state"].as_str().unwrap().to_owned(), found["detail"].as_str().unwrap().to_owned())
}

#[track_caller]
fn fails(site: &Site, check: &str, detail: &str) {
    let ended = run(&mut site.ca(&["check", "--json"]));
    assert_eq!(ended.code, Some(3), "{ended:?}");
    let (state, said) = finding(&ended.json(), check);
    assert_eq!(state, "fail", "{said}");
    assert!(said.contains(detail), "{detail:?} is not in {said:?}");
    // A person is told the same.
    let text = run(&mut site.ca(&["check"])).out;
    assert!(text.contains(&format!("FAIL  {check}: ")) && text.contains("Not in order."), "{text}");
}

#[test]
fn a_new_authority_is_in_order() {
    let site = Site::new(&[]);
    let report = run(&mut site.ca(&["check", "--json"])).well().json();
    assert_eq!(report["ok"], true);
    for check in [
        "settings",
        "state directory",
        "issuer issuing-1",
        "issuer issuing-1: signing",
        "root",
        "root CRL",
        "sealing keys",
        "running",
        "listen",
        "pki_listen",
    ] {
        assert_eq!(finding(&report, check).0, "ok", "{check}");
    }
    // Looking makes nothing: a start does.
    let (state, detail) = finding(&report, "store");
    assert!(state == "ok" && detail.contains("is new"), "{detail}");
    assert!(!site.state("certus.db").exists());
    assert_eq!(site.serve().end(), Some(0));
    let report = run(&mut site.ca(&["check", "--json"])).well().json();
    for check in ["store", "external URL", "clock"] {
        assert_eq!(finding(&report, check).0, "ok", "{check}");
    }
    let (state, detail) = finding(&report, "root key");
    assert_eq!(state, "warn");
    assert!(detail.contains("move it offline"), "{detail}");
    std::fs::rename(site.state("root.key"), site.dir.join("elsewhere")).unwrap();
    assert!(!run(&mut site.ca(&["check"])).well().out.contains("root key"));
}

/// What another user made in the state directory, the authority's own could not open.
#[test]
fn nothing_is_made_in_another_users_state_directory() {
    if !is_root() {
        return;
    }
    let site = Site::new(&[]);
    std::os::unix::fs::chown(site.state(""), Some(NOBODY), None).unwrap();
    let before = names(&site);
    fails(&site, "state directory", "belongs to user 65534");
    run(&mut site.ca(&["serve"])).refused(1, "belongs to user 65534; check and serve as that user");
    assert_eq!(names(&site), before);
}

/// The unprivileged user of every Unix.
const NOBODY: u32 = 65_534;

fn is_root() -> bool {
    std::fs::metadata("/proc/self").unwrap().uid() == 0
}

fn names(site: &Site) -> Vec<std::ffi::OsString> {
    let mut names: Vec<_> =
        std::fs::read_dir(site.state("")).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    names.sort();
    names
}

#[test]
fn files_that_others_can_read_are_named_with_the_mend() {
    let site = Site::new(&[]);
    let set = |name: &str, mode| {
        std::fs::set_permissions(site.state(name), std::fs::Permissions::from_mode(mode)).unwrap();
    };
    set("issuer/issuing-1.key", 0o644);
    let key = site.state("issuer/issuing-1.key");
    fails(&site, "issuer issuing-1", &format!("chmod 600 {}", key.display()));
    set("issuer/issuing-1.key", 0o600);
    std::fs::set_permissions(site.dir.join("certus.toml"), std::fs::Permissions::from_mode(0o664)).unwrap();
    fails(&site, "settings: mode", "chmod go-w");
    std::fs::set_permissions(&site.dir, std::fs::Permissions::from_mode(0o777)).unwrap();
    fails(&site, "settings: mode", &format!("chmod go-w {}", site.dir.display()));
    std::fs::set_permissions(&site.dir, std::fs::Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(site.dir.join("certus.toml"), std::fs::Permissions::from_mode(0o644)).unwrap();
    // The store's file, wherever it is.
    let elsewhere = site.dir.join("elsewhere.db");
    std::fs::write(&elsewhere, "").unwrap();
    std::fs::set_permissions(&elsewhere, std::fs::Permissions::from_mode(0o644)).unwrap();
    site.edit("url = \"sqlite\"", "url = \"sqlite:elsewhere.db\"");
    fails(&site, "database: mode", &format!("chmod 600 {}", elsewhere.display()));
    set("", 0o755);
    fails(&site, "state directory", "chmod 700");
}

#[test]
fn what_does_not_belong_together_is_found() {
    let (site, other) = (Site::new(&[]), Site::new(&[]));
    let foreign = format!("alternate_chains = [{:?}]", other.state("issuer/issuing-1.pem"));
    site.edit("#alternate_chains = []", &foreign);
    fails(&site, "issuer issuing-1", "must begin with a certificate of the issuer's own name, key");
    site.edit(&foreign, "#alternate_chains = []");
    let key = site.state("issuer/issuing-1.key");
    let kept = std::fs::read(&key).unwrap();
    std::fs::copy(site.state("root.key"), &key).unwrap();
    fails(&site, "issuer issuing-1", "the key does not belong to the certificate");
    std::fs::remove_file(&key).unwrap();
    fails(&site, "issuer issuing-1", "restore it from a backup");
    std::fs::write(&key, kept).unwrap();
    std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).unwrap();
    let certificate = site.state("issuer/issuing-1.pem");
    let kept = std::fs::read(&certificate).unwrap();
    std::fs::remove_file(&certificate).unwrap();
    fails(&site, "issuer issuing-1", "restore it from a backup");
    std::fs::write(&certificate, kept).unwrap();
    std::fs::copy(other.state("root.crl"), site.state("root.crl")).unwrap();
    fails(&site, "root CRL", "is not signed by the root");
    std::fs::remove_file(site.state("root.crl")).unwrap();
    fails(&site, "root CRL", "certificates name http://");
    std::fs::copy(other.state("root.pem"), site.state("root.pem")).unwrap();
    fails(&site, "root", "to which the chain of issuing-1 does not lead");
    run(&mut site.ca(&["serve"])).refused(1, "to which the chain of issuing-1 does not lead");
    std::fs::write(site.state("sealing/current"), "0000\n").unwrap();
    fails(&site, "sealing keys", "restore it from a backup");
}

#[test]
fn a_port_that_is_taken_is_found() {
    let site = Site::new(&[]);
    let taken = std::net::TcpListener::bind(("127.0.0.1", site.port)).unwrap();
    fails(&site, "listen", "cannot be listened on");
    drop(taken);
    run(&mut site.ca(&["check"])).well();
}

#[test]
fn addresses_that_cannot_both_be_listened_on_are_found() {
    let site = Site::new(&[]);
    site.edit(
        &format!("pki_listen = \"127.0.0.1:{}\"", site.pki_port),
        &format!("pki_listen = \"0.0.0.0:{}\"", site.port),
    );
    fails(&site, "settings", "are one; give each its own port");
}

#[test]
fn an_issuer_without_a_table_is_missed_as_long_as_its_certificates_live() {
    let site = Site::new(&[]);
    assert_eq!(site.serve().end(), Some(0));
    let other = Site::new(&[]);
    let files = |site: &Site| {
        let file = |extension| site.state(&format!("issuer/issuing-1.{extension}")).display().to_string();
        format!("chain = \"{}\"\nkey = \"{}\"\n", file("pem"), file("key"))
    };
    // A new issuer takes over all profiles; the old one keeps its table, and so its CRLs.
    let by = "issuers = { ecdsa = \"issuing-2\", rsa = \"issuing-2\" }";
    let tables = format!(
        "[authority.issuers.issuing-2]\n{}[authority.profiles.classic]\nlifetime = \"90d\"\n{by}\n[store]\n",
        files(&other)
    );
    site.edit("[store]\n", &tables);
    fails(&site, "root", "to which the chain of issuing-2 does not lead");
    // It has another root, which clients are told to trust from now on.
    std::fs::copy(other.state("root.pem"), site.state("root.pem")).unwrap();
    std::fs::copy(other.state("root.crl"), site.state("root.crl")).unwrap();
    run(&mut site.ca(&["check"])).well();
    let running = site.serve();
    let status = run(&mut site.ca(&["status", "--json"])).well().json();
    let ids: Vec<&Value> = status["issuers"].as_array().unwrap().iter().map(|issuer| &issuer["id"]).collect();
    assert_eq!(ids.len(), 2, "{status}");
    for id in ids {
        assert!(status["crls"].as_array().unwrap().iter().any(|crl| crl["issuer"] == *id), "{id}: {status}");
    }
    assert_eq!(running.end(), Some(0));
    site.edit("[authority.issuers.issuing-1]\nchain", "[agent]\nchain");
    let report = run(&mut site.ca(&["check", "--json"])).well().json();
    let checks = report["checks"].as_array().unwrap();
    let missed = checks.iter().find(|check| check["check"].as_str().unwrap().starts_with("former issuer")).unwrap();
    assert_eq!(missed["state"], "warn");
    assert!(missed["detail"].as_str().unwrap().contains("put its table back"), "{missed}");
}

#[test]
fn settings_that_cannot_be_read_are_named_with_their_line() {
    let site = Site::new(&[]);
    site.edit("version = 1\n", "version = 1\nverison = 2\n");
    fails(&site, "settings", "unknown field `verison`");
    site.edit("verison = 2\n", "");
    site.edit("#level = \"info\"", "level = 7");
    fails(&site, "settings", "certus.toml, line ");
}

#[test]
fn a_changed_external_url_is_found() {
    let site = Site::new(&[]);
    run(&mut site.ca(&["check"])).well();
    assert_eq!(site.serve().end(), Some(0));
    site.edit(&format!("https://localhost:{}", site.port), &format!("https://127.0.0.1:{}", site.port));
    fails(&site, "external URL", "run: certus ca move-url");
}

#[test]
fn a_running_authority_is_asked_and_its_store_left_alone() {
    let site = Site::new(&[]);
    let running = site.serve();
    let report = run(&mut site.ca(&["check", "--json"])).well().json();
    let (state, detail) = finding(&report, "running");
    assert_eq!(state, "ok");
    assert!(detail.contains(&format!("pid {}", running.pid())), "{detail}");
    assert_eq!(finding(&report, "store").0, "ok");
    assert_eq!(finding(&report, "clock").0, "ok");
    assert_eq!(running.end(), Some(0));
}
