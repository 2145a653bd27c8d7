//! RFC 8555 section 7.3: making, finding, changing and closing accounts.

use std::collections::HashSet;
use std::time::Duration;

use certus_acme::{Account, AccountStatus, AuthorizationStatus, OrderStatus, ProblemKind};
use certus_ca::id::OrderId;
use certus_pki::{CertificateChain, CertificateList, Clock as _};
use certus_testkit::{Answer, RawHttp, TestClient};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{Resources, World, assert_malformed, assert_refused, connect, order_for};

async fn new_account(client: &TestClient, payload: &Value) -> Answer {
    client.post(&client.directory().new_account, payload).await.unwrap()
}

/// A client that signs with the account that an answer located.
async fn stored(client: &TestClient, answer: &Answer) -> Value {
    let url = answer.location().unwrap().to_owned();
    client.set_account_url(Some(url.clone()));
    let account = client.post_as_get(&url).await.unwrap().json().unwrap();
    client.set_account_url(None);
    account
}

// conformance: 8555-7.3-01 8555-7.3-02 8555-7.3-03 8555-7.3-04
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_made_of_its_key_and_contacts_alone() {
    let world = World::new().await;
    let evil = "https://evil.example/orders";
    for extra in [
        json!({}),
        json!({ "foo": 1, "orders": evil }),
        json!({ "onlyReturnExisting": false }),
        json!({ "status": "deactivated" }),
        json!({ "status": 7, "orders": [], "createdAt": null }),
    ] {
        let client = world.stranger().await;
        let answer = new_account(&client, &extra).await;
        assert_eq!((answer.status, answer.header("content-type")), (201, Some("application/json")), "{extra}");
        let location = answer.location().unwrap();
        assert!(location.starts_with(&world.url("/acme/acct/")), "{location}");
        for account in [answer.json().unwrap(), stored(&client, &answer).await] {
            assert_eq!(account["status"], json!("valid"), "{extra}: {account}");
            assert_eq!(account["orders"], json!(format!("{location}/orders")), "{extra}: {account}");
            for absent in ["foo", "onlyReturnExisting", "createdAt"] {
                assert_eq!(account.get(absent), None, "{extra}: {account}");
            }
        }
        let found = new_account(&client, &json!({ "onlyReturnExisting": true })).await;
        assert_eq!((found.status, found.location()), (200, Some(location)));
        assert_eq!(found.json::<Value>().unwrap().get("onlyReturnExisting"), None);
    }
}

// conformance: 8555-7.3-05 8555-7.3-06 8555-7.3-07 8555-7.3-08 8555-7.3.2-06
#[tokio::test(flavor = "multi_thread")]
async fn contacts_are_mail_addresses_one_to_a_url() {
    let world = World::new().await;
    let (client, stranger) = (world.client().await, world.stranger().await);
    let url = client.account_url().unwrap();
    let good = json!({ "contact": ["mailto:a@example.org"] });
    assert_eq!(client.post(&url, &good).await.unwrap().status, 200);
    let (invalid, unsupported) = (ProblemKind::InvalidContact, ProblemKind::UnsupportedContact);
    for (contact, kind) in [
        ("mailto:a@example.org?subject=x", invalid),
        ("mailto:a@example.org?", invalid),
        ("mailto:a@x.org,b@x.org", invalid),
        ("mailto:a@x.org%2Cb@x.org", invalid),
        ("mailto:@", invalid),
        ("mailto:a@b@c", invalid),
        ("mailto:a@", invalid),
        ("mailto:@example.org", invalid),
        ("mailto:", invalid),
        ("mailto:\u{e4}@example.org", invalid),
        ("mailto:a@b\u{fc}cher.example", invalid),
        ("mailto:a\r\nb@example.org", invalid),
        ("https://x.example", unsupported),
        ("admin@example.org", unsupported),
        ("tel:+15550100", unsupported),
        ("", unsupported),
    ] {
        // A good one before it does not help.
        let wish = json!({ "contact": ["mailto:b@example.org", contact] });
        let made = new_account(&stranger, &wish).await;
        let changed = client.post(&url, &wish).await.unwrap();
        for answer in [made, changed] {
            let problem = assert_refused(contact, &answer, 400, kind);
            assert!(problem.detail.contains("mailto"), "{contact}: {problem:?}");
        }
    }
    let account: Value = client.post_as_get(&url).await.unwrap().json().unwrap();
    assert_eq!(account["contact"], good["contact"], "nothing changed");
    let answer = new_account(&stranger, &json!({ "onlyReturnExisting": true })).await;
    assert_refused("nothing was made", &answer, 400, ProblemKind::AccountDoesNotExist);
    assert_eq!(new_account(&stranger, &good).await.status, 201);
}

