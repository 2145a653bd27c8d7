//! instant-acme obtains from `certus ca serve` with a profile, renews when it is asked to, rolls its key over, and goes.

use std::path::Path;

use certus_pki::{Clock, SystemClock};
use certus_testkit::Http01Target;
use certus_testkit::postgres::PostgresServer;
use instant_acme::{
    Account, AccountCredentials, AuthorizationStatus, CertificateIdentifier, ChallengeType, Error, Identifier,
    NewAccount, NewOrder, OrderStatus, RetryPolicy,
};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::authority::Authority;
use crate::clients::{Obtained, certificate, folder};
use crate::judges::openssl_accepts;

const NAME: &str = "instant.peers.test";

/// The account of these credentials.
async fn account(authority: &Authority, credentials: AccountCredentials) -> Account {
    Account::builder_with_root(authority.root()).unwrap().from_credentials(credentials).await.unwrap()
}

/// By http-01.
async fn obtain(account: &Account, wish: &NewOrder<'_>, target: &Http01Target, dir: &Path) -> Obtained {
    let mut order = account.new_order(wish).await.unwrap();
    let mut authorizations = order.authorizations();
    while let Some(authorization) = authorizations.next().await {
        let mut authorization = authorization.unwrap();
        assert_eq!(authorization.status, AuthorizationStatus::Pending);
        let mut challenge = authorization.challenge(ChallengeType::Http01).unwrap();
        target.serve(&challenge.token, challenge.key_authorization().as_str());
        challenge.set_ready().await.unwrap();
    }
    let retries = RetryPolicy::default();
    assert_eq!(order.poll_ready(&retries).await.unwrap(), OrderStatus::Ready);
    let key = order.finalize().await.unwrap();
    let chain = order.poll_certificate(&retries).await.unwrap();
    let obtained = Obtained { leaf_and_chain: dir.join("chain.pem"), key: dir.join("key.pem") };
    std::fs::write(&obtained.leaf_and_chain, chain).unwrap();
    std::fs::write(&obtained.key, key).unwrap();
    obtained
}

/// What an order is refused with.
async fn refusal(account: &Account, wish: &NewOrder<'_>) -> String {
    let Err(Error::Api(problem)) = account.new_order(wish).await else { panic!("it was not refused") };
    problem.to_string()
}

async fn instant_acme_is_served(store: &str) {
    let dir = tempfile::tempdir().unwrap();
    let dir = dir.path();
    let authority = Authority::start(&folder(dir, "authority"), store).await;
    let target = Http01Target::bind(authority.http_01_port).await.unwrap();
    let wish = NewAccount { contact: &[], terms_of_service_agreed: true, only_return_existing: false };
    let builder = Account::builder_with_root(authority.root()).unwrap();
    let (mut first, credentials) = builder.create(&wish, authority.directory_url.clone(), None).await.unwrap();

    let profiles: Vec<String> = first.profiles().map(|profile| profile.name.to_owned()).collect();
    assert!(profiles.iter().any(|name| name == "shortlived"), "{profiles:?}");
    let names = [Identifier::Dns(NAME.to_owned())];
    let short = NewOrder::new(&names).profile("shortlived");
    let obtained = obtain(&first, &short, &target, &folder(dir, "first")).await;
    openssl_accepts(&obtained, &authority.root(), &[NAME], dir);

    let der = CertificateDer::from_pem_file(&obtained.leaf_and_chain).unwrap();
    let id = CertificateIdentifier::try_from(&der).unwrap();
    let now = || SystemClock.now().unix_seconds();
    let (info, _) = first.renewal_info(&id).await.unwrap();
    assert!(info.suggested_window.start.unix_timestamp() > now(), "{info:?}");
    assert!(info.suggested_window.end.unix_timestamp() < certificate(&obtained).not_after().unix_seconds(), "{info:?}");
    authority.ca(&["renewals", "advance", "--names", NAME]);
    let (info, _) = first.renewal_info(&id).await.unwrap();
    assert!(info.suggested_window.end.unix_timestamp() <= now(), "{info:?}");
    let renewal = NewOrder::new(&names).replaces(id.clone());
    let renewed = obtain(&first, &renewal, &target, &folder(dir, "renewed")).await;
    openssl_accepts(&renewed, &authority.root(), &[NAME], dir);
    let said = refusal(&first, &renewal).await;
    assert!(said.contains("alreadyReplaced"), "{said}");

    let renewed_credentials = first.update_key().await.unwrap();
    obtain(&first, &NewOrder::new(&names), &target, &folder(dir, "second")).await;
    let said = refusal(&account(&authority, credentials).await, &short).await;
    assert!(said.contains("unauthorized"), "the old key: {said}");
    first.deactivate().await.unwrap();
    let said = refusal(&account(&authority, renewed_credentials).await, &short).await;
    assert!(said.contains("unauthorized"), "{said}");
    authority.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_acme_obtains_and_renews_on_sqlite() {
    instant_acme_is_served("sqlite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn instant_acme_obtains_and_renews_on_postgres() {
    let server = PostgresServer::start().unwrap();
    instant_acme_is_served(&server.create_database("peers").unwrap()).await;
}
