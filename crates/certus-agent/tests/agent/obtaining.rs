//! From a wish to files that a web server reads.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;

use certus_agent::flow::check_chain;
use certus_agent::{ObtainError, Store};
use certus_pki::{CertificateChain, Clock as _, KeyPair, SubjectName, SystemClock, pem};
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
    let second = Store::open(&root);
    let mut second = std::pin::pin!(second);
    let waits = tokio::select! { biased; _ = &mut second => false, () = tokio::task::yield_now() => true };
    assert!(waits, "two at once");
    drop(store);
    second.await.unwrap();
    let mode = fs::metadata(world.root()).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode, 0o700);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_issued_is_looked_at_before_it_is_used() {
    let world = World::new().await;
    let store = world.store().await;
    let wish = world.wish(&["a.localhost"]);
    let obtained = world.obtain(&store, &wish).await.0.unwrap();
    let (pem, now) = (obtained.chain.to_pem(), SystemClock.now());
    let leaf = obtained.chain.certificates()[0].clone();
    let check = |pem: &str, names: &BTreeSet<SubjectName>, now| check_chain(pem, names, leaf.public_key(), now);
    // As Boulder writes it, and as Windows would.
    let begin = "-----BEGIN CERTIFICATE-----";
    let (first, rest) = pem.split_once(&format!("\n{begin}")).unwrap();
    for lenient in [format!("{first}\n\n{begin}{rest}\n\n"), pem.replace('\n', "\r\n"), pem.trim_end().to_owned()] {
        assert_eq!(check(&lenient, &wish.names, now).unwrap(), obtained.chain);
    }
    let other = world.obtain(&store, &world.wish(&["b.localhost"])).await.0.unwrap().chain.to_pem();
    let more = world.wish(&["a.localhost", "b.localhost"]).names;
    let root = &world.authority.root_pem;
    let day = std::time::Duration::from_secs(86_400);
    for (what, refused) in [
        ("another's", check(&other, &wish.names, now)),
        ("fewer names", check(&pem, &more, now)),
        ("another issuer", check(&format!("{}{root}", leaf.pem()), &wish.names, now)),
        ("ended", check(&pem, &wish.names, leaf.not_after() + day)),
        ("a page", check("<html></html>", &wish.names, now)),
        ("nothing", check("", &wish.names, now)),
        ("something else besides", check(&format!("hello\n{pem}"), &wish.names, now)),
    ] {
        assert!(refused.is_err(), "{what}");
    }
    assert!(check(&leaf.pem(), &wish.names, now).is_ok(), "a certificate of a root has nothing after it");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_could_not_be_kept_is_not_asked_for() {
    let world = World::new().await;
    let store = world.store().await;
    let wish = world.wish(&["a.localhost"]);
    fs::create_dir(world.root().join("live/a.localhost")).unwrap();
    let (refused, seen) = world.obtain(&store, &wish).await;
    assert!(refused.unwrap_err().to_string().contains("move it away"));
    assert_eq!(seen, [""; 0], "nobody was asked");
    // And what came to nothing leaves no key behind.
    let wish = world.wish(&["nobody.example"]);
    world.obtain(&store, &wish).await.0.unwrap_err();
    assert_eq!(fs::read_dir(world.root().join("archive/nobody.example")).unwrap().count(), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_are_not_kept_where_others_could_write() {
    let dir = tempfile::tempdir().unwrap();
    let root = dir.path().join("host");
    drop(Store::open(&root).await.unwrap());
    for folder in ["", "accounts", "archive", "live"] {
        let folder = root.join(folder);
        let set = |mode| fs::set_permissions(&folder, fs::Permissions::from_mode(mode)).unwrap();
        for mode in [0o770, 0o702] {
            set(mode);
            let refused = Store::open(&root).await.unwrap_err().to_string();
            assert!(refused.contains("may be written to by others") && refused.contains("chmod"), "{refused}");
        }
        set(0o755);
        drop(Store::open(&root).await.unwrap());
    }
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(&root, &link).unwrap();
    assert!(Store::open(&link).await.unwrap_err().to_string().contains("is no folder"));
}
