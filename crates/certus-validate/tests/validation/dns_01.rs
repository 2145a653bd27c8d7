//! RFC 8555 section 8.4: a TXT record beneath the name.

use std::sync::atomic::{AtomicUsize, Ordering};

use certus_acme::{ChallengeType, Identifier, ProblemKind};
use certus_ca::ports::ValidationError;
use certus_pki::DnsName;
use certus_testkit::name_server::{NameServer, Question, Reply, Transport, alias, text};
use certus_validate::{Config, LocalNames, Validators};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::{KEY_AUTHORIZATION, Seen, assert_ours, assert_problem, settings, validate_identifier};

/// base64url of the SHA-256 of the key authorization, as `openssl dgst -sha256 -binary | basenc --base64url` has it.
const DIGEST: &str = "LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo";
const AT: &str = "_acme-challenge.a.example";

fn identifier(text: &str) -> Identifier {
    match text.strip_prefix("*.") {
        Some(base) => Identifier::Wildcard(DnsName::parse(base).unwrap()),
        None => Identifier::Dns(DnsName::parse(text).unwrap()),
    }
}

async fn validate_with(config: Config, name: &str) -> Result<Seen, ValidationError> {
    validate_identifier(&Validators::new(config).unwrap(), identifier(name), ChallengeType::Dns01).await
}

async fn validate(names: &NameServer, name: &str) -> Result<Seen, ValidationError> {
    validate_with(settings(names, 80), name).await
}

/// A server with these TXT records, each of several strings, at the place of the challenge.
fn with(records: &[&[&str]]) -> NameServer {
    let records: Vec<_> = records.iter().map(|strings| text(AT, strings)).collect();
    NameServer::start(move |question| match question.name.as_str() {
        AT => Reply::Records(records.clone()),
        _ => Reply::Code(ResponseCode::NXDomain),
    })
}

#[test]
fn the_digest_is_what_openssl_makes_of_the_key_authorization() {
    assert_eq!(certus_acme::base64url::encode(&certus_pki::crypto::sha256(KEY_AUTHORIZATION.as_bytes())), DIGEST);
}

// conformance: 8555-8.4-01
#[tokio::test]
async fn the_record_is_looked_for_beneath_the_name_also_of_a_wildcard() {
    for name in ["a.example", "*.a.example"] {
        let names = with(&[&[DIGEST]]);
        let seen = validate(&names, name).await.unwrap();
        let asked: Vec<_> = names.asked().into_iter().map(|question| (question.name, question.record_type)).collect();
        assert_eq!(asked, [(AT.to_owned(), RecordType::TXT)], "{name}");
        let hop = seen.last();
        assert_eq!((hop.url.as_str(), hop.connected), ("dns:_acme-challenge.a.example?type=TXT", None));
        assert_eq!(hop.resolver, Some(names.address.to_string()));
    }
}

// conformance: 8555-8.4-02 8555-8.4-05
#[tokio::test]
async fn one_record_of_several_suffices_and_its_strings_are_joined() {
    assert!(validate(&with(&[&["v=spf1 -all"], &[DIGEST], &["other"]]), "a.example").await.is_ok());
    let (first, rest) = DIGEST.split_at(20);
    assert!(validate(&with(&[&[first, rest]]), "a.example").await.is_ok());
    // Joined within a record, not across records.
    let apart = with(&[&[first], &[rest]]);
    assert_problem(validate(&apart, "a.example").await, ProblemKind::IncorrectResponse, "none of the 2 TXT");
}

// conformance: 8555-8.4-03 8555-8.4-06
#[tokio::test]
async fn only_the_digest_itself_is_accepted() {
    let hex = data_encoding::HEXLOWER.encode(&certus_pki::crypto::sha256(KEY_AUTHORIZATION.as_bytes()));
    for (value, words) in [
        (&*format!("{DIGEST}="), "padding"),
        (&*format!("\"{DIGEST}\""), "quotes"),
        (&*format!(" {DIGEST}"), "white space"),
        (&*format!("{DIGEST} "), "white space"),
        (&*hex, "none of the 1 TXT records at _acme-challenge.a.example"),
        (&*DIGEST.to_lowercase(), "none of the 1 TXT records"),
        (KEY_AUTHORIZATION, "is the key authorization itself"),
        ("", "none of the 1 TXT records"),
        (&*"x".repeat(43), "of other challenges or accounts"),
    ] {
        let result = validate(&with(&[&[value]]), "a.example").await;
        assert_problem(result, ProblemKind::IncorrectResponse, words);
    }
}

