//! RFC 8659 and RFC 8657 through a whole authority: when CAA is asked for, and what becomes of an order. What records mean is
//! tested where it is decided, what is an answer where it is asked for.

use std::collections::BTreeMap;
use std::net::{IpAddr, TcpListener};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use certus_acme::{ChallengeType, Identifier, NewOrder, Order, OrderStatus, Problem, ProblemKind, RawIdentifier};
use certus_ca::audit::Action;
use certus_ca::id::AuthorizationId;
use certus_ca::ports::{ValidationError, ValidationRequest, Validator};
use certus_ca::state::{CaaAnswer, Security, ValidatedControl};
use certus_ca::{CaaRule, NameRules};
use certus_pki::{Clock as _, DnsName, KeyAlgorithm, KeyPair};
use certus_testkit::name_server::{NameServer, RecordType, Reply, ResponseCode, address, caa, text};
use certus_testkit::{CsrOptions, Http01Target, Resource, Setup, TestClient, csr};
use certus_validate::{Config, Dnssec, Validators};

use crate::world::World;

const HOUR: Duration = Duration::from_secs(3600);
const MINUTE: Duration = Duration::from_secs(60);

/// What the DNS says, which a test may change: every name is this machine, and has the CAA and TXT records that are set.
#[derive(Debug, Clone, Default)]
struct Zone(Arc<Mutex<BTreeMap<String, Said>>>);

#[derive(Debug, Clone)]
enum Said {
    Caa(Vec<(u8, String, String)>),
    Txt(String),
    Code(ResponseCode),
}

impl Zone {
    fn caa(&self, name: &str, records: &[(u8, &str, &str)]) {
        let records = records.iter().map(|(flags, tag, value)| (*flags, (*tag).to_owned(), (*value).to_owned()));
        self.say(name, Said::Caa(records.collect()));
    }

    fn say(&self, name: &str, said: Said) {
        self.0.lock().unwrap().insert(name.to_owned(), said);
    }

    fn serve(&self) -> NameServer {
        let zone = self.clone();
        NameServer::start(move |question| {
            let name = question.name.as_str();
            let is_caa = question.record_type == RecordType::CAA;
            let said = zone.0.lock().unwrap().get(name).cloned();
            let mut records = vec![address(name, IpAddr::from([127, 0, 0, 1]))];
            match said {
                Some(Said::Code(code)) if is_caa => return Reply::Code(code),
                Some(Said::Caa(all)) => {
                    records.extend(all.iter().map(|(flags, tag, value)| caa(name, *flags, tag, value)));
                }
                Some(Said::Txt(value)) => records.push(text(name, &[&value])),
                Some(Said::Code(_)) | None => {}
            }
            Reply::Records(records)
        })
    }
}

/// An authority that is `localhost` in CAA records, and its DNS.
struct Site {
    world: World,
    zone: Zone,
    names: NameServer,
}

impl Site {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    async fn with(change: impl FnOnce(&mut Setup)) -> Self {
        let zone = Zone::default();
        let names = zone.serve();
        let address = names.address;
        let world = World::with(&[], |setup, _| {
            setup.validation = Box::new(move |config| config.resolvers = vec![address]);
            change(setup);
        })
        .await;
        Self { world, zone, names }
    }

    /// The names that CAA was asked about so far, in order.
    fn asked(&self) -> Vec<String> {
        let asked = self.names.asked().into_iter();
        asked.filter(|one| one.record_type == RecordType::CAA).map(|one| one.name).collect()
    }

    /// An order whose names are validated, by dns-01 the wildcards, by http-01 the others.
    async fn ready(&self, client: &TestClient, names: &[&str]) -> Resource<Order> {
        let order = client.new_order(names).await.unwrap();
        for url in &order.value.authorizations {
            let authorization = client.authorization(url).await.unwrap().value;
            if authorization.wildcard == Some(true) {
                self.meet_dns_01(client, url).await;
            }
        }
        let order = client.authorize(&order, &self.world.target).await.unwrap();
        assert_eq!(order.value.status, OrderStatus::Ready);
        order
    }

    async fn meet_dns_01(&self, client: &TestClient, url: &str) {
        let authorization = client.authorization(url).await.unwrap().value;
        let is_dns = |one: &&certus_acme::Challenge| one.challenge_type() == Some(ChallengeType::Dns01);
        let challenge = authorization.challenges.iter().find(is_dns).unwrap().clone();
        let key_authorization = client.key_authorization(&challenge.token).unwrap();
        let digest = certus_acme::base64url::encode(&certus_pki::crypto::sha256(key_authorization.as_bytes()));
        self.zone.say(&format!("_acme-challenge.{}", authorization.identifier.value), Said::Txt(digest));
        client.respond(&challenge.url).await.unwrap();
        client.validated(url).await.unwrap();
    }

