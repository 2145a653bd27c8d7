//! Renewal information: the rules, what certificates are found by, and which order replaces which certificate.

use std::sync::Arc;
use std::time::Duration;

use certus_acme::CertId;
use certus_ca::audit::Action;
use certus_ca::id::{CertificateId, OrderId, RenewalRuleId};
use certus_ca::ports::{CertificateKey, Store, StoreError, Version};
use certus_ca::rate_limits::Charges;
use certus_ca::state::{
    Account, IssuedCertificate, Order, Renewable, RenewalRule, Replaces, Revocation, Selection, Window,
};
use certus_pki::{SerialNumber, SubjectName, Timestamp};
use tokio::task::JoinSet;

use super::made::{NOW, WEEK};
use super::{Subject, made};

fn rule(selection: Selection) -> RenewalRule {
    RenewalRule {
        id: RenewalRuleId::random(),
        selection,
        window: Window::new(NOW, Duration::from_secs(3600)),
        explanation_url: Some("https://ca.example/why?a=\"b\"".to_owned()),
        author: u32::MAX,
        made: NOW,
        ends: NOW + WEEK,
        ended: None,
    }
}

async fn kept_rule(store: &dyn Store, rule: RenewalRule) -> RenewalRule {
    store.create_renewal_rule(&rule, made::event(Action::RenewalsAdvanced, rule.id)).await.unwrap();
    rule
}

pub(crate) async fn a_rule_reads_back_as_it_was_made(subject: &Subject) {
    let store = &*subject.store;
    let narrow = Selection {
        issuers: vec![made::ISSUER.to_owned()],
        profiles: vec!["classic".to_owned(), "\"\\".to_owned()],
        keys: vec![[0; 32], [0xff; 32]],
        names: ["a.example", "=b.example", "2001:db8::1"].iter().map(|text| text.parse().unwrap()).collect(),
        accounts: vec![made::account().id],
    };
    let plain = RenewalRule { explanation_url: None, author: 0, ends: NOW + WEEK / 2, ..rule(Selection::default()) };
    let rules = [kept_rule(store, rule(narrow)).await, kept_rule(store, plain).await];
    for rule in &rules {
        assert_eq!(store.renewal_rule(rule.id).await.unwrap().as_ref(), Some(rule));
    }
    assert_eq!(store.renewal_rule(RenewalRuleId::random()).await.unwrap(), None);
    let again = store.create_renewal_rule(&rules[0], made::event(Action::RenewalsAdvanced, "again")).await;
    assert!(matches!(again, Err(StoreError::Conflict)), "{again:?}");
    let first = store.renewal_rules(None, 1).await.unwrap();
    let second = store.renewal_rules(first.next, 1).await.unwrap();
    let listed: Vec<_> = first.entries.into_iter().chain(second.entries).collect();
    assert_eq!((listed.as_slice(), second.next), (rules.as_slice(), None));

    let active = async |now: Timestamp| store.active_renewal_rules(now).await.unwrap();
    assert_eq!(active(NOW).await, [rules[1].clone(), rules[0].clone()]);
    assert_eq!(active(rules[1].ends).await, rules[..1], "its time is over");
    let end = async |at| store.end_renewal_rule(rules[0].id, at, made::event(Action::RenewalRuleEnded, "rule")).await;
    end(NOW).await.unwrap();
    assert!(matches!(end(NOW + WEEK).await, Err(StoreError::Conflict)));
    assert_eq!(store.renewal_rule(rules[0].id).await.unwrap().unwrap().ended, Some(NOW));
    assert_eq!(active(NOW).await, rules[1..]);
    // Every node of an authority reads the same.
    assert_eq!(store.renewal_rules(None, 10).await.unwrap().entries.len(), 2);
}

