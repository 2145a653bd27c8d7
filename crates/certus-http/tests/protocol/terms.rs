//! Terms of service (RFC 8555 sections 7.1.1, 7.3 and 7.3.3).

use certus_acme::{NewAccount, ProblemKind};
use certus_ca::Service;
use certus_testkit::{Answer, Setup, TestClient};
use serde_json::{Value, json};

use crate::common::{World, assert_refused, order_for};

const TERMS: &str = "https://www.example.com/terms-1";
const NEW_TERMS: &str = "https://www.example.com/terms-2";

fn with(terms: &str) -> impl FnOnce(&mut Setup) {
    let website = Some("https://www.example.com/".to_owned());
    let service = Service { terms_of_service: Some(terms.to_owned()), website, ..Service::default() };
    move |setup| setup.service = service
}

/// Asserts that the terms are what is missing, and that a person and a program are told where they are.
fn assert_asked(answer: &Answer, terms: &str) {
    let problem = assert_refused("without agreement", answer, 403, ProblemKind::UserActionRequired);
    assert_eq!(problem.instance.as_deref(), Some(terms));
    assert!(problem.detail.contains(terms), "{problem:?}");
    assert_eq!(answer.links("terms-of-service"), [terms]);
}

async fn new_account(client: &TestClient, payload: &Value) -> Answer {
    client.post(&client.directory().new_account, payload).await.unwrap()
}

// conformance: 8555-7.1.1-04 8555-7.1.1-05
#[tokio::test]
async fn the_directory_names_them_when_there_are_any() {
    for (world, expected) in [
        (World::new().await, [Value::Null, Value::Null]),
        (World::with(with(TERMS)).await, [json!(TERMS), json!("https://www.example.com/")]),
    ] {
        let client = world.stranger().await;
        let directory: Value = client.http().get(&world.authority.directory_url).await.unwrap().json().unwrap();
        let meta = &directory["meta"];
        assert_eq!([meta["termsOfService"].clone(), meta["website"].clone()], expected);
        assert_eq!(meta.as_object().unwrap().contains_key("termsOfService"), expected[0] != Value::Null);
    }
}

// conformance: 8555-7.3-09
#[tokio::test]
async fn an_account_is_made_by_who_agrees() {
    let world = World::with(with(TERMS)).await;
    let client = world.stranger().await;
    for payload in [json!({}), json!({ "termsOfServiceAgreed": false })] {
        assert_asked(&new_account(&client, &payload).await, TERMS);
    }
    let answer = new_account(&client, &json!({ "termsOfServiceAgreed": "true" })).await;
    assert_refused("a text", &answer, 400, ProblemKind::Malformed);
    let answer = new_account(&client, &json!({ "termsOfServiceAgreed": true })).await;
    assert_eq!(answer.status, 201);
    assert_eq!(answer.json::<Value>().unwrap()["termsOfServiceAgreed"], json!(true));
    // Whoever has agreed need not again.
    let again = new_account(&client, &json!({})).await;
    assert_eq!((again.status, again.location()), (200, answer.location()));
}

// conformance: 8555-6.7-28 8555-7.3.3-01 8555-7.3.3-02 8555-7.3.3-03
#[tokio::test]
async fn terms_that_changed_are_agreed_to_before_anything_is_ordered() {
    let world = World::with(with(TERMS)).await;
    let client = world.client().await;
    client.new_order(&["a.localhost"]).await.unwrap();
    let (key, root) = (client.key().clone(), world.authority.root_pem.clone());
    let world = world.restarted_with(with(NEW_TERMS)).await;
    let http = certus_testkit::RawHttp::trusting(&root).unwrap();
    let client = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
    let found = client.new_account_with(&NewAccount::default()).await.unwrap();
    assert_eq!(found.answer.status, 200, "an account is found without agreeing");
    let url = client.directory().new_order.clone();
    assert_asked(&client.post(&url, &order_for(&["a.localhost"])).await.unwrap(), NEW_TERMS);
    // Other changes do not agree.
    let contact = json!({ "contact": ["mailto:admin@a.example"], "termsOfServiceAgreed": false });
    assert_eq!(client.post(&found.url, &contact).await.unwrap().status, 200);
    assert_asked(&client.post(&url, &order_for(&["a.localhost"])).await.unwrap(), NEW_TERMS);
    let agreed = client.post(&found.url, &json!({ "termsOfServiceAgreed": true })).await.unwrap();
    assert_eq!(agreed.json::<Value>().unwrap()["contact"], json!(["mailto:admin@a.example"]), "kept");
    client.new_order(&["a.localhost"]).await.unwrap();
}