    /// The order after it was finalized, whatever became of it.
    async fn finalized(&self, client: &TestClient, order: &Resource<Order>) -> Order {
        let names: Vec<&str> = order.value.identifiers.iter().map(|one| one.value.as_str()).collect();
        let request = csr(&names, &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), &CsrOptions::default()).unwrap();
        let finalized = client.finalize(&order.value, &request).await.unwrap();
        // An order that fails is told of in JSON.
        drop(client.issued(finalized).await);
        client.order(&order.url).await.unwrap().value
    }

    /// The problem of an order that became invalid before anything was signed.
    async fn refused(&self, client: &TestClient, order: &Resource<Order>) -> Problem {
        let (intents, signed) = (self.world.intents().await.len(), self.world.plan.messages().len());
        let order = self.finalized(client, order).await;
        assert_eq!(order.status, OrderStatus::Invalid, "{order:?}");
        assert_eq!(self.world.intents().await.len(), intents, "no serial was spent");
        assert_eq!(self.world.plan.messages().len(), signed, "nothing was signed");
        order.error.unwrap()
    }

    async fn issued(&self, client: &TestClient, order: &Resource<Order>) {
        let order = self.finalized(client, order).await;
        assert_eq!(order.status, OrderStatus::Valid, "{order:?}");
    }

    /// The problem of an order whose validation fails.
    async fn not_validated(&self, client: &TestClient, names: &[&str]) -> Problem {
        let order = client.new_order(names).await.unwrap();
        client.authorize(&order, &self.world.target).await.unwrap_err();
        let order = client.order(&order.url).await.unwrap().value;
        assert_eq!(order.status, OrderStatus::Invalid, "{order:?}");
        order.error.unwrap()
    }
}

fn names_of(problem: &Problem) -> Vec<&str> {
    problem.subproblems.iter().map(|one| one.identifier.as_ref().unwrap().value.as_str()).collect()
}

// conformance: 8555-6.7-12 8659-3-01 8659-3-05 8659-4-01 BR-3.2.2.8-02
#[tokio::test]
async fn a_name_that_caa_forbids_is_not_validated_and_the_record_is_told_and_kept() {
    let site = Site::new().await;
    let client = site.world.client().await;
    site.zone.caa("forbidden.example", &[(0, "issue", "other.test; x=1")]);
    let problem = site.not_validated(&client, &["free.example", "www.forbidden.example"]).await;
    assert_eq!((problem.kind, problem.status), (ProblemKind::Caa, 403));
    assert_eq!(names_of(&problem), ["www.forbidden.example"]);
    for words in ["forbidden.example", "0 issue \"other.test; x=1\"", "this authority is localhost"] {
        assert!(problem.detail.contains(words), "{problem}");
    }
    assert_eq!(site.asked(), ["free.example", "example", "www.forbidden.example", "forbidden.example"]);

    let kept = site.world.audited(Action::CaaForbade).await;
    let [kept] = kept.as_slice() else { panic!("{kept:?}") };
    let account = client.account_url().unwrap().rsplit('/').next().unwrap().to_owned();
    for words in [&*format!("account:{account}"), "www.forbidden.example", "0 issue \"other.test; x=1\""] {
        assert!(kept.contains(words), "{kept}");
    }
}

#[tokio::test]
async fn what_was_found_is_kept_with_the_evidence() {
    let site = Site::new().await;
    let client = site.world.client().await;
    site.zone.caa("a.example", &[(0, "issue", "localhost"), (0, "iodef", "mailto:a@a.example")]);
    let order = site.ready(&client, &["www.a.example"]).await;
    let id = order.value.authorizations[0].rsplit('/').next().and_then(AuthorizationId::parse).unwrap();
    let authorization = site.world.store.authorization(id).await.unwrap().unwrap().value;
    let (method, _, evidence) = authorization.proof().unwrap();
    assert_eq!(method, ChallengeType::Http01);
    let finding = evidence.caa.clone().unwrap();
    assert_eq!(finding.asked, site.world.clock.now());
    let CaaAnswer { name, domain, records, resolver, security } = finding.answer;
    assert_eq!((name.as_str(), domain.unwrap().as_str()), ("www.a.example", "a.example"));
    let mut records: Vec<_> = records.iter().map(ToString::to_string).collect();
    records.sort();
    assert_eq!(records, ["0 iodef \"mailto:a@a.example\"", "0 issue \"localhost\""]);
    assert_eq!((resolver, security), (site.names.address.to_string(), Security::Unchecked));
    site.issued(&client, &order).await;
    assert_eq!(site.asked(), ["www.a.example", "a.example"], "once, since it is recent");
}