// conformance: 8555-7.3-13
#[tokio::test(flavor = "multi_thread")]
async fn a_payload_is_an_object() {
    let world = World::new().await;
    let client = world.stranger().await;
    let url = &client.directory().new_account;
    for payload in ["", " ", "null", "[]", "\"x\"", "1", "{", "{}{}", "{\"contact\":\"mailto:a@example.org\"}"] {
        assert_malformed(payload, &client.post_octets(url, payload.as_bytes()).await.unwrap());
    }
    let answer = new_account(&client, &json!({ "onlyReturnExisting": true })).await;
    assert_refused("nothing was made", &answer, 400, ProblemKind::AccountDoesNotExist);
}

// conformance: 8555-7.3.1-01 8555-7.3.1-02 8555-7.3.1-03 8555-7.3.1-05
#[tokio::test(flavor = "multi_thread")]
async fn the_account_of_a_known_key_is_found_as_it_is() {
    let world = World::new().await;
    let client = world.stranger().await;
    let made = new_account(&client, &json!({ "contact": ["mailto:a@example.org"] })).await;
    assert_eq!(made.status, 201);
    for wish in [
        json!({ "contact": ["mailto:b@example.org"] }),
        json!({ "contact": [] }),
        json!({}),
        json!({ "contact": ["tel:1"] }),
        json!({ "onlyReturnExisting": true }),
        json!({ "onlyReturnExisting": true, "contact": ["mailto:b@example.org"] }),
    ] {
        let answer = new_account(&client, &wish).await;
        assert_eq!((answer.status, answer.location()), (200, made.location()), "{wish}");
        assert_eq!(answer.json::<Value>().unwrap(), made.json::<Value>().unwrap(), "{wish}");
        assert_eq!(stored(&client, &answer).await, made.json::<Value>().unwrap(), "{wish}");
    }
}

// conformance: 8555-7.3.1-04
#[tokio::test(flavor = "multi_thread")]
async fn only_return_existing_makes_nothing() {
    let world = World::new().await;
    let client = world.stranger().await;
    for _ in 0..2 {
        let answer = new_account(&client, &json!({ "onlyReturnExisting": true })).await;
        assert_refused("no account", &answer, 400, ProblemKind::AccountDoesNotExist);
        assert_eq!(answer.location(), None);
    }
    assert_eq!(new_account(&client, &json!({})).await.status, 201);
}

// conformance: 8555-7.3.1-06
#[tokio::test(flavor = "multi_thread")]
async fn a_key_never_has_two_accounts() {
    let world = World::new().await;
    let client = world.stranger().await;
    connect(&client, 20).await;
    let answers = join_all((0..20).map(|_| async { new_account(&client, &json!({})).await })).await;
    assert!(answers.iter().all(|answer| matches!(answer.status, 200 | 201)), "{answers:?}");
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1, "{answers:?}");
    let locations: HashSet<_> = answers.iter().map(|answer| answer.location().unwrap()).collect();
    assert_eq!(locations.len(), 1);
}

