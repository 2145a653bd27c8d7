//! Validation against name servers and web servers of the test's own, on loopback. Addresses that must not be dialled
//! are judged without a network.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod addresses;
mod caa;
mod dns_01;
mod dnssec;
mod http_01;
mod limits;
mod names;
mod openssl_server;
mod received;
mod redirects;
mod settings;
mod tls_alpn_01;
mod web_server;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use certus_acme::{ChallengeType, Identifier, Problem, ProblemKind, Token};
use certus_ca::id::AccountId;
use certus_ca::ports::{ValidationError, ValidationRequest, Validator};
use certus_ca::state::{Hop, Perspective};
use certus_pki::DnsName;
use certus_validate::{Config, Dnssec, Validators};

use certus_testkit::name_server::NameServer;

const TOKEN: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";
const KEY_AUTHORIZATION: &str =
    "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0.9jg46WB3rR_AHD-EBXdN7cBkH1WOu0tA3M9fm21mqTI";
const PATH: &str = "/.well-known/acme-challenge/LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

const IPV4: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const IPV6: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Settings that ask `names` and find port 80 at `port`, with loopback permitted.
fn settings(names: &NameServer, port: u16) -> Config {
    Config {
        http_port: port,
        resolvers: vec![names.address],
        // Servers that sign have tests of their own.
        dnssec: Dnssec::Off,
        permit: vec!["127.0.0.0/8".parse().unwrap(), "::1/128".parse().unwrap()],
        ..Config::default()
    }
}

/// The evidence of a validation.
#[derive(Debug, PartialEq, Eq)]
struct Seen {
    hops: Vec<Hop>,
}

impl Seen {
    fn last(&self) -> &Hop {
        self.hops.last().unwrap()
    }

    fn address(&self) -> IpAddr {
        self.last().connected.unwrap().ip()
    }
}

/// Validates `name` once.
async fn validate(config: Config, name: &str) -> Result<Seen, ValidationError> {
    validate_with(&Validators::new(config).unwrap(), name).await
}

async fn validate_with(validators: &Validators, name: &str) -> Result<Seen, ValidationError> {
    validate_for(validators, AccountId::random(), name).await
}

async fn validate_for(validators: &Validators, account: AccountId, name: &str) -> Result<Seen, ValidationError> {
    let identifier = Identifier::Dns(DnsName::parse(name).unwrap());
    ask(validators, account, identifier, ChallengeType::Http01).await
}

/// Validates an identifier once, by any method.
async fn validate_identifier(
    validators: &Validators,
    identifier: Identifier,
    method: ChallengeType,
) -> Result<Seen, ValidationError> {
    ask(validators, AccountId::random(), identifier, method).await
}

async fn ask(
    validators: &Validators,
    account: AccountId,
    identifier: Identifier,
    method: ChallengeType,
) -> Result<Seen, ValidationError> {
    let request = ValidationRequest {
        account,
        identifier,
        method,
        token: Token::parse(TOKEN).unwrap(),
        key_authorization: KEY_AUTHORIZATION.to_owned(),
    };
    let control = validators.validate(&request).await?;
    let [perspective] = <[Perspective; 1]>::try_from(control.evidence().perspectives.clone()).unwrap();
    assert_eq!(perspective.name, "primary");
    Ok(Seen { hops: perspective.hops })
}

/// The problem of a validation that failed by the world's fault.
#[track_caller]
fn problem(result: Result<Seen, ValidationError>) -> Problem {
    match result {
        Err(ValidationError::Failed(problem)) => problem,
        Err(error @ ValidationError::Ours { .. }) => panic!("taken for our own failure: {error}"),
        Ok(perspective) => panic!("validated: {perspective:?}"),
    }
}

/// Asserts a problem's kind and the words in its detail.
#[track_caller]
fn assert_problem(result: Result<Seen, ValidationError>, kind: ProblemKind, words: &str) {
    let problem = problem(result);
    assert!(problem.kind == kind && problem.detail.contains(words), "expected {kind} with {words:?}: {problem}");
}

/// Asserts that we could not look, and the words in the reason.
#[track_caller]
fn assert_ours(result: Result<Seen, ValidationError>, words: &str) {
    match result {
        Err(ValidationError::Ours { detail }) => assert!(detail.contains(words), "{detail}"),
        other => panic!("not taken for our own failure: {other:?}"),
    }
}
