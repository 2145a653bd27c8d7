//! RFC 9773: renewal information, and orders that replace a certificate.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_acme::{AuthorizationUpdate, CertId, NewOrder, OrderStatus, ProblemKind, RenewalInfo, RevokeCert};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::ca::Advance;
use certus_ca::id::{CertificateId, RenewalRuleId};
use certus_ca::limits;
use certus_ca::state::{IssuedCertificate, RenewalRule, Selection, Window};
use certus_pki::{Certificate, CertificateChain, Clock as _, DnsName, SerialNumber, SubjectName, Timestamp};
use certus_testkit::{Answer, Issued, TestClient};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{World, assert_malformed, assert_refused, connect, dns};

const DAY: Duration = Duration::from_secs(24 * 3600);

fn leaf(issued: &Issued) -> Certificate {
    CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone()
}

fn cert_id(issued: &Issued) -> String {
    CertId::of(&leaf(issued)).unwrap().to_string()
}

async fn ask(world: &World, id: &str) -> Answer {
    let client = world.stranger().await;
    let base = client.directory().renewal_info.clone().unwrap();
    client.http().get(&format!("{base}/{id}")).await.unwrap()
}

fn window(answer: &Answer) -> (Timestamp, Timestamp) {
    assert_eq!(answer.status, 200, "{answer:?}");
    let info: RenewalInfo = answer.json().unwrap();
    let read = |text: &str| Timestamp::parse_rfc3339(text).unwrap();
    (read(&info.suggested_window.start), read(&info.suggested_window.end))
}

fn replacing(names: &[&str], id: &str) -> NewOrder {
    let identifiers = names.iter().copied().map(dns).collect();
    NewOrder { identifiers, replaces: Some(id.to_owned()), ..NewOrder::default() }
}

async fn order(client: &TestClient, names: &[&str], id: &str) -> Answer {
    client.post(&client.directory().new_order, &replacing(names, id)).await.unwrap()
}

fn event(world: &World, action: Action) -> AuditEvent {
    AuditEvent { at: world.clock.now(), actor: Actor::Authority, action, object: "test".to_owned(), request: None }
}

// conformance: 9773-3-01 9773-4.1-01 9773-4.1-02 9773-4.2-01 9773-4.2-04 9773-4.2-06 9773-4.3-01
#[tokio::test(flavor = "multi_thread")]
async fn anybody_is_told_when_to_renew() {
    let world = World::new().await;
    let client = world.client().await;
    let base = client.directory().renewal_info.clone().unwrap();
    assert!(base.starts_with(&format!("{}/", world.authority.external_url)), "{base}");
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let certificate = leaf(&issued);
    let encode = certus_acme::base64url::encode;
    let id = format!(
        "{}.{}",
        encode(certificate.authority_key_identifier().unwrap()),
        encode(certificate.serial().as_bytes())
    );
    assert_eq!(cert_id(&issued), id);
    let url = format!("{base}/{id}");
    let answer = client.http().send("GET", &url, &[("origin", "https://browser.example")], "").await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert!(answer.header("access-control-expose-headers").unwrap().contains("Retry-After"), "{answer:?}");
    assert_eq!(answer.header("retry-after"), Some("21600"));
    assert_eq!(answer.header("cache-control"), Some("public, max-age=60"));
    assert!(answer.nonce().is_none(), "no nonce is spent on it: {answer:?}");
    let body: Value = answer.json().unwrap();
    assert_eq!(body.as_object().unwrap().keys().collect::<Vec<_>>(), ["suggestedWindow"], "{body}");
    let (start, end) = window(&answer);
    let since = |at: Timestamp| at.duration_since(certificate.not_before());
    assert!(start < end && since(start) >= 54 * DAY && since(end) <= 60 * DAY, "{body}");
    // The same for everyone, at any time.
    world.clock.advance(30 * DAY);
    assert_eq!(ask(&world, &id).await.body, answer.body);
    let head = client.http().send("HEAD", &url, &[], "").await.unwrap();
    assert_eq!((head.status, head.header("retry-after"), head.body.len()), (200, Some("21600"), 0));
    world.clock.advance(90 * DAY);
    let ended = ask(&world, &id).await;
    assert_eq!((&ended.body, ended.header("retry-after")), (&answer.body, Some("86400")), "also when it has ended");
    for method in ["POST", "PUT", "DELETE"] {
        let answer = client.http().send(method, &url, &[], "").await.unwrap();
        assert_refused(method, &answer, 405, ProblemKind::Malformed);
    }
}

