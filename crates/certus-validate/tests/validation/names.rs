//! Looking names up: what is asked, and whose fault it is when there is no answer.

use std::net::UdpSocket;
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_pki::DnsName;
use certus_validate::{Config, Validators};
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;

use crate::web_server::{WebServer, redirect};
use crate::{IPV4, IPV6, assert_ours, assert_problem, settings, validate};
use certus_testkit::name_server::{NameServer, Reply, Transport, address, alias};

// conformance: 8555-6.7-15
#[tokio::test]
async fn what_the_dns_says_is_a_dns_problem() {
    for (code, words) in [
        (ResponseCode::NXDomain, "a.example does not exist in the DNS (NXDOMAIN)"),
        (ResponseCode::ServFail, "SERVFAIL"),
        (ResponseCode::Refused, "REFUSED"),
        (ResponseCode::FormErr, "FORMERR"),
        (ResponseCode::NotImp, "NOTIMP"),
    ] {
        let names = NameServer::start(move |_question| Reply::Code(code));
        assert_problem(validate(settings(&names, 80), "a.example").await, ProblemKind::Dns, words);
    }
    let names = NameServer::with(&[("a.example", &[])]);
    assert_problem(
        validate(settings(&names, 80), "a.example").await,
        ProblemKind::Dns,
        "a.example has no AAAA record; a.example has no A record",
    );
}

#[tokio::test]
async fn one_question_may_fail_when_the_other_has_addresses() {
    let web = WebServer::with_key_authorization();
    for failure in [ResponseCode::ServFail, ResponseCode::NXDomain] {
        let names = NameServer::start(move |question| {
            if question.record_type == RecordType::A {
                Reply::Records(vec![address("a.example", IPV4)])
            } else {
                Reply::Code(failure)
            }
        });
        assert!(validate(settings(&names, web.port), "a.example").await.is_ok());
    }
}

// conformance: 8555-6.7-15
#[tokio::test]
async fn silence_about_one_name_is_the_worlds_and_silence_about_all_is_ours() {
    let impatient = |names: &NameServer| Config { timeout: Duration::from_millis(1000), ..settings(names, 80) };
    let names = NameServer::start(|question| match question.name.as_str() {
        "" => Reply::Records(Vec::new()),
        _ => Reply::Silence,
    });
    assert_problem(
        validate(impatient(&names), "a.example").await,
        ProblemKind::Dns,
        "looking up A of a.example was not answered in time",
    );
    let names = NameServer::start(|_question| Reply::Silence);
    assert_ours(validate(impatient(&names), "a.example").await, "no resolver answered");
}

#[tokio::test]
async fn a_resolver_that_is_not_there_is_our_failure() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let names = NameServer::with(&[]);
    let timeout = Duration::from_millis(500);
    let config = Config { resolvers: vec![closed], timeout, ..settings(&names, 80) };
    assert_ours(validate(config, "a.example").await, &closed.to_string());
}

#[tokio::test]
async fn a_dead_resolver_is_passed_over() {
    let closed = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let web = WebServer::with_key_authorization();
    let names = NameServer::with(&[("a.example", &[IPV4])]);
    let config = Config { resolvers: vec![closed, names.address], ..settings(&names, web.port) };
    let evidence = validate(config, "a.example").await.unwrap();
    assert_eq!(evidence.last().resolver, Some(format!("{closed},{}", names.address)));
}

/// Slow look-ups use the time up one after the other, and the last ends with the validation, not with an answer: the
/// stranger's doing, though the resolver is silent at that moment.
#[tokio::test]
async fn running_out_of_time_is_not_our_failure() {
    let web = WebServer::start(|seen| match seen.host().split(':').next() {
        Some("a.example") => redirect(301, "http://b.example/"),
        _ => redirect(301, "http://c.example/"),
    });
    let names = NameServer::start(|question| match (question.name.as_str(), question.record_type) {
        ("a.example" | "b.example", RecordType::A) => Reply::Records(vec![address(&question.name, IPV4)]),
        _ => Reply::Silence,
    });
    let config = Config { timeout: Duration::from_millis(1000), ..settings(&names, web.port) };
    let result = validate(config.clone(), "a.example").await;
    assert_problem(result, ProblemKind::Dns, "time ran out while looking up c.example");

    // One look-up fewer: time is up while the resolver is being probed.
    let result = validate(config, "b.example").await;
    assert_problem(result, ProblemKind::Dns, "looking up A of c.example was not answered in time");
}

