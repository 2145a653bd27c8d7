//! RFC 8555 section 6.6: limits by time, with small numbers and a clock of the test's own.

use std::collections::BTreeMap;
use std::time::Duration;

use certus_acme::{CertId, NewAccount, NewOrder, Problem, ProblemKind, RevokeCert};
use certus_ca::ca::Shown;
use certus_ca::id::AccountId;
use certus_ca::rate_limits::Rate;
use certus_ca::{LimitName, RateLimits, keep};
use certus_pki::{Certificate, CertificateChain, KeyAlgorithm, KeyPair};
use certus_testkit::{Answer, CsrOptions, Issued, SignerFault, SignerPlan, TestClient, csr};
use futures_util::future::join_all;
use serde_json::json;

use crate::common::{World, assert_refused, dns, order_for};
use crate::overload::answer_to;

const MINUTE: Duration = Duration::from_secs(60);
/// An operator's user id.
const UID: u32 = 1000;

/// Limits of these numbers in a minute each, and the built-in ones beside them.
fn limits(numbers: &[(LimitName, u32)]) -> RateLimits {
    let rates: BTreeMap<_, _> =
        numbers.iter().map(|(limit, count)| (*limit, Rate::new(*count, MINUTE).unwrap())).collect();
    RateLimits { rates, ..RateLimits::built_in() }
}

async fn world(numbers: &[(LimitName, u32)]) -> World {
    World::with(|setup| setup.limits = limits(numbers)).await
}

async fn order(client: &TestClient, names: &[&str]) -> Answer {
    client.post(&client.directory().new_order, &order_for(names)).await.unwrap()
}

/// Asserts that an answer is the refusal by a limit, with all that RFC 8555 section 6.6 wishes for: it names the limit, its
/// number and the moment, and links to a page that answers. Gives the problem.
#[track_caller]
fn assert_limited(world: &World, answer: &Answer, limit: LimitName, number: &str, wait: Duration) -> Problem {
    let problem = assert_refused(limit.name(), answer, 429, ProblemKind::RateLimited);
    assert_eq!(answer.retry_after(), Some(wait), "{answer:?}");
    assert_eq!(answer.links("help"), [world.url("/limits")], "{answer:?}");
    let again = (world.authority.ca.now() + wait).rfc3339();
    let seconds = |text: &str| text[..16].to_owned();
    for part in [limit.name(), number, &seconds(&again)] {
        assert!(problem.detail.contains(part), "{part} is not in {}", problem.detail);
    }
    problem
}

/// The names that a problem's subproblems are about.
fn blamed(problem: &Problem) -> Vec<&str> {
    assert!(problem.subproblems.iter().all(|one| one.kind == ProblemKind::RateLimited), "{problem:?}");
    problem.subproblems.iter().map(|one| one.identifier.as_ref().unwrap().value.as_str()).collect()
}

fn account_of(client: &TestClient) -> AccountId {
    AccountId::parse(client.account_url().unwrap().rsplit('/').next().unwrap()).unwrap()
}

/// Orders a name and fails to prove it.
async fn fail(client: &TestClient, name: &str) {
    let order = client.new_order(&[name]).await.unwrap();
    let url = &order.value.authorizations[0];
    let challenges = client.authorization(url).await.unwrap().value.challenges;
    let challenge = challenges.iter().find(|one| one.kind == "http-01").unwrap();
    client.respond(&challenge.url).await.unwrap();
    client.validated(url).await.unwrap_err();
}

/// newAccount of a new key, from that address of loopback; the whole answer.
async fn account_from(world: &World, address: &str) -> String {
    let client = world.stranger().await;
    let url = client.directory().new_account.clone();
    let body = client.forge(&url, "{}").await.unwrap().jwk().body().unwrap();
    let head = format!(
        "POST /acme/new-account HTTP/1.1\r\nHost: x\r\nContent-Type: application/jose+json\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n",
        body.len()
    );
    answer_to(world, address, &[head.into_bytes(), body].concat()).await
}

