//! What clients were told, and whether it is still true.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use certus_acme::{ChallengeStatus, NewAccount, NewAuthorization, OrderStatus, ProblemKind, RawIdentifier, RevokeCert};
use certus_pki::{CertificateChain, KeyAlgorithm, KeyPair, SerialNumber};
use certus_testkit::{ClientError, CsrOptions, Http01Target, ReadyFile, TestClient, csr};
use data_encoding::HEXLOWER;

use crate::laboratory::REFUSED;

/// How long an interrupted order may take to end: a lease of a dead process runs out after 30 s.
const PATIENCE: Duration = Duration::from_secs(90);

/// What one client was told.
#[derive(Debug, Default)]
struct Told {
    /// The account key, PKCS #8, and the account's URL.
    account: Option<(Vec<u8>, String)>,
    /// The orders' URLs with their names.
    orders: Vec<(String, Vec<String>)>,
    /// The URLs of authorizations that were made ahead of orders.
    authorizations: Vec<String>,
    /// The certificates' URLs with their chains.
    certificates: Vec<(String, String)>,
    /// The certificates that are revoked, as revokeCert takes them.
    revoked: Vec<RevokeCert>,
}

/// Whether a client gives its authorization up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GiveUp {
    Yes,
    No,
}

/// What all clients were told.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<Vec<Told>>);

impl Ledger {
    /// Does everything a client can do, once, and writes down each thing it was told. Ends at the first thing that
    /// fails: the authority is dead. Says whether it lives.
    pub(crate) async fn drive(&self, ready: &ReadyFile, target: &Arc<Http01Target>, name: &str) -> bool {
        let mut told = Told::default();
        // An error is the end of the authority, not of the test.
        let lives = Self::client(&mut told, ready, target, name).await.is_ok();
        self.0.lock().unwrap().push(told);
        lives
    }

    async fn client(
        told: &mut Told,
        ready: &ReadyFile,
        target: &Arc<Http01Target>,
        name: &str,
    ) -> Result<(), ClientError> {
        let root = std::fs::read_to_string(&ready.root_path).unwrap();
        let client = TestClient::connect(&ready.directory_url, &root, KeyAlgorithm::EcP256).await?;
        let account = client.new_account().await?;
        told.account = Some((client.key().to_pkcs8().to_vec(), account.url.clone()));
        let contact = Some(vec![format!("mailto:admin@{name}.example")]);
        client.post(&account.url, &NewAccount { contact, ..NewAccount::default() }).await?;

        let names = [format!("{name}.localhost"), format!("www.{name}.localhost")];
        let texts: Vec<&str> = names.iter().map(String::as_str).collect();
        let order = client.new_order(&texts).await?;
        told.orders.push((order.url.clone(), names.to_vec()));
        client.authorize(&order, target).await?;
        let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
        let finalized = client.finalize(&order.value, &csr(&texts, &key, &CsrOptions::default())?).await?;
        let issued = client.issued(finalized).await?;
        let url = issued.value.certificate.clone().unwrap_or_default();
        told.certificates.push((url.clone(), client.certificate(&url).await?));
        let chain = CertificateChain::from_pem(&client.certificate(&url).await?).unwrap();
        let revoke = RevokeCert::new(chain.certificates()[0].der(), Some(4));
        let answer = client.post(&revoke_url(&client), &revoke).await?;
        // A store that is killed is one that fails, until the process has gone.
        if answer.status == 200 {
            told.revoked.push(revoke);
        }

        let given_up = client.new_order(&texts).await?;
        told.orders.push((given_up.url.clone(), names.to_vec()));
        let deactivate = certus_acme::AuthorizationUpdate { status: Some("deactivated".to_owned()) };
        for url in &given_up.value.authorizations {
            client.post(url, &deactivate).await?;
        }
        let identifier = RawIdentifier { kind: "dns".to_owned(), value: format!("ahead.{name}.localhost") };
        let url = client.directory().new_authz.clone().unwrap_or_default();
        let ahead = client.post(&url, &NewAuthorization { identifier }).await?;
        told.authorizations.extend(ahead.location().map(str::to_owned));
        Ok(())
    }

