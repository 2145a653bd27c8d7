//! Jobs that change hands, that are put back, and that nobody wants any more.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{AuthorizationStatus, ChallengeStatus, Order, OrderStatus, ProblemKind};
use certus_ca::audit::Action;
use certus_ca::id::{AccountId, OrderId, RequestId};
use certus_ca::limits::MAX_VALIDATIONS_PER_TARGET;
use certus_ca::ports::{IntentOutcome, ValidationError, ValidationRequest, Validator};
use certus_ca::state::{OrderState, ValidatedControl};
use certus_testkit::{Resource, SignerFault, TestClient};
use certus_validate::{Config, LocalNames, Validators};
use futures_util::FutureExt;
use serde_json::json;

use crate::world::{NAME, World, download, request};

#[tokio::test]
async fn a_validation_that_was_taken_over_counts_once() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = client.new_order(&[NAME]).await.unwrap();
    let url = &order.value.authorizations[0];
    let challenge = client.authorization(url).await.unwrap().value.challenges[0].clone();
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    world.target.hold();
    let (responded, other) = tokio::join!(client.respond(&challenge.url), async {
        world.target.asked(1).await;
        let other = world.another().await;
        // It asks too, for the first to ask may be dead.
        world.target.asked(2).await;
        world.target.release();
        other
    });
    responded.unwrap();
    client.validated(url).await.unwrap();
    other.stop().await;
    assert_eq!(world.audited(Action::AuthorizationSettled).await.len(), 1);
    assert_eq!(world.target.requests().len(), 2);
    assert!(world.is_idle().await);
}

#[tokio::test]
async fn a_certificate_of_a_stalled_process_is_never_delivered() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    world.plan.next(&[SignerFault::Hold]);
    let csr = request();
    let (finalized, other) = tokio::join!(client.finalize(&order.value, &csr), async {
        world.plan.held().await;
        world.another().await
    });
    // The other process finds the intent, retires its serial and issues under another.
    let valid = client.issued(finalized.unwrap()).await.unwrap();
    let certificate = download(&client, &valid.value).await;
    let intents = world.intents().await;
    let [stalled, (serial, IntentOutcome::Issued)] = intents.as_slice() else { panic!("{intents:?}") };
    assert!(matches!(stalled.1, IntentOutcome::Retired { .. }), "{stalled:?}");
    assert_eq!(serial, certificate.serial());

    // The first process wakes up, has its signature, and may not use it.
    world.plan.release();
    let World { authority, store, target, clock, plan, dir } = world;
    authority.stop().await;
    let world = World { authority: other, store, target, clock, plan, dir };
    assert_eq!(world.intents().await, intents);
    assert_eq!(world.certificates().await, [certificate.serial().clone()]);
    assert_eq!(world.audited(Action::CertificateIssued).await.len(), 1);
}

#[tokio::test]
async fn a_job_that_panicked_is_done_again_by_the_same_process() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    world.plan.next(&[SignerFault::Panic]);
    let finalized = client.finalize(&order.value, &request()).await.unwrap();
    assert_eq!(finalized.value.status, OrderStatus::Processing);
    let valid = client.issued(finalized).await.unwrap();
    let certificate = download(&client, &valid.value).await;
    let intents = world.intents().await;
    let [lost, (serial, IntentOutcome::Issued)] = intents.as_slice() else { panic!("{intents:?}") };
    assert!(matches!(lost.1, IntentOutcome::Retired { .. }), "{lost:?}");
    assert_eq!(serial, certificate.serial());
    assert!(world.is_idle().await);
}

#[tokio::test]
async fn an_authorization_that_is_given_up_while_it_is_validated_stays_so() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = client.new_order(&[NAME]).await.unwrap();
    let url = &order.value.authorizations[0];
    let challenge = client.authorization(url).await.unwrap().value.challenges[0].clone();
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    world.target.hold();
    let (responded, given_up) = tokio::join!(client.respond(&challenge.url), async {
        world.target.asked(1).await;
        let given_up = client.post(url, &json!({ "status": "deactivated" })).await.unwrap();
        world.target.release();
        given_up
    });
    // The answer waited for the end of the validation.
    assert_ne!(responded.unwrap().value.status, ChallengeStatus::Valid);
    assert_eq!(given_up.status, 200);
    let authorization = client.authorization(url).await.unwrap().value;
    assert_eq!(authorization.status, AuthorizationStatus::Deactivated);
    assert!(authorization.challenges.iter().all(|challenge| challenge.status != ChallengeStatus::Valid));
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Invalid);
    assert!(world.audited(Action::AuthorizationSettled).await.is_empty());
    assert!(world.is_idle().await);
}

