//! RFC 5280 and the Baseline Requirements, section 7: what a running authority issues and publishes.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use certus_ca::keep;
use certus_ca::ports::CertificateKey;
use certus_pki::{
    Certificate, CertificateChain, CertificateList, Clock as _, KeyAlgorithm, KeyPair, ObjectIdentifier, Timestamp,
};
use certus_testkit::{Answer, Issued, RawHttp, Setup, TestAuthority, TestClient};

use crate::common::World;
use crate::openssl::Workplace;

const DAY: Duration = Duration::from_secs(24 * 3600);

fn leaf(issued: &Issued) -> Certificate {
    CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone()
}

/// GET over plain HTTP, without credentials.
async fn fetch(url: &str) -> Answer {
    assert!(url.starts_with("http://"), "{url}");
    RawHttp::plain().unwrap().get(url).await.unwrap()
}

async fn crl(url: &str) -> CertificateList {
    let answer = fetch(url).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/pkix-crl")), "{url}");
    CertificateList::parse(&answer.body).unwrap()
}

/// The URLs of every shard's list.
fn shard_urls(authority: &TestAuthority) -> Vec<String> {
    let issuers = authority.ca.issuers();
    let id = issuers.configured[0].id();
    (0..issuers.shards).map(|shard| issuers.publications(id, shard).crl_url).collect()
}

/// The same authority, started again at its store.
async fn again(world: &World, change: impl FnOnce(&mut Setup)) -> TestAuthority {
    let mut setup = Setup::new(Arc::clone(world.authority.ca.store()), &world.target);
    setup.clock = Arc::new(world.clock.clone());
    setup.hierarchy = Some(world.authority.hierarchy.clone());
    change(&mut setup);
    TestAuthority::start(setup).await.unwrap()
}

// conformance: 5280-4.2-09 5280-5-11 BR-7.1.2.7-07
#[tokio::test]
async fn what_a_certificate_points_to_is_there() {
    let world = World::new().await;
    let client = world.client().await;
    let leaf = leaf(&client.obtain(&["a.localhost"], &world.target).await.unwrap());
    let [issuer_url] = leaf.ca_issuers_urls() else { panic!("one caIssuers URL: {leaf:?}") };
    let [crl_url] = leaf.crl_urls() else { panic!("one distribution point: {leaf:?}") };
    let answer = fetch(issuer_url).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/pkix-cert")));
    let issuer = Certificate::parse(&answer.body).unwrap();
    assert_eq!(issuer.der(), world.authority.hierarchy.chain.certificates()[0].der());
    assert!(leaf.verify_signed_by(issuer.public_key()).is_ok());
    assert!(crl(crl_url).await.verify(issuer.public_key()).is_ok());

    // And one step up.
    let [root_url] = issuer.ca_issuers_urls() else { panic!("one caIssuers URL: {issuer:?}") };
    let [root_crl_url] = issuer.crl_urls() else { panic!("one distribution point: {issuer:?}") };
    let answer = fetch(root_url).await;
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/pkix-cert")));
    assert_eq!(answer.body, world.authority.hierarchy.root.der());
    let root = Certificate::parse(&answer.body).unwrap();
    assert!(crl(root_crl_url).await.verify(root.public_key()).is_ok());
    for absent in ["/issuer/00.cer", "/crl/00/0.crl", "/crl/00/x.crl", "/"] {
        assert_eq!(fetch(&format!("{}{absent}", world.authority.pki_url)).await.status, 404, "{absent}");
    }
}

// conformance: 5280-5-02
#[tokio::test]
async fn lists_say_how_long_they_are_good() {
    let world = World::new().await;
    let issuer = &world.authority.hierarchy.chain.certificates()[0];
    for url in shard_urls(&world.authority) {
        let list = crl(&url).await;
        let lifetime = list.next_update().duration_since(list.this_update());
        assert!(lifetime > Duration::ZERO && lifetime <= 10 * DAY, "{url}: {lifetime:?}");
        assert!(list.this_update() <= world.clock.now());
    }
    let list = crl(&issuer.crl_urls()[0]).await;
    let lifetime = list.next_update().duration_since(list.this_update());
    assert!(lifetime > Duration::ZERO && lifetime <= 366 * DAY, "{lifetime:?}");
}