// conformance: 8555-6.6-01 8555-6.6-02 8555-6.6-03 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_of_one_address() {
    let world = world(&[(LimitName::NewAccountsPerAddress, 2)]).await;
    let first = world.client().await;
    world.client().await;
    let third = world.stranger().await;
    let url = third.directory().new_account.clone();
    // What comes to no account counts nowhere, before and after.
    let wrong = json!({ "contact": ["mailto:not an address"] });
    assert_eq!(third.post(&url, &wrong).await.unwrap().status, 400);
    let refused = third.post(&url, &json!({})).await.unwrap();
    let problem =
        assert_limited(&world, &refused, LimitName::NewAccountsPerAddress, "2 in 1m", Duration::from_secs(30));
    assert!(problem.detail.contains("127.0.0.1"), "{problem:?}");
    // Who has an account finds it nevertheless, and works with it.
    assert_eq!(first.post(&url, &json!({})).await.unwrap().status, 400, "signed with kid");
    assert!(first.new_account().await.is_ok());
    assert_eq!(order(&first, &["a.localhost"]).await.status, 201);
    let asked = NewAccount { only_return_existing: Some(true), ..NewAccount::default() };
    let absent = third.post(&url, &asked).await.unwrap();
    assert_refused("onlyReturnExisting", &absent, 400, ProblemKind::AccountDoesNotExist);
    assert!(account_from(&world, "127.0.0.2").await.starts_with("HTTP/1.1 201 "), "another address");

    world.clock.advance(Duration::from_secs(29));
    assert_eq!(third.post(&url, &json!({})).await.unwrap().status, 429, "a second early");
    world.clock.advance(Duration::from_secs(1));
    assert_eq!(third.post(&url, &json!({})).await.unwrap().status, 201);
    assert_eq!(world.stranger().await.post(&url, &json!({})).await.unwrap().status, 429, "one was refilled, no more");
}

// conformance: 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn new_accounts_of_one_network() {
    let world = world(&[(LimitName::NewAccountsPerAddress, 2), (LimitName::NewAccountsPerNetwork, 3)]).await;
    for address in ["127.0.0.2", "127.0.0.3", "127.0.0.4"] {
        assert!(account_from(&world, address).await.starts_with("HTTP/1.1 201 "), "{address}");
    }
    let refused = account_from(&world, "127.0.0.5").await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("127.0.0.0/24"), "{refused}");
    assert!(account_from(&world, "127.0.1.2").await.starts_with("HTTP/1.1 201 "), "another network");
    // What the network refused was not spent by the address.
    world.clock.advance(MINUTE);
    for _ in 0..2 {
        assert!(account_from(&world, "127.0.0.5").await.starts_with("HTTP/1.1 201 "));
    }
    let refused = account_from(&world, "127.0.0.5").await;
    assert!(refused.starts_with("HTTP/1.1 429 ") && refused.contains("new_accounts_per_address"), "{refused}");
}

// conformance: 8555-6.6-02 8555-6.6-04 8555-6.7-21
#[tokio::test(flavor = "multi_thread")]
async fn new_orders_of_one_account() {
    let world = world(&[(LimitName::NewOrdersPerAccount, 3)]).await;
    let (client, other) = (world.client().await, world.client().await);
    assert_eq!(order(&client, &["a.localhost"]).await.status, 201);
    // An authorization ahead of orders is one as well; what is refused for another reason is none.
    let ahead = client.directory().new_authz.clone().unwrap();
    let wish = json!({ "identifier": dns("b.localhost") });
    assert_eq!(client.post(&ahead, &wish).await.unwrap().status, 201);
    assert_eq!(order(&client, &["a b"]).await.status, 400);
    assert_eq!(order(&client, &["c.localhost"]).await.status, 201);
    let wait = Duration::from_secs(20);
    for refused in [order(&client, &["d.localhost"]).await, client.post(&ahead, &wish).await.unwrap()] {
        let problem = assert_limited(&world, &refused, LimitName::NewOrdersPerAccount, "3 in 1m", wait);
        assert_eq!(blamed(&problem), Vec::<&str>::new());
    }
    assert_eq!(order(&other, &["d.localhost"]).await.status, 201, "other accounts are unaffected");
    world.clock.advance(wait);
    assert_eq!(order(&client, &["d.localhost"]).await.status, 201);
    assert_eq!(order(&client, &["d.localhost"]).await.status, 429);
}

