//! RFC 8555 section 6.1: HTTPS, browsers, and base64url.

use certus_acme::{ProblemKind, base64url};
use certus_pki::{KeyAlgorithm, KeyPair};
use certus_testkit::{CsrOptions, Member, RawHttp, csr};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::common::{Resources, World, assert_malformed, order_for};

// conformance: 8555-6.1-01
#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_acme_is_served_without_tls() {
    let world = World::new().await;
    let plain = RawHttp::plain().unwrap();
    let client = world.client().await;
    let directory = client.directory().clone();
    for url in [&directory.new_nonce, &directory.new_account, &directory.new_order] {
        assert!(url.starts_with("https://"), "{url}");
    }
    for path in ["/directory", "/acme/new-nonce"] {
        let url = world.url(path).replacen("https:", "http:", 1);
        // A person who mistook the scheme is told so, and nothing else.
        let answer = plain.get(&url).await.unwrap();
        assert_eq!((answer.status, answer.header("replay-nonce")), (400, None), "{answer:?}");
        assert_eq!(answer.text(), "This port speaks HTTPS only; the URL begins https://\n");
        let publications = format!("{}{path}", world.authority.pki_url);
        assert_eq!(plain.get(&publications).await.unwrap().status, 404, "{publications}");
    }
}

/// A `ClientHello` of RFC 5246 section 7.4.1.2 without extensions, in one record.
fn client_hello(version: [u8; 2], suites: &[[u8; 2]]) -> Vec<u8> {
    let suites = suites.concat();
    let mut hello = version.to_vec();
    hello.extend([7; 32]);
    // No session id; the suites; the null compression alone.
    hello.push(0);
    hello.extend(u16::try_from(suites.len()).unwrap().to_be_bytes());
    hello.extend(suites);
    hello.extend([1, 0]);
    let mut message = vec![1, 0];
    message.extend(u16::try_from(hello.len()).unwrap().to_be_bytes());
    message.extend(hello);
    let mut record = vec![22, 3, 1];
    record.extend(u16::try_from(message.len()).unwrap().to_be_bytes());
    record.extend(message);
    record
}

// conformance: 8555-6.1-02
#[tokio::test(flavor = "multi_thread")]
async fn tls_is_1_2_or_1_3_with_modern_suites() {
    let world = World::new().await;
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        world.tls(&[version], &[b"http/1.1"]).await.unwrap();
    }
    const ECDHE_ECDSA_AES128_GCM: [u8; 2] = [0xc0, 0x2b];
    const ECDHE_ECDSA_AES128_CBC: [u8; 2] = [0xc0, 0x09];
    const ECDHE_ECDSA_3DES: [u8; 2] = [0xc0, 0x08];
    const ECDHE_ECDSA_RC4: [u8; 2] = [0xc0, 0x07];
    const ECDHE_ECDSA_NULL: [u8; 2] = [0xc0, 0x06];
    for (what, version, suite) in [
        ("TLS 1.0", [3, 1], ECDHE_ECDSA_AES128_CBC),
        ("TLS 1.1", [3, 2], ECDHE_ECDSA_AES128_CBC),
        ("TLS 1.1, a suite of 1.2", [3, 2], ECDHE_ECDSA_AES128_GCM),
        ("3DES", [3, 3], ECDHE_ECDSA_3DES),
        ("RC4", [3, 3], ECDHE_ECDSA_RC4),
        ("NULL", [3, 3], ECDHE_ECDSA_NULL),
    ] {
        let mut stream = world.tcp().await.unwrap();
        stream.write_all(&client_hello(version, &[suite])).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        // An alert record with one fatal alert, and the end.
        assert!(answer.starts_with(&[21]) && answer.get(5) == Some(&2), "{what}: {answer:02x?}");
        assert_eq!(answer.len(), 7, "{what}: {answer:02x?}");
    }
}

// conformance: 8555-6.1-07
#[tokio::test(flavor = "multi_thread")]
async fn browsers_may_read_every_answer() {
    let world = World::new().await;
    let client = world.client().await;
    let directory = client.http().send("GET", &world.url("/directory"), &[("origin", "https://web.example")], "").await;
    let good = client.post(&client.directory().new_order, &order_for(&["a.localhost"])).await.unwrap();
    let refused = client.post(&client.directory().new_order, &json!({})).await.unwrap();
    assert_eq!((good.status, refused.status), (201, 400));
    for answer in [directory.unwrap(), good, refused] {
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "{answer:?}");
    }
}

// conformance: 8555-6.1-08
#[tokio::test(flavor = "multi_thread")]
async fn a_browser_that_asks_before_it_posts_may_post() {
    let world = World::new().await;
    let client = world.client().await;
    let url = &client.directory().new_order;
    let asks = [
        ("origin", "https://web.example"),
        ("access-control-request-method", "POST"),
        ("access-control-request-headers", "content-type"),
    ];
    let preflight = client.http().send("OPTIONS", url, &asks, "").await.unwrap();
    assert_eq!(preflight.status, 204, "{preflight:?}");
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    let listed = |name: &str, value: &str| {
        let list = preflight.header(name).unwrap_or_default();
        list.split(',').any(|one| one.trim().eq_ignore_ascii_case(value))
    };
    assert!(listed("access-control-allow-methods", "POST"), "{preflight:?}");
    assert!(listed("access-control-allow-headers", "Content-Type"), "{preflight:?}");
    let answer = client.post(url, &order_for(&["a.localhost"])).await.unwrap();
    let exposed = answer.header("access-control-expose-headers").unwrap_or_default();
    for name in ["Link", "Location", "Replay-Nonce", "Retry-After"] {
        assert!(exposed.split(',').any(|one| one.trim() == name), "{name}: {exposed}");
    }
}

