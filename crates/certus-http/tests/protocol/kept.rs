//! What is published is kept for a few seconds, and what cannot be published is not looked for.

use std::time::{Duration, Instant};

use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::ports::StoredCrl;
use certus_http::limits;
use certus_pki::{CertificateList, Clock as _};
use certus_testkit::{Answer, RawHttp};

use crate::common::World;

async fn fetch(world: &World, path: &str) -> Answer {
    RawHttp::plain().unwrap().get(&format!("{}{path}", world.authority.pki_url)).await.unwrap()
}

fn event(world: &World, action: Action) -> AuditEvent {
    AuditEvent { at: world.clock.now(), actor: Actor::Authority, action, object: "test".to_owned(), request: None }
}

/// Publishes a list of that number, as any process of the authority does. What is in it does not matter to who serves it.
async fn publish(world: &World, issuer: &str, number: u64) {
    let now = world.clock.now();
    let der = format!("list {number}").into_bytes();
    let list = StoredCrl {
        issuer: issuer.to_owned(),
        shard: 0,
        number,
        this_update: now,
        next_update: now,
        revocations: 0,
        der,
    };
    world.authority.ca.store().publish_crl(&list, event(world, Action::CrlPublished)).await.unwrap();
}

/// A new list is seen within seconds, and the store is asked once meanwhile.
#[tokio::test]
async fn a_new_list_is_seen_within_seconds() {
    assert!(limits::KEPT <= Duration::from_secs(30), "a change is to be seen within a minute");
    let world = World::new().await;
    let id = world.authority.ca.issuers().configured[0].id().to_owned();
    let path = format!("/crl/{id}/0.crl");
    let mut number = CertificateList::parse(&fetch(&world, &path).await.body).unwrap().number();
    // Anew, should the machine be so slow that what is kept grows old between two requests.
    loop {
        world.clock.advance(limits::KEPT);
        let started = Instant::now();
        let first = fetch(&world, &path).await.body;
        number += 1;
        publish(&world, &id, number).await;
        let second = fetch(&world, &path).await.body;
        if started.elapsed() < limits::KEPT {
            assert_eq!(second, first, "not asked for again at once");
            break;
        }
    }
    world.clock.advance(limits::KEPT);
    assert_eq!(fetch(&world, &path).await.text(), format!("list {number}"));
}

/// Which issuers there are is known by itself, so that names that are made up are not looked for, each for itself.
#[tokio::test]
async fn made_up_issuers_are_not_looked_for() {
    let world = World::new().await;
    let store = world.authority.ca.store();
    let chain = world.authority.hierarchy.chain.to_pem();
    for number in 1_u32.. {
        world.clock.advance(limits::KEPT);
        let started = Instant::now();
        assert_eq!(fetch(&world, "/crl/ffffffffffffffffffff/0.crl").await.status, 404);
        // Another process of the authority begins with an issuer of its own.
        let id = format!("{number:020x}");
        let (list, certificate) = (format!("/crl/{id}/0.crl"), format!("/issuer/{id}.cer"));
        store.register_issuer(&id, &chain, event(&world, Action::IssuerRegistered)).await.unwrap();
        publish(&world, &id, 1).await;
        let statuses = [fetch(&world, &list).await.status, fetch(&world, &certificate).await.status];
        let is_recent = started.elapsed() < limits::KEPT;
        world.clock.advance(limits::KEPT);
        assert_eq!(fetch(&world, &list).await.text(), "list 1");
        assert_eq!(fetch(&world, &certificate).await.body, world.authority.hierarchy.chain.certificates()[0].der());
        // Anew, should the machine be so slow that what is kept grows old between two requests.
        if is_recent {
            assert_eq!(statuses, [404, 404], "the store was asked for a name nobody knew");
            break;
        }
    }
}