/// However many are asked for at one moment.
#[tokio::test(flavor = "multi_thread")]
async fn a_number_is_exact() {
    let world = world(&[(LimitName::NewOrdersPerAccount, 7)]).await;
    let client = world.client().await;
    let answers = join_all((0..40).map(|_| order(&client, &["a.localhost"]))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 7);
    assert!(answers.iter().all(|answer| [201, 429].contains(&answer.status)));
    // Also when it is asked by someone else, later: it was kept.
    let key = client.key().to_pkcs8().to_vec();
    let world = world.restarted_with(|setup| setup.limits = limits(&[(LimitName::NewOrdersPerAccount, 7)])).await;
    let again = world.stranger().await;
    let client =
        TestClient::with_key(again.http().clone(), &world.authority.directory_url, KeyPair::from_pkcs8(&key).unwrap());
    let client = client.await.unwrap();
    client.new_account().await.unwrap();
    assert_eq!(order(&client, &["a.localhost"]).await.status, 429);
}

// conformance: 8555-6.6-02 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn certificates_of_one_registered_domain() {
    let world = world(&[(LimitName::CertificatesPerRegisteredDomain, 1)]).await;
    let (client, other) = (world.client().await, world.client().await);
    // Orders and proofs are none yet: whoever finalizes first has it.
    let names = ["x.a.localhost", "y.b.localhost"];
    let ready = client.new_order(&names).await.unwrap();
    let ready = client.authorize(&ready, &world.target).await.unwrap();
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = json!({ "csr": certus_acme::base64url::encode(&csr(&names, &key, &CsrOptions::default()).unwrap()) });
    let late = client.post(&ready.value.finalize, &request).await.unwrap();
    let limit = LimitName::CertificatesPerRegisteredDomain;
    let problem = assert_limited(&world, &late, limit, "1 in 1m", MINUTE);
    assert_eq!(blamed(&problem), ["x.a.localhost"]);
    let still = client.order(&ready.url).await.unwrap();
    assert_eq!(still.value.status, certus_acme::OrderStatus::Ready, "what was proved is not lost");

    // Whoever asks, for whichever name of it; told before anything is proved, name by name.
    let refused = order(&other, &["z.a.localhost", "*.a.localhost", "c.localhost"]).await;
    let problem = assert_limited(&world, &refused, limit, "1 in 1m", MINUTE);
    assert_eq!(blamed(&problem), ["z.a.localhost", "*.a.localhost"]);
    assert_eq!(order(&other, &["y.b.localhost"]).await.status, 201, "what was refused has cost b.localhost nothing");

    world.clock.advance(MINUTE);
    let found = client.post(&ready.value.finalize, &request).await.unwrap();
    assert_eq!(found.status, 200, "{found:?}");
}

// conformance: 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn certificates_for_the_same_names() {
    let world = world(&[(LimitName::CertificatesPerExactSet, 1)]).await;
    let (client, other) = (world.client().await, world.client().await);
    client.obtain(&["a.localhost", "b.localhost"], &world.target).await.unwrap();
    let refused = order(&other, &["b.localhost", "a.localhost"]).await;
    let problem = assert_limited(&world, &refused, LimitName::CertificatesPerExactSet, "1 in 1m", MINUTE);
    assert!(problem.detail.contains("a.localhost,b.localhost") && problem.subproblems.is_empty(), "{problem:?}");
    for others in [&["a.localhost"][..], &["a.localhost", "b.localhost", "c.localhost"]] {
        assert_eq!(order(&other, others).await.status, 201, "{others:?}");
    }
    world.clock.advance(MINUTE);
    other.obtain(&["b.localhost", "a.localhost"], &world.target).await.unwrap();
}

/// A signer that refuses, and no certificate: it costs nothing.
#[tokio::test(flavor = "multi_thread")]
async fn what_comes_to_no_certificate_is_given_back() {
    let plan = SignerPlan::new();
    let signer = plan.clone();
    let numbers = [(LimitName::CertificatesPerExactSet, 1), (LimitName::CertificatesPerRegisteredDomain, 1)];
    let world = World::with(|setup| {
        setup.limits = limits(&numbers);
        setup.signer = Box::new(move |inner| signer.wrap(inner));
    })
    .await;
    let client = world.client().await;
    plan.next(&[SignerFault::Refuse; certus_ca::limits::MAX_SIGNING_TRIES]);
    client.obtain(&["a.localhost"], &world.target).await.unwrap_err();
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(order(&client, &["a.localhost"]).await.status, 429);
}