    /// Leads an order to a signer that refuses it. Says whether the authority lives.
    pub(crate) async fn drive_unsigned(&self, ready: &ReadyFile, target: &Arc<Http01Target>, name: &str) -> bool {
        self.drive_with(ready, async |client: &TestClient, told: &mut Told| {
            let names = [format!("{name}.{REFUSED}.localhost")];
            let order = client.new_order(&[names[0].as_str()]).await?;
            told.orders.push((order.url.clone(), names.to_vec()));
            client.authorize(&order, target).await?;
            let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
            let request = csr(&[names[0].as_str()], &key, &CsrOptions::default())?;
            client.finalize(&order.value, &request).await.map(drop)
        })
        .await
    }

    /// Begins a validation of whose keeping the authority does not hear, gives the authorization up, and waits for what
    /// becomes of the job. Says whether the authority lives.
    pub(crate) async fn drive_in_doubt(&self, ready: &ReadyFile, name: &str, give_up: GiveUp) -> bool {
        self.drive_with(ready, async |client: &TestClient, told: &mut Told| {
            let names = [format!("{name}.localhost")];
            let order = client.new_order(&[names[0].as_str()]).await?;
            told.orders.push((order.url.clone(), names.to_vec()));
            let url = &order.value.authorizations[0];
            let challenge = client.authorization(url).await?.value.challenges.remove(0).url;
            // Refused: the write took effect, but nobody was told.
            drop(client.respond(&challenge).await);
            if give_up == GiveUp::Yes {
                let deactivate = certus_acme::AuthorizationUpdate { status: Some("deactivated".to_owned()) };
                client.post(url, &deactivate).await?;
            }
            // Until the authority takes the job up and dies of it.
            let mut look = tokio::time::interval(Duration::from_millis(50));
            for _ in 0..200 {
                look.tick().await;
                client.order(&order.url).await?;
            }
            Ok(())
        })
        .await
    }

    /// Says again and again that it is ready for a challenge that nothing answers. Says whether the authority lives.
    pub(crate) async fn drive_unanswered(&self, ready: &ReadyFile, name: &str) -> bool {
        self.drive_with(ready, async |client: &TestClient, told: &mut Told| {
            let names = [format!("{name}.localhost")];
            let order = client.new_order(&[names[0].as_str()]).await?;
            told.orders.push((order.url.clone(), names.to_vec()));
            let challenge = client.authorization(&order.value.authorizations[0]).await?.value.challenges.remove(0).url;
            // Until a try fails, or is hurried after the second one has.
            let mut look = tokio::time::interval(Duration::from_millis(250));
            for _ in 0..120 {
                look.tick().await;
                client.respond(&challenge).await?;
            }
            Ok(())
        })
        .await
    }

    async fn drive_with(
        &self,
        ready: &ReadyFile,
        flow: impl AsyncFnOnce(&TestClient, &mut Told) -> Result<(), ClientError>,
    ) -> bool {
        let mut told = Told::default();
        let lives = async {
            let root = std::fs::read_to_string(&ready.root_path).unwrap();
            let client = TestClient::connect(&ready.directory_url, &root, KeyAlgorithm::EcP256).await?;
            let account = client.new_account().await?;
            told.account = Some((client.key().to_pkcs8().to_vec(), account.url));
            flow(&client, &mut told).await
        }
        .await
        .is_ok();
        self.0.lock().unwrap().push(told);
        lives
    }

