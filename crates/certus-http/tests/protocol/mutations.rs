//! Valid signed requests, changed at random: nothing panics, nothing is our fault, and the authority works afterwards.
//!
//! What is changed: the signed body as it is sent; and, before it is signed (so that it gets past the signature), the
//! payload, the protected header, the URL with its path, the certification request; and the HTTP request itself. The
//! sequence follows from a seed. An ordinary run makes some thousands of changes; with `CERTUS_MUTATIONS` in the
//! environment it is a hundred thousand.

#![expect(clippy::indexing_slicing, reason = "a test fails by panicking")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use certus_acme::base64url;
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, Forge, NamesIn, TestClient, csr};
use serde_json::{Map, Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{World, order_for};

const ORDINARY: u64 = 3_000;
const MANY: u64 = 100_000;
/// Changes that are made with one account and its orders, so that no account runs into its limits.
const EACH_ACCOUNT: u64 = 1_000;
/// One in so many changes is of the HTTP request itself, which costs a TLS handshake.
const HTTP_EVERY: u64 = 40;

#[tokio::test(flavor = "multi_thread")]
async fn no_change_of_a_valid_request_is_our_fault() {
    let panics = count_panics();
    let world = World::new().await;
    let wanted = how_many();
    let (mut outcomes, mut changes) = (Outcomes::default(), 0);
    let mut random = Random(0x5eed_ce27_0000_0002);
    while changes < wanted {
        let stock = Stock::new(&world).await;
        for number in 0..EACH_ACCOUNT.min(wanted - changes) {
            if number % HTTP_EVERY == 0 {
                stock.changed_http(&world, &mut random).await;
            } else {
                let (what, url, body) = stock.changed(&mut random).await;
                let answer = stock.client.send(&url, body.clone()).await;
                let Ok(answer) = answer else { panic!("{what} ({}): {answer:?}", String::from_utf8_lossy(&body)) };
                outcomes.count(answer.status);
                let fine = answer.status < 500 && (answer.status < 400 || answer.problem().is_some());
                assert!(fine, "{what} to {url}: {answer:?}: {}", String::from_utf8_lossy(&body));
            }
            assert_eq!(panics.load(Ordering::SeqCst), 0, "after change {}", changes + number);
        }
        changes += EACH_ACCOUNT.min(wanted - changes);
    }
    // The changes reach what they should: some are harmless, some get past the signature and are refused there.
    assert!(outcomes.fine > wanted / 50 && outcomes.refused > wanted / 5, "{outcomes:?}");
    world.client().await.obtain(&["a.localhost"], &world.target).await.unwrap();
    assert_eq!(panics.load(Ordering::SeqCst), 0);
}

#[expect(clippy::disallowed_methods, reason = "the long proof is asked for from outside")]
fn how_many() -> u64 {
    if std::env::var_os("CERTUS_MUTATIONS").is_some() { MANY } else { ORDINARY }
}

/// Counts panics of everything that is not a test.
fn count_panics() -> Arc<AtomicU64> {
    let panics = Arc::new(AtomicU64::new(0));
    let (count, before) = (Arc::clone(&panics), std::panic::take_hook());
    std::panic::set_hook(Box::new(move |panic| {
        if panic.location().is_none_or(|place| !place.file().contains("tests/protocol/")) {
            count.fetch_add(1, Ordering::SeqCst);
        }
        before(panic);
    }));
    panics
}

#[derive(Debug, Default)]
struct Outcomes {
    fine: u64,
    refused: u64,
}

impl Outcomes {
    fn count(&mut self, status: u16) {
        if status < 400 { self.fine += 1 } else { self.refused += 1 }
    }
}

/// `SplitMix64`: the same sequence everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `end`; 0 when that is 0.
    fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end.max(1)).unwrap()).unwrap()
    }

    fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    fn octet(&mut self) -> u8 {
        // Half of them are what texts here are made of.
        match self.below(2) {
            0 => *self.pick(b"\"{}[]:,\\=.-_/?%@*\0\n 09aAzZ"),
            _ => self.next().to_le_bytes()[0],
        }
    }

    /// Changes octets in one to three ways.
    fn octets(&mut self, octets: &mut Vec<u8>) {
        for _ in 0..=self.below(3) {
            let place = self.below(octets.len());
            let end = (place + self.below(40)).min(octets.len());
            match self.below(7) {
                0 => octets.truncate(place),
                1 => octets.insert(place, self.octet()),
                2 => drop(octets.drain(place..end)),
                3 => {
                    let copy = octets[place..end].repeat(1 + self.below(8));
                    octets.splice(place..place, copy);
                }
                4 => {
                    let octet = self.octet();
                    octets[place..end].fill(octet);
                }
                _ if octets.is_empty() => octets.push(self.octet()),
                5 => octets[place] = self.octet(),
                _ => octets[place] ^= 1 << self.below(8),
            }
        }
    }

    /// A JSON value that nobody expects.
    fn value(&mut self) -> Value {
        match self.below(12) {
            0 => Value::Null,
            1 => json!(true),
            2 => json!(self.next()),
            3 => json!(-1.5e300),
            4 => json!(""),
            5 => json!("a".repeat(self.below(5_000))),
            6 => json!("\u{0}\u{202e}\u{1f512}é"),
            7 => json!([]),
            8 => json!({}),
            9 => json!([[[["x"]]], null, {"type": "dns"}]),
            10 => json!({ "type": "dns", "value": "b.localhost", "status": "valid", "csr": "", "contact": [null] }),
            _ => {
                let mut octets = b"https://localhost/acme/acct/AAAAAAAAAAAAAAAAAAAAAA".to_vec();
                self.octets(&mut octets);
                json!(String::from_utf8_lossy(&octets))
            }
        }
    }

    /// Changes a JSON value somewhere within.
    fn json(&mut self, value: &mut Value) {
        match value {
            Value::Object(members) if !members.is_empty() && self.below(5) > 0 => {
                let names: Vec<String> = members.keys().cloned().collect();
                let name = self.pick(&names);
                match self.below(6) {
                    0 => drop(members.remove(name)),
                    1 => {
                        let new = self.value();
                        members.insert(format!("{name}x"), new);
                    }
                    _ => self.json(members.get_mut(name).unwrap()),
                }
            }
            Value::Array(items) if !items.is_empty() && self.below(5) > 0 => {
                let place = self.below(items.len());
                match self.below(4) {
                    0 => drop(items.remove(place)),
                    1 => items.extend(vec![items[place].clone(); self.below(120)]),
                    _ => self.json(&mut items[place]),
                }
            }
            Value::String(text) if self.below(3) > 0 => {
                let mut octets = std::mem::take(text).into_bytes();
                self.octets(&mut octets);
                *text = String::from_utf8_lossy(&octets).into_owned();
            }
            Value::Object(_) | Value::Array(_) | Value::String(_) | Value::Null | Value::Bool(_) | Value::Number(_) => {
                *value = self.value()
            }
        }
    }
}