// conformance: 8555-6.6-02 8555-6.6-04
#[tokio::test(flavor = "multi_thread")]
async fn failed_validations_of_one_account_and_name() {
    let world = world(&[(LimitName::FailedValidationsPerAccountAndName, 2)]).await;
    let (client, other) = (world.client().await, world.client().await);
    let open = client.new_order(&["a.localhost"]).await.unwrap();
    for _ in 0..2 {
        fail(&client, "a.localhost").await;
    }
    let wait = Duration::from_secs(30);
    let limit = LimitName::FailedValidationsPerAccountAndName;
    let problem =
        assert_limited(&world, &order(&client, &["b.localhost", "a.localhost"]).await, limit, "2 in 1m", wait);
    assert_eq!(blamed(&problem), ["a.localhost"]);
    // By whichever way it would be validated.
    let ahead = client.directory().new_authz.clone().unwrap();
    let ahead = client.post(&ahead, &json!({ "identifier": dns("a.localhost") })).await.unwrap();
    assert_limited(&world, &ahead, limit, "2 in 1m", wait);
    assert_limited(&world, &order(&client, &["*.a.localhost"]).await, limit, "2 in 1m", wait);
    assert_eq!(order(&client, &["b.localhost"]).await.status, 201, "another name");
    other.obtain(&["a.localhost"], &world.target).await.unwrap();
    // What was open before is still met.
    client.authorize(&open, &world.target).await.unwrap();
    world.clock.advance(wait);
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
}

