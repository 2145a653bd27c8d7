//! RFC 8555 section 7.1.2.1: the list of an account's orders.

use std::collections::HashSet;
use std::time::Duration;

use certus_acme::{ChallengeType, Identifier, OrderStatus, Orders, ProblemKind};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::{AccountId, OrderId};
use certus_ca::limits::ORDERS_A_PAGE;
use certus_ca::rate_limits::Charges;
use certus_ca::state::{Authorization, Order};
use certus_testkit::{Answer, Reply, TestClient};
use futures_util::future::join_all;
use serde_json::{Value, json};

use crate::common::{Resources, World, assert_malformed, assert_refused, dns, order_for};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// The URL in the client's account object.
async fn orders_url(client: &TestClient) -> String {
    let account = client.post_as_get(&client.account_url().unwrap()).await.unwrap();
    account.json::<Value>().unwrap()["orders"].as_str().unwrap().to_owned()
}

/// A page of a list, and the URL of the one behind it.
async fn page(client: &TestClient, url: &str) -> (Vec<String>, Option<String>) {
    let answer = client.post_as_get(url).await.unwrap();
    assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")), "{answer:?}");
    let mut next = answer.links("next");
    assert!(next.len() <= 1, "{answer:?}");
    (answer.json::<Orders>().unwrap().orders, next.pop())
}

/// What the whole list has on its one page.
async fn listed(client: &TestClient) -> Vec<String> {
    let (orders, next) = page(client, &orders_url(client).await).await;
    assert_eq!(next, None);
    orders
}

/// Opens orders past newOrder, many in a commit; their URLs, oldest first.
async fn open_many(world: &World, client: &TestClient, count: u32) -> Vec<String> {
    let account = AccountId::parse(client.account_url().unwrap().rsplit('/').next().unwrap()).unwrap();
    let (store, now) = (world.authority.ca.store(), world.authority.ca.now());
    let opened = (0..count).map(async |_| {
        let name = Identifier::parse(&dns("a.localhost")).unwrap();
        let authorization = Authorization::open(account, name, &[ChallengeType::Http01], now, now + DAY);
        let order = Order::open(account, "classic".to_owned(), std::slice::from_ref(&authorization), now, now + DAY);
        let audit = AuditEvent {
            at: now,
            actor: Actor::Authority,
            action: Action::OrderOpened,
            object: order.id.to_string(),
            request: None,
        };
        store.open_order(&order, &[authorization], &Charges::none(), audit).await.unwrap();
        world.url(&format!("/acme/order/{}", order.id))
    });
    join_all(opened).await
}

// conformance: 8555-7.1.2-02 8555-7.1.2.1-01 8555-7.1.2.1-02
#[tokio::test(flavor = "multi_thread")]
async fn an_account_lists_its_orders() {
    let world = World::new().await;
    let client = world.stranger().await;
    let made: Value = client.new_account().await.unwrap().answer.json().unwrap();
    let url = orders_url(&client).await;
    assert_eq!(made["orders"], json!(url));
    assert!(url.starts_with(&world.url("/acme/")), "{url}");
    assert_eq!(listed(&client).await, Vec::<String>::new());

    world.client().await.new_order(&["a.localhost"]).await.unwrap();
    let pending = client.new_order(&["a.localhost"]).await.unwrap();
    let ready = client.new_order(&["b.localhost"]).await.unwrap();
    let ready = client.authorize(&ready, &world.target).await.unwrap();
    let valid = client.obtain(&["c.localhost"], &world.target).await.unwrap().order;
    let orders = listed(&client).await;
    assert_eq!(orders, [pending.url, ready.url, valid.url], "oldest first");
    let mut statuses = Vec::new();
    for order in &orders {
        statuses.push(client.order(order).await.unwrap().value.status);
    }
    assert_eq!(statuses, [OrderStatus::Pending, OrderStatus::Ready, OrderStatus::Valid]);
}

// conformance: 8555-7.1.2.1-03
#[tokio::test(flavor = "multi_thread")]
async fn an_invalid_order_leaves_the_list() {
    let world = World::new().await;
    let client = world.client().await;
    let failing = client.new_order(&["a.localhost", "b.localhost"]).await.unwrap();
    let leaving = client.new_order(&["c.localhost"]).await.unwrap();
    let expiring = client.new_order(&["d.localhost"]).await.unwrap();
    let valid = client.obtain(&["e.localhost"], &world.target).await.unwrap().order;
    assert_eq!(
        listed(&client).await,
        [failing.url.as_str(), leaving.url.as_str(), expiring.url.as_str(), valid.url.as_str()]
    );

    let authorization = client.authorization(&failing.value.authorizations[0]).await.unwrap();
    let challenge = &authorization.value.challenges[0];
    world.target.answer_token(&challenge.token, Reply::new(200, "something else"));
    client.respond(&challenge.url).await.unwrap();
    assert!(client.validated(&authorization.url).await.is_err());
    assert_eq!(listed(&client).await, [leaving.url.as_str(), expiring.url.as_str(), valid.url.as_str()]);

    let given_up = json!({ "status": "deactivated" });
    assert_eq!(client.post(&leaving.value.authorizations[0], &given_up).await.unwrap().status, 200);
    assert_eq!(listed(&client).await, [expiring.url.as_str(), valid.url.as_str()]);

    world.clock.advance(8 * DAY);
    client.forget_nonces();
    assert_eq!(listed(&client).await, [valid.url.as_str()]);
    for url in [&failing.url, &leaving.url, &expiring.url] {
        assert_eq!(client.order(url).await.unwrap().value.status, OrderStatus::Invalid);
    }
}

