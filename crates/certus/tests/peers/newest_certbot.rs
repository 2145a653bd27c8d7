//! What the newest Certbot does and Debian's cannot: addresses, profiles, and renewal when the authority asks for it
//! (RFC 9773).

use std::time::Duration;

use certus_testkit::postgres::PostgresServer;

use crate::authority::Authority;
use crate::clients::{Certbot, Obtained, certificate, folder, leaf};
use crate::judges::openssl_accepts;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// For how many days a certificate is valid.
fn days(obtained: &Obtained) -> u64 {
    let certificate = certificate(obtained);
    // Its last second is one of them.
    let lasts = certificate.not_after().duration_since(certificate.not_before()) + Duration::from_secs(1);
    lasts.as_secs() / DAY.as_secs()
}

async fn the_newest_certbot_is_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let settings = "identifiers.permit_addresses = [\"127.0.0.0/8\"]\n";
    let authority = Authority::start_with(&folder(dir, "authority"), store, settings).await;
    let certbot = Certbot::newest(&authority, folder(dir, "certbot"));
    let accepted = |obtained: &Obtained, names: &[&str]| openssl_accepts(obtained, &authority.root(), names, dir);

    // Addresses, by themselves and beside a name.
    accepted(&certbot.obtain(&["127.0.0.1"]), &["127.0.0.1"]);
    let both = ["both.peers.test", "127.0.0.2"];
    accepted(&certbot.obtain(&both), &both);

    // Profiles: one that is there, one that is not and is dispensable, and one that is not and is required.
    let short = certbot.obtain_with(&["short.peers.test"], &["--required-profile", "shortlived"]);
    assert_eq!(days(&short), 6);
    accepted(&short, &["short.peers.test"]);
    let preferred = certbot.obtain_with(&["preferred.peers.test"], &["--preferred-profile", "shortlived"]);
    assert_eq!(days(&preferred), 6);
    let other = certbot.obtain_with(&["other.peers.test"], &["--preferred-profile", "absent"]);
    assert_eq!(days(&other), 90);
    let said = certbot.refused_with(&["none.peers.test"], &["--required-profile", "absent"]);
    assert!(said.contains("absent"), "{said}");

    // Whose time is it? Theirs alone that the operator names.
    authority.ca(&["renewals", "advance", "--names", "=other.peers.test"]);
    let names: &[&[&str]] = &[&["127.0.0.1"], &both, &["short.peers.test"], &["preferred.peers.test"]];
    let before = leaf(&other);
    let kept = names.iter().map(|names| leaf(&certbot.obtained(names))).collect::<Vec<_>>();
    let said = certbot.renew_due();
    let renewed = certbot.obtained(&["other.peers.test"]);
    assert_ne!(leaf(&renewed), before, "{said}");
    accepted(&renewed, &["other.peers.test"]);
    assert_eq!(kept, names.iter().map(|names| leaf(&certbot.obtained(names))).collect::<Vec<_>>(), "{said}");
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_certbot_has_addresses_profiles_and_renewals_on_sqlite() {
    the_newest_certbot_is_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_certbot_has_addresses_profiles_and_renewals_on_postgres() {
    let server = PostgresServer::start().unwrap();
    the_newest_certbot_is_served(&server.create_database("peers").unwrap()).await;
}
