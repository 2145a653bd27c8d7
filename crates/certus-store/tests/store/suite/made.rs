//! What the suite stores: made the way the authority makes it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use certus_acme::{ChallengeType, Identifier, Jwk, Problem, ProblemKind, RawIdentifier};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::{CertificateId, ChallengeId, JobId, OrderId, ProcessId, RequestId};
use certus_ca::job::{Job, Lease, Task};
use certus_ca::ports::{Process, Store, Stored};
use certus_ca::rate_limits::Charges;
use certus_ca::state::authorization::Begun;
use certus_ca::state::{
    Account, Authorization, CaaAnswer, CaaFinding, CaaRecord, Evidence, Hop, Intent, IssuedCertificate, Order,
    Perspective, Security, ValidatedControl,
};
use certus_pki::{DnsName, KeyAlgorithm, KeyPair, PublicKey, SerialNumber, SubjectName, Timestamp};

/// The time of the suite: a clock that stands, with a fraction of a second.
pub(crate) const NOW: Timestamp = Timestamp::from_unix_millis(1_790_000_000_123);
/// A week.
pub(crate) const WEEK: Duration = Duration::from_secs(7 * 24 * 3600);
/// The issuer of the suite.
pub(crate) const ISSUER: &str = "0123456789abcdef0123";

pub(crate) fn process() -> Process {
    Process { id: ProcessId::random(), host: "node.example".into(), pid: 4321, version: "0.1.0".into() }
}

pub(crate) fn event(action: Action, object: impl ToString) -> AuditEvent {
    event_at(NOW, action, object)
}

/// The entry for a job that is put back.
pub(crate) fn released(lease: Lease) -> AuditEvent {
    event(Action::JobReleased, lease.job)
}

pub(crate) fn event_at(at: Timestamp, action: Action, object: impl ToString) -> AuditEvent {
    let request = Some(RequestId::from_bytes([7; 16]));
    AuditEvent { at, actor: Actor::Authority, action, object: object.to_string(), request }
}

pub(crate) fn key() -> PublicKey {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap().public_key().clone()
}

pub(crate) fn account() -> Account {
    let contact = vec!["mailto:a@example.org".to_owned(), "mailto:\"q\\\"\"@example.org".to_owned()];
    Account::open(Jwk::from_public_key(&key()), contact, NOW)
}

pub(crate) async fn kept_account(store: &dyn Store) -> Account {
    let account = account();
    store.create_account(&account, &Charges::none(), event(Action::AccountCreated, account.id)).await.unwrap();
    account
}

pub(crate) fn identifier(name: &str) -> Identifier {
    Identifier::parse(&RawIdentifier { kind: "dns".into(), value: name.into() }).unwrap()
}

pub(crate) fn order(account: &Account, names: &[&str], expires: Timestamp) -> (Order, Vec<Authorization>) {
    let authorizations: Vec<Authorization> = names
        .iter()
        .map(|name| Authorization::open(account.id, identifier(name), &[ChallengeType::Http01], NOW, expires))
        .collect();
    (Order::open(account.id, "classic".into(), &authorizations, NOW, expires), authorizations)
}

pub(crate) async fn kept_order(store: &dyn Store, account: &Account, names: &[&str]) -> (Order, Vec<Authorization>) {
    let (order, authorizations) = order(account, names, NOW + WEEK);
    store.open_order(&order, &authorizations, &Charges::none(), event(Action::OrderOpened, order.id)).await.unwrap();
    (order, authorizations)
}

pub(crate) fn job(task: Task) -> Job {
    Job { id: JobId::random(), task, request: RequestId::random() }
}

pub(crate) fn evidence() -> Evidence {
    let hop = |host: &str, last: u8| Hop {
        url: format!("http://{host}/.well-known/acme-challenge/"),
        resolver: Some("192.0.2.53:53".into()),
        resolved: vec!["2001:db8::1".parse().unwrap(), [192, 0, 2, last].into()],
        connected: Some(([192, 0, 2, last], 80).into()),
    };
    let far = Hop { resolver: None, resolved: Vec::new(), connected: None, ..hop("www.example.org", 9) };
    Evidence {
        perspectives: vec![
            Perspective { name: "primary".into(), hops: vec![hop("example.org", 10), hop("www.example.org", 11)] },
            Perspective { name: "far".into(), hops: vec![far] },
        ],
        caa: Some(finding("www.example.org")),
    }
}

/// CAA records above that name, with octets that are no text.
pub(crate) fn finding(name: &str) -> CaaFinding {
    let record = CaaRecord { flags: 128, tag: "issue".into(), value: b"ca.example; a=\"\x00\xff".to_vec() };
    let answer = CaaAnswer {
        name: DnsName::parse(name).unwrap(),
        domain: Some(DnsName::parse("org").unwrap()),
        records: vec![record.clone(), CaaRecord { flags: 0, ..record }],
        resolver: "192.0.2.53:53".into(),
        security: Security::Secure,
    };
    CaaFinding { asked: NOW, answer }
}

pub(crate) fn problem() -> Problem {
    Problem::new(ProblemKind::Connection, "nobody answered at 192.0.2.10:80; \"quoted\", ümlaut, \u{0}")
}

/// The authorization with its first challenge under way.
pub(crate) fn begun(authorization: Authorization) -> (Authorization, ChallengeId) {
    let challenge = authorization.challenges[0].id;
    match authorization.begin(challenge, NOW) {
        Begun::Started(begun) => (begun, challenge),
        Begun::Running | Begun::Closed => panic!("it does not begin"),
    }
}

