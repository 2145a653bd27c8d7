//! Opening a store that is there.

use certus_ca::ports::StoreError;
use certus_store::connect;

use super::{Subject, made};

pub(crate) async fn a_newer_store_is_refused(subject: Subject) {
    subject.tables.run("INSERT INTO migrations (version, name, program, applied) VALUES (2, 'to come', '7.8.9', 0)");
    let Subject { store, url, tables, .. } = subject;
    let check = store.check().await;
    assert!(matches!(check, Err(StoreError::NewerSchema { .. })), "{check:?}");
    drop(store);
    match connect(&url).await {
        Err(error @ StoreError::NewerSchema { found: 2, known: 1, .. }) => {
            assert!(error.to_string().contains("start Certus 7.8.9"), "{error}");
        }
        other => panic!("{other:?}"),
    }
    drop(tables);
}

pub(crate) async fn everything_is_there_after_a_restart(subject: Subject) {
    let Subject { store: opened, url, process, tables } = subject;
    let store = &*opened;
    let account = made::kept_account(store).await;
    made::known_issuer(store).await;
    let certificate = made::issued(store, process, &account, &["a.example"]).await;
    let (order, _) = made::kept_order(store, &account, &["b.example"]).await;
    let before = store.order(order.id).await.unwrap();
    let (kept, entries) = (store.account(account.id).await.unwrap(), store.audit(None, 100).await.unwrap());
    drop(opened);
    let again = connect(&url).await.unwrap();
    assert_eq!(again.account(account.id).await.unwrap(), kept);
    assert_eq!(again.order(order.id).await.unwrap(), before);
    assert_eq!(again.certificate(certificate.id).await.unwrap(), Some(certificate));
    assert_eq!(again.audit(None, 100).await.unwrap(), entries);
    assert_eq!(tables.number("SELECT count(*) FROM migrations"), 1);
}