// conformance: 5280-5-03
#[tokio::test]
async fn lists_are_renewed_in_time() {
    let world = World::new().await;
    let urls = shard_urls(&world.authority);
    let mut before = crl(&urls[0]).await;
    // Every six hours, as if the duty ran no more often than that.
    for _ in 0..40 {
        world.clock.advance(DAY / 4);
        keep::publish_crls(&world.authority.ca).await.unwrap();
        let now = crl(&urls[0]).await;
        assert!(now.number() >= before.number());
        assert!(world.clock.now() < before.next_update(), "the list had run out before it was renewed");
        let age = world.clock.now().duration_since(now.this_update());
        // Baseline Requirements 4.9.7: every 4 days, since there is no OCSP.
        assert!(age <= 4 * DAY, "{age:?}");
        before = now;
    }
}

// conformance: 5280-5-04
#[tokio::test]
async fn numbers_grow_over_restarts() {
    let world = World::new().await;
    let url = shard_urls(&world.authority).remove(0);
    let mut numbers = vec![crl(&url).await.number()];
    for _ in 0..3 {
        world.clock.advance(2 * DAY);
        drop(again(&world, |setup| setup.duties = false).await);
        numbers.push(crl(&url).await.number());
    }
    assert!(numbers.is_sorted_by(|one, next| one < next), "{numbers:?}");
    let answer = fetch(&url).await;
    let workplace = Workplace::new();
    workplace.write("list.crl", &answer.body);
    let text = workplace.run(&["crl", "-inform", "DER", "-in", "list.crl", "-noout", "-text"]);
    // Not "critical" behind either.
    for extension in ["X509v3 Authority Key Identifier: \n", "X509v3 CRL Number: \n"] {
        assert!(text.contains(extension), "{text}");
    }
}

/// Not by the time alone: two lists of one moment have two numbers, and a clock that is set back does not stop them.
#[tokio::test]
async fn numbers_grow_though_time_does_not() {
    let world = World::with(|setup| (setup.shards, setup.duties) = (1, false)).await;
    let client = world.client().await;
    let url = shard_urls(&world.authority).remove(0);
    let mut before = crl(&url).await;
    for (name, back) in [("a.localhost", 0), ("b.localhost", 0), ("c.localhost", 30)] {
        let issued = client.obtain(&[name], &world.target).await.unwrap();
        world.clock.set(Timestamp::from_unix_millis(world.clock.now().unix_millis() - back * 1000));
        let ca = &world.authority.ca;
        let found = ca.store().find_certificates(&CertificateKey::Digest(leaf(&issued).sha256())).await.unwrap();
        ca.revoke_as_operator(0, &found[0], None).await.unwrap();
        keep::publish_crls(ca).await.unwrap();
        // Asked of the store: what the listener says may be some seconds old.
        let stored = ca.store().crl(ca.issuers().configured[0].id(), 0).await.unwrap().unwrap();
        let list = CertificateList::parse(&stored.der).unwrap();
        assert!(list.number() > before.number(), "{name}");
        assert_eq!(list.revoked().len(), before.revoked().len() + 1, "{name}");
        before = list;
    }
}

