//! What every test here needs: an authority whose store and signer do as they are told, and a look into the store.

use std::sync::Arc;

use certus_acme::{Order, OrderStatus};
use certus_ca::audit::{Action, Actor, AuditEvent};
use certus_ca::id::ProcessId;
use certus_ca::ports::{IntentOutcome, Process, Store};
use certus_pki::{
    Certificate, CertificateChain, Clock as _, KeyAlgorithm, KeyPair, ManualClock, SerialNumber, SystemClock,
};
use certus_testkit::{
    CsrOptions, FaultyStore, Http01Target, Resource, Setup, SignerPlan, TestAuthority, TestClient, csr,
};
use tempfile::TempDir;

/// The only name that is ordered here.
pub(crate) const NAME: &str = "a.localhost";

pub(crate) struct World {
    pub(crate) authority: TestAuthority,
    pub(crate) target: Http01Target,
    pub(crate) clock: ManualClock,
    /// What the signer will do.
    pub(crate) plan: SignerPlan,
    /// The store, without faults.
    pub(crate) store: Arc<dyn Store>,
    pub(crate) dir: TempDir,
}

pub(crate) async fn open(dir: &TempDir) -> Arc<dyn Store> {
    let url = format!("sqlite:{}/store.sqlite", dir.path().display()).parse().unwrap();
    certus_store::connect(&url).await.unwrap()
}

impl World {
    /// An authority whose store has these faults, with the duties of the background.
    pub(crate) async fn new(faults: &[&str]) -> Self {
        Self::with(faults, |_, _| {}).await
    }

    pub(crate) async fn with(faults: &[&str], change: impl FnOnce(&mut Setup, &Http01Target)) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&dir).await;
        let faults = faults.iter().map(|fault| fault.parse().unwrap()).collect();
        let target = Http01Target::bind(0).await.unwrap();
        let clock = ManualClock::new(SystemClock.now());
        let (plan, signer) = (SignerPlan::new(), SignerPlan::clone);
        let signer = signer(&plan);
        let mut setup = Setup {
            clock: Arc::new(clock.clone()),
            signer: Box::new(move |inner| signer.wrap(inner)),
            ..Setup::new(Arc::new(FaultyStore::new(Arc::clone(&store), faults)), &target)
        };
        change(&mut setup, &target);
        let authority = TestAuthority::start(setup).await.unwrap();
        Self { authority, target, clock, plan, store, dir }
    }

    /// Another process at the same store, without faults.
    pub(crate) async fn another(&self) -> TestAuthority {
        self.start(Arc::clone(&self.store)).await.unwrap()
    }

    /// The same without the duties of the background.
    pub(crate) async fn another_quiet(&self) -> TestAuthority {
        let setup = Setup { duties: false, ..self.setup(Arc::clone(&self.store)) };
        TestAuthority::start(setup).await.unwrap()
    }

    /// The same authority at that store, without faults.
    pub(crate) async fn start(
        &self,
        store: Arc<dyn Store>,
    ) -> Result<TestAuthority, Box<dyn std::error::Error + Send + Sync>> {
        TestAuthority::start(self.setup(store)).await
    }

    fn setup(&self, store: Arc<dyn Store>) -> Setup {
        Setup {
            clock: Arc::new(self.clock.clone()),
            hierarchy: Some(self.authority.hierarchy.clone()),
            ..Setup::new(store, &self.target)
        }
    }

    pub(crate) async fn client(&self) -> TestClient {
        let (url, root) = (&self.authority.directory_url, &self.authority.root_pem);
        let client = TestClient::connect(url, root, KeyAlgorithm::EcP256).await.unwrap();
        client.new_account().await.unwrap();
        client
    }

    /// An order that is ready.
    pub(crate) async fn ready(&self, client: &TestClient) -> Resource<Order> {
        let order = client.new_order(&[NAME]).await.unwrap();
        let order = client.authorize(&order, &self.target).await.unwrap();
        assert_eq!(order.value.status, OrderStatus::Ready);
        order
    }

    /// What became of every serial that was spent for an order, in order.
    pub(crate) async fn intents(&self) -> Vec<(SerialNumber, IntentOutcome)> {
        let issuer = self.authority.ca.issuers().configured[0].id().to_owned();
        let mut intents = Vec::new();
        for serial in self.audited(Action::IntentRecorded).await {
            let octets = data_encoding::HEXLOWER.decode(serial.as_bytes()).unwrap();
            let serial = SerialNumber::from_bytes(&octets).unwrap();
            let outcome = self.store.intent_outcome(&issuer, &serial).await.unwrap().unwrap();
            intents.push((serial, outcome));
        }
        intents
    }

    /// What such an action was done to on behalf of a client, in order.
    pub(crate) async fn audited(&self, action: Action) -> Vec<String> {
        let entries = self.store.audit(None, 10_000).await.unwrap().entries;
        let wanted = entries.into_iter().filter(|entry| entry.action == action.name() && entry.request.is_some());
        wanted.map(|entry| entry.object).collect()
    }

    /// The serials of the certificates that clients have.
    pub(crate) async fn certificates(&self) -> Vec<SerialNumber> {
        let page = self.store.certificates(Some(NAME), None, 1_000).await.unwrap();
        page.entries.into_iter().map(|entry| entry.serial).collect()
    }

    /// Whether no job is left, for any process.
    pub(crate) async fn is_idle(&self) -> bool {
        let process = Process { id: ProcessId::random(), host: "test".into(), pid: 1, version: "0".into() };
        let audit = AuditEvent {
            at: self.clock.now(),
            actor: Actor::Authority,
            action: Action::ProcessRegistered,
            object: process.id.to_string(),
            request: None,
        };
        self.store.register_process(&process, audit).await.unwrap();
        self.store.lease_jobs(process.id, 10, self.authority.ca.now()).await.unwrap().is_empty()
    }
}

/// A certification request for [`NAME`].
pub(crate) fn request() -> Vec<u8> {
    csr(&[NAME], &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), &CsrOptions::default()).unwrap()
}

/// The certificate of an order that is valid.
pub(crate) async fn download(client: &TestClient, order: &Order) -> Certificate {
    let pem = client.certificate(order.certificate.as_deref().unwrap()).await.unwrap();
    CertificateChain::from_pem(&pem).unwrap().certificates()[0].clone()
}
