//! RFC 8555 section 7.1: resources, the directory, account objects.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use certus_acme::CertId;
use certus_ca::rate_limits::Rate;
use certus_ca::{LimitName, RateLimits};
use certus_pki::CertificateChain;
use certus_testkit::RawHttp;
use serde_json::{Value, json};

use crate::common::{Resources, World, order_for};

// conformance: 8555-7.1-01 8555-7.1.1-01 8555-7.1.1-02 8555-7.1.1-03
#[tokio::test(flavor = "multi_thread")]
async fn the_directory_names_what_answers() {
    let world = World::new().await;
    let client = world.client().await;
    let answer = client.http().get(&world.authority.directory_url).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
    let directory: Value = answer.json().unwrap();
    let members: Vec<&str> = directory.as_object().unwrap().keys().map(String::as_str).collect();
    for needed in ["newNonce", "newAccount", "newAuthz", "newOrder", "keyChange", "revokeCert", "renewalInfo"] {
        assert!(members.contains(&needed), "{directory}");
    }
    for (name, value) in directory.as_object().unwrap() {
        if name == "meta" {
            assert!(value.is_object(), "{directory}");
            continue;
        }
        let url = value.as_str().unwrap();
        assert!(url.starts_with(&format!("{}/", world.authority.external_url)), "{name}: {url}");
        // Whatever is named answers, if only to say that the payload is not right.
        let answer = match name.as_str() {
            "renewalInfo" => client.http().get(url).await,
            _ => Ok(client.post(url, &json!({})).await.unwrap()),
        };
        let status = answer.unwrap().status;
        assert!(matches!(status, 200 | 400), "{name}: {status}");
    }
    let nonce = client.http().send("HEAD", directory["newNonce"].as_str().unwrap(), &[], "").await.unwrap();
    assert!(nonce.status == 200 && nonce.nonce().is_some(), "{nonce:?}");
}

// conformance: 8555-7.1-02
#[tokio::test(flavor = "multi_thread")]
async fn everything_but_the_directory_links_to_it() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    let directory = client.directory().clone();
    let mut answers = vec![
        client.http().send("HEAD", &directory.new_nonce, &[], "").await.unwrap(),
        client.http().get(&directory.new_nonce).await.unwrap(),
        client.http().get(&directory.new_order).await.unwrap(),
        client.http().get(&world.url("/nowhere")).await.unwrap(),
        client.post(&directory.new_order, &order_for(&["a.localhost"])).await.unwrap(),
        client.post(&directory.new_order, &json!({})).await.unwrap(),
        client.post(&resources.challenge, &json!({})).await.unwrap(),
        client.post(&directory.new_account, &json!({})).await.unwrap(),
    ];
    for url in resources.readable() {
        answers.push(client.post_as_get(url).await.unwrap());
    }
    for answer in &answers {
        assert_eq!(answer.links("index"), [world.authority.directory_url.as_str()], "{answer:?}");
    }
    let made = client.another(certus_pki::KeyAlgorithm::EcP256).unwrap().new_account().await.unwrap();
    assert_eq!(made.answer.links("index"), [world.authority.directory_url.as_str()]);
    let answer = client.http().get(&world.authority.directory_url).await.unwrap();
    assert_eq!(answer.links("index"), Vec::<String>::new());
}

// conformance: 8555-7.1-03
#[tokio::test(flavor = "multi_thread")]
async fn a_challenge_links_up_to_its_authorization() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    for url in &order.value.authorizations {
        for challenge in client.authorization(url).await.unwrap().value.challenges {
            let read = client.post_as_get(&challenge.url).await.unwrap();
            let responded = client.post(&challenge.url, &json!({})).await.unwrap();
            for answer in [read, responded] {
                assert_eq!((answer.status, answer.links("up")), (200, vec![url.clone()]), "{answer:?}");
            }
        }
    }
}

// conformance: 8555-7.1.2-01 8555-7.1.2-03 8555-7.1.2-05
#[tokio::test(flavor = "multi_thread")]
async fn an_account_object_is_what_the_rfc_draws() {
    let world = World::new().await;
    let client = world.stranger().await;
    let contacts = json!(["mailto:z@example.org", "mailto:Admin@example.com"]);
    let wish = json!({ "contact": contacts, "termsOfServiceAgreed": true });
    let made = client.post(&client.directory().new_account, &wish).await.unwrap();
    let url = made.location().unwrap().to_owned();
    client.set_account_url(Some(url.clone()));
    let read = client.post_as_get(&url).await.unwrap();
    for answer in [made, read] {
        let account: Value = answer.json().unwrap();
        assert_eq!((&account["status"], &account["contact"]), (&json!("valid"), &contacts), "{account}");
        assert!(matches!(account.get("termsOfServiceAgreed"), None | Some(Value::Bool(true))), "{account}");
    }
    let closed: Value = client.post(&url, &json!({ "status": "deactivated" })).await.unwrap().json().unwrap();
    assert_eq!(closed["status"], json!("deactivated"));
}