// conformance: 5280-5-08 5280-5-10
#[tokio::test]
async fn every_certificate_has_a_shard_and_keeps_it() {
    let world = World::new().await;
    let client = world.client().await;
    let mut seen = BTreeSet::new();
    let mut certificates = Vec::new();
    // Four shards: that one of them is not met in 60 tries has a chance of one in ten million.
    for _ in 0..60 {
        let leaf = leaf(&client.obtain(&["a.localhost"], &world.target).await.unwrap());
        seen.insert(leaf.crl_urls()[0].clone());
        certificates.push(leaf);
        if seen.len() == 4 {
            break;
        }
    }
    assert_eq!(seen, shard_urls(&world.authority).into_iter().collect());
    let issuer = &world.authority.hierarchy.chain.certificates()[0];
    let assert_covered = async || {
        for certificate in &certificates {
            let [url] = certificate.crl_urls() else { panic!("one distribution point: {certificate:?}") };
            let list = crl(url).await;
            assert_eq!(list.distribution_point_url(), Some(url.as_str()));
            assert!(list.verify(issuer.public_key()).is_ok());
            assert!(world.clock.now() < list.next_update());
        }
    };
    assert_covered().await;
    // Fewer shards for new certificates: the old ones keep theirs, and the lists of those are kept up.
    world.clock.advance(30 * DAY);
    drop(again(&world, |setup| (setup.shards, setup.duties) = (1, false)).await);
    assert_covered().await;
    let text = {
        let workplace = Workplace::new();
        workplace.write("list.crl", &fetch(&certificates[0].crl_urls()[0]).await.body);
        workplace.run(&["crl", "-inform", "DER", "-in", "list.crl", "-noout", "-text"])
    };
    assert!(text.contains("X509v3 Issuing Distribution Point: critical\n"), "{text}");
}

// conformance: 5280-5-13
#[tokio::test]
async fn the_background_renews_a_list_that_ran_out() {
    let world = World::with(|setup| setup.duties = false).await;
    let url = shard_urls(&world.authority).remove(0);
    let old = crl(&url).await;
    world.clock.set(old.next_update() + DAY);
    let (soft, hard) = Default::default();
    let running = world.authority.ca.run(tokio_util::sync::CancellationToken::clone(&soft), hard);
    let renewed = async {
        loop {
            let list = crl(&url).await;
            if list.number() > old.number() {
                soft.cancel();
                return list;
            }
        }
    };
    let ((), renewed) = tokio::join!(running, renewed);
    assert!(renewed.next_update() > world.clock.now());
}

// conformance: BR-7.1.2.1-04
#[tokio::test]
async fn an_authority_runs_without_its_roots_key() {
    let world = World::new().await;
    // All that an authority is given: the root's certificate and list, and the issuer's key.
    let hierarchy = &world.authority.hierarchy;
    let key = KeyPair::from_pkcs8(&hierarchy.key).unwrap();
    assert_ne!(key.public_key(), hierarchy.root.public_key());
    let restarted = again(&world, |_| {}).await;
    let client =
        TestClient::connect(&restarted.directory_url, &restarted.root_pem, KeyAlgorithm::EcP256).await.unwrap();
    client.new_account().await.unwrap();
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    world.clock.advance(2 * DAY);
    assert_eq!(keep::publish_crls(&restarted.ca).await.unwrap(), 4);
}

#[tokio::test]
async fn openssl_verifies_what_is_issued_and_published() {
    for key in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048] {
        let world = World::with(|setup| setup.key = key).await;
        let client = world.client().await;
        let issued = client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
        let leaf = leaf(&issued);
        let issuer = &world.authority.hierarchy.chain.certificates()[0];
        let workplace = Workplace::new();
        workplace.write("chain.pem", &issued.chain_pem);
        workplace.write("issuer.pem", issuer.pem());
        workplace.write("root.pem", &world.authority.root_pem);
        for (name, url, above) in
            [("leaf", &leaf.crl_urls()[0], "issuer.pem"), ("issuer", &issuer.crl_urls()[0], "root.pem")]
        {
            workplace.write(name, fetch(url).await.body);
            let (pem, input) = (format!("{name}.crl.pem"), ["crl", "-inform", "DER", "-in", name]);
            let text = workplace.run(&[&input[..], &["-noout", "-CAfile", above]].concat());
            assert!(text.contains("verify OK"), "{text}");
            workplace.run(&[&input[..], &["-out", &pem]].concat());
        }
        // The whole profile, strictly, with the lists of both levels.
        let verify = |host: &str| {
            let arguments = [
                &["verify", "-x509_strict", "-policy_check", "-purpose", "sslserver", "-crl_check_all"][..],
                &["-CRLfile", "leaf.crl.pem", "-CRLfile", "issuer.crl.pem"],
                &["-CAfile", "root.pem", "-untrusted", "chain.pem", "-verify_hostname", host, "chain.pem"],
            ];
            workplace.try_run(&arguments.concat())
        };
        for host in ["a.localhost", "b.localhost"] {
            let output = verify(host);
            assert!(output.status.success(), "{key:?} {host}: {}", String::from_utf8_lossy(&output.stderr));
        }
        assert!(!verify("c.localhost").status.success());
    }
}

