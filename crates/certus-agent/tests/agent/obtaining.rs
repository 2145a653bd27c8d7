//! From a wish to files that a web server reads.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use certus_agent::ObtainError;
use certus_pki::{CertificateChain, KeyPair, pem};
use certus_testkit::RawHttp;

use crate::world::World;

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_is_obtained_kept_and_obtained_anew() {
    let world = World::new().await;
    let store = world.store().await;
    let wish = world.wish(&["b.localhost", "a.localhost"]);
    let (first, seen) = world.obtain(&store, &wish).await;
    let first = first.unwrap();
    assert_eq!(seen, ["Account", "Ordered", "Presented", "Presented", "Proved", "Issued"]);
    assert_eq!((&first.live.folder, first.live.number), (&world.root().join("live/a.localhost"), 1));
    let read = |file: &str| fs::read_to_string(first.live.folder.join(file)).unwrap();
    let chain = CertificateChain::from_pem(&read("fullchain.pem")).unwrap();
    assert_eq!(format!("{}{}", read("cert.pem"), read("chain.pem")), read("fullchain.pem"));
    let key = || KeyPair::from_pkcs8(&pem::decode_one("PRIVATE KEY", &read("privkey.pem")).unwrap()).unwrap();
    let first_key = key();
    assert_eq!(chain.certificates()[0].public_key(), first_key.public_key());
    assert_eq!(chain.certificates()[0].subject_names(), &wish.names);
    let mode = |file: &str| fs::metadata(first.live.folder.join(file)).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode("privkey.pem"), mode("fullchain.pem")), (0o600, 0o644));

    // The same account, another key; the one before stays where it was.
    let (second, seen) = world.obtain(&store, &wish).await;
    assert_eq!(second.unwrap().live.number, 2);
    assert_eq!(seen.first().map(String::as_str), Some("Account"));
    assert_ne!(key().public_key(), first_key.public_key());
    let kept = fs::read_to_string(world.root().join("archive/a.localhost/1/fullchain.pem")).unwrap();
    assert_eq!(CertificateChain::from_pem(&kept).unwrap(), chain);
    let accounts: Vec<_> = fs::read_dir(world.root().join("accounts")).unwrap().collect();
    assert_eq!(accounts.len(), 1);
    let audit = world.authority.ca.store().audit(None, 1000).await.unwrap().entries;
    assert_eq!(audit.iter().filter(|entry| entry.action == "account.created").count(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_proved_is_told_and_changes_nothing() {
    let world = World::new().await;
    let store = world.store().await;
    let (kept, _) = world.obtain(&store, &world.wish(&["a.localhost"])).await;
    let before = fs::read_to_string(kept.unwrap().live.fullchain()).unwrap();
    // The authority finds no address for it.
    let mut wish = world.wish(&["a.localhost", "nobody.example"]);
    wish.called = certus_agent::store::CertificateName::parse("a.localhost").unwrap();
    let (refused, _) = world.obtain(&store, &wish).await;
    let refused = refused.unwrap_err();
    assert!(matches!(refused, ObtainError::Flow(_)), "{refused}");
    assert!(refused.to_string().contains("nobody.example"), "{refused}");
    assert_eq!(fs::read_to_string(world.root().join("live/a.localhost/fullchain.pem")).unwrap(), before);
    // What was presented is gone.
    let url = format!("http://{}/.well-known/acme-challenge/", world.solver.addresses()[0]);
    assert_eq!(RawHttp::plain().unwrap().get(&url).await.unwrap().status, 404);
    assert!(format!("{:?}", world.solver).contains("Http01"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_authority_that_forgot_the_account_gets_it_anew() {
    let world = World::new().await;
    let store = world.store().await;
    let wish = world.wish(&["a.localhost"]);
    world.obtain(&store, &wish).await.0.unwrap();
    let accounts = world.root().join("accounts");
    let folder = fs::read_dir(&accounts).unwrap().next().unwrap().unwrap().path();
    let file = folder.join("account.json");
    let kept = fs::read_to_string(&file).unwrap();
    let id = kept.split("/acct/").nth(1).unwrap().split('"').next().unwrap().to_owned();
    // Of the same form, and nobody's.
    let other: String = id.chars().rev().collect::<String>().replace(|c: char| !c.is_ascii_alphanumeric(), "A");
    let other = format!("{}A", &other[..other.len() - 1]);
    fs::write(&file, kept.replace(&id, &other)).unwrap();
    let key = fs::read_to_string(folder.join("key.pem")).unwrap();
    let (again, _) = world.obtain(&store, &wish).await;
    assert_eq!(again.unwrap().live.number, 2);
    assert_eq!(fs::read_to_string(&file).unwrap(), kept, "the account of the key is found again");
    assert_eq!(fs::read_to_string(folder.join("key.pem")).unwrap(), key);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_one_process_at_a_time_and_is_the_owners_alone() {
    let world = World::new().await;
    let store = world.store().await;
    let root = world.root();
    let second = certus_agent::Store::open(&root);
    let mut second = std::pin::pin!(second);
    let waits = tokio::select! { biased; _ = &mut second => false, () = tokio::task::yield_now() => true };
    assert!(waits, "two at once");
    drop(store);
    second.await.unwrap();
    let mode = fs::metadata(world.root()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
}