/// An account with something of everything, and a valid payload for each resource.
struct Stock {
    client: TestClient,
    stranger: TestClient,
    requests: Vec<(String, Vec<u8>)>,
    new_account: String,
    finalize: String,
    csr_key: KeyPair,
}

impl Stock {
    async fn new(world: &World) -> Self {
        let client = world.client().await;
        let issued = client.obtain(&["i.localhost"], &world.target).await.unwrap();
        let pending = client.new_order(&["p.localhost", "q.localhost"]).await.unwrap();
        let ready = client.new_order(&["r.localhost"]).await.unwrap();
        let ready = client.authorize(&ready, &world.target).await.unwrap();
        let authorization = pending.value.authorizations.first().unwrap().clone();
        let challenge = client.authorization(&authorization).await.unwrap().value.challenges.remove(0).url;
        let directory = client.directory().clone();
        let csr_key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let other = csr(&["other.localhost"], &csr_key, &CsrOptions::default()).unwrap();
        let csr = json!({ "csr": base64url::encode(&other) });
        let account = client.account_url().unwrap();
        let new_account = json!({ "contact": ["mailto:a@example.org"], "termsOfServiceAgreed": true });
        let mut requests: Vec<(String, Vec<u8>)> = [
            (directory.new_order, order_for(&["a.localhost", "b.localhost"])),
            (account.clone(), json!({ "contact": ["mailto:b@example.org", "mailto:c@example.org"] })),
            (pending.value.finalize, csr.clone()),
            (ready.value.finalize.clone(), csr),
            (challenge.clone(), json!({})),
            (authorization.clone(), json!({ "status": "valid" })),
        ]
        .map(|(url, payload)| (url, payload.to_string().into_bytes()))
        .into();
        let certificate = issued.order.value.certificate.unwrap();
        let read = [account, issued.order.url, pending.url, ready.url, authorization, challenge, certificate];
        requests.extend(read.map(|url| (url, Vec::new())));
        requests.push((world.authority.directory_url.clone(), Vec::new()));
        requests.push((directory.new_account.clone(), new_account.to_string().into_bytes()));
        let (new_account, finalize) = (directory.new_account, ready.value.finalize);
        Self { client, stranger: world.stranger().await, requests, new_account, finalize, csr_key }
    }

