//! Requests in which something was changed: as they are sent, or before they were signed, so that it gets past the
//! signature.

use std::io;

use certus_acme::{Jwk, base64url};
use certus_testkit::Answer;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::random::Random;
use super::stock::{Stock, Valid};
use crate::common::World;

/// A request to be sent.
#[derive(Debug)]
pub(super) struct Changed {
    /// What was changed.
    what: &'static str,
    method: String,
    pub(super) url: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
}

impl Changed {
    fn signed(what: &'static str, url: &str, body: Vec<u8>) -> Self {
        let headers = vec![("content-type", "application/jose+json".to_owned())];
        Self { what, method: "POST".to_owned(), url: url.to_owned(), headers, body }
    }

    /// A request that nobody signs, or one whose signature it spoils.
    pub(super) async fn new(stock: &Stock, random: &mut Random) -> Self {
        match random.below(10) {
            0 => Self::not_signed(&stock.read, random),
            1 if random.below(2) == 0 => Self::not_signed(&stock.published, random),
            1 => {
                let valid = stock.changed_within(random);
                Self::signed("JWS within", &valid.url, forge(stock, &valid).await.body().unwrap())
            }
            _ => Self::changed(stock, random).await,
        }
    }

    async fn changed(stock: &Stock, random: &mut Random) -> Self {
        let valid = stock.valid(random);
        let (url, mut payload, forge) = (valid.url.clone(), valid.payload.clone(), forge(stock, &valid).await);
        match random.below(8) {
            0 => {
                let mut body = forge.body().unwrap();
                random.octets(&mut body);
                Self::signed("body", &url, body)
            }
            1 => {
                let mut body: Value = serde_json::from_slice(&forge.body().unwrap()).unwrap();
                random.json(&mut body);
                Self::signed("member of the body", &url, body.to_string().into_bytes())
            }
            2 => {
                random.octets(&mut payload);
                Self::signed("payload", &url, forge.payload(payload).body().unwrap())
            }
            3 | 4 => {
                let mut value = Stock::value(&payload);
                random.json(&mut value);
                Self::signed("member of the payload", &url, forge.payload(value.to_string()).body().unwrap())
            }
            5 => {
                let name = *random.pick(&["alg", "jwk", "kid", "nonce", "url", "crit", "b64", "typ", "x"]);
                let value = match name {
                    "jwk" => {
                        let key = Jwk::from_public_key(stock.stranger.key().public_key());
                        let mut jwk = serde_json::from_str(key.canonical_json()).unwrap();
                        random.json(&mut jwk);
                        jwk
                    }
                    "kid" => {
                        let mut kid = json!(stock.client.account_url().unwrap());
                        random.json(&mut kid);
                        kid
                    }
                    _ => random.value(),
                };
                Self::signed("protected header", &url, forge.set(name, value).body().unwrap())
            }
            6 => {
                let url = changed_path(&url, random);
                Self::signed("path", &url, forge.url(&url).body().unwrap())
            }
            _ => {
                let payload = json!({ "csr": base64url::encode(&stock.changed_csr(random)) }).to_string();
                let forge = stock.client.forge(&stock.finalize, payload).await.unwrap();
                Self::signed("certification request", &stock.finalize, forge.body().unwrap())
            }
        }
    }

    /// A request by whatever method, with whatever a cache or a browser may add.
    fn not_signed(urls: &[String], random: &mut Random) -> Self {
        let mut url = random.pick(urls).clone();
        if random.below(2) == 0 {
            url = changed_path(&url, random);
        }
        let method = match random.below(3) {
            0 => *random.pick(&["HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "BREW"]),
            _ => "GET",
        };
        let mut headers = Vec::new();
        for name in ["if-none-match", "if-modified-since", "origin", "range", "accept-encoding", "content-type"] {
            if random.below(4) == 0 {
                let mut value = b"W/\"*\", \"bytes=0-9\", gzip;q=0".to_vec();
                random.octets(&mut value);
                value.retain(|octet| octet.is_ascii_graphic() || *octet == b' ');
                headers.push((name, String::from_utf8(value).unwrap()));
            }
        }
        let mut body = Vec::new();
        if method != "GET" && method != "HEAD" && random.below(2) == 0 {
            random.octets(&mut body);
        }
        Self { what: "unsigned", method: method.to_owned(), url, headers, body }
    }

    /// Sends it, and asserts that whatever comes back is none of our faults.
    pub(super) async fn send(&self, stock: &Stock) -> Answer {
        let headers: Vec<(&str, &str)> = self.headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let is_acme = self.url.starts_with("https:");
        let http = if is_acme { stock.client.http() } else { &stock.plain };
        let answer = if self.what == "unsigned" {
            http.send(&self.method, &self.url, &headers, self.body.clone()).await
        } else {
            stock.client.send(&self.url, self.body.clone()).await.map_err(io::Error::other)
        };
        let said = || format!("{self:?}: {}", String::from_utf8_lossy(&self.body));
        let answer = answer.unwrap_or_else(|error| panic!("{error:?} for {}", said()));
        // Refusals say why, where there is room for it.
        let told = !is_acme || self.method == "HEAD" || answer.status < 400 || answer.problem().is_some();
        assert!(answer.status < 500 && told, "{answer:?} for {}", said());
        answer
    }
}

async fn forge(stock: &Stock, valid: &Valid) -> certus_testkit::Forge {
    valid.forge(&stock.client.nonce().await.unwrap())
}

/// The same host and another path.
fn changed_path(url: &str, random: &mut Random) -> String {
    let host = url.find("://").unwrap() + "://".len();
    let (origin, path) = url.split_at(host + url[host..].find('/').unwrap());
    let mut path = path.as_bytes().to_vec();
    random.octets(&mut path);
    // What no client could send in a request line is left out.
    path.retain(|octet| octet.is_ascii_graphic() && !b"\"<>\\^`{|}#".contains(octet));
    format!("{origin}/{}", String::from_utf8(path).unwrap().trim_start_matches('/'))
}

/// Changes the HTTP request itself; whatever comes back is no server error.
pub(super) async fn changed_http(stock: &Stock, world: &World, random: &mut Random) {
    let (mut request, body, mut stream) = if random.below(3) == 0 {
        let url = random.pick(&stock.published).clone();
        let path = url.strip_prefix(&world.authority.pki_url).unwrap();
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"x\"\r\nAccept: */*\r\nConnection: close\r\n\r\n"
        );
        (request, Vec::new(), stock.plain.open(&url).await.unwrap())
    } else {
        let valid = stock.valid(random);
        let body = forge(stock, &valid).await.body().unwrap();
        let path = valid.url.strip_prefix(&world.authority.external_url).unwrap();
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/jose+json\r\n\
             Content-Length: {}\r\nAccept: */*\r\nConnection: close\r\n\r\n",
            body.len()
        );
        (request, body, stock.client.http().open(&valid.url).await.unwrap())
    };
    let mut octets = std::mem::take(&mut request).into_bytes();
    random.octets(&mut octets);
    octets.extend(body);
    let mut answer = Vec::new();
    // The server may hang up at any octet. Nothing more is sent, so that it need not wait for more.
    let exchange = async {
        stream.write_all(&octets).await?;
        stream.shutdown().await?;
        stream.read_to_end(&mut answer).await
    };
    drop(exchange.await);
    let answer = String::from_utf8_lossy(&answer);
    let status = answer.split(' ').nth(1).unwrap_or_default();
    assert!(!status.starts_with('5') || status == "505", "{}: {answer}", String::from_utf8_lossy(&octets));
}