// conformance: 8555-7.3.1-07 8555-7.3.6-06
#[tokio::test(flavor = "multi_thread")]
async fn the_key_of_a_closed_account_is_of_no_more_use() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.account_url().unwrap();
    assert_eq!(client.post(&url, &json!({ "status": "deactivated" })).await.unwrap().status, 200);
    let answer = client.post(&url, &json!({ "status": "valid" })).await.unwrap();
    assert_refused("it does not come back", &answer, 401, ProblemKind::Unauthorized);
    client.set_account_url(None);
    for wish in [json!({}), json!({ "onlyReturnExisting": true })] {
        let answer = new_account(&client, &wish).await;
        assert_refused("newAccount", &answer, 401, ProblemKind::Unauthorized);
        assert_eq!(answer.location(), None);
    }
}

// conformance: 8555-7.3.2-01 8555-7.3.2-02 8555-7.3.2-03 8555-7.3.2-04
#[tokio::test(flavor = "multi_thread")]
async fn contacts_change_and_nothing_else_does() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.account_url().unwrap();
    let contact = json!(["mailto:new@example.org"]);
    let none = Value::Null;
    for (update, statuses, expected) in [
        (json!({ "contact": contact }), &[200][..], &contact),
        (json!({ "orders": "https://evil.example", "termsOfServiceAgreed": false, "foo": 1 }), &[200], &contact),
        (json!({ "status": "valid" }), &[200], &contact),
        (json!({ "status": "revoked" }), &[400], &contact),
        (json!({ "status": "revoked", "contact": [] }), &[400], &contact),
        (json!({ "contact": [] }), &[200], &none),
    ] {
        let answer = client.post(&url, &update).await.unwrap();
        assert!(statuses.contains(&answer.status), "{update}: {answer:?}");
        let read = client.post_as_get(&url).await.unwrap();
        if answer.status == 200 {
            assert_eq!(answer.body, read.body, "{update}");
        }
        let account: Value = read.json().unwrap();
        assert_eq!(account["status"], json!("valid"), "{update}");
        assert_eq!(&account["contact"], expected, "{update}");
        assert!(account.get("foo").is_none() && !read.text().contains("evil"), "{account}");
        assert_ne!(account["termsOfServiceAgreed"], json!(false), "{account}");
    }
}

// conformance: 8555-7.3.2-05 8555-7.3.6-02
#[tokio::test(flavor = "multi_thread")]
async fn an_account_is_changed_by_its_own_key_alone() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    let url = client.account_url().unwrap();
    for update in [json!({ "contact": ["mailto:b@example.org"] }), json!({ "status": "deactivated" }), json!({})] {
        let answer = other.post(&url, &update).await.unwrap();
        assert_refused("by its own account", &answer, 403, ProblemKind::Unauthorized);
        // The other way: the right account's URL, signed by the wrong key.
        let forge = client.forge(&url, update.to_string()).await.unwrap().signed_by(other.key());
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        assert_refused("by another's key", &answer, 403, ProblemKind::Unauthorized);
    }
    let account: Account = client.post_as_get(&url).await.unwrap().json().unwrap();
    assert_eq!((account.status, account.contact), (AccountStatus::Valid, vec![]));
}

// conformance: 8555-7.3.6-01 8555-7.3.6-03
#[tokio::test(flavor = "multi_thread")]
async fn a_closed_account_can_do_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    let open = client.new_order(&["b.localhost"]).await.unwrap();
    let answer = client.post(&resources.account, &json!({ "status": "deactivated" })).await.unwrap();
    assert_eq!(answer.status, 200, "{answer:?}");
    assert_eq!(answer.json::<Account>().unwrap().status, AccountStatus::Deactivated);

    let new_order = client.directory().new_order.clone();
    let answer = client.post(&new_order, &order_for(&["a.localhost"])).await.unwrap();
    assert_refused("newOrder", &answer, 401, ProblemKind::Unauthorized);
    let (directory, new_nonce) = (world.authority.directory_url.clone(), client.directory().new_nonce.clone());
    let rest = [open.url.as_str(), open.value.authorizations.first().unwrap(), &directory, &new_nonce];
    for url in resources.readable().into_iter().chain(rest) {
        let answer = client.post_as_get(url).await.unwrap();
        assert_refused(url, &answer, 401, ProblemKind::Unauthorized);
    }
    for (url, payload) in [
        (&resources.challenge, json!({})),
        (&resources.authorization, json!({ "status": "deactivated" })),
        (&open.value.finalize, json!({ "csr": "AAAA" })),
        (&resources.account, json!({ "contact": [] })),
    ] {
        let answer = client.post(url, &payload).await.unwrap();
        assert_refused(url, &answer, 401, ProblemKind::Unauthorized);
    }
}

