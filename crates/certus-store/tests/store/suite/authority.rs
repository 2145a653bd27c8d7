//! What belongs to the authority itself.

use certus_ca::audit::Action;
use certus_ca::ports::{StoreError, StoredCrl};

use super::made::{ISSUER, NOW, WEEK};
use super::{Subject, made};

pub(crate) async fn settings_are_written_over(subject: &Subject) {
    let store = &*subject.store;
    assert_eq!(store.setting("external_url").await.unwrap(), None);
    for value in ["https://ca.example", "https://other.example/ü"] {
        let audit = made::event(Action::SettingWritten, "external_url");
        store.write_setting("external_url", value, audit).await.unwrap();
        assert_eq!(store.setting("external_url").await.unwrap().as_deref(), Some(value));
    }
    assert_eq!(store.setting("external").await.unwrap(), None);
}

pub(crate) async fn issuers_are_registered_once(subject: &Subject) {
    let store = &*subject.store;
    for (id, chain) in [("b", "first"), ("a", "second"), ("b", "third")] {
        store.register_issuer(id, chain, made::event(Action::IssuerRegistered, id)).await.unwrap();
    }
    let expected = [("b".to_owned(), "first".to_owned()), ("a".to_owned(), "second".to_owned())];
    assert_eq!(store.issuers().await.unwrap(), expected);
    let entries = subject.store.audit(None, 10).await.unwrap().entries;
    let registered = entries.iter().filter(|entry| entry.action == Action::IssuerRegistered.name());
    assert_eq!(registered.count(), 2, "one that was known changes nothing");
}

pub(crate) async fn crl_numbers_only_grow(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let crl = |shard: u32, number: u64| StoredCrl {
        issuer: ISSUER.into(),
        shard,
        number,
        this_update: NOW.whole_seconds(),
        next_update: NOW.whole_seconds() + WEEK,
        revocations: number,
        der: certus_pki::random_bytes::<100>().to_vec(),
    };
    let audit = || made::event(Action::CrlPublished, ISSUER);
    assert_eq!(store.crl(ISSUER, 0).await.unwrap(), None);
    assert_eq!(store.crl_shards(ISSUER).await.unwrap(), [] as [u32; 0]);
    let first = crl(0, 1_790_000_000_000);
    store.publish_crl(&first, audit()).await.unwrap();
    for number in [1_790_000_000_000, 5] {
        let refused = store.publish_crl(&crl(0, number), audit()).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    }
    assert_eq!(store.crl(ISSUER, 0).await.unwrap(), Some(first));
    let second = crl(0, 1_790_000_000_001);
    store.publish_crl(&second, audit()).await.unwrap();
    store.publish_crl(&crl(4, 1), audit()).await.unwrap();
    assert_eq!(store.crl(ISSUER, 0).await.unwrap(), Some(second));
    assert_eq!(store.crl_shards(ISSUER).await.unwrap(), [0, 4]);
    assert_eq!(store.crl("nobody", 0).await.unwrap(), None);
    let unknown = store.publish_crl(&StoredCrl { issuer: "nobody".into(), ..crl(0, 1) }, audit()).await;
    assert!(matches!(unknown, Err(StoreError::Inconsistent { table: "issuers", .. })), "{unknown:?}");
}

pub(crate) async fn a_check_changes_nothing(subject: &Subject) {
    let audit = made::event(Action::SettingWritten, "external_url");
    subject.store.write_setting("external_url", "https://ca.example", audit).await.unwrap();
    let rows = || {
        let count = "(SELECT count(*) FROM settings) + 1000 * (SELECT count(*) FROM audit)";
        subject.tables.number(&format!("SELECT {count}"))
    };
    let before = rows();
    subject.store.check().await.unwrap();
    assert_eq!(rows(), before);
}