/// The URLs in a JSON value, at any depth.
fn urls_in(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.starts_with("http://") || text.starts_with("https://") => {
            found.extend([text.clone()]);
        }
        Value::Array(values) => values.iter().for_each(|one| urls_in(one, found)),
        Value::Object(members) => members.values().for_each(|one| urls_in(one, found)),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Orders of one account: more than a page has.
const ORDERS: u32 = 102;

/// Everything that was ever told as a URL is asked for, and what that tells, until nothing is new.
#[tokio::test(flavor = "multi_thread")]
async fn every_url_that_is_told_answers() {
    let world = World::with(|setup| {
        setup.second_root = true;
        let year = Rate::new(ORDERS, Duration::from_secs(365 * 86_400)).unwrap();
        let rates = BTreeMap::from([(LimitName::NewOrdersPerAccount, year)]);
        setup.limits = RateLimits { rates, ..RateLimits::built_in() };
    })
    .await;
    let client = world.client().await;
    let issued = client.obtain(&["a.localhost"], &world.target).await.unwrap();
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    let directory = client.directory().clone();
    let mut told: BTreeSet<String> = [world.authority.directory_url.clone(), client.account_url().unwrap()].into();
    for leaf in chain.certificates() {
        told.extend(leaf.ca_issuers_urls().iter().chain(leaf.crl_urls()).cloned());
    }
    told.insert(format!(
        "{}/{}",
        directory.renewal_info.clone().unwrap(),
        CertId::of(&chain.certificates()[0]).unwrap()
    ));
    for _ in 2..ORDERS {
        client.new_order(&["b.localhost"]).await.unwrap();
    }
    // Refusals tell URLs, too: of a page for people.
    let mut answers = vec![
        client.post(&directory.new_order, &order_for(&["b.localhost"])).await.unwrap(),
        client.post(&directory.new_order, &order_for(&["b.localhost"])).await.unwrap(),
        client.post(&directory.new_order, &order_for(&[])).await.unwrap(),
        client.post(&directory.new_authz.clone().unwrap(), &json!({})).await.unwrap(),
    ];
    assert!(answers.iter().any(|answer| answer.status == 429), "the help of a limit is told");
    let mut asked = BTreeSet::new();
    loop {
        for answer in answers.drain(..) {
            if let Ok(value) = answer.json::<Value>() {
                urls_in(&value, &mut told);
            }
            told.extend(answer.header("location").map(str::to_owned));
            for relation in ["index", "up", "next", "alternate", "help", "terms-of-service"] {
                told.extend(answer.links(relation));
            }
        }
        let new: Vec<String> = told.iter().filter(|url| !asked.contains(*url)).cloned().collect();
        if new.is_empty() {
            break;
        }
        for url in new {
            let posted = url.starts_with(&world.url("/acme/")) && !url.contains("renewal-info");
            let answer = match posted {
                true => client.post_as_get(&url).await.unwrap(),
                false if url.starts_with("http://") => RawHttp::plain().unwrap().get(&url).await.unwrap(),
                false => client.http().get(&url).await.unwrap(),
            };
            // What takes a payload says that it has none; everything else is there.
            let members =
                [&directory.new_authz, &directory.key_change, &directory.revoke_cert, &directory.renewal_info];
            let takes_payload = [&directory.new_account, &directory.new_order].contains(&&url)
                || members.into_iter().flatten().any(|member| *member == url)
                || url.contains("/finalize");
            let fine = if takes_payload { matches!(answer.status, 400 | 403) } else { answer.status < 300 };
            assert!(fine, "{url}: {answer:?}");
            asked.insert(url);
            answers.push(answer);
        }
    }
    for part in [
        "/acme/order/",
        "/acme/authz/",
        "/acme/chall/",
        "/acme/cert/",
        "/orders",
        "/orders?",
        "/limits",
        ".crl",
        ".cer",
    ] {
        assert!(asked.iter().any(|url| url.contains(part)), "{part} was never told: {asked:?}");
    }
    let alternate = |url: &String| url.contains("/acme/cert/") && url.ends_with("/1");
    assert!(asked.iter().any(alternate), "no alternate chain was told: {asked:?}");
}