#[tokio::test]
async fn aliases_are_followed_within_an_answer_and_across_answers() {
    let web = WebServer::with_key_authorization();
    let names = NameServer::start(|question| match question.name.as_str() {
        "whole.example" => Reply::Records(vec![
            alias("whole.example", "host.example"),
            address("host.example", IPV4),
            // Nobody asked for this one.
            address("other.example", "192.0.2.66".parse().unwrap()),
        ]),
        "split.example" => Reply::Records(vec![alias("split.example", "host.example")]),
        "host.example" => Reply::Records(vec![address("host.example", IPV4)]),
        "circle.example" => Reply::Records(vec![alias("circle.example", "circle.example")]),
        "inside.example" => Reply::Records(vec![
            alias("inside.example", "db.corp.example"),
            address("db.corp.example", "10.0.0.1".parse().unwrap()),
        ]),
        _ => Reply::Code(ResponseCode::NXDomain),
    });
    for name in ["whole.example", "split.example"] {
        let evidence = validate(settings(&names, web.port), name).await.unwrap();
        assert_eq!(evidence.address(), IPV4, "{name}");
    }
    assert_problem(validate(settings(&names, web.port), "circle.example").await, ProblemKind::Dns, "circle.example");
    assert_problem(validate(settings(&names, web.port), "inside.example").await, ProblemKind::Dns, "10.0.0.1");
    // The aliased name is asked for by its own name.
    assert!(web.seen().iter().all(|seen| !seen.host().contains("host.example")));
}

#[tokio::test]
async fn only_the_name_itself_is_asked_for() {
    let names = NameServer::with(&[]);
    for name in ["single", "a.example"] {
        assert_problem(validate(settings(&names, 80), name).await, ProblemKind::Dns, "NXDOMAIN");
    }
    let mut asked: Vec<(String, RecordType)> =
        names.asked().into_iter().map(|question| (question.name, question.record_type)).collect();
    asked.sort();
    // No search list, no hosts file, each question once.
    let expected = [
        ("a.example", RecordType::A),
        ("a.example", RecordType::AAAA),
        ("single", RecordType::A),
        ("single", RecordType::AAAA),
    ];
    assert_eq!(asked, expected.map(|(name, record_type)| (name.to_owned(), record_type)));
}

/// Most machines have names of their own in that file, on Debian at least `ip6-localhost`.
#[tokio::test]
async fn names_of_the_hosts_file_are_asked_for_like_any_other() {
    let hosts = std::fs::read_to_string("/etc/hosts").unwrap_or_default();
    for name in hosts
        .split_ascii_whitespace()
        .filter(|word| DnsName::parse(word).is_ok() && *word != "localhost" && !word.ends_with(".localhost"))
    {
        let names = NameServer::with(&[]);
        assert_problem(validate(settings(&names, 80), name).await, ProblemKind::Dns, "NXDOMAIN");
        assert_eq!(names.asked().len(), 2, "{name}");
    }
}

#[tokio::test]
async fn nothing_is_remembered() {
    let web = WebServer::with_key_authorization();
    let names = NameServer::with(&[("a.example", &[IPV4])]);
    let validators = Validators::new(settings(&names, web.port)).unwrap();
    for round in 1..=3 {
        crate::validate_with(&validators, "a.example").await.unwrap();
        crate::validate_with(&validators, "nowhere.example").await.unwrap_err();
        assert_eq!(names.asked().len(), 4 * round);
    }
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_over_tcp() {
    let web = WebServer::with_key_authorization();
    let names = NameServer::start(|question| match question.transport {
        Transport::Udp => Reply::Truncated,
        Transport::Tcp => Reply::Records(vec![address("a.example", IPV4)]),
    });
    assert!(validate(settings(&names, web.port), "a.example").await.is_ok());
    let names = NameServer::start(|_question| Reply::Truncated);
    assert_problem(validate(settings(&names, web.port), "a.example").await, ProblemKind::Dns, "cannot be used");
}

/// The case of the question is random; an answer over UDP that does not repeat it may be forged.
#[tokio::test]
async fn an_answer_in_the_wrong_case_is_not_believed_over_udp() {
    let web = WebServer::with_key_authorization();
    let name = "a-name-with-many-letters-so-that-its-case-is-never-all-lower.example";
    let names = NameServer::start(move |question| match question.transport {
        Transport::Udp => Reply::LowerCase(vec![address(name, IPV6)]),
        Transport::Tcp => Reply::Records(vec![address(name, IPV4)]),
    });
    assert_eq!(validate(settings(&names, web.port), name).await.unwrap().address(), IPV4);
}

#[tokio::test]
async fn a_resolver_can_be_probed() {
    let names = NameServer::start(|_question| Reply::Code(ResponseCode::ServFail));
    assert!(Validators::new(settings(&names, 80)).unwrap().probe_resolver().await.is_ok());
    let names = NameServer::start(|_question| Reply::Silence);
    let config = Config { timeout: Duration::from_millis(500), ..settings(&names, 80) };
    assert!(Validators::new(config).unwrap().probe_resolver().await.is_err());
}