// conformance: 8555-6.1-09
#[tokio::test(flavor = "multi_thread")]
async fn padding_is_refused_in_every_member() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    let payload = order_for(&["a.localhost"]).to_string();
    for member in Member::ALL {
        let forge = client.forge(&url, payload.clone()).await.unwrap();
        let answer = client.send(&url, forge.clone().padded(member).body().unwrap()).await.unwrap();
        assert_malformed(member.name(), &answer);
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        assert_eq!(answer.status, 201, "the same request without padding: {answer:?}");
    }
}

// conformance: 8555-6.1-10
#[tokio::test(flavor = "multi_thread")]
async fn padding_is_refused_in_a_csr() {
    let world = World::new().await;
    let client = world.client().await;
    let order = client.new_order(&["a.localhost"]).await.unwrap();
    let order = client.authorize(&order, &world.target).await.unwrap();
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let mut name = String::from("a.localhost");
    // DER whose text would need a pad; the common name only makes it longer.
    let der = loop {
        let options = CsrOptions { common_name: Some(name.clone()), ..CsrOptions::default() };
        let der = csr(&["a.localhost"], &key, &options).unwrap();
        if !der.len().is_multiple_of(3) {
            break der;
        }
        name.insert(0, 'a');
    };
    let text = base64url::encode(&der);
    let padded = format!("{text}{}", "=".repeat((4 - text.len() % 4) % 4));
    let answer = client.post(&order.value.finalize, &json!({ "csr": padded })).await.unwrap();
    let problem = assert_malformed("csr", &answer);
    assert!(problem.detail.contains("csr"), "{problem:?}");
}

type Rewrite = fn(&str) -> String;

// conformance: 8555-6.1-11
#[tokio::test(flavor = "multi_thread")]
async fn only_the_url_safe_alphabet_is_read() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    // Its text has "-" and "_", which the other alphabet writes "+" and "/".
    let mut payload = order_for(&["a.localhost"]);
    payload["x"] = json!(">>>>> ?????");
    let payload = payload.to_string();
    let text = base64url::encode(payload.as_bytes());
    assert!(text.contains('-') && text.contains('_'), "{text}");
    let wrong: [(&str, Rewrite); 4] = [
        ("plus", |text| text.replace('-', "+")),
        ("slash", |text| text.replace('_', "/")),
        ("line break", |text| format!("{}\r\n{}", &text[..8], &text[8..])),
        ("space", |text| format!("{} {}", &text[..8], &text[8..])),
    ];
    for (what, rewrite) in wrong {
        let forge = client.forge(&url, payload.clone()).await.unwrap();
        let body = forge.clone().rewrite(Member::Payload, rewrite).body().unwrap();
        assert_malformed(what, &client.send(&url, body).await.unwrap());
        let answer = client.send(&url, forge.body().unwrap()).await.unwrap();
        assert_eq!(answer.status, 201, "the same request in the right alphabet: {answer:?}");
    }
}

// conformance: 8555-6.1-12
#[tokio::test(flavor = "multi_thread")]
async fn bits_left_over_are_refused() {
    let world = World::new().await;
    let client = world.client().await;
    let url = client.directory().new_order.clone();
    // A P-256 signature has 64 octets; its last character carries two bits of them and four that must be zero.
    let body = client.forge(&url, order_for(&["a.localhost"]).to_string()).await.unwrap();
    let body = body
        .rewrite(Member::Signature, |text| {
            let (rest, last) = text.split_at(text.len() - 1);
            let next = match last {
                "A" => "B",
                "Q" => "R",
                "g" => "h",
                "w" => "x",
                other => panic!("{other} does not end 64 octets"),
            };
            format!("{rest}{next}")
        })
        .body()
        .unwrap();
    assert_malformed("bits left over", &client.send(&url, body).await.unwrap());
}

// conformance: 8555-6.1-13
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_with_padding() {
    let world = World::new().await;
    let client = world.client().await;
    let resources = Resources::of(&world, &client).await;
    for url in resources.readable() {
        let answer = client.post_as_get(url).await.unwrap();
        let nonce = answer.nonce().unwrap();
        assert!(base64url::is_alphabet(nonce), "{nonce}");
        let id = url.rsplit('/').next().unwrap();
        assert!(base64url::is_alphabet(id), "{id}");
    }
    let authorization = client.authorization(&resources.authorization).await.unwrap().value;
    for challenge in &authorization.challenges {
        assert!(base64url::decode(&challenge.token).is_ok_and(|token| token.len() >= 16), "{challenge:?}");
    }
    let refused = client.post(&client.directory().new_order, &json!({})).await.unwrap();
    assert!(refused.problem().is_some_and(|problem| problem.kind == ProblemKind::Malformed));
    assert!(base64url::is_alphabet(refused.nonce().unwrap()));
}
