//! Accounts with something of everything, and a valid request of every kind: signed, not signed, and over plain HTTP.

use certus_acme::{CertId, Jwk, MacAlgorithm, RevokeCert, authenticate, base64url};
use certus_ca::state::BindingScope;
use certus_pki::{Certificate, CertificateChain, Clock as _, KeyAlgorithm, KeyPair, MacKey};
use certus_testkit::{CsrOptions, Forge, Issued, NamesIn, RawHttp, TestClient, csr};
use serde_json::{Map, Value, json};

use super::random::Random;
use crate::common::{Resources, World, dns, order_for};

/// A valid signed request.
#[derive(Debug, Clone)]
pub(super) struct Valid {
    pub(super) url: String,
    pub(super) payload: Vec<u8>,
    key: KeyPair,
    /// The account that signs; none signs with `jwk`.
    kid: Option<String>,
}

impl Valid {
    fn of(client: &TestClient, url: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { url: url.to_owned(), payload: payload.into(), key: client.key().clone(), kid: client.account_url() }
    }

    fn by(key: &KeyPair, url: &str, payload: impl Into<Vec<u8>>) -> Self {
        Self { url: url.to_owned(), payload: payload.into(), key: key.clone(), kid: None }
    }

    /// The request, to be taken apart.
    pub(super) fn forge(&self, nonce: &str) -> Forge {
        let forge = Forge::new(&self.key, &self.url, self.payload.clone()).nonce(nonce);
        self.kid.iter().fold(forge, |forge, kid| forge.kid(kid))
    }
}

/// Everything that one run of changes is made of.
pub(super) struct Stock {
    /// The account that most of it belongs to.
    pub(super) client: TestClient,
    /// An account whose key is changed.
    turning: TestClient,
    /// The key that it is changed to.
    next_key: KeyPair,
    /// A key without an account, at first.
    pub(super) stranger: TestClient,
    /// Of external account binding: its id, and its octets.
    binding: (String, MacKey),
    signed: Vec<Valid>,
    /// Where a GET is an answer, or a refusal.
    pub(super) read: Vec<String>,
    /// What is published over plain HTTP.
    pub(super) published: Vec<String>,
    /// To ask for that.
    pub(super) plain: RawHttp,
    /// The finalize URL of an order that is ready, and stays so.
    pub(super) finalize: String,
    csr_key: KeyPair,
}

impl Stock {
    pub(super) async fn new(world: &World) -> Self {
        let client = world.client().await;
        let (key, mac) = world.authority.ca.make_binding_key(1000, BindingScope::default()).await.unwrap();
        let mut stock = Self {
            turning: world.client().await,
            stranger: world.stranger().await,
            client,
            next_key: new_key(),
            binding: (key.id.to_string(), mac),
            signed: Vec::new(),
            read: Vec::new(),
            published: Vec::new(),
            plain: RawHttp::plain().unwrap(),
            finalize: String::new(),
            csr_key: new_key(),
        };
        stock.accounts(world).await;
        let issued = stock.client.obtain(&["i.localhost"], &world.target).await.unwrap();
        stock.orders(world, &issued).await;
        stock.authorizations().await;
        stock.certificates(world, issued).await;
        stock.everything_is_read(world).await;
        stock
    }

    async fn accounts(&mut self, world: &World) {
        let own = self.client.account_url().unwrap();
        let new_account = self.client.directory().new_account.clone();
        let contacts = json!({ "contact": ["mailto:b@example.org", "mailto:c@example.org"] });
        let wish = json!({ "contact": ["mailto:a@example.org"], "termsOfServiceAgreed": true });
        let known = json!({ "onlyReturnExisting": true });
        let parting = world.client().await;
        let deactivation = json!({ "status": "deactivated" });
        self.signed.extend([
            Valid::of(&self.client, &own, contacts.to_string()),
            Valid::by(self.stranger.key(), &new_account, wish.to_string()),
            Valid::by(self.client.key(), &new_account, known.to_string()),
            Valid::of(&parting, &parting.account_url().unwrap(), deactivation.to_string()),
        ]);
    }