// conformance: 9773-4.1-04
#[tokio::test(flavor = "multi_thread")]
async fn what_names_no_certificate_is_malformed_and_what_names_none_of_ours_is_not_found() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let id = cert_id(&issued);
    let (identifier, serial) = id.split_once('.').unwrap();
    for bad in [
        identifier.to_owned(),
        format!("{identifier}{serial}"),
        format!("{id}."),
        format!("{identifier}..{serial}"),
        format!("{identifier}="),
        format!("{identifier}=.{serial}"),
        format!("{identifier}.{serial}="),
        format!("{identifier}.{serial}%3D"),
        format!("+{identifier}.{serial}"),
        format!("{identifier}.+{serial}"),
        format!(".{serial}"),
        format!("{identifier}."),
        ".".to_owned(),
        "%20".to_owned(),
        format!("{identifier}.AAE"),
        format!("{identifier}.{}", "A".repeat(200)),
        "A".repeat(4_000),
    ] {
        assert_malformed(&bad, &ask(&world, &bad).await);
    }
    let base = client.directory().renewal_info.clone().unwrap();
    assert_malformed("the URL alone", &client.http().get(&base).await.unwrap());
    let unknown = certus_acme::base64url::encode(SerialNumber::random().as_bytes());
    for absent in [
        format!("{identifier}.{unknown}"),
        // Another authority's certificate of the same serial.
        format!("aYhba4dGQEHhs3uEe6CuLN4ByNQ.{serial}"),
        "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE".to_owned(),
        format!("{identifier}.AA"),
    ] {
        assert_refused(&absent, &ask(&world, &absent).await, 404, ProblemKind::Malformed);
    }
    assert_refused("not text", &ask(&world, "%ff").await, 404, ProblemKind::Malformed);
    window(&ask(&world, &id).await);
}

// conformance: 9773-4.1-03 9773-4.1-05
#[tokio::test(flavor = "multi_thread")]
async fn a_serial_keeps_its_leading_zero() {
    let world = World::new().await;
    let now = world.clock.now().whole_seconds();
    let issuer = &world.authority.ca.issuers().configured[0];
    let serial = SerialNumber::from_bytes(&[0x87, 0x65, 0x43, 0x21]).unwrap();
    let loaded = IssuedCertificate {
        id: CertificateId::random(),
        account: None,
        issuer: issuer.id().to_owned(),
        serial: serial.clone(),
        der: vec![0x30, 0],
        sha256: [1; 32],
        spki_sha256: [2; 32],
        names: BTreeSet::from([SubjectName::Dns(DnsName::parse("a.localhost").unwrap())]),
        profile: "classic".to_owned(),
        shard: 0,
        not_before: now,
        not_after: now + 90 * DAY,
        issued: now,
    };
    let store = world.authority.ca.store();
    store.load_certificates(&[loaded], event(&world, Action::CertificatesLoaded)).await.unwrap();
    let id = CertId::new(issuer.key_identifier(), &serial).unwrap().to_string();
    let (identifier, text) = id.split_once('.').unwrap();
    assert_eq!(text, "AIdlQyE");
    window(&ask(&world, &id).await);
    let without = format!("{identifier}.h2VDIQ");
    assert_refused(&without, &ask(&world, &without).await, 404, ProblemKind::Malformed);
}

#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_former_issuers_are_known() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let (id, before) = (cert_id(&issued), ask(&world, &cert_id(&issued)).await.body);
    let world = world.restarted_with(|setup| setup.hierarchy = None).await;
    let issuer = world.authority.ca.issuers().configured[0].key_identifier().to_vec();
    assert_ne!(issuer, leaf(&issued).authority_key_identifier().unwrap(), "it is another one");
    for _ in 0..2 {
        assert_eq!(ask(&world, &id).await.body, before);
        let wrong = CertId::new(&issuer, leaf(&issued).serial()).unwrap().to_string();
        assert_refused(&wrong, &ask(&world, &wrong).await, 404, ProblemKind::Malformed);
    }
}