    /// Sees that everything is still there, and brings every order to its end. Returns for every list of names how
    /// many of its orders ended with a certificate.
    pub(crate) async fn verify(&self, ready: &ReadyFile, target: &Arc<Http01Target>) -> BTreeMap<Vec<String>, usize> {
        let told = std::mem::take(&mut *self.0.lock().unwrap());
        let root = std::fs::read_to_string(&ready.root_path).unwrap();
        let mut ended = BTreeMap::new();
        for told in told {
            let Some((key, url)) = told.account else { continue };
            let http = certus_testkit::RawHttp::trusting(&root).unwrap();
            let key = KeyPair::from_pkcs8(&key).unwrap();
            let client = TestClient::with_key(http, &ready.directory_url, key).await.unwrap();
            let account = client.new_account().await.unwrap();
            assert_eq!(account.url, url, "the account was lost");
            for (url, chain) in told.certificates {
                assert_eq!(client.certificate(&url).await.unwrap(), chain, "a certificate changed");
            }
            for revoked in told.revoked {
                let answer = client.post(&revoke_url(&client), &revoked).await.unwrap();
                let problem = answer.problem().map(|problem| problem.kind);
                assert_eq!(problem, Some(ProblemKind::AlreadyRevoked), "a revocation was lost");
            }
            for url in told.authorizations {
                let ahead = client.authorization(&url).await.unwrap().value;
                assert!(ahead.identifier.value.starts_with("ahead."), "an authorization changed: {ahead:?}");
            }
            for (url, names) in told.orders {
                let end = tokio::time::timeout(PATIENCE, to_its_end(&client, target, &url, &names)).await;
                let Ok(end) = end else { panic!("the order {url} does not end") };
                *ended.entry(names).or_default() += usize::from(end == OrderStatus::Valid);
            }
        }
        ended
    }
}

fn revoke_url(client: &TestClient) -> String {
    client.directory().revoke_cert.clone().unwrap_or_default()
}

/// Brings an order to `valid` or `invalid`: waits for what is under way, and does what is still to be done. Returns
/// which of the two it is.
async fn to_its_end(client: &TestClient, target: &Arc<Http01Target>, url: &str, names: &[String]) -> OrderStatus {
    let texts: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut look = tokio::time::interval(Duration::from_millis(200));
    loop {
        look.tick().await;
        let order = client.order(url).await.unwrap();
        match order.value.status {
            OrderStatus::Valid => {
                let certificate = order.value.certificate.unwrap();
                assert!(client.certificate(&certificate).await.unwrap().starts_with("-----BEGIN CERTIFICATE-----"));
                return OrderStatus::Valid;
            }
            OrderStatus::Invalid => {
                assert!(order.value.error.is_some(), "an invalid order does not say why");
                return OrderStatus::Invalid;
            }
            OrderStatus::Processing => {}
            OrderStatus::Pending => {
                if !any_processing(client, &order.value.authorizations).await {
                    // A validation that fails makes the order invalid, which the next look sees.
                    drop(client.authorize(&order, target).await);
                }
            }
            OrderStatus::Ready => {
                let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
                let request = csr(&texts, &key, &CsrOptions::default()).unwrap();
                client.finalize(&order.value, &request).await.unwrap();
            }
        }
    }
}

async fn any_processing(client: &TestClient, authorizations: &[String]) -> bool {
    for url in authorizations {
        let authorization = client.authorization(url).await.unwrap().value;
        if authorization.challenges.iter().any(|challenge| challenge.status == ChallengeStatus::Processing) {
            return true;
        }
    }
    false
}

/// What the signer wrote down, what the store knows and what became of the orders must agree: every serial that was
/// signed has an intent, none was signed twice, and no order has more than its one certificate. Returns how many serials
/// there are.
pub(crate) async fn signer_and_store_agree(
    record: &std::path::Path,
    store: &str,
    ended: &BTreeMap<Vec<String>, usize>,
) -> usize {
    let store = certus_store::connect(&store.parse().unwrap()).await.unwrap();
    let issuers = store.issuers().await.unwrap();
    for (names, certificates) in ended {
        // The first is at or above the others.
        let kept = store.certificates(names.first().map(String::as_str), None, 100).await.unwrap().entries;
        assert_eq!(kept.len(), *certificates, "certificates for {names:?}: {kept:?}");
    }
    let mut seen = HashSet::new();
    for line in std::fs::read_to_string(record).unwrap().lines() {
        let Some((_, serial)) = line.split_once(' ') else { continue };
        assert!(seen.insert(serial.to_owned()), "the serial {serial} was signed twice");
        let serial = SerialNumber::from_bytes(&HEXLOWER.decode(serial.as_bytes()).unwrap()).unwrap();
        let mut known = false;
        for (issuer, _) in &issuers {
            known |= store.intent_outcome(issuer, &serial).await.unwrap().is_some();
        }
        assert!(known, "{serial} was signed without an intent");
    }
    seen.len()
}
