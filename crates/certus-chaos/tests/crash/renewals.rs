//! A kill at each commit of an order that replaces a certificate (RFC 9773 section 5): it is replaced, or it is not.

use certus_acme::{CertId, NewOrder, OrderStatus, Orders, ProblemKind, RawIdentifier};
use certus_pki::{CertificateChain, KeyAlgorithm, KeyPair};
use certus_testkit::faulty_store::{Effect, Moment};
use certus_testkit::postgres::PostgresServer;
use certus_testkit::{ClientError, CsrOptions, Fault, RawHttp, ReadyFile, TestClient, csr};

use crate::laboratory::Laboratory;

/// The second of its kind: the one that replaces what came of the first.
const SECOND: usize = 2;

async fn client(ready: &ReadyFile, key: &KeyPair) -> TestClient {
    let http = RawHttp::trusting(&std::fs::read_to_string(&ready.root_path).unwrap()).unwrap();
    let client = TestClient::with_key(http, &ready.directory_url, key.clone()).await.unwrap();
    client.new_account().await.unwrap();
    client
}

/// Orders and obtains a replacement, and is killed at it.
async fn killed(laboratory: &Laboratory, key: &KeyPair, wish: &mut NewOrder, fault: Fault) {
    let name = wish.identifiers[0].value.clone();
    let (running, ready) = laboratory.start(&[fault]).await;
    let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
    let client = client(&ready, key).await;
    let issued = client.obtain(&[&name], &laboratory.target).await.unwrap();
    let chain = CertificateChain::from_pem(&issued.chain_pem).unwrap();
    wish.replaces = Some(CertId::of(&chain.certificates()[0]).unwrap().to_string());
    client.obtain_with(wish, &laboratory.target).await.unwrap_err();
    running.killed_itself(&laboratory.log()).await;
}

async fn is_replaced(client: &TestClient, wish: &NewOrder) -> bool {
    match client.new_order_with(wish).await {
        Ok(_) => false,
        Err(ClientError::Refused { answer, .. }) => {
            assert_eq!(answer.problem().map(|problem| problem.kind), Some(ProblemKind::AlreadyReplaced), "{answer:?}");
            true
        }
        Err(other) => panic!("{other}"),
    }
}

async fn orders_are_kept_with_what_they_replace(dir: &std::path::Path, store: &str) {
    let laboratory = Laboratory::new(dir, store).await;
    for (method, moment) in [
        ("open_order", Moment::Before),
        ("open_order", Moment::After),
        ("complete_issuance", Moment::Before),
        ("complete_issuance", Moment::After),
    ] {
        let value = format!("{}-{}.localhost", method.replace('_', "-"), u8::from(moment == Moment::After));
        let identifiers = vec![RawIdentifier { kind: "dns".to_owned(), value: value.clone() }];
        let mut wish = NewOrder { identifiers, ..NewOrder::default() };
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let fault = Fault { method: method.to_owned(), moment, effect: Effect::Kill, nth: SECOND };
        killed(&laboratory, &key, &mut wish, fault).await;

        let (running, ready) = laboratory.start(&[]).await;
        let ready = ready.unwrap_or_else(|| panic!("it does not start again: {}", laboratory.log()));
        let client = client(&ready, &key).await;
        if (method, moment) == ("open_order", Moment::Before) {
            assert!(!is_replaced(&client, &wish).await, "nothing was ordered");
        }
        assert!(is_replaced(&client, &wish).await, "{method}: the order is there");
        let list = format!("{}/orders", client.account_url().unwrap());
        let orders: Orders = client.post_as_get(&list).await.unwrap().json().unwrap();
        assert_eq!(orders.orders.len(), 2, "{method}");
        let order = client.order(&orders.orders[1]).await.unwrap();
        assert_eq!(order.value.replaces, wish.replaces);
        let order = match order.value.status {
            OrderStatus::Pending => {
                let ready = client.authorize(&order, &laboratory.target).await.unwrap();
                let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
                client.finalize(&ready.value, &csr(&[&value], &key, &CsrOptions::default()).unwrap()).await.unwrap()
            }
            OrderStatus::Processing | OrderStatus::Valid => order,
            OrderStatus::Ready | OrderStatus::Invalid => panic!("{order:?}"),
        };
        client.issued(order).await.unwrap();
        assert!(is_replaced(&client, &wish).await, "{method}: for ever");
        running.stop(&laboratory.log());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_is_ordered_once_whatever_happens_on_sqlite() {
    let dir = tempfile::tempdir().unwrap();
    orders_are_kept_with_what_they_replace(dir.path(), "sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_is_ordered_once_whatever_happens_on_postgres() {
    let dir = tempfile::tempdir().unwrap();
    let server = PostgresServer::start().unwrap();
    orders_are_kept_with_what_they_replace(dir.path(), &server.create_database("renewals").unwrap()).await;
}