// conformance: 9773-4.2-05
#[tokio::test(flavor = "multi_thread")]
async fn what_is_revoked_should_be_renewed_at_once() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert!(window(&ask(&world, &cert_id(&issued)).await).0 > world.clock.now());
    let revoke = RevokeCert::new(leaf(&issued).der(), Some(4));
    assert_eq!(client.post(&client.directory().revoke_cert.clone().unwrap(), &revoke).await.unwrap().status, 200);
    let (start, end) = window(&ask(&world, &cert_id(&issued)).await);
    assert!(start < end && end + limits::RENEW_AT_ONCE <= world.clock.now(), "{start} {end}");
    assert_eq!(order(&client, &["a.localhost"], &cert_id(&issued)).await.status, 201);
}

// conformance: 9773-4.2-03
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_moves_the_time_of_many_and_takes_it_back() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let other = client.obtain(&["b.localhost"], &world.target).await.unwrap();
    let untouched = ask(&world, &cert_id(&other)).await.body;
    let before = ask(&world, &cert_id(&issued)).await.body;
    world.clock.advance(DAY);
    let why = "https://ca.example/why";
    let selection = Selection { names: vec!["=a.localhost".parse().unwrap()], ..Selection::default() };
    let wish = |within| Advance {
        selection: selection.clone(),
        within,
        holds: 30 * DAY,
        explanation_url: Some(why.to_owned()),
    };
    let ca = &world.authority.ca;
    let spread = ca.advance_renewals(1000, wish(Some(DAY))).await.unwrap();
    let moved = ask(&world, &cert_id(&issued)).await;
    let (start, end) = window(&moved);
    let now = world.clock.now().whole_seconds();
    assert!(now <= start && start < end && end <= now + DAY, "{start} {end}");
    assert_eq!(moved.json::<Value>().unwrap()["explanationURL"], json!(why));
    assert_eq!(ask(&world, &cert_id(&other)).await.body, untouched);
    let at_once = ca.advance_renewals(1000, wish(None)).await.unwrap();
    let (_, end) = window(&ask(&world, &cert_id(&issued)).await);
    assert!(end + limits::RENEW_AT_ONCE <= world.clock.now(), "{end}");
    // What was issued since is not meant.
    world.clock.advance(Duration::from_secs(1));
    let renewed = client.obtain_with(&replacing(&["a.localhost"], &cert_id(&issued)), &world.target).await.unwrap();
    assert!(window(&ask(&world, &cert_id(&renewed)).await).0 > world.clock.now() + 50 * DAY);
    ca.end_renewal_rule(1000, at_once.id).await.unwrap();
    assert_eq!(ask(&world, &cert_id(&issued)).await.body, moved.body);
    ca.end_renewal_rule(1000, spread.id).await.unwrap();
    assert_eq!(ask(&world, &cert_id(&issued)).await.body, before);
    let entries = ca.store().audit(None, 1_000).await.unwrap().entries;
    for (action, rule) in [("renewals.advanced", &spread), ("renewals.advanced", &at_once), ("renewals.ended", &spread)]
    {
        let told = |entry: &&certus_ca::ports::AuditEntry| {
            entry.action == action && entry.object == rule.id.to_string() && entry.actor == "uid:1000"
        };
        assert_eq!(entries.iter().filter(told).count(), 1, "{action}");
    }

    // A rule that another node made is seen within seconds.
    let now = world.clock.now();
    let window = Window::new(now - 2 * DAY, DAY);
    let elsewhere = RenewalRule {
        id: RenewalRuleId::random(),
        selection,
        window,
        explanation_url: None,
        author: 0,
        made: now,
        ends: now + DAY,
        ended: None,
    };
    ca.store().create_renewal_rule(&elsewhere, event(&world, Action::RenewalsAdvanced)).await.unwrap();
    world.clock.advance(limits::RENEWAL_RULES_KEPT);
    assert_ne!(ask(&world, &cert_id(&issued)).await.body, before);
    world.clock.advance(DAY);
    assert_eq!(ask(&world, &cert_id(&issued)).await.body, before, "until it ends");
}