    async fn orders(&mut self, world: &World, issued: &Issued) {
        let pending = self.client.new_order(&["p.localhost", "q.localhost"]).await.unwrap();
        let ready = self.client.new_order(&["r.localhost"]).await.unwrap();
        let ready = self.client.authorize(&ready, &world.target).await.unwrap();
        let other = csr(&["other.localhost"], &self.csr_key, &CsrOptions::default()).unwrap();
        let csr = json!({ "csr": base64url::encode(&other) });
        let authorization = pending.value.authorizations.first().unwrap().clone();
        let challenge = self.client.authorization(&authorization).await.unwrap().value.challenges.remove(0).url;
        let new_order = self.client.directory().new_order.clone();
        let now = world.clock.now();
        let day = std::time::Duration::from_secs(24 * 3600);
        let id = CertId::of(&leaf(issued)).unwrap().to_string();
        for (url, payload) in [
            (&new_order, order_for(&["a.localhost", "b.localhost"])),
            (&new_order, json!({ "identifiers": [dns("*.w.localhost")], "profile": "classic" })),
            (&new_order, json!({ "identifiers": [{ "type": "ip", "value": "127.0.0.1" }] })),
            (&new_order, json!({ "identifiers": [dns("i.localhost")], "replaces": id })),
            (
                &new_order,
                json!({ "identifiers": [dns("t.localhost")], "notBefore": now.rfc3339(), "notAfter": (now + day).rfc3339() }),
            ),
            (&pending.value.finalize, csr.clone()),
            (&ready.value.finalize, csr),
            (&challenge, json!({})),
            (&authorization, json!({ "status": "valid" })),
        ] {
            self.signed.push(Valid::of(&self.client, url, payload.to_string()));
        }
        let page = format!("{}/orders?after={}", self.client.account_url().unwrap(), last_part(&issued.order.url));
        for url in [&page, &pending.url, &ready.url, &authorization, &challenge] {
            self.signed.push(Valid::of(&self.client, url, Vec::new()));
        }
        self.finalize = ready.value.finalize;
    }

    async fn authorizations(&mut self) {
        let url = self.client.directory().new_authz.clone().unwrap();
        let wish = json!({ "identifier": dns("z.localhost") });
        let made = self.client.post(&url, &wish).await.unwrap();
        let deactivation = json!({ "status": "deactivated" }).to_string();
        self.signed.extend([
            Valid::of(&self.client, &url, wish.to_string()),
            Valid::of(&self.client, made.location().unwrap(), deactivation),
        ]);
    }

    /// Revocations, by account and by the certificate's key.
    async fn certificates(&mut self, world: &World, issued: Issued) {
        let url = self.client.directory().revoke_cert.clone().unwrap();
        let revocation =
            |issued: &Issued, reason| serde_json::to_vec(&RevokeCert::new(leaf(issued).der(), reason)).unwrap();
        let compromised = self.client.obtain(&["k.localhost"], &world.target).await.unwrap();
        self.signed.extend([
            Valid::of(&self.client, &url, revocation(&issued, Some(4))),
            Valid::by(&compromised.key, &url, revocation(&compromised, Some(1))),
            Valid::by(&issued.key, &url, revocation(&issued, None)),
        ]);
        let certificate = issued.order.value.certificate.clone().unwrap();
        for url in [format!("{certificate}/1"), certificate] {
            self.signed.push(Valid::of(&self.client, &url, Vec::new()));
        }
        let leaf = leaf(&issued);
        let renewal_info = self.client.directory().renewal_info.clone().unwrap();
        self.read.push(format!("{renewal_info}/{}", CertId::of(&leaf).unwrap()));
        let issuer = &world.authority.hierarchy.chain.certificates()[0];
        let published = [&leaf, issuer].into_iter().flat_map(|one| [one.crl_urls(), one.ca_issuers_urls()]);
        self.published.extend(published.flatten().cloned());
        self.published.push(format!("{}/root.pem", world.authority.pki_url));
    }

    /// POST-as-GET and GET of every resource, whether it is for it or not.
    async fn everything_is_read(&mut self, world: &World) {
        let of_one = Resources::of(world, &self.client).await;
        let directory = self.client.directory().clone();
        let resources = of_one.readable().map(ToOwned::to_owned).into_iter().chain([
            of_one.finalize.clone(),
            world.authority.directory_url.clone(),
            directory.new_nonce,
            directory.new_account,
            directory.new_order,
            directory.new_authz.unwrap(),
            directory.revoke_cert.unwrap(),
            directory.key_change.unwrap(),
            directory.renewal_info.unwrap(),
        ]);
        for url in resources {
            self.signed.push(Valid::of(&self.client, &url, Vec::new()));
            self.read.push(url);
        }
        // Asked for more often than by chance: what is for GET.
        let directory = &world.authority.directory_url;
        let limits = directory.replace("/directory", "/limits");
        let own = [directory.clone(), self.client.directory().new_nonce.clone(), self.read[0].clone(), limits];
        self.read.extend(own.into_iter().flat_map(|url| [url.clone(), url]));
    }

