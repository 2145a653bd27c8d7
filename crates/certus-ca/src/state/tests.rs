//! Whatever happens, in whatever order: no path leads to a certificate without validation.

use std::collections::BTreeSet;
use std::time::Duration;

use certus_acme::{AuthorizationStatus, ChallengeType, Identifier, OrderStatus, Problem, ProblemKind};
use certus_pki::{DnsName, KeyAlgorithm, KeyPair, Timestamp};
use proptest::prelude::*;

use super::authorization::Begun;
use super::{Authorization, Evidence, Order, OrderState, ValidatedControl};
use crate::id::{AccountId, CertificateId};

/// What clients, validators, jobs and time do.
#[derive(Debug, Clone)]
enum Event {
    Respond { name: usize, challenge: usize },
    Settle { name: usize, challenge: usize, seen: Seen },
    GiveUp { name: usize },
    Finalize,
    RunJob { signer_works: bool },
    Pass(Duration),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Seen {
    Control,
    ControlOfAnotherName,
    Nothing,
}

fn events() -> impl Strategy<Value = Vec<Event>> {
    let place = (0..3_usize, 0..2_usize);
    let seen = prop_oneof![6 => Just(Seen::Control), 1 => Just(Seen::ControlOfAnotherName), 1 => Just(Seen::Nothing)];
    let event = prop_oneof![
        6 => place.clone().prop_map(|(name, challenge)| Event::Respond { name, challenge }),
        6 => (place, seen).prop_map(|((name, challenge), seen)| Event::Settle { name, challenge, seen }),
        1 => (0..3_usize).prop_map(|name| Event::GiveUp { name }),
        3 => Just(Event::Finalize),
        3 => any::<bool>().prop_map(|signer_works| Event::RunJob { signer_works }),
        1 => (0..5_000_u64).prop_map(|seconds| Event::Pass(Duration::from_secs(seconds))),
    ];
    prop::collection::vec(event, 1..40)
}

/// What really happened to a name, told apart from what the state machines say.
#[derive(Debug, Clone, Copy, Default)]
struct Truth {
    validated: Option<Timestamp>,
    given_up: bool,
    /// It has once been beyond hope.
    dead: bool,
}

fn check(names: usize, events: &[Event]) -> Result<(), TestCaseError> {
    const LIFETIME: Duration = Duration::from_secs(10_000);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).map_err(|error| TestCaseError::fail(error.to_string()))?;
    let account = AccountId::random();
    let name = |index: usize| Identifier::Dns(DnsName::parse(&format!("n{index}.example")).unwrap());
    let mut now = Timestamp::from_unix_seconds(1_000_000);
    let expires = now + LIFETIME;
    let methods = [ChallengeType::Http01, ChallengeType::Http01];
    let mut authorizations: Vec<_> =
        (0..names).map(|index| Authorization::open(account, name(index), &methods, now, expires)).collect();
    let mut order = Order::open(account, "classic".to_owned(), &authorizations, now, expires);
    let mut truth = vec![Truth::default(); names];
    let mut finalized = None;

    for event in events {
        match event.clone() {
            Event::Respond { name, challenge } if name < names => {
                let authorization = authorizations[name].clone();
                let id = authorization.challenges[challenge].id;
                if let Begun::Started(begun) = authorization.begin(id, now) {
                    prop_assert!(!truth[name].dead);
                    authorizations[name] = begun;
                }
            }
            Event::Settle { name: index, challenge, seen } if index < names => {
                let authorization = authorizations[index].clone();
                let id = authorization.challenges[challenge].id;
                let control = |identifier| ValidatedControl::assertion(identifier, methods[0], Evidence::default());
                let outcome = match seen {
                    Seen::Control => Ok(control(name(index))),
                    Seen::ControlOfAnotherName => Ok(control(name(index + 10))),
                    Seen::Nothing => Err(Problem::new(ProblemKind::Connection, "nothing")),
                };
                if let Some(settled) = authorization.settle(id, outcome, now, now + LIFETIME) {
                    prop_assert!(seen != Seen::ControlOfAnotherName);
                    authorizations[index] = settled;
                    if seen == Seen::Control {
                        truth[index].validated = Some(now);
                    }
                }
            }
            Event::GiveUp { name } if name < names => {
                authorizations[name] = authorizations[name].clone().deactivate(now);
                truth[name].given_up = true;
            }
            Event::Finalize => {
                if let Ok(begun) = order.clone().begin_issuance(&authorizations, key.public_key().clone(), now) {
                    prop_assert!(now < expires && finalized.is_none());
                    prop_assert!(truth.iter().all(|one| one.validated.is_some() && !one.given_up && !one.dead));
                    order = begun;
                    finalized = Some(now);
                }
            }
            // As the issuing job does it.
            Event::RunJob { signer_works } if matches!(order.state, OrderState::Processing { .. }) => {
                order = match order.authorized_names(&authorizations) {
                    Some((authorized, certified)) => {
                        let wanted: BTreeSet<_> = (0..names).map(|index| name(index).subject_name()).collect();
                        prop_assert_eq!(authorized.names(), &wanted);
                        prop_assert_eq!(&certified, key.public_key());
                        for one in &truth {
                            prop_assert!(!one.given_up && one.validated <= finalized && one.validated.is_some());
                        }
                        if signer_works { order.complete(CertificateId::random(), now) } else { order }
                    }
                    None => {
                        prop_assert!(truth.iter().any(|one| one.given_up));
                        order.fail(Problem::new(ProblemKind::Unauthorized, "given up"), now)
                    }
                };
            }
            Event::Pass(time) => now = now + time,
            Event::Respond { .. } | Event::Settle { .. } | Event::GiveUp { .. } | Event::RunJob { .. } => {}
        }
        for (one, authorization) in truth.iter_mut().zip(&authorizations) {
            match authorization.status(now) {
                AuthorizationStatus::Pending => prop_assert!(!one.dead && one.validated.is_none()),
                AuthorizationStatus::Valid => prop_assert!(!one.dead && !one.given_up && one.validated.is_some()),
                AuthorizationStatus::Invalid
                | AuthorizationStatus::Deactivated
                | AuthorizationStatus::Expired
                | AuthorizationStatus::Revoked => one.dead = true,
            }
        }
        match order.status(&authorizations, now) {
            OrderStatus::Pending => prop_assert!(finalized.is_none()),
            OrderStatus::Ready => prop_assert!(truth.iter().all(|one| one.validated.is_some() && !one.dead)),
            OrderStatus::Processing => prop_assert!(finalized.is_some()),
            OrderStatus::Valid => prop_assert!(truth.iter().all(|one| one.validated.is_some())),
            OrderStatus::Invalid => prop_assert!(order.error(&authorizations, now).is_some()),
        }
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_path_skips_validation(names in 1..3_usize, events in events()) {
        check(names, &events)?;
    }
}

#[test]
fn the_straight_path_ends_in_a_certificate() {
    let straight: Vec<Event> = (0..2)
        .flat_map(|name| {
            [Event::Respond { name, challenge: 0 }, Event::Settle { name, challenge: 0, seen: Seen::Control }]
        })
        .chain([Event::Finalize, Event::RunJob { signer_works: true }])
        .collect();
    check(2, &straight).unwrap();
}
