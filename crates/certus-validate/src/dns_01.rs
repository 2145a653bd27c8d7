//! The dns-01 method (RFC 8555 section 8.4, Baseline Requirements 3.2.2.4.7): a TXT record beneath the name.
//!
//! The only one that proves control of every name beneath another. Deliberately absent: connections; what the resolver
//! says is all there is to see.

use std::time::Duration;

use certus_acme::{ProblemKind, base64url};
use certus_ca::ports::{ValidationError, ValidationRequest};
use certus_ca::state::{Evidence, Hop};
use certus_pki::{DnsName, crypto};
use tokio::time::Instant;

use crate::dns::Dns;
use crate::failure::failed;
use crate::seen_here;

/// Looks for the digest of the key authorization among the TXT records of `_acme-challenge.{name}`.
pub(crate) async fn observe(
    dns: &Dns,
    name: &DnsName,
    request: &ValidationRequest,
    timeout: Duration,
) -> Result<Evidence, ValidationError> {
    let found = dns.challenge_texts(name, Instant::now() + timeout).await?;
    let expected = base64url::encode(&crypto::sha256(request.key_authorization.as_bytes()));
    if found.values.iter().any(|value| value == expected.as_bytes()) {
        // RFC 4501: what a person needs to repeat the question.
        let url = format!("dns:_acme-challenge.{name}?type=TXT");
        let hop = Hop { url, resolver: Some(found.resolver), resolved: Vec::new(), connected: None };
        return Ok(seen_here(vec![hop]));
    }
    let (what, count) = (difference(&found.values, &expected, request), found.values.len());
    Err(failed(
        ProblemKind::IncorrectResponse,
        format!(
            "none of the {count} TXT records at _acme-challenge.{name} is the digest of the key authorization{what}"
        ),
    ))
}

/// What a person should look for, without a byte of the records.
fn difference(values: &[Vec<u8>], expected: &str, request: &ValidationRequest) -> &'static str {
    let is = |value: &[u8], text: &str| value == text.as_bytes();
    if values.iter().any(|value| is(value, &request.key_authorization)) {
        "; one is the key authorization itself, of which the base64url of its SHA-256 must stand there"
    } else if values.iter().any(|value| is(value.trim_ascii(), expected) || is(value, &format!("\"{expected}\""))) {
        "; one has white space or quotes around it"
    } else if values.iter().any(|value| is(value, &format!("{expected}="))) {
        "; one has padding (=) behind it"
    } else if values.iter().all(|value| value.len() == expected.len()) {
        "; they look like those of other challenges or accounts"
    } else {
        ""
    }
}