// conformance: 8555-7.1.1-06 8659-4-02
#[tokio::test]
async fn the_names_in_the_directory_are_those_that_count() {
    let names = ["ca.example", "ca.example.net"].map(|name| DnsName::parse(name).unwrap());
    let site = Site::with(|setup| setup.service.caa_identities = names.into()).await;
    let client = site.world.client().await;
    let listed = client.directory().meta.clone().unwrap().caa_identities.unwrap();
    assert_eq!(listed, ["ca.example", "ca.example.net"]);
    for name in &listed {
        site.zone.caa("a.example", &[(0, "issue", "other.test"), (0, "issue", name)]);
        let order = site.ready(&client, &["a.example"]).await;
        site.issued(&client, &order).await;
    }
    // Where it listens is no name of its own any more.
    site.zone.caa("a.example", &[(0, "issue", "localhost")]);
    assert_eq!(site.not_validated(&client, &["a.example"]).await.kind, ProblemKind::Caa);
}

#[tokio::test]
async fn the_name_is_that_of_the_external_url_unless_it_is_set() {
    let site = Site::new().await;
    let client = site.world.client().await;
    assert_eq!(client.directory().meta.clone().unwrap().caa_identities.unwrap(), ["localhost"]);
}

// conformance: 8659-4-13 BR-3.2.2.8-01
#[tokio::test]
async fn caa_is_asked_again_before_signing_when_it_was_asked_long_ago() {
    let site = Site::new().await;
    let client = site.world.client().await;
    let [recent, old, permitted] = ["recent.example", "old.example", "permitted.example"];
    let recent_order = site.ready(&client, &[recent]).await;
    let old_order = site.ready(&client, &[old]).await;
    let permitted_order = site.ready(&client, &[permitted]).await;
    for name in [recent, old] {
        site.zone.caa(name, &[(0, "issue", ";")]);
    }
    site.zone.caa(permitted, &[(0, "issue", "localhost")]);

    let before = site.asked().len();
    site.world.clock.advance(7 * HOUR + 58 * MINUTE);
    site.issued(&client, &recent_order).await;
    assert_eq!(site.asked().len(), before, "nothing was asked");

    site.world.clock.advance(MINUTE);
    let problem = site.refused(&client, &old_order).await;
    assert_eq!((problem.kind, names_of(&problem)), (ProblemKind::Caa, vec![old]));
    assert!(problem.detail.contains("0 issue \";\""), "{problem}");
    assert_eq!(site.asked()[before..], [old.to_owned()]);
    let kept = site.world.audited(Action::CaaForbade).await;
    assert!(kept.len() == 1 && kept[0].contains("old.example: ") && kept[0].contains("0 issue \";\""), "{kept:?}");

    site.issued(&client, &permitted_order).await;
    assert_eq!(site.asked().last().unwrap(), permitted);
}

// conformance: 8659-3-05
#[tokio::test]
async fn each_name_that_is_forbidden_before_signing_is_told() {
    let site = Site::new().await;
    let client = site.world.client().await;
    let order = site.ready(&client, &["a.example", "*.a.example", "b.example", "c.example"]).await;
    site.zone.caa("a.example", &[(0, "issue", "localhost"), (0, "issuewild", ";")]);
    site.zone.caa("c.example", &[(128, "tbs", "unknown")]);
    site.world.clock.advance(9 * HOUR);
    let problem = site.refused(&client, &order).await;
    assert_eq!((problem.kind, names_of(&problem)), (ProblemKind::Caa, vec!["*.a.example", "c.example"]));
    for (one, words) in problem.subproblems.iter().zip(["issuewild", "128 tbs \"unknown\" is critical"]) {
        assert!(one.kind == ProblemKind::Caa && one.detail.contains(words), "{one:?}");
    }
}