    /// A valid request.
    pub(super) fn valid(&self, random: &mut Random) -> Valid {
        match random.below(12) {
            0 => self.key_change(None),
            1 => self.bound_account(None),
            _ => random.pick(&self.signed).clone(),
        }
    }

    /// A valid request whose payload is a JWS in which something was changed before it was signed.
    pub(super) fn changed_within(&self, random: &mut Random) -> Valid {
        match random.below(2) {
            0 => self.key_change(Some(random)),
            _ => self.bound_account(Some(random)),
        }
    }

    fn key_change(&self, random: Option<&mut Random>) -> Valid {
        let url = self.client.directory().key_change.clone().unwrap();
        let mut payload = json!({ "account": self.turning.account_url(), "oldKey": jwk(self.turning.key()) });
        let mut inner = Forge::new(&self.next_key, &url, payload.to_string());
        if let Some(random) = random {
            if random.below(2) == 0 {
                random.json(&mut payload);
                inner = inner.payload(payload.to_string());
            } else {
                let name = *random.pick(&["alg", "jwk", "kid", "nonce", "url", "crit", "x"]);
                let mut value = if name == "jwk" { jwk(&self.next_key) } else { random.value() };
                random.json(&mut value);
                inner = inner.set(name, value);
            }
        }
        Valid::of(&self.turning, &url, inner.body().unwrap())
    }

    fn bound_account(&self, random: Option<&mut Random>) -> Valid {
        let url = self.client.directory().new_account.clone();
        let key = new_key();
        let (mut algorithm, mut bound) = (MacAlgorithm::Hs256, jwk(&key));
        let mut header = json!({ "alg": algorithm.name(), "kid": self.binding.0, "url": url });
        if let Some(random) = random {
            algorithm = *random.pick(MacAlgorithm::ALL);
            header["alg"] = json!(random.pick(MacAlgorithm::ALL).name());
            let within = if random.below(2) == 0 { &mut header } else { &mut bound };
            random.json(within);
        }
        let binding = authenticate(&self.binding.1, algorithm, &header.to_string(), bound.to_string().as_bytes());
        Valid::by(&key, &url, format!(r#"{{"externalAccountBinding":{binding}}}"#))
    }

    /// A JSON value of the payload, for something to be changed in it.
    pub(super) fn value(payload: &[u8]) -> Value {
        serde_json::from_slice(payload).unwrap_or(Value::Object(Map::new()))
    }

    /// What has to be remembered of an answer: the key that an account has now.
    pub(super) async fn learn(&mut self, world: &World, url: &str, status: u16) {
        if status != 200 || self.client.directory().key_change.as_deref() != Some(url) {
            return;
        }
        let (http, key) = (self.client.http().clone(), std::mem::replace(&mut self.next_key, new_key()));
        let turned = TestClient::with_key(http, &world.authority.directory_url, key).await.unwrap();
        turned.set_account_url(self.turning.account_url());
        self.turning = turned;
    }

    /// A certification request for another name than was ordered, so that the order stays as it is, changed before or
    /// after it was signed.
    pub(super) fn changed_csr(&self, random: &mut Random) -> Vec<u8> {
        let mut name = b"other.localhost".to_vec();
        if random.below(2) == 0 {
            random.octets(&mut name);
        }
        let name = String::from_utf8_lossy(&name).into_owned();
        let names_in = *random.pick(&[NamesIn::SubjectAltName, NamesIn::CommonName, NamesIn::Both]);
        let options = CsrOptions { names_in, ..CsrOptions::default() };
        let mut der = csr(&[&name, "q.localhost"], &self.csr_key, &options).unwrap();
        if random.below(3) > 0 {
            random.octets(&mut der);
        }
        der
    }
}

fn new_key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

fn jwk(key: &KeyPair) -> Value {
    serde_json::from_str(Jwk::from_public_key(key.public_key()).canonical_json()).unwrap()
}

fn leaf(issued: &Issued) -> Certificate {
    CertificateChain::from_pem(&issued.chain_pem).unwrap().certificates()[0].clone()
}

fn last_part(url: &str) -> &str {
    url.rsplit('/').next().unwrap()
}