/// What differs from one authority to the next, and what is put in its place.
type Differences = [(String, String)];

/// Compares with the file of this name; what is there now is shown in full, to be copied once it was reviewed.
fn check(name: &str, text: &str, differences: &Differences) {
    let text = differences.iter().fold(text.to_owned(), |text, (this, any)| text.replace(this, any));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/protocol/golden").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} is not what is made now:\n{text}", path.display());
}

/// A time as OpenSSL prints it.
fn openssl_time(at: Timestamp) -> String {
    let text = at.rfc3339();
    let (date, time) = text.split_once('T').unwrap();
    let [year, month, day] = <[&str; 3]>::try_from(date.split('-').collect::<Vec<_>>()).unwrap();
    let month = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        [month.parse::<usize>().unwrap() - 1];
    format!("{month} {:>2} {} {year} GMT", day.trim_start_matches('0'), time.trim_end_matches('Z'))
}

fn openssl_octets(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect::<Vec<_>>().join(":")
}

#[tokio::test]
async fn dumps_of_what_is_issued_and_published() {
    let policies = vec![ObjectIdentifier::new_unwrap("2.23.140.1.2.1")];
    let world = World::with(|setup| (setup.shards, setup.policies) = (1, policies)).await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
    let leaf = leaf(&issued);
    let issuer = &world.authority.hierarchy.chain.certificates()[0];
    let root = &world.authority.hierarchy.root;
    let list = crl(&leaf.crl_urls()[0]).await;
    let root_list = crl(&issuer.crl_urls()[0]).await;

    let id = |url: &str| url.rsplit('/').next().unwrap().trim_end_matches(".cer").to_owned();
    let mut differences = vec![
        (world.authority.pki_url.clone(), "http://pki.example".to_owned()),
        (id(&leaf.ca_issuers_urls()[0]), "<issuer>".to_owned()),
        (id(&issuer.ca_issuers_urls()[0]), "<root>".to_owned()),
        (format!("                {}\n", list.number()), "                <number>\n".to_owned()),
    ];
    let days =
        |from: Timestamp, to: Timestamp| (to.duration_since(from) + Duration::from_secs(1)).as_secs() / DAY.as_secs();
    for (certificate, key) in [(&leaf, "<leaf key>"), (issuer, "<issuer key>"), (root, "<root key>")] {
        let (from, to) = (certificate.not_before(), certificate.not_after());
        differences.push((openssl_octets(certificate.subject_key_identifier().unwrap()), key.to_owned()));
        differences.push((format!("Before: {}", openssl_time(from)), "Before: <time>".to_owned()));
        differences
            .push((format!("After : {}", openssl_time(to)), format!("After : <time> + {} days", days(from, to))));
    }
    for list in [&list, &root_list] {
        let (from, to) = (list.this_update(), list.next_update());
        differences.push((format!("Last Update: {}", openssl_time(from)), "Last Update: <time>".to_owned()));
        differences.push((
            format!("Next Update: {}", openssl_time(to)),
            format!("Next Update: <time> + {} days", days(from, to)),
        ));
    }

    let workplace = Workplace::new();
    for (name, certificate) in [("leaf.txt", &leaf), ("issuer.txt", issuer), ("root.txt", root)] {
        workplace.write("certificate", certificate.der());
        let text = workplace.run(&[
            "x509",
            "-inform",
            "DER",
            "-in",
            "certificate",
            "-noout",
            "-text",
            "-certopt",
            "no_serial,no_sigdump,no_pubkey",
        ]);
        check(name, &text, &differences);
    }
    for (name, list) in [("list.txt", &list), ("root-list.txt", &root_list)] {
        workplace.write("list", list.der());
        let text = workplace.run(&["crl", "-inform", "DER", "-in", "list", "-noout", "-text"]);
        check(name, &text[..text.rfind("    Signature Algorithm").unwrap()], &differences);
    }
}