// conformance: 8659-3-06 BR-3.2.2.8-03
#[tokio::test]
async fn a_look_up_that_fails_permits_nothing_at_validation_and_before_signing() {
    let site = Site::new().await;
    let client = site.world.client().await;
    let order = site.ready(&client, &["a.example", "b.example", "c.example"]).await;
    for code in [ResponseCode::ServFail, ResponseCode::Refused] {
        site.zone.say("a.example", Said::Code(code));
        let problem = site.not_validated(&client, &["a.example"]).await;
        assert!(problem.kind == ProblemKind::Dns && problem.detail.contains("CAA of a.example"), "{problem}");
    }
    site.zone.caa("b.example", &[(0, "issue", ";")]);
    site.world.clock.advance(9 * HOUR);
    let problem = site.refused(&client, &order).await;
    assert_eq!((problem.kind, names_of(&problem)), (ProblemKind::Compound, vec!["a.example", "b.example"]));
    let kinds: Vec<_> = problem.subproblems.iter().map(|one| one.kind).collect();
    assert_eq!(kinds, [ProblemKind::Dns, ProblemKind::Caa]);
}

// conformance: 8657-3-01 8657-4-06
#[tokio::test]
async fn an_account_that_is_named_may_and_another_may_not() {
    let site = Site::new().await;
    let (named, other) = (site.world.client().await, site.world.client().await);
    let value = format!("localhost; AccountURI={}; foo=bar", named.account_url().unwrap());
    site.zone.caa("a.example", &[(0, "issue", &value)]);
    let order = site.ready(&named, &["a.example"]).await;
    site.issued(&named, &order).await;
    let problem = site.not_validated(&other, &["a.example"]).await;
    assert!(problem.kind == ProblemKind::Caa && problem.detail.contains("AccountURI"), "{problem}");
}

// conformance: 8657-4-01 8657-4-05
#[tokio::test]
async fn the_method_is_that_by_which_the_name_was_validated() {
    let site = Site::with(|setup| setup.reuse = 24 * HOUR).await;
    let client = site.world.client().await;
    let first = site.ready(&client, &["a.example"]).await;
    site.issued(&client, &first).await;
    site.zone.caa("a.example", &[(0, "issue", "localhost; validationmethods=dns-01")]);
    site.world.clock.advance(9 * HOUR);
    let reused = site.ready(&client, &["a.example"]).await;
    assert_eq!(reused.value.authorizations, first.value.authorizations, "it is reused");
    assert_eq!(site.refused(&client, &reused).await.kind, ProblemKind::Caa);

    // By http-01 it is not to be had anew either, by dns-01 it is.
    let url = &first.value.authorizations[0];
    let deactivate = serde_json::json!({ "status": "deactivated" });
    assert_eq!(client.post(url, &deactivate).await.unwrap().status, 200);
    assert_eq!(site.not_validated(&client, &["a.example"]).await.kind, ProblemKind::Caa);
    let order = client.new_order(&["a.example"]).await.unwrap();
    site.zone.caa("a.example", &[(0, "issue", "localhost; validationmethods=dns-01")]);
    site.meet_dns_01(&client, &order.value.authorizations[0]).await;
    let order = client.order(&order.url).await.unwrap();
    site.issued(&client, &order).await;
}

// conformance: 8659-4-10 8659-4-12
#[tokio::test]
async fn a_wildcard_is_asked_about_by_the_name_it_is_beneath() {
    let site = Site::new().await;
    let client = site.world.client().await;
    site.zone.caa("a.example", &[(0, "issue", ";"), (0, "issuewild", "localhost")]);
    let order = site.ready(&client, &["*.a.example"]).await;
    site.issued(&client, &order).await;
    assert_eq!(site.asked(), ["a.example"]);
    assert!(site.names.asked().iter().all(|question| !question.name.contains('*')));
    assert_eq!(site.not_validated(&client, &["a.example"]).await.kind, ProblemKind::Caa);
}

// conformance: 8659-4-14
#[tokio::test]
async fn nobody_is_told_of_a_refusal() {
    let site = Site::new().await;
    let client = site.world.client().await;
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let url = format!("http://127.0.0.1:{}/", listener.local_addr().unwrap().port());
    site.zone.caa("a.example", &[(0, "iodef", &url)]);
    let order = site.ready(&client, &["a.example"]).await;
    site.issued(&client, &order).await;
    site.zone.caa("a.example", &[(0, "iodef", &url), (0, "issue", ";")]);
    assert_eq!(site.not_validated(&client, &["a.example"]).await.kind, ProblemKind::Caa);
    assert_eq!(listener.accept().unwrap_err().kind(), std::io::ErrorKind::WouldBlock);
}

