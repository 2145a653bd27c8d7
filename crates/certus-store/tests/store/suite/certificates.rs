//! Certificates: lists, searches, loading.

use certus_ca::audit::Action;
use certus_ca::id::CertificateId;
use certus_ca::ports::{CertificateEntry, StoreError};
use certus_pki::SubjectName;

use super::made::ISSUER;
use super::{Subject, made};

async fn all(subject: &Subject, suffix: Option<&str>, limit: u32) -> (Vec<CertificateEntry>, usize) {
    let (mut entries, mut pages, mut after) = (Vec::new(), 0, None);
    loop {
        let page = subject.store.certificates(suffix, after, limit).await.unwrap();
        assert!(page.entries.len() <= usize::try_from(limit).unwrap());
        entries.extend(page.entries);
        pages += 1;
        match page.next {
            Some(next) => after = Some(next),
            None => return (entries, pages),
        }
    }
}

pub(crate) async fn lists_go_on_after_a_key(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    assert_eq!(all(subject, None, 10).await.0, []);
    let account = made::kept_account(store).await;
    let issued = made::issued(store, subject.process, &account, &["b.example", "a.example"]).await;
    let loaded: Vec<_> = (0..9).map(|n| made::foreign(&[made::dns(&format!("n{n}.example"))])).collect();
    made::load(&subject.store, &loaded).await;
    let expected: Vec<CertificateId> = std::iter::once(&issued).chain(&loaded).map(|one| one.id).collect();
    for (limit, pages) in [(1, 10), (3, 4), (5, 2), (10, 1), (1000, 1)] {
        let (entries, seen) = all(subject, None, limit).await;
        assert_eq!(entries.iter().map(|entry| entry.id).collect::<Vec<_>>(), expected);
        assert_eq!(seen, pages, "limit {limit}");
    }
    let (entries, _) = all(subject, None, 10).await;
    let expected = CertificateEntry {
        id: issued.id,
        issuer: ISSUER.into(),
        serial: issued.serial,
        names: vec!["a.example".into(), "b.example".into()],
        profile: issued.profile,
        not_after: issued.not_after,
        revoked: None,
    };
    assert_eq!(entries[0], expected);
}

pub(crate) async fn a_suffix_finds_what_lies_beneath_it(subject: &Subject) {
    made::known_issuer(&*subject.store).await;
    let certificates = [
        made::foreign(&[made::dns("example.com")]),
        made::foreign(&[made::dns("www.example.com"), made::dns("mail.example.com")]),
        made::foreign(&[made::dns("badexample.com")]),
        made::foreign(&[made::dns("example.com.evil.net")]),
        made::foreign(&[made::dns("example-com.net"), made::dns("a.b.example.com")]),
        made::foreign(&[made::dns("example0.com")]),
    ];
    made::load(&subject.store, &certificates).await;
    for (suffix, expected) in [
        ("example.com", vec![0, 1, 4]),
        ("EXAMPLE.com", vec![0, 1, 4]),
        ("b.example.com", vec![4]),
        ("www.example.com", vec![1]),
        ("com", vec![0, 1, 2, 4, 5]),
        ("net", vec![3, 4]),
        ("xample.com", vec![]),
        ("example.org", vec![]),
        ("%", vec![]),
        ("", vec![]),
    ] {
        for limit in [1, 2, 100] {
            let (entries, _) = all(subject, Some(suffix), limit).await;
            let found: Vec<CertificateId> = entries.iter().map(|entry| entry.id).collect();
            let expected: Vec<CertificateId> = expected.iter().map(|n| certificates[*n].id).collect();
            assert_eq!(found, expected, "{suffix} by {limit}");
        }
    }
}

pub(crate) async fn certificates_are_loaded_all_or_none(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let issued = made::issued(store, subject.process, &account, &["a.example"]).await;
    let mut loaded: Vec<_> = (0..1000).map(|n| made::foreign(&[made::dns(&format!("n{n}.example"))])).collect();
    loaded[3].account = Some(account.id);
    loaded[5].shard = 7;
    let before = subject.tables.number("SELECT count(*) FROM certificates");
    let good = loaded[999].serial.clone();
    for bad in [issued.serial.clone(), loaded[0].serial.clone()] {
        loaded[999].serial = bad;
        let audit = made::event(Action::CertificatesLoaded, "all");
        let refused = store.load_certificates(&loaded, audit).await;
        assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
        assert_eq!(subject.tables.number("SELECT count(*) FROM certificates"), before);
    }
    loaded[999].serial = good;
    made::load(&subject.store, &loaded).await;
    for one in [&loaded[0], &loaded[3], &loaded[999]] {
        assert_eq!(store.certificate(one.id).await.unwrap().as_ref(), Some(one));
    }
    assert_eq!(store.crl_shards(ISSUER).await.unwrap(), [3, 7]);
    made::load(&subject.store, &[]).await;
}

pub(crate) async fn addresses_are_names_too(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let names = [
        SubjectName::Ip("192.0.2.1".parse().unwrap()),
        SubjectName::Ip("2001:db8::1".parse().unwrap()),
        made::dns("ca.example"),
    ];
    let certificate = made::foreign(&names);
    made::load(&subject.store, std::slice::from_ref(&certificate)).await;
    assert_eq!(store.certificate(certificate.id).await.unwrap(), Some(certificate));
    let (entries, _) = all(subject, Some("ca.example"), 5).await;
    assert_eq!(entries[0].names, ["ca.example", "192.0.2.1", "2001:db8::1"]);
}