pub(crate) async fn a_certificate_is_found_by_its_serial(subject: &Subject) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let issued = made::issued(store, subject.process, &account, &["b.example", "a.example"]).await;
    let other = "fedcba98765432100123";
    store.register_issuer(other, "chain", made::event(Action::IssuerRegistered, other)).await.unwrap();
    let names = [SubjectName::parse_dns("*.c.example").unwrap(), SubjectName::Ip("2001:db8::1".parse().unwrap())];
    let same_serial =
        IssuedCertificate { issuer: other.to_owned(), serial: issued.serial.clone(), ..made::foreign(&names) };
    made::load(&subject.store, std::slice::from_ref(&same_serial)).await;
    let known = store.find_certificates(&CertificateKey::Digest(issued.sha256)).await.unwrap().pop().unwrap();
    let revocation = Revocation { at: NOW + WEEK, reason: None };
    store.revoke(&known, revocation, false, made::event(Action::CertificateRevoked, issued.id)).await.unwrap();

    let expected = |certificate: &IssuedCertificate, revoked| Renewable {
        id: certificate.id,
        account: certificate.account,
        issuer: certificate.issuer.clone(),
        serial: certificate.serial.clone(),
        spki_sha256: certificate.spki_sha256,
        names: certificate.names.clone(),
        profile: certificate.profile.clone(),
        not_before: certificate.not_before,
        not_after: certificate.not_after,
        issued: certificate.issued,
        revoked,
    };
    let mut found = store.renewables(&issued.serial).await.unwrap();
    found.sort_by_key(|one| one.revoked.is_none());
    assert_eq!(found, [expected(&issued, Some(NOW + WEEK)), expected(&same_serial, None)]);
    assert_eq!(store.renewables(&SerialNumber::random()).await.unwrap(), []);
}

/// An order for a certificate that replaces that one.
pub(crate) async fn order_replacement(
    store: &dyn Store,
    account: &Account,
    predecessor: &IssuedCertificate,
) -> Result<Order, StoreError> {
    let (order, authorizations) = made::order(account, &["a.example"], NOW + WEEK);
    let named = CertId::new(b"key identifier", &predecessor.serial).unwrap();
    let order = order.with_replaces(Some(Replaces { certificate: predecessor.id, named, due: true }));
    store.open_order(&order, &authorizations, &Charges::none(), made::event(Action::OrderOpened, order.id)).await?;
    Ok(order)
}

async fn predecessor(subject: &Subject) -> (Account, IssuedCertificate) {
    made::known_issuer(&*subject.store).await;
    let account = made::kept_account(&*subject.store).await;
    let issued = made::issued(&*subject.store, subject.process, &account, &["a.example"]).await;
    (account, issued)
}

fn is_conflict<T: std::fmt::Debug>(outcome: Result<T, StoreError>) {
    assert!(matches!(outcome, Err(StoreError::Conflict)), "{outcome:?}");
}

/// Brings an order to its certificate.
async fn issue(subject: &Subject, account: &Account, order: OrderId) -> CertificateId {
    let store = &*subject.store;
    made::validate(store, subject.process, order).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order).await;
    let intent = made::kept_intent(store, lease, order).await;
    let certificate = made::certificate(&intent, Some(account), &[made::dns("a.example")]);
    let complete = stored.value.complete(certificate.id, NOW);
    let audit = made::event(Action::CertificateIssued, certificate.id);
    store.complete_issuance(lease, stored.version, &complete, &certificate, audit).await.unwrap();
    certificate.id
}

pub(crate) async fn a_certificate_is_replaced_once(subject: &Subject) {
    let store = &*subject.store;
    let (account, first) = predecessor(subject).await;
    let replaced = async |id, now| store.is_replaced(id, now).await.unwrap();
    assert!(!replaced(first.id, NOW).await && !replaced(CertificateId::random(), NOW).await);
    let order = order_replacement(store, &account, &first).await.unwrap();
    assert_eq!(store.order(order.id).await.unwrap().unwrap().value.order, order);
    assert!(replaced(first.id, NOW).await);
    let entries = subject.tables.number("SELECT count(*) FROM audit");
    is_conflict(order_replacement(store, &account, &first).await);
    assert_eq!(subject.tables.number("SELECT count(*) FROM audit"), entries);
    assert_eq!(subject.tables.number("SELECT count(*) FROM orders"), 2, "nothing of it is kept");
    let second = issue(subject, &account, order.id).await;
    is_conflict(order_replacement(store, &account, &first).await);
    // For ever: also when the order is gone.
    let by = "SELECT count(*) FROM certificates AS old JOIN certificates AS new ON new.key = old.replaced_by
        WHERE new.key > old.key";
    assert_eq!(subject.tables.number(by), 1);
    let late = NOW + 60 * WEEK;
    store.reap(late, 100, made::event(Action::Reaped, "x")).await.unwrap();
    assert_eq!(subject.tables.number("SELECT count(*) FROM orders"), 0);
    assert!(replaced(first.id, late).await);
    is_conflict(order_replacement(store, &account, &first).await);
    assert!(!replaced(second, NOW).await);
}