// conformance: 8555-7.5.2-03
#[tokio::test]
async fn nothing_is_signed_on_an_authorization_given_up_after_finalize() {
    // Finalized, but the job is not begun: the process never heard that the order was kept.
    let world = World::with(&["begin_issuance:after:error"], |setup, _| setup.duties = false).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    client.finalize(&order.value, &request()).await.unwrap_err();
    assert_eq!(client.order(&order.url).await.unwrap().value.status, OrderStatus::Processing);
    client.post(&order.value.authorizations[0], &json!({ "status": "deactivated" })).await.unwrap();

    let other = world.another().await;
    client.issued(client.order(&order.url).await.unwrap()).await.unwrap_err();
    let failed = client.order(&order.url).await.unwrap().value;
    assert_eq!(failed.status, OrderStatus::Invalid);
    assert_eq!(failed.error.unwrap().kind, ProblemKind::Unauthorized);
    assert!(world.intents().await.is_empty() && world.certificates().await.is_empty());
    other.stop().await;
    assert!(world.is_idle().await);
}

#[tokio::test]
async fn what_a_dead_process_left_is_finished_by_the_next() {
    let world = World::with(&["begin_issuance:after:error"], |setup, _| setup.duties = false).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    client.finalize(&order.value, &request()).await.unwrap_err();
    let _other = world.another().await;
    let valid = client.issued(client.order(&order.url).await.unwrap()).await.unwrap();
    assert_eq!(world.certificates().await, [download(&client, &valid.value).await.serial().clone()]);
}

/// Cannot look the first time, as when the resolver is down.
#[derive(Debug)]
struct Unsteady {
    inner: Validators,
    tries: Arc<AtomicUsize>,
}

#[async_trait]
impl Validator for Unsteady {
    fn admits(&self, identifier: &certus_acme::Identifier) -> Result<(), String> {
        self.inner.admits(identifier)
    }

    fn is_public(&self, address: std::net::IpAddr) -> bool {
        self.inner.is_public(address)
    }

    async fn caa(&self, name: &certus_pki::DnsName) -> Result<certus_ca::state::CaaAnswer, ValidationError> {
        self.inner.caa(name).await
    }

    async fn validate(&self, request: &ValidationRequest) -> Result<ValidatedControl, ValidationError> {
        match self.tries.fetch_add(1, Ordering::SeqCst) {
            0 => Err(ValidationError::Ours { detail: "the resolver is down".to_owned() }),
            _ => self.inner.validate(request).await,
        }
    }
}

#[tokio::test]
async fn a_failure_of_our_own_puts_the_validation_back() {
    let tries = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&tries);
    let world = World::with(&[], move |setup, target| {
        let config = Config {
            http_port: target.port(),
            permit: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
            local_names: LocalNames::Localhost,
            ..Config::default()
        };
        let inner = Validators::new(config).unwrap();
        setup.validator = Some(Arc::new(Unsteady { inner, tries: counted }));
    })
    .await;
    let client = world.client().await;
    let order = client.new_order(&[NAME]).await.unwrap();
    let url = &order.value.authorizations[0];
    let challenge = client.authorization(url).await.unwrap().value.challenges[0].clone();
    world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
    // It is nobody's fault but ours: the challenge waits, and says nothing of an error.
    let answered = client.respond(&challenge.url).await.unwrap();
    assert_eq!((answered.value.status, answered.value.error), (ChallengeStatus::Processing, None));
    assert_eq!(tries.load(Ordering::SeqCst), 1);
    client.validated(url).await.unwrap();
    assert_eq!(tries.load(Ordering::SeqCst), 2);
    assert_eq!(world.target.requests().len(), 1);
}