#[tokio::test]
async fn internal_names_are_excepted_where_the_profile_says_so_and_no_others() {
    for (caa, excepted) in [(CaaRule::All, false), (CaaRule::ExceptInternal, true)] {
        let site = Site::with(|setup| {
            setup.caa = caa;
            setup.names = NameRules { internal: vec![DnsName::parse("corp").unwrap()], ..NameRules::default() };
        })
        .await;
        let client = site.world.client().await;
        for name in ["www.corp", "www.example"] {
            site.zone.caa(name, &[(0, "issue", ";")]);
        }
        match excepted {
            true => {
                let order = site.ready(&client, &["www.corp"]).await;
                site.world.clock.advance(9 * HOUR);
                site.issued(&client, &order).await;
                assert_eq!(site.asked(), [""; 0]);
            }
            false => assert_eq!(site.not_validated(&client, &["www.corp"]).await.kind, ProblemKind::Caa),
        }
        assert_eq!(site.not_validated(&client, &["www.example"]).await.kind, ProblemKind::Caa);
    }
}

#[tokio::test]
async fn addresses_have_no_caa_records() {
    let site = Site::with(|setup| {
        let change = std::mem::replace(&mut setup.validation, Box::new(|_| {}));
        setup.validation = Box::new(move |config| {
            change(config);
            config.permit_identifiers = vec!["127.0.0.0/8".parse().unwrap()];
        });
    })
    .await;
    let client = site.world.client().await;
    let identifiers = vec![RawIdentifier { kind: "ip".to_owned(), value: "127.0.0.1".to_owned() }];
    let order = client.new_order_with(&NewOrder { identifiers, ..NewOrder::default() }).await.unwrap();
    client.authorize(&order, &site.world.target).await.unwrap();
    assert!(site.names.asked().is_empty());
}

/// Has one thing wrong with it when CAA is asked before signing.
#[derive(Debug)]
struct Faulty {
    inner: Validators,
    asked: AtomicUsize,
    /// The questions that are answered as they should.
    well: usize,
    fault: CaaFault,
}

#[derive(Debug, Clone, Copy)]
enum CaaFault {
    /// Each further question is answered as if it were about this name: Let's Encrypt's incident of February 2020.
    SameName(&'static str),
    /// The next one cannot be asked.
    Ours,
}

#[async_trait]
impl Validator for Faulty {
    fn admits(&self, identifier: &Identifier) -> Result<(), String> {
        self.inner.admits(identifier)
    }

    fn is_public(&self, address: IpAddr) -> bool {
        self.inner.is_public(address)
    }

    async fn caa(&self, name: &DnsName) -> Result<CaaAnswer, ValidationError> {
        let number = self.asked.fetch_add(1, Ordering::SeqCst);
        match self.fault {
            CaaFault::SameName(other) if number >= self.well => self.inner.caa(&DnsName::parse(other).unwrap()).await,
            CaaFault::Ours if number == self.well => {
                Err(ValidationError::Ours { detail: "the resolver is down".to_owned() })
            }
            CaaFault::SameName(_) | CaaFault::Ours => self.inner.caa(name).await,
        }
    }

    async fn validate(&self, request: &ValidationRequest) -> Result<ValidatedControl, ValidationError> {
        self.inner.validate(request).await
    }
}

async fn faulty(well: usize, fault: CaaFault) -> Site {
    let (zone, target) = (Zone::default(), Http01Target::bind(0).await.unwrap());
    let names = zone.serve();
    let config = Config {
        http_port: target.port(),
        resolvers: vec![names.address],
        dnssec: Dnssec::Off,
        permit: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let validator = Faulty { inner: Validators::new(config).unwrap(), asked: AtomicUsize::new(0), well, fault };
    let mut world = World::with(&[], |setup, _| setup.validator = Some(Arc::new(validator))).await;
    world.target = target;
    Site { world, zone, names }
}

#[tokio::test]
async fn nothing_is_signed_when_caa_was_asked_about_other_names_than_the_orders() {
    let site = faulty(3, CaaFault::SameName("a.example")).await;
    let client = site.world.client().await;
    let order = site.ready(&client, &["a.example", "b.example", "c.example"]).await;
    site.world.clock.advance(9 * HOUR);
    let problem = site.refused(&client, &order).await;
    assert_eq!(problem.kind, ProblemKind::ServerInternal);
    // At validation as well.
    let problem = site.not_validated(&client, &["d.example"]).await;
    assert_eq!(problem.kind, ProblemKind::ServerInternal);
    assert!(!site.asked().contains(&"d.example".to_owned()), "{:?}", site.asked());
}

#[tokio::test]
async fn a_resolver_that_is_down_is_waited_for() {
    let site = faulty(1, CaaFault::Ours).await;
    let client = site.world.client().await;
    let order = site.ready(&client, &["a.example"]).await;
    site.world.clock.advance(9 * HOUR);
    site.issued(&client, &order).await;
    assert_eq!(site.world.audited(Action::JobReleased).await.len(), 1);
}
