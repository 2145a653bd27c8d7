//! The program on a PostgreSQL server, alone and beside another.

use std::path::Path;

use certus_pki::KeyAlgorithm;
use certus_testkit::postgres::PostgresServer;
use certus_testkit::{Http01Target, RawHttp, TestClient};

use crate::process::{Running, Site, certus, run};

#[tokio::test(flavor = "multi_thread")]
async fn two_authorities_on_one_database_serve_one_client() {
    let server = PostgresServer::start().unwrap();
    let url = server.create_database("pair").unwrap();
    let target = Http01Target::bind(0).await.unwrap();
    let first = Site::new(&["--store", &url]);
    first.edit("timeout = \"1s\"\n", &format!("timeout = \"1s\"\nhttp_port = {}\n", target.port()));
    // The second node: the same settings and keys, in a state directory and at ports of its own.
    let second = Site::twin(&first);
    let nodes = [(first.serve(), first.port), (second.serve(), second.port)];

    // A client that meets one node or the other behind the one external URL.
    let url = format!("https://localhost:{}/directory", first.port);
    let reach = |port: u16| {
        let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
        RawHttp::trusting(&first.root_pem()).unwrap().dialling(address)
    };
    let key = certus_pki::KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let at_first = TestClient::with_key(reach(nodes[0].1), &url, key.clone()).await.unwrap();
    let at_second = TestClient::with_key(reach(nodes[1].1), &url, key).await.unwrap();
    let account = at_first.new_account().await.unwrap();
    at_second.set_account_url(Some(account.url.clone()));
    let order = at_first.new_order(&["www.example.com"]).await.unwrap();
    let seen = at_second.order(&order.url).await.unwrap();
    assert_eq!(seen.value.authorizations, order.value.authorizations);
    assert_eq!(at_second.new_account().await.unwrap().url, account.url);

    // Both list what both have issued: their own certificates.
    for site in [&first, &second] {
        let listed = run(&mut site.ca(&["certificates", "--json"])).well().json();
        assert_eq!(listed["certificates"].as_array().unwrap().len(), 2, "{listed}");
    }
    for (node, _) in nodes {
        assert_eq!(node.end(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_laboratory_lives_in_a_database() {
    let server = PostgresServer::start().unwrap();
    let url = server.create_database("lab").unwrap();
    let temporary = tempfile::tempdir().unwrap();
    let lab = temporary.path().canonicalize().unwrap().join("lab");
    let target = Http01Target::bind(0).await.unwrap();
    let start = || {
        let mut command = certus(&["up", "--json", "--listen", "127.0.0.1:0", "--store", &url, "--dir"]);
        command.arg(&lab).args(["--http-01-port", &target.port().to_string()]);
        Running::start(&mut command, &lab.with_extension("log"))
    };
    let running = start();
    let directory_url = running.said["directory_url"].as_str().unwrap().to_owned();
    let root = std::fs::read_to_string(lab.join("state/root.pem")).unwrap();
    let client = TestClient::connect(&directory_url, &root, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    client.obtain(&["site.localhost"], &target).await.unwrap();
    assert!(!lab.join("state/certus.db").exists());
    assert_eq!(running.end(), Some(0));
    let running = start();
    assert_eq!(names(&lab), 3, "two of its own, and the one that was obtained");
    assert_eq!(running.end(), Some(0));
}

/// How many certificates are listed.
fn names(lab: &Path) -> usize {
    let mut command = certus(&["ca", "certificates", "--json", "--dir"]);
    run(command.arg(lab)).well().json()["certificates"].as_array().unwrap().len()
}

#[test]
fn a_server_that_is_away_is_found() {
    let mut server = PostgresServer::start().unwrap();
    let url = server.create_database("away").unwrap();
    let site = Site::new(&["--store", &url]);
    run(&mut site.ca(&["check"])).well();
    server.kill().unwrap();
    let report = run(&mut site.ca(&["check", "--json"]));
    assert_eq!(report.code, Some(3));
    let report = report.json();
    let store = report["checks"].as_array().unwrap().iter().find(|found| found["check"] == "store").unwrap();
    assert_eq!(store["state"], "fail", "{store}");
    run(&mut site.ca(&["serve"])).refused(1, "the store cannot be opened");
}

#[test]
fn a_password_in_the_settings_is_refused_and_not_repeated() {
    let site = Site::new(&[]);
    site.edit("url = \"sqlite\"", "url = \"postgres://certus:geheim@localhost/certus\"");
    for words in [&["serve"][..], &["check"], &["move-url"]] {
        let ended = run(&mut site.ca(words));
        let said = format!("{}{}", ended.out, ended.err);
        assert!(said.contains("a password does not belong in the store's URL") && !said.contains("geheim"), "{said}");
    }
}