    /// A valid request, and a `Forge` of it.
    async fn valid(&self, random: &mut Random) -> (String, Vec<u8>, Forge) {
        let (url, payload) = random.pick(&self.requests).clone();
        let signer = if url == self.new_account { &self.stranger } else { &self.client };
        let nonce = self.client.nonce().await.unwrap();
        let forge = signer.forge(&url, payload.clone()).await.unwrap().nonce(&nonce);
        (url, payload, forge)
    }

    /// What was changed, the URL to send to, the body to send.
    async fn changed(&self, random: &mut Random) -> (&'static str, String, Vec<u8>) {
        let (url, mut payload, forge) = self.valid(random).await;
        match random.below(8) {
            0 => {
                let mut body = forge.body().unwrap();
                random.octets(&mut body);
                ("body", url, body)
            }
            1 => {
                let mut body: Value = serde_json::from_slice(&forge.body().unwrap()).unwrap();
                random.json(&mut body);
                ("member of the body", url, body.to_string().into_bytes())
            }
            2 => {
                random.octets(&mut payload);
                ("payload", url, forge.payload(payload).body().unwrap())
            }
            3 | 4 => {
                let mut value = serde_json::from_slice(&payload).unwrap_or(Value::Object(Map::new()));
                random.json(&mut value);
                ("member of the payload", url, forge.payload(value.to_string()).body().unwrap())
            }
            5 => {
                let name = *random.pick(&["alg", "jwk", "kid", "nonce", "url", "crit", "b64", "typ", "x"]);
                let value = match name {
                    "jwk" => {
                        let key = certus_acme::Jwk::from_public_key(self.stranger.key().public_key());
                        let mut jwk = serde_json::from_str(key.canonical_json()).unwrap();
                        random.json(&mut jwk);
                        jwk
                    }
                    "kid" => {
                        let mut kid = json!(self.client.account_url().unwrap());
                        random.json(&mut kid);
                        kid
                    }
                    _ => random.value(),
                };
                ("protected header", url, forge.set(name, value).body().unwrap())
            }
            6 => {
                let (origin, path) = url.split_at("https://".len() + url["https://".len()..].find('/').unwrap());
                let mut path = path.as_bytes().to_vec();
                random.octets(&mut path);
                // What no client could send in a request line is left out.
                path.retain(|octet| octet.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(octet));
                let url = format!("{origin}/{}", String::from_utf8(path).unwrap().trim_start_matches('/'));
                ("path", url.clone(), forge.url(&url).body().unwrap())
            }
            _ => {
                let der = self.changed_csr(random);
                let payload = json!({ "csr": base64url::encode(&der) }).to_string();
                let forge = self.client.forge(&self.finalize, payload).await.unwrap();
                ("certification request", self.finalize.clone(), forge.body().unwrap())
            }
        }
    }

    /// A certification request for another name than was ordered, so that the order stays as it is, changed before or
    /// after it was signed.
    fn changed_csr(&self, random: &mut Random) -> Vec<u8> {
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

    /// Changes the HTTP request itself; whatever comes back is no server error.
    async fn changed_http(&self, world: &World, random: &mut Random) {
        let (url, _, forge) = self.valid(random).await;
        let body = forge.body().unwrap();
        let path = url.strip_prefix(&world.authority.external_url).unwrap();
        let mut request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose+json\r\n\
             Content-Length: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            body.len()
        )
        .into_bytes();
        random.octets(&mut request);
        request.extend(body);
        let mut stream = world.tls(&[&rustls::version::TLS13], &[b"http/1.1"]).await.unwrap();
        let mut answer = Vec::new();
        // The server may hang up at any octet. Nothing more is sent, so that it need not wait for more.
        let exchange = async {
            stream.write_all(&request).await?;
            stream.shutdown().await?;
            stream.read_to_end(&mut answer).await
        };
        drop(exchange.await);
        let answer = String::from_utf8_lossy(&answer);
        let status = answer.split(' ').nth(1).unwrap_or_default();
        assert!(!status.starts_with('5') || status == "505", "{}: {answer}", String::from_utf8_lossy(&request));
    }
}