#[tokio::test]
async fn a_client_that_leaves_leaves_no_job_behind() {
    let world = World::new(&[]).await;
    let client = world.client().await;
    let order = world.ready(&client).await;
    let ca = &world.authority.ca;
    let id = |url: &str| url.rsplit('/').next().unwrap().to_owned();
    let account = AccountId::parse(&id(&client.account_url().unwrap())).unwrap();
    let account = ca.account(account).await.unwrap().unwrap().value;
    let order_id = OrderId::parse(&id(&order.url)).unwrap();
    // Asked once, which hands the write over; then the client is gone.
    let left = ca.finalize(RequestId::random(), &account, order_id, &request()).now_or_never();
    assert!(left.is_none());
    let issued = client.issued(settled_order(&client, &order.url).await).await.unwrap();
    assert_eq!(issued.value.status, OrderStatus::Valid);
}

/// The order once it is no longer ready, or after ten seconds.
async fn settled_order(client: &TestClient, url: &str) -> Resource<Order> {
    let mut look = tokio::time::interval(Duration::from_millis(20));
    for _ in 0..500 {
        look.tick().await;
        let order = client.order(url).await.unwrap();
        if order.value.status != OrderStatus::Ready {
            return order;
        }
    }
    client.order(url).await.unwrap()
}

#[tokio::test]
async fn nothing_is_signed_for_an_account_that_was_closed_or_on_proofs_that_have_aged() {
    for age in [Duration::ZERO, Duration::from_secs(8 * 24 * 3600)] {
        // Finalized, but the job is not begun: the process never heard that the order was kept.
        let world = World::with(&["begin_issuance:after:error"], |setup, _| setup.duties = false).await;
        let client = world.client().await;
        let order = world.ready(&client).await;
        assert!(client.finalize(&order.value, &request()).await.is_err());
        if age.is_zero() {
            let url = client.account_url().unwrap();
            let closed = certus_acme::AccountUpdate {
                status: Some("deactivated".to_owned()),
                ..certus_acme::AccountUpdate::default()
            };
            client.post(&url, &closed).await.unwrap();
        }
        world.clock.advance(age);
        let other = world.another().await;
        let id = OrderId::parse(order.url.rsplit('/').next().unwrap()).unwrap();
        let mut look = tokio::time::interval(Duration::from_millis(20));
        let state = loop {
            look.tick().await;
            let state = world.store.order(id).await.unwrap().unwrap().value.order.state;
            if !matches!(state, OrderState::Processing { .. }) {
                break state;
            }
        };
        assert!(matches!(state, OrderState::Failed { .. }), "{state:?}");
        other.stop().await;
        assert!(world.certificates().await.is_empty());
    }
}

#[tokio::test]
async fn validations_that_are_taken_up_keep_within_the_names_share() {
    // Kept, but not begun: the process never heard that they were.
    let faults: Vec<String> = (1..=6).map(|nth| format!("begin_validation:after:error:{nth}")).collect();
    let faults: Vec<&str> = faults.iter().map(String::as_str).collect();
    let world = World::with(&faults, |setup, _| setup.duties = false).await;
    let client = world.client().await;
    let mut urls = Vec::new();
    for _ in &faults {
        let order = client.new_order(&[NAME]).await.unwrap();
        let url = order.value.authorizations[0].clone();
        let challenge = client.authorization(&url).await.unwrap().value.challenges[0].clone();
        world.target.serve(&challenge.token, &client.key_authorization(&challenge.token).unwrap());
        client.respond(&challenge.url).await.unwrap_err();
        urls.push(url);
    }
    world.target.hold();
    let other = world.another().await;
    world.target.asked(MAX_VALIDATIONS_PER_TARGET).await;
    let one_more = world.target.asked(MAX_VALIDATIONS_PER_TARGET + 1);
    assert!(tokio::time::timeout(Duration::from_millis(500), one_more).await.is_err(), "one more is asked at once");
    world.target.release();
    for url in &urls {
        client.validated(url).await.unwrap();
    }
    other.stop().await;
}
