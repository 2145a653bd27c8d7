//! Revocations, what lists must have of them, and blocked keys.

use std::time::Duration;

use certus_ca::audit::Action;
use certus_ca::ports::{CertificateKey, CurrentCrl, ShardState, StoreError, StoredCrl};
use certus_ca::state::{IssuedCertificate, KnownCertificate, Revocation};
use certus_pki::{RevocationReason, RevokedEntry, SerialNumber, Timestamp};

use super::made::{ISSUER, NOW, WEEK};
use super::{Subject, made};

async fn known(subject: &Subject, certificate: &IssuedCertificate) -> KnownCertificate {
    let by_digest = subject.store.find_certificates(&CertificateKey::Digest(certificate.sha256)).await.unwrap();
    let by_serial = subject.store.find_certificates(&CertificateKey::Serial(certificate.serial.clone())).await.unwrap();
    assert_eq!(by_digest, by_serial);
    let [known] = by_digest.try_into().unwrap();
    assert_eq!(&known.certificate, certificate);
    known
}

async fn revoke(subject: &Subject, known: &KnownCertificate, revocation: Revocation) -> Result<(), StoreError> {
    let audit = made::event(Action::CertificateRevoked, known.certificate.id);
    subject.store.revoke(known, revocation, false, audit).await
}

fn entry(serial: &SerialNumber, at: Timestamp, reason: Option<RevocationReason>) -> RevokedEntry {
    RevokedEntry { serial: serial.clone(), at: at.whole_seconds(), reason }
}

pub(crate) async fn a_certificate_is_revoked_once_and_its_shard_tells(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let issued = made::issued(store, subject.process, &account, &["a.example"]).await;
    let other = made::issued(store, subject.process, &account, &["a.example"]).await;
    assert_eq!(store.shard_state(ISSUER, 3).await.unwrap(), ShardState { revocations: 0, current: None });
    let before = known(subject, &issued).await;
    assert_eq!(before.revocation, None);
    let revocation = Revocation { at: NOW, reason: Some(RevocationReason::Superseded) };
    revoke(subject, &before, revocation).await.unwrap();
    // Whoever read it before this decides anew.
    let late = revoke(subject, &before, Revocation { at: NOW, reason: None }).await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    let after = known(subject, &issued).await;
    assert_eq!(after.revocation, Some(revocation));
    assert_eq!(known(subject, &other).await.revocation, None);
    assert_eq!(store.shard_state(ISSUER, 3).await.unwrap().revocations, 1);
    let compromised = Revocation { at: NOW, reason: Some(RevocationReason::KeyCompromise) };
    revoke(subject, &after, compromised).await.unwrap();
    assert_eq!(known(subject, &issued).await.revocation, Some(compromised));
    let listed = store.certificates(None, None, 10).await.unwrap().entries;
    assert_eq!(listed.iter().map(|one| one.revoked).collect::<Vec<_>>(), [Some(NOW), None]);

    let crl = StoredCrl {
        issuer: ISSUER.into(),
        shard: 3,
        number: 7,
        this_update: NOW.whole_seconds(),
        next_update: NOW.whole_seconds() + WEEK,
        revocations: 1,
        der: vec![1, 2, 3],
    };
    store.publish_crl(&crl, made::event(Action::CrlPublished, ISSUER)).await.unwrap();
    assert_eq!(store.crl(ISSUER, 3).await.unwrap(), Some(crl));
    let current = Some(CurrentCrl { number: 7, this_update: NOW.whole_seconds(), revocations: 1 });
    // The list was begun before the second one: another is due.
    assert_eq!(store.shard_state(ISSUER, 3).await.unwrap(), ShardState { revocations: 2, current });
    let nothing = ShardState { revocations: 0, current: None };
    assert_eq!(store.shard_state(ISSUER, 4).await.unwrap(), nothing);
    assert_eq!(store.shard_state("nobody", 3).await.unwrap(), nothing);
    assert_eq!(store.find_certificates(&CertificateKey::Digest([1; 32])).await.unwrap(), []);
}