pub(crate) async fn an_order_that_came_to_nothing_frees_its_predecessor(subject: &Subject) {
    let store = &*subject.store;
    let (account, first) = predecessor(subject).await;
    let replaced = async |now| store.is_replaced(first.id, now).await.unwrap();
    // One that lost an authorization.
    let order = order_replacement(store, &account, &first).await.unwrap();
    let stored = store.authorization(order.authorizations[0]).await.unwrap().unwrap();
    let given_up = stored.value.deactivate(NOW);
    let audit = made::event(Action::AuthorizationDeactivated, given_up.id);
    store.deactivate_authorization(stored.version, &given_up, audit).await.unwrap();
    assert!(!replaced(NOW).await);
    // One whose validation failed.
    let order = order_replacement(store, &account, &first).await.unwrap();
    let stored = store.authorization(order.authorizations[0]).await.unwrap().unwrap();
    let (lease, stored) = made::begin_validation(store, subject.process, stored).await;
    assert!(replaced(NOW).await, "not decided yet");
    made::settle(store, lease, stored, Err(made::problem())).await;
    assert!(!replaced(NOW).await);
    // One whose issuance failed; until then it may still come to a certificate, whatever the time.
    let order = order_replacement(store, &account, &first).await.unwrap();
    made::validate(store, subject.process, order.id).await;
    let (lease, stored) = made::begin_issuance(store, subject.process, order.id).await;
    assert!(replaced(order.expires + WEEK).await);
    let failed = stored.value.fail(made::problem(), NOW);
    let audit = made::event(Action::IssuanceFailed, order.id);
    store.fail_issuance(lease, stored.version, &failed, &Charges::none(), audit).await.unwrap();
    assert!(!replaced(NOW).await);
    // One that expired.
    let order = order_replacement(store, &account, &first).await.unwrap();
    assert!(replaced(order.expires - Duration::from_millis(1)).await);
    assert!(!replaced(order.expires).await);
    assert_eq!(store.order(order.id).await.unwrap().unwrap().version, Version(1));
}

pub(crate) async fn of_many_replacements_at_once_one_wins(subject: &Subject) {
    one_wins(subject, &[Arc::clone(&subject.store)]).await;
}

/// Orders that come at once through these handles on one store, while the certificates are being revoked.
pub(crate) async fn one_wins(subject: &Subject, stores: &[Arc<dyn Store>]) {
    let store = &*subject.store;
    made::known_issuer(store).await;
    let account = made::kept_account(store).await;
    let mut all = Vec::new();
    for _ in 0..4 {
        all.push(made::issued(store, subject.process, &account, &["a.example"]).await);
    }
    let mut writers = JoinSet::new();
    for (number, node) in stores.iter().cycle().take(16).enumerate() {
        let mut turn = all.clone();
        if number % 2 == 1 {
            turn.reverse();
        }
        for certificate in turn {
            let (node, account) = (Arc::clone(node), account.clone());
            writers.spawn(async move {
                let outcome = order_replacement(&*node, &account, &certificate).await;
                (Some(certificate.id), outcome.map(drop))
            });
        }
    }
    for certificate in all.iter().rev() {
        let (node, digest) = (Arc::clone(&stores[stores.len() - 1]), certificate.sha256);
        let known = node.find_certificates(&CertificateKey::Digest(digest)).await.unwrap().pop().unwrap();
        writers.spawn(async move {
            let audit = made::event(Action::CertificateRevoked, known.certificate.id);
            (None, node.revoke(&known, Revocation { at: NOW, reason: None }, false, audit).await)
        });
    }
    let mut won = Vec::new();
    while let Some(outcome) = writers.join_next().await {
        match outcome.unwrap() {
            (ordered, Ok(())) => won.extend(ordered),
            (Some(_), Err(StoreError::Conflict)) => {}
            other => panic!("{other:?}"),
        }
    }
    won.sort_unstable();
    let mut ids: Vec<_> = all.iter().map(|one| one.id).collect();
    ids.sort_unstable();
    assert_eq!(won, ids);
}