// conformance: 8555-7.3.6-04
#[tokio::test(flavor = "multi_thread")]
async fn what_a_closed_account_has_under_way_is_cancelled() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let pending = client.new_order(&["b.localhost"]).await.unwrap();
    let ready = client.new_order(&["c.localhost"]).await.unwrap();
    client.authorize(&ready, &world.target).await.unwrap();
    let closed = json!({ "status": "deactivated" });
    assert_eq!(client.post(&client.account_url().unwrap(), &closed).await.unwrap().status, 200);
    let (store, now) = (world.authority.ca.store(), world.clock.now());
    for (url, expected, proofs) in [
        (&issued.order.url, OrderStatus::Valid, AuthorizationStatus::Deactivated),
        (&pending.url, OrderStatus::Invalid, AuthorizationStatus::Deactivated),
        (&ready.url, OrderStatus::Invalid, AuthorizationStatus::Deactivated),
    ] {
        let id = OrderId::parse(url.rsplit('/').next().unwrap()).unwrap();
        let read = store.order(id).await.unwrap().unwrap().value;
        assert_eq!(read.order.status(&read.authorizations, now), expected, "{url}");
        assert!(read.authorizations.iter().all(|one| one.status(now) == proofs), "{url}");
        let alone = store.authorization(read.authorizations[0].id).await.unwrap().unwrap().value;
        assert_eq!(alone.status(now), proofs, "{url}");
    }
}

// conformance: 8555-7.3.6-05
#[tokio::test(flavor = "multi_thread")]
async fn closing_an_account_revokes_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let certificate = chain.certificates().first().unwrap();
    let account = client.account_url().unwrap();
    assert_eq!(client.post(&account, &json!({ "status": "deactivated" })).await.unwrap().status, 200);

    let url = certificate.crl_urls().first().unwrap();
    let plain = RawHttp::plain().unwrap();
    let before = CertificateList::parse(&plain.get(url).await.unwrap().body).unwrap();
    world.clock.advance(Duration::from_secs(2 * 24 * 3600));
    certus_ca::keep::publish_crls(&world.authority.ca).await.unwrap();
    let after = CertificateList::parse(&plain.get(url).await.unwrap().body).unwrap();
    assert!(after.number() > before.number());
    assert!(after.revoked().iter().all(|entry| &entry.serial != certificate.serial()), "{after:?}");
}

// conformance: 8555-7.3.6-08
#[tokio::test]
async fn an_account_that_was_revoked_can_do_nothing() {
    let world = World::new().await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let ready = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.authorize(&ready, &world.target).await.unwrap();
    let account = client.account_url().unwrap();
    let id = certus_ca::id::AccountId::parse(account.rsplit('/').next().unwrap()).unwrap();
    let revoked = world.authority.ca.revoke_account(1000, id).await.unwrap();
    assert_eq!(revoked.status(), certus_acme::AccountStatus::Revoked);
    for url in [&account, &ready.url, &issued.order.url, &client.directory().new_order] {
        let answer = client.post_as_get(url).await.unwrap();
        assert_refused(url, &answer, 401, ProblemKind::Unauthorized);
    }
    let answer = client.post(&client.directory().new_account, &json!({})).await.unwrap();
    assert!(answer.status >= 400, "{answer:?}");
    // Whoever revokes it again, and its owner, find it so.
    assert_eq!(world.authority.ca.revoke_account(1000, id).await.unwrap(), revoked);
    let order = certus_ca::id::OrderId::parse(ready.url.rsplit('/').next().unwrap()).unwrap();
    assert!(world.authority.ca.order(&revoked, order).await.is_ok(), "it is kept");
}
