//! The program on a PostgreSQL server, alone and beside another.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;

use certus_pki::{CertificateChain, DnsName, KeyAlgorithm, KeyPair, SubjectName};
use certus_testkit::name_server::NameServer;
use certus_testkit::postgres::PostgresServer;
use certus_testkit::{Answer, CsrOptions, Http01Target, RawHttp, TestClient, csr};

use crate::process::{Running, Site, certus, run};

/// The status that an object says it has.
fn status(answer: &Answer) -> String {
    answer.json::<serde_json::Value>().unwrap()["status"].as_str().unwrap().to_owned()
}

// conformance: 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn two_authorities_on_one_database_share_a_limit() {
    const NUMBER: usize = 5;
    let server = PostgresServer::start().unwrap();
    let url = server.create_database("shared").unwrap();
    let first = Site::new(&["--store", &url]);
    first.edit("#[authority.limits]", "[authority.limits]");
    let built_in = "#new_orders_per_account = { count = 3000, period = \"3h\" }";
    first.edit(built_in, &format!("new_orders_per_account = {{ count = {NUMBER}, period = \"1d\" }}"));
    let second = Site::twin(&first);
    let nodes = [first.serve(), second.serve()];
    let url = format!("https://localhost:{}/directory", first.port);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let reach = async |port: u16| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let http = RawHttp::trusting(&first.root_pem()).unwrap().dialling(address);
        let client = TestClient::with_key(http, &url, key.clone()).await.unwrap();
        client.new_account().await.unwrap();
        client
    };
    let clients = [reach(first.port).await, reach(second.port).await];
    let wish = serde_json::json!({ "identifiers": [{ "type": "dns", "value": "a.example" }] });
    let ask = async |client: &TestClient| {
        let mut statuses = Vec::new();
        for _ in 0..10 {
            statuses.push(client.post(&client.directory().new_order, &wish).await.unwrap().status);
        }
        statuses
    };
    let (at_first, at_second) = tokio::join!(ask(&clients[0]), ask(&clients[1]));
    let statuses = [at_first, at_second].concat();
    assert_eq!(statuses.iter().filter(|status| **status == 201).count(), NUMBER, "{statuses:?}");
    assert!(statuses.iter().all(|status| [201, 429].contains(status)), "{statuses:?}");
    // What one node clears, and the number one sets, holds on the other.
    let account = clients[0].account_url().unwrap().rsplit('/').next().unwrap().to_owned();
    let name = "new_orders_per_account";
    run(&mut second.ca(&["limits", "override", &account, name, "--count", "7"])).well();
    run(&mut second.ca(&["limits", "clear", name, &account])).well();
    for number in 0..8 {
        let answer = clients[0].post(&clients[0].directory().new_order, &wish).await.unwrap();
        assert_eq!(answer.status, if number < 7 { 201 } else { 429 }, "{number}");
    }
    for node in nodes {
        assert_eq!(node.end(), Some(0));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn two_authorities_on_one_database_serve_one_client() {
    let server = PostgresServer::start().unwrap();
    let url = server.create_database("pair").unwrap();
    let target = Http01Target::bind(0).await.unwrap();
    let name = "www.example.com";
    let resolver = NameServer::with(&[(name, &[IpAddr::V4(Ipv4Addr::LOCALHOST)])]);
    let first = Site::new(&["--store", &url]);
    first.edit("\"127.0.0.1:1\"", &format!("\"{}\"", resolver.address));
    let permit =
        format!("timeout = \"1s\"\nhttp_port = {}\npermit = [\"127.0.0.0/8\"]\ndnssec = \"off\"\n", target.port());
    first.edit("timeout = \"1s\"\n", &permit);
    // The second node: the same settings and keys, in a state directory and at ports of its own.
    let second = Site::twin(&first);
    let nodes = [first.serve(), second.serve()];

    // A client that meets one node or the other behind the one external URL. Its nonces are those of the node it asks.
    let url = format!("https://localhost:{}/directory", first.port);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let reach = async |port: u16| {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let http = RawHttp::trusting(&first.root_pem()).unwrap().dialling(address);
        TestClient::with_key(http, &url, key.clone()).await.unwrap()
    };
    let (at_first, at_second) = (reach(first.port).await, reach(second.port).await);
    let account = at_first.new_account().await.unwrap();
    at_second.set_account_url(Some(account.url.clone()));
    assert_eq!(at_second.new_account().await.unwrap().url, account.url);

    let order = at_second.new_order(&[name]).await.unwrap();
    let authorization = at_first.authorization(&order.value.authorizations[0]).await.unwrap();
    assert_eq!(status(&authorization.answer), "pending");
    let challenge = &authorization.value.challenges[0];
    target.serve(&challenge.token, &at_first.key_authorization(&challenge.token).unwrap());
    at_second.respond(&challenge.url).await.unwrap();
    at_first.validated(&authorization.url).await.unwrap();
    let ready = at_first.order(&order.url).await.unwrap();
    assert_eq!(status(&ready.answer), "ready");
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&[name], &key, &CsrOptions::default()).unwrap();
    let finalized = at_second.finalize(&ready.value, &request).await.unwrap();
    let valid = at_first.issued(at_first.order(&order.url).await.unwrap()).await.unwrap();
    let certificate = valid.value.certificate.unwrap();
    let pem = at_first.certificate(&certificate).await.unwrap();
    let chain = CertificateChain::from_pem(&pem).unwrap();
    assert_eq!(*chain.certificates()[0].subject_names(), [SubjectName::Dns(DnsName::parse(name).unwrap())].into());
    assert_eq!(chain.certificates()[0].public_key(), key.public_key());
    assert_eq!(at_second.certificate(&certificate).await.unwrap(), pem);
    assert_eq!(at_second.order(&finalized.url).await.unwrap().value.certificate, Some(certificate));
    // Whichever node issued it, it is done.
    let again = at_first.finalize(&ready.value, &request).await.unwrap_err();
    assert!(again.to_string().contains("orderNotReady"), "{again}");
    assert_eq!((at_first.bad_nonces(), at_second.bad_nonces()), (0, 0));

    // A nonce is good at the node that gave it; the other one says so, with one that is good there.
    let forge = at_second.forge(&account.url, "").await.unwrap().nonce(&at_first.nonce().await.unwrap());
    let refused = at_second.send(&account.url, forge.body().unwrap()).await.unwrap();
    assert_eq!(refused.problem().unwrap().kind.urn(), "urn:ietf:params:acme:error:badNonce", "{refused:?}");
    let forge = forge.nonce(refused.nonce().unwrap());
    let read = at_second.send(&account.url, forge.body().unwrap()).await.unwrap();
    assert_eq!(read.status, 200, "{read:?}");

    // Both list what both have issued: their own certificates, and the client's.
    for site in [&first, &second] {
        let listed = run(&mut site.ca(&["certificates", "--json"])).well().json();
        assert_eq!(listed["certificates"].as_array().unwrap().len(), 3, "{listed}");
    }
    for node in nodes {
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