// conformance: 9773-5-02
#[tokio::test(flavor = "multi_thread")]
async fn an_order_says_what_it_replaces() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let id = cert_id(&issued);
    assert_eq!(issued.order.value.replaces, None);
    let ordered = client.new_order_with(&replacing(&["b.localhost", "a.localhost"], &id)).await.unwrap();
    assert_eq!(ordered.value.replaces.as_deref(), Some(id.as_str()));
    assert_eq!(client.order(&ordered.url).await.unwrap().value.replaces.as_deref(), Some(id.as_str()));
    client.authorize(&ordered, &world.target).await.unwrap();
    let world = world.restarted().await;
    let again = TestClient::with_key(client.http().clone(), &world.authority.directory_url, client.key().clone());
    let again = again.await.unwrap();
    again.new_account().await.unwrap();
    let url = format!("{}{}", world.authority.external_url, path(&ordered.url));
    assert_eq!(again.order(&url).await.unwrap().value.replaces, Some(id));
}

fn path(url: &str) -> &str {
    url.find("/acme/").and_then(|at| url.get(at..)).unwrap()
}

// conformance: 9773-5-03 9773-5-04 9773-5-05
#[tokio::test(flavor = "multi_thread")]
async fn only_a_certificate_of_the_account_and_of_one_of_the_names_is_replaced() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let issued = client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
    let id = cert_id(&issued);
    assert_refused("another's", &order(&other, &["a.localhost"], &id).await, 403, ProblemKind::Unauthorized);
    assert_malformed("nothing in common", &order(&client, &["c.localhost", "x.a.localhost"], &id).await);
    for bad in ["", "x", "x.", "AQ.AQ=", &format!("{id}.")] {
        assert_malformed(bad, &order(&client, &["a.localhost"], bad).await);
    }
    let unknown = CertId::new(b"unknown", leaf(&issued).serial()).unwrap().to_string();
    assert_refused("unknown", &order(&client, &["a.localhost"], &unknown).await, 404, ProblemKind::Malformed);
    let wrong = json!({ "identifiers": [dns("a.localhost")], "replaces": 7 });
    assert_malformed("no text", &client.post(&client.directory().new_order, &wrong).await.unwrap());
    let orders: Value =
        client.post_as_get(&format!("{}/orders", client.account_url().unwrap())).await.unwrap().json().unwrap();
    assert_eq!(orders["orders"].as_array().unwrap().len(), 1, "nothing of it was kept");
    assert_eq!(order(&client, &["c.localhost", "b.localhost"], &id).await.status, 201);
}

// conformance: 9773-5-06 9773-5-07
#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_replaced_once() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let id = cert_id(&issued);
    let taken = async |what: &str| {
        let answer = order(&client, &["a.localhost"], &id).await;
        assert_refused(what, &answer, 409, ProblemKind::AlreadyReplaced);
    };
    // Of several at once, one.
    connect(&client, 4).await;
    let answers = join_all((0..4).map(|_| order(&client, &["a.localhost"], &id))).await;
    let mut statuses: Vec<u16> = answers.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 409, 409, 409], "{answers:?}");
    let ordered = answers.iter().find(|answer| answer.status == 201).unwrap().location().unwrap().to_owned();
    taken("pending").await;
    // An order that became invalid frees it.
    let authorization = client.order(&ordered).await.unwrap().value.authorizations.remove(0);
    let give_up = AuthorizationUpdate { status: Some("deactivated".to_owned()) };
    client.post(&authorization, &give_up).await.unwrap();
    assert_eq!(client.order(&ordered).await.unwrap().value.status, OrderStatus::Invalid);
    let ordered = client.new_order_with(&replacing(&["a.localhost"], &id)).await.unwrap();
    // So does one that expired.
    world.clock.advance(limits::ORDER_LIFETIME - Duration::from_secs(1));
    taken("almost expired").await;
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(client.order(&ordered.url).await.unwrap().value.status, OrderStatus::Invalid);
    let renewed = client.obtain_with(&replacing(&["a.localhost"], &id), &world.target).await.unwrap();
    taken("replaced").await;
    world.clock.advance(40 * DAY);
    taken("replaced for ever").await;
    assert_eq!(order(&client, &["a.localhost"], &cert_id(&renewed)).await.status, 201, "its successor in its turn");
    client.obtain(&["a.localhost"], &world.target).await.expect("without replaces there is no such rule");
}