pub(crate) async fn a_list_has_what_is_revoked_and_retired_until_it_ends(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let first = made::issued(store, subject.process, &account, &["a.example"]).await;
    let second = made::issued(store, subject.process, &account, &["b.example"]).await;
    made::issued(store, subject.process, &account, &["c.example"]).await;
    let later = NOW + Duration::from_secs(60);
    let reason = Some(RevocationReason::CessationOfOperation);
    revoke(subject, &known(subject, &first).await, Revocation { at: later, reason }).await.unwrap();
    revoke(subject, &known(subject, &second).await, Revocation { at: NOW, reason: None }).await.unwrap();
    // A serial of which nobody knows whether it was signed.
    let lost = made::intent(None);
    store.record_own_intent(&lost, made::event(Action::IntentRecorded, &lost.serial)).await.unwrap();
    let day = Duration::from_secs(86_400);
    let next = certus_ca::state::Intent { recorded: NOW + day, ..made::intent(None) };
    store.record_own_intent(&next, made::event(Action::IntentRecorded, &next.serial)).await.unwrap();

    let revoked = store.revoked(ISSUER, 3, NOW).await.unwrap();
    let expected =
        [entry(&second.serial, NOW, None), entry(&first.serial, later, reason), entry(&lost.serial, NOW + day, None)];
    assert_eq!(revoked, expected);
    let last = first.not_after;
    assert_eq!(store.revoked(ISSUER, 3, last).await.unwrap(), expected);
    let past = last + Duration::from_secs(1);
    assert_eq!(store.revoked(ISSUER, 3, past).await.unwrap(), [], "what has ended needs no list");
    assert_eq!(store.revoked(ISSUER, 2, NOW).await.unwrap(), []);
    assert_eq!(store.revoked("nobody", 3, NOW).await.unwrap(), []);
}

pub(crate) async fn a_key_is_blocked_for_ever(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let issued = made::issued(store, subject.process, &account, &["a.example"]).await;
    assert!(!store.key_blocked(&issued.spki_sha256).await.unwrap());
    let known = known(subject, &issued).await;
    let revocation = Revocation { at: NOW, reason: Some(RevocationReason::KeyCompromise) };
    let audit = || made::event(Action::CertificateRevoked, issued.id);
    store.revoke(&known, revocation, true, audit()).await.unwrap();
    assert!(store.key_blocked(&issued.spki_sha256).await.unwrap());
    // What is refused blocks nothing.
    let stranger = made::issued(store, subject.process, &account, &["b.example"]).await;
    let outdated = KnownCertificate { certificate: stranger.clone(), revocation: Some(revocation) };
    let refused = store.revoke(&outdated, revocation, true, audit()).await;
    assert!(matches!(refused, Err(StoreError::Conflict)), "{refused:?}");
    assert!(!store.key_blocked(&stranger.spki_sha256).await.unwrap());
    for _ in 0..2 {
        store.block_key(&[9; 32], made::event(Action::KeyBlocked, "9")).await.unwrap();
        assert!(store.key_blocked(&[9; 32]).await.unwrap());
    }
    let entries = store.audit(None, 1000).await.unwrap().entries;
    let blocked = entries.iter().filter(|entry| entry.action == Action::KeyBlocked.name());
    assert_eq!(blocked.count(), 1, "one that was blocked changes nothing");
}

pub(crate) async fn an_account_holds_what_it_has_met(subject: &Subject) {
    let store = &*subject.store;
    let (account, other) = (made::kept_account(store).await, made::kept_account(store).await);
    let (order, authorizations) = made::kept_order(store, &account, &["a.example", "b.example"]).await;
    let [a, b] = ["a.example", "b.example"].map(made::identifier);
    let holds = async |names: &[&certus_acme::Identifier], at: Timestamp| {
        let names: Vec<_> = names.iter().map(|name| (*name).clone()).collect();
        store.holds(account.id, &names, at).await.unwrap()
    };
    assert!(!holds(&[&a], NOW).await, "nothing is met yet");
    made::validate(store, subject.process, order.id).await;
    assert!(holds(&[&a, &b], NOW).await);
    assert!(!holds(&[], NOW).await);
    assert!(!holds(&[&a, &made::identifier("c.example")], NOW).await);
    assert!(!holds(&[&made::identifier("*.a.example")], NOW).await);
    assert!(!holds(&[&a], NOW + WEEK + WEEK).await, "it expired");
    assert!(!store.holds(other.id, std::slice::from_ref(&a), NOW).await.unwrap());
    let stored = store.authorization(authorizations[0].id).await.unwrap().unwrap();
    let given_up = stored.value.deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(stored.version, &given_up, audit).await.unwrap();
    assert!(!holds(&[&a], NOW).await && holds(&[&b], NOW).await);
}