// conformance: 8555-8.4-03 8555-6.7-15
#[tokio::test]
async fn what_the_dns_says_is_told() {
    let other = NameServer::with(&[("a.example", &[crate::IPV4])]);
    assert_problem(validate(&other, "a.example").await, ProblemKind::Dns, "does not exist in the DNS (NXDOMAIN)");
    assert_problem(validate(&with(&[]), "a.example").await, ProblemKind::Dns, "has no TXT record");
    for (code, words) in [(ResponseCode::ServFail, "SERVFAIL"), (ResponseCode::Refused, "REFUSED")] {
        let names = NameServer::start(move |_question| Reply::Code(code));
        assert_problem(validate(&names, "a.example").await, ProblemKind::Dns, words);
    }
    // Name servers that do not answer for the name are the world's fault; a resolver that answers nothing is ours.
    let impatient =
        |names: &NameServer| Config { timeout: std::time::Duration::from_millis(1000), ..settings(names, 80) };
    let lame = NameServer::start(|question| match question.name.as_str() {
        "" => Reply::Records(Vec::new()),
        _ => Reply::Silence,
    });
    let result = validate_with(impatient(&lame), "a.example").await;
    assert_problem(result, ProblemKind::Dns, "was not answered in time");
    let silent = NameServer::start(|_question| Reply::Silence);
    assert_ours(validate_with(impatient(&silent), "a.example").await, "no resolver answered");
}

// conformance: 8555-8.4-04
#[tokio::test]
async fn aliases_are_followed() {
    // In one answer, as recursive resolvers give it.
    let whole = NameServer::start(|question| match question.name.as_str() {
        AT => Reply::Records(vec![alias(AT, "a.auth.example"), text("a.auth.example", &[DIGEST])]),
        _ => Reply::Code(ResponseCode::NXDomain),
    });
    assert!(validate(&whole, "a.example").await.is_ok());
    // A record of another owner than the end of the aliases is nobody's.
    let stray = NameServer::start(|question| match question.name.as_str() {
        AT => Reply::Records(vec![
            alias(AT, "a.auth.example"),
            text(AT, &[DIGEST]),
            text("b.auth.example", &[DIGEST]),
            text("a.auth.example", &["other"]),
        ]),
        _ => Reply::Code(ResponseCode::NXDomain),
    });
    assert_problem(validate(&stray, "a.example").await, ProblemKind::IncorrectResponse, "none of the 1 TXT");
    // Those that never end are given up.
    let circle = NameServer::start(|question| {
        let other = if question.name == AT { "b.example" } else { AT };
        Reply::Records(vec![alias(&question.name, other)])
    });
    let result = validate(&circle, "a.example").await;
    assert!(
        matches!(result, Err(ValidationError::Failed(ref problem)) if problem.kind == ProblemKind::Dns),
        "{result:?}"
    );
    assert!(circle.asked().len() < 40, "{}", circle.asked().len());
}

// conformance: 8555-8.4-07
#[tokio::test]
async fn an_answer_too_large_for_a_datagram_is_fetched_over_tcp() {
    let names = NameServer::start(|question: &Question| match question.transport {
        Transport::Udp => Reply::Truncated,
        Transport::Tcp => {
            let others = (0..60).map(|n| text(AT, &[&format!("{n:0>43}")]));
            Reply::Records(others.chain([text(AT, &[DIGEST])]).collect())
        }
    });
    assert!(validate(&names, "a.example").await.is_ok());
    assert!(names.asked().iter().any(|question| question.transport == Transport::Tcp));
}

// conformance: 8555-8.4-09
#[tokio::test]
async fn every_validation_asks_anew() {
    let asked = AtomicUsize::new(0);
    let names = NameServer::start(move |_question| match asked.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Records(vec![text(AT, &["old"])]),
        _ => Reply::Records(vec![text(AT, &[DIGEST])]),
    });
    let validators = Validators::new(settings(&names, 80)).unwrap();
    let first = validate_identifier(&validators, identifier("a.example"), ChallengeType::Dns01).await;
    assert_problem(first, ProblemKind::IncorrectResponse, "none of the 1 TXT");
    validate_identifier(&validators, identifier("a.example"), ChallengeType::Dns01).await.unwrap();
}

#[tokio::test]
async fn names_of_the_machine_have_no_records() {
    let names = with(&[]);
    for local_names in [LocalNames::Off, LocalNames::Localhost] {
        let config = Config { local_names, ..settings(&names, 80) };
        assert_problem(validate_with(config, "*.a.localhost").await, ProblemKind::Dns, "means the machine itself");
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_name_too_long_for_the_record_is_told() {
    let long = format!("{}a.example", "a.".repeat(122));
    let result = validate(&with(&[]), &long).await;
    assert_problem(result, ProblemKind::Dns, "too long for a DNS name");
}