// conformance: 8555-7.1.2.1-04
#[tokio::test(flavor = "multi_thread")]
async fn a_long_list_has_pages() {
    let world = World::new().await;
    let client = world.client().await;
    let first = orders_url(&client).await;
    let size = usize::try_from(ORDERS_A_PAGE).unwrap();
    let mut all: HashSet<String> = open_many(&world, &client, ORDERS_A_PAGE).await.into_iter().collect();
    assert_eq!(page(&client, &first).await.1, None, "a full page is not yet two");

    all.extend(open_many(&world, &client, ORDERS_A_PAGE + 7).await);
    let (mut url, mut sizes, mut seen) = (Some(first), Vec::new(), Vec::new());
    while let Some(this) = url {
        let (orders, next) = page(&client, &this).await;
        // What a client makes while it reads is on a later page.
        if sizes.is_empty() {
            all.extend(open_many(&world, &client, 1).await);
        }
        sizes.push(orders.len());
        seen.extend(orders);
        url = next;
    }
    assert_eq!(sizes, [size, size, 8]);
    assert_eq!((seen.len(), seen.into_iter().collect::<HashSet<_>>()), (all.len(), all), "each of them once");
}

// conformance: 8555-7.1.2.1-05
#[tokio::test(flavor = "multi_thread")]
async fn a_page_is_for_its_account_alone() {
    let world = World::new().await;
    let (client, other) = (world.client().await, world.client().await);
    open_many(&world, &client, ORDERS_A_PAGE + 1).await;
    let first = orders_url(&client).await;
    let next = page(&client, &first).await.1.unwrap();
    for url in [&first, &next] {
        assert_refused(url, &other.post_as_get(url).await.unwrap(), 403, ProblemKind::Unauthorized);
    }
    let known = next.rsplit('=').next().unwrap();
    let own = orders_url(&other).await;
    let foreign = assert_malformed(known, &other.post_as_get(&format!("{own}?after={known}")).await.unwrap());
    let absent = OrderId::random();
    let absent = assert_malformed("no order", &other.post_as_get(&format!("{own}?after={absent}")).await.unwrap());
    assert_eq!(foreign.detail, absent.detail, "nobody learns which orders there are");
    for query in [
        String::new(),
        "after".to_owned(),
        "after=".to_owned(),
        "after=1".to_owned(),
        "after=-1%20OR%201=1".to_owned(),
        format!("after={known}A"),
        format!("after={}", &known[1..]),
        format!("after={known}&after={known}"),
        format!("after={known}&limit=1000"),
        format!("before={known}"),
        format!("after={}", "A".repeat(4_000)),
    ] {
        let answer = client.post_as_get(&format!("{first}?{query}")).await.unwrap();
        assert_malformed(&query, &answer);
        assert!(answer.json::<Orders>().is_err() && answer.links("next").is_empty(), "{query}: {answer:?}");
    }
    // The query is signed like the rest of the URL.
    let forge = client.forge(&first, "").await.unwrap();
    let answer: Answer = client.send(&next, forge.body().unwrap()).await.unwrap();
    assert_refused("another page", &answer, 403, ProblemKind::Unauthorized);
    assert_eq!(page(&client, &next).await.0.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_only_read() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    assert_eq!(resources.orders, orders_url(&client).await);
    for payload in [json!({}), order_for(&["a.localhost"]), json!({ "orders": [] })] {
        assert_malformed(&payload.to_string(), &client.post(&resources.orders, &payload).await.unwrap());
    }
    assert_eq!(listed(&client).await, [resources.order]);
    let nobody = world.url("/acme/acct/AAAAAAAAAAAAAAAAAAAAAA/orders");
    let answer = client.post_as_get(&nobody).await.unwrap();
    assert_refused("an account that does not exist", &answer, 403, ProblemKind::Unauthorized);
    let answer = client.post_as_get(&world.url("/acme/acct/x/orders")).await.unwrap();
    assert_refused("no account", &answer, 404, ProblemKind::Malformed);
}