pub(crate) fn control(authorization: &Authorization) -> ValidatedControl {
    ValidatedControl::assertion(authorization.identifier.clone(), ChallengeType::Http01, evidence())
}

pub(crate) async fn begin_validation(
    store: &dyn Store,
    process: ProcessId,
    stored: Stored<Authorization>,
) -> (Lease, Stored<Authorization>) {
    let (authorization, challenge) = begun(stored.value);
    let job = job(Task::Validate { authorization: authorization.id, challenge });
    let audit = event(Action::ValidationBegun, authorization.id);
    let lease = store.begin_validation(stored.version, &authorization, &job, process, audit).await.unwrap();
    assert_eq!(lease, Lease { job: job.id, fence: 1 });
    (lease, store.authorization(authorization.id).await.unwrap().unwrap())
}

pub(crate) async fn settle(
    store: &dyn Store,
    lease: Lease,
    stored: Stored<Authorization>,
    outcome: Result<ValidatedControl, Problem>,
) -> Authorization {
    let challenge = stored.value.challenges[0].id;
    let settled = stored.value.settle(challenge, outcome, NOW, NOW + WEEK).unwrap();
    let audit = event(Action::AuthorizationSettled, settled.id);
    store.settle_authorization(lease, stored.version, &settled, &Charges::none(), audit).await.unwrap();
    settled
}

/// Validates every authorization of an order.
pub(crate) async fn validate(store: &dyn Store, process: ProcessId, order: OrderId) {
    let stored = store.order(order).await.unwrap().unwrap();
    for authorization in stored.value.authorizations {
        let stored = store.authorization(authorization.id).await.unwrap().unwrap();
        let (lease, stored) = begin_validation(store, process, stored).await;
        let seen = control(&stored.value);
        settle(store, lease, stored, Ok(seen)).await;
    }
}

/// Finalizes a ready order; the lease of its job, and the order as it is then.
pub(crate) async fn begin_issuance(store: &dyn Store, process: ProcessId, order: OrderId) -> (Lease, Stored<Order>) {
    let stored = store.order(order).await.unwrap().unwrap();
    let processing = stored.value.order.begin_issuance(&stored.value.authorizations, key(), NOW).unwrap();
    let job = job(Task::Issue { order });
    let audit = event(Action::IssuanceBegun, order);
    let lease =
        store.begin_issuance(stored.version, &processing, &job, process, &Charges::none(), audit).await.unwrap();
    let stored = store.order(order).await.unwrap().unwrap();
    assert_eq!(stored.value.order, processing);
    (lease, Stored { value: processing, version: stored.version })
}

pub(crate) async fn known_issuer(store: &dyn Store) {
    store.register_issuer(ISSUER, "chain", event(Action::IssuerRegistered, ISSUER)).await.unwrap();
}

pub(crate) fn intent(order: Option<OrderId>) -> Intent {
    Intent {
        order,
        issuer: ISSUER.into(),
        serial: SerialNumber::random(),
        tbs_sha256: certus_pki::random_bytes(),
        spki_sha256: certus_pki::random_bytes(),
        shard: 3,
        not_after: NOW + WEEK,
        recorded: NOW,
        caa: vec![finding("example.org")],
    }
}

pub(crate) async fn kept_intent(store: &dyn Store, lease: Lease, order: OrderId) -> Intent {
    let intent = intent(Some(order));
    store.record_intent(lease, &intent, event(Action::IntentRecorded, &intent.serial)).await.unwrap();
    intent
}

pub(crate) fn dns(name: &str) -> SubjectName {
    SubjectName::Dns(DnsName::parse(name).unwrap())
}

pub(crate) fn certificate(intent: &Intent, account: Option<&Account>, names: &[SubjectName]) -> IssuedCertificate {
    IssuedCertificate {
        id: CertificateId::random(),
        account: account.map(|account| account.id),
        issuer: intent.issuer.clone(),
        serial: intent.serial.clone(),
        der: certus_pki::random_bytes::<700>().to_vec(),
        sha256: certus_pki::random_bytes(),
        spki_sha256: certus_pki::random_bytes(),
        names: names.iter().cloned().collect::<BTreeSet<_>>(),
        profile: "classic".into(),
        shard: intent.shard,
        not_before: NOW.whole_seconds(),
        not_after: NOW.whole_seconds() + WEEK,
        issued: NOW,
    }
}

/// An order all the way to its certificate.
pub(crate) async fn issued(
    store: &dyn Store,
    process: ProcessId,
    account: &Account,
    names: &[&str],
) -> IssuedCertificate {
    let (order, _) = kept_order(store, account, names).await;
    validate(store, process, order.id).await;
    let (lease, stored) = begin_issuance(store, process, order.id).await;
    let intent = kept_intent(store, lease, order.id).await;
    let subjects: Vec<SubjectName> = names.iter().map(|name| dns(name)).collect();
    let certificate = certificate(&intent, Some(account), &subjects);
    let complete = stored.value.complete(certificate.id, NOW);
    let audit = event(Action::CertificateIssued, certificate.id);
    store.complete_issuance(lease, stored.version, &complete, &certificate, audit).await.unwrap();
    certificate
}

/// A certificate from elsewhere.
pub(crate) fn foreign(names: &[SubjectName]) -> IssuedCertificate {
    certificate(&intent(None), None, names)
}

pub(crate) async fn load(store: &Arc<dyn Store>, certificates: &[IssuedCertificate]) {
    store.load_certificates(certificates, event(Action::CertificatesLoaded, certificates.len())).await.unwrap();
}