/// Who never succeeds is paused: told what mends it, let through now and then, and free after a success or a word of the
/// operator.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_never_succeeds_is_paused() {
    let world = world(&[(LimitName::ConsecutiveFailuresPerAccountAndName, 3)]).await;
    let (client, other) = (world.client().await, world.client().await);
    let limit = LimitName::ConsecutiveFailuresPerAccountAndName;
    // A success in between begins the count anew.
    for _ in 0..2 {
        fail(&client, "a.localhost").await;
    }
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    for _ in 0..3 {
        fail(&client, "a.localhost").await;
    }
    let wait = Duration::from_secs(20);
    let refused = order(&client, &["a.localhost", "b.localhost"]).await;
    let problem = assert_limited(&world, &refused, limit, "3 in 1m", wait);
    let key = format!("{}/a.localhost", account_of(&client));
    let mend = format!("certus ca limits clear {limit} {key}");
    assert_eq!(blamed(&problem), ["a.localhost"]);
    assert!(problem.detail.contains("paused") && problem.detail.contains(&mend), "{problem:?}");
    assert_eq!(order(&other, &["a.localhost"]).await.status, 201, "another account");

    // A client that was mended comes back by itself.
    world.clock.advance(wait);
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    for _ in 0..3 {
        fail(&client, "a.localhost").await;
    }
    assert_eq!(order(&client, &["a.localhost"]).await.status, 429);
    let shown = world.authority.ca.limit_buckets(Shown::Near, None, 10).await.unwrap().entries;
    let shown: Vec<_> = shown.iter().map(|one| (one.limit, one.subject.clone(), one.spent)).collect();
    assert_eq!(shown, [(limit, key.clone(), 3)]);
    assert!(world.authority.ca.clear_limit(UID, limit, &key).await.unwrap());
    assert!(!world.authority.ca.clear_limit(UID, limit, &key).await.unwrap());
    assert_eq!(order(&client, &["a.localhost"]).await.status, 201);
    let audit = world.authority.ca.store().audit(None, 1000).await.unwrap().entries;
    let cleared: Vec<_> = audit.iter().filter(|entry| entry.action == "limit.cleared").collect();
    assert_eq!(cleared.len(), 1);
    assert_eq!((&*cleared[0].object, &*cleared[0].actor), (&*format!("{limit} {key}"), "uid:1000"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_may_have_a_number_of_its_own() {
    let world = world(&[(LimitName::NewOrdersPerAccount, 2), (LimitName::CertificatesPerRegisteredDomain, 1)]).await;
    let (client, other) = (world.client().await, world.client().await);
    let (ca, id) = (&world.authority.ca, account_of(&client));
    let orders = LimitName::NewOrdersPerAccount;
    assert_eq!(ca.override_limit(UID, id, orders, Some(4)).await.unwrap().to_string(), "4 in 1m");
    for (who, numbers) in [(&client, [201, 201, 201, 201, 429]), (&other, [201, 201, 429, 429, 429])] {
        for expected in numbers {
            assert_eq!(order(who, &["a.localhost"]).await.status, expected);
        }
    }
    let refused = order(&client, &["a.localhost"]).await;
    assert_limited(&world, &refused, orders, "4 in 1m", Duration::from_secs(15));
    // Where the bucket is shared, what the account spends weighs as its number says.
    world.clock.advance(MINUTE);
    ca.override_limit(UID, id, LimitName::CertificatesPerRegisteredDomain, Some(4)).await.unwrap();
    for name in ["x.a.localhost", "y.a.localhost"] {
        client.obtain(&[name], &world.target).await.unwrap();
    }
    assert_eq!(order(&other, &["z.a.localhost"]).await.status, 429);
    // And all others' number again.
    assert_eq!(ca.override_limit(UID, id, orders, None).await.unwrap().to_string(), "2 in 1m");
    world.clock.advance(MINUTE);
    let statuses = [(); 3].map(|()| order(&client, &["b.localhost"]));
    let mut statuses: Vec<u16> = join_all(statuses).await.iter().map(|answer| answer.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [201, 201, 429]);
    assert!(ca.override_limit(UID, id, LimitName::NewAccountsPerAddress, Some(9)).await.is_err());
    assert!(ca.override_limit(UID, id, orders, Some(u32::MAX)).await.is_err());
    let shared = ca.override_limit(UID, id, LimitName::CertificatesPerRegisteredDomain, Some(0)).await.unwrap_err();
    assert!(shared.to_string().contains("lower new_orders_per_account for it"), "{shared}");
    assert!(ca.override_limit(UID, AccountId::random(), orders, Some(9)).await.is_err());
    let audit = ca.store().audit(None, 1000).await.unwrap().entries;
    let set: Vec<_> =
        audit.iter().filter(|entry| entry.action == "account.limit-set").map(|one| &*one.object).collect();
    assert_eq!(set[0], format!("{id} new_orders_per_account=4"));
    assert_eq!((set.len(), set[2]), (3, &*format!("{id} new_orders_per_account=none")));
}

// conformance: 8555-6.6-03
#[tokio::test(flavor = "multi_thread")]
async fn the_page_about_limits_is_there() {
    let world = world(&[(LimitName::NewOrdersPerAccount, 2)]).await;
    let client = world.client().await;
    let page = client.http().get(&world.url("/limits")).await.unwrap();
    assert_eq!((page.status, page.header("content-type")), (200, Some("text/plain; charset=utf-8")));
    for limit in LimitName::ALL {
        assert!(page.text().contains(limit.name()), "{limit} is not in {}", page.text());
    }
    assert!(page.text().contains("new_orders_per_account: 2 in 1m\n"), "{}", page.text());
    // A page of the operator's own is linked to instead.
    let own = "https://help.example/limits".to_owned();
    let limits = RateLimits { help_url: Some(own.clone()), ..limits(&[(LimitName::NewOrdersPerAccount, 1)]) };
    let world = World::with(|setup| setup.limits = limits).await;
    let client = world.client().await;
    order(&client, &["a.localhost"]).await;
    assert_eq!(order(&client, &["a.localhost"]).await.links("help"), [own]);
    assert_eq!(order(&client, &["a b"]).await.links("help"), Vec::<String>::new(), "other refusals have no such link");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_limits_nothing_is_kept() {
    let world = World::new().await;
    let client = world.client().await;
    client.obtain(&["a.localhost"], &world.target).await.unwrap();
    fail(&client, "b.localhost").await;
    let kept = world.authority.ca.limit_buckets(Shown::All, None, 10).await.unwrap();
    assert_eq!(kept.entries, []);
    let page = client.http().get(&world.url("/limits")).await.unwrap();
    assert!(page.status == 200 && page.text().contains("not limited"), "{}", page.text());
}

/// What is empty again goes, and a limit holds no less for it.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_empty_again_is_swept() {
    let world = world(&[(LimitName::NewOrdersPerAccount, 2)]).await;
    let client = world.client().await;
    for _ in 0..2 {
        assert_eq!(order(&client, &["a.localhost"]).await.status, 201);
    }
    let ca = &world.authority.ca;
    assert_eq!(keep::sweep_limits(ca).await.unwrap(), 0);
    assert_eq!(order(&client, &["a.localhost"]).await.status, 429);
    world.clock.advance(2 * MINUTE);
    assert_eq!(keep::sweep_limits(ca).await.unwrap(), 3, "the orders, and the account for its address and network");
    for expected in [201, 201, 429] {
        assert_eq!(order(&client, &["a.localhost"]).await.status, expected);
    }
}

// conformance: 9773-5-08
#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_that_was_asked_for_is_not_counted() {
    let year = Rate::new(1, Duration::from_secs(365 * 86_400)).unwrap();
    let rates = [LimitName::NewOrdersPerAccount, LimitName::CertificatesPerExactSet].map(|limit| (limit, year));
    let limits = RateLimits { rates: BTreeMap::from(rates), ..RateLimits::built_in() };
    let world = World::with(|setup| setup.limits = limits).await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let replaces = CertId::of(&chain.certificates()[0]).unwrap().to_string();
    let renew = |names: &[&str]| NewOrder {
        identifiers: names.iter().copied().map(dns).collect(),
        replaces: Some(replaces.clone()),
        ..NewOrder::default()
    };
    let url = &client.directory().new_order;
    for days in [0, 70] {
        world.clock.advance(Duration::from_secs(days * 86_400));
        assert_eq!(order(&client, &["a.localhost"]).await.status, 429, "after {days} days");
        let more = client.post(url, &renew(&["a.localhost", "b.localhost"])).await.unwrap();
        assert_eq!(more.status, 429, "with a name more, after {days} days");
    }
    world.clock.advance(Duration::from_secs(86_400));
    let renewal = client.new_order_with(&renew(&["a.localhost"])).await.unwrap();
    // Nor is its certificate, the second of the same names.
    let renewal = client.authorize(&renewal, &world.target).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let request = csr(&["a.localhost"], &key, &CsrOptions::default()).unwrap();
    let finalized = client.finalize(&renewal.value, &request).await.unwrap();
    client.issued(finalized).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_renewal_before_its_time_is_counted_like_any_order() {
    let rates = BTreeMap::from([(LimitName::NewOrdersPerAccount, Rate::new(1, MINUTE).unwrap())]);
    let world = World::with(|setup| setup.limits = RateLimits { rates, ..RateLimits::built_in() }).await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let replaces = Some(CertId::of(&chain.certificates()[0]).unwrap().to_string());
    let wish = NewOrder { identifiers: vec![dns("a.localhost")], replaces, ..NewOrder::default() };
    let answer = client.post(&client.directory().new_order, &wish).await.unwrap();
    assert_limited(&world, &answer, LimitName::NewOrdersPerAccount, "1 in 1m", MINUTE);
}

/// Neither by revoking nor by giving up can somebody order what is counted nowhere again and again.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_counted_cannot_be_had_again_and_again() {
    let year = Rate::new(1, Duration::from_secs(365 * 86_400)).unwrap();
    let rates = BTreeMap::from([(LimitName::NewOrdersPerAccount, year)]);
    let world = World::with(|setup| setup.limits = RateLimits { rates, ..RateLimits::built_in() }).await;
    let url = |client: &TestClient| client.directory().new_order.clone();
    let leaf = |issued: &Issued| CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone();
    let wish = |leaf: &Certificate| NewOrder {
        identifiers: vec![dns("a.localhost")],
        replaces: Some(CertId::of(leaf).unwrap().to_string()),
        ..NewOrder::default()
    };
    let client = world.client().await;
    let revoked = leaf(&client.obtain(&["a.localhost"], &world.target).await.unwrap());
    let revoke = client.directory().revoke_cert.clone().unwrap();
    assert_eq!(client.post(&revoke, &RevokeCert::new(revoked.der(), Some(4))).await.unwrap().status, 200);
    assert_eq!(client.post(&url(&client), &wish(&revoked)).await.unwrap().status, 429, "of a revoked one");

    let other = world.client().await;
    let due = leaf(&other.obtain(&["a.localhost"], &world.target).await.unwrap());
    world.clock.advance(Duration::from_secs(70 * 86_400));
    let first = other.new_order_with(&wish(&due)).await.unwrap();
    let give_up = json!({ "status": "deactivated" });
    assert_eq!(other.post(&first.value.authorizations[0], &give_up).await.unwrap().status, 200);
    assert_eq!(other.post(&url(&other), &wish(&due)).await.unwrap().status, 429, "the second for one");
}
