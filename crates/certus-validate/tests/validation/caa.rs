//! RFC 8659 section 3: where the CAA records of a name are looked for, and what is no answer. What they mean is tested where
//! it is decided.

use std::time::Duration;

use certus_acme::{Problem, ProblemKind};
use certus_ca::ports::{ValidationError, Validator};
use certus_ca::state::{CaaAnswer, Security};
use certus_pki::DnsName;
use certus_testkit::name_server::{NameServer, Question, Reply, ResponseCode, Transport, alias, caa, text};
use certus_validate::{Config, LocalNames, Validators};
use hickory_proto::rr::RecordType;

use crate::settings;

pub(crate) async fn look_with(config: Config, name: &str) -> Result<CaaAnswer, ValidationError> {
    Validators::new(config).unwrap().caa(&DnsName::parse(name).unwrap()).await
}

async fn look(names: &NameServer, name: &str) -> Result<CaaAnswer, ValidationError> {
    look_with(settings(names, 80), name).await
}

/// Where records were found, and they as text.
#[track_caller]
pub(crate) fn found(result: Result<CaaAnswer, ValidationError>) -> (Option<String>, Vec<String>) {
    let answer = result.unwrap();
    let domain = answer.domain.map(|domain| domain.to_string());
    (domain, answer.records.iter().map(ToString::to_string).collect())
}

#[track_caller]
pub(crate) fn refused(result: Result<CaaAnswer, ValidationError>) -> Problem {
    match result {
        Err(ValidationError::Failed(problem)) => problem,
        other => panic!("not refused: {other:?}"),
    }
}

fn asked(names: &NameServer) -> Vec<String> {
    let of_caa = names.asked().into_iter().filter(|question| question.record_type == RecordType::CAA);
    of_caa.map(|question| question.name).collect()
}

/// Records at these names, nothing at those that end alike, and no other names.
fn tree(records: &'static [(&'static str, &'static str)]) -> NameServer {
    NameServer::start(move |question| {
        let at: Vec<_> = records.iter().filter(|(owner, _)| *owner == question.name).collect();
        let beneath = records.iter().any(|(owner, _)| owner.ends_with(&format!(".{}", question.name)));
        match at.as_slice() {
            [] if beneath => Reply::Records(Vec::new()),
            [] => Reply::Code(ResponseCode::NXDomain),
            at => Reply::Records(at.iter().map(|(owner, value)| caa(owner, 0, "issue", value)).collect()),
        }
    })
}

// conformance: 8659-3-02
#[tokio::test]
async fn the_tree_is_climbed_to_the_first_set_and_not_to_the_root() {
    let names = tree(&[("example.com", "one.test"), ("b.example.com", "two.test"), ("b.example.com", "three.test")]);
    let one = (Some("example.com".to_owned()), vec!["0 issue \"one.test\"".to_owned()]);
    assert_eq!(found(look(&names, "example.com").await), one);
    assert_eq!(found(look(&names, "x.a.example.com").await), one);
    let (domain, mut records) = found(look(&names, "a.b.example.com").await);
    records.sort();
    assert_eq!(domain.as_deref(), Some("b.example.com"));
    assert_eq!(records, ["0 issue \"three.test\"", "0 issue \"two.test\""]);

    let names = tree(&[]);
    let answer = look(&names, "www.a.example").await.unwrap();
    assert_eq!((answer.domain, answer.records), (None, Vec::new()));
    assert_eq!((answer.resolver, answer.security), (names.address.to_string(), Security::Unchecked));
    assert_eq!(answer.name.as_str(), "www.a.example");
    assert_eq!(asked(&names), ["www.a.example", "a.example", "example"], "the root is not asked");
}

// conformance: 8659-3-03
#[tokio::test]
async fn an_alias_is_followed_and_the_climb_goes_on_in_the_name() {
    let names = NameServer::start(|question| match question.name.as_str() {
        "www.example.com" => Reply::Records(vec![alias("www.example.com", "host.other.test")]),
        "bare.example.com" => Reply::Records(vec![alias("bare.example.com", "bare.other.test")]),
        "whole.example.com" => Reply::Records(vec![
            alias("whole.example.com", "host.other.test"),
            caa("host.other.test", 0, "issue", "target.test"),
            // Nobody asked for these.
            caa("whole.example.com", 0, "issue", "stray.test"),
            caa("other.test", 0, "issue", "stray.test"),
        ]),
        "host.other.test" => Reply::Records(vec![caa("host.other.test", 0, "issue", "target.test")]),
        "other.test" => Reply::Records(vec![caa("other.test", 0, "issue", "parent-of-target.test")]),
        "example.com" => Reply::Records(vec![caa("example.com", 0, "issue", "parent.test")]),
        "bare.other.test" => Reply::WithSoa("other.test", Vec::new()),
        _ => Reply::Code(ResponseCode::NXDomain),
    });
    for (name, domain, value) in [
        ("www.example.com", "www.example.com", "target.test"),
        ("whole.example.com", "whole.example.com", "target.test"),
        ("bare.example.com", "example.com", "parent.test"),
    ] {
        let expected = (Some(domain.to_owned()), vec![format!("0 issue \"{value}\"")]);
        assert_eq!(found(look(&names, name).await), expected, "{name}");
    }
    assert!(!asked(&names).contains(&"other.test".to_owned()), "{:?}", asked(&names));
}

#[tokio::test]
async fn aliases_that_lead_nowhere_are_no_answer() {
    let circle = NameServer::start(|question| match question.name.as_str() {
        "a.example" => Reply::Records(vec![alias("a.example", "b.example")]),
        "b.example" => Reply::Records(vec![alias("b.example", "a.example")]),
        "self.example" => Reply::Records(vec![alias("self.example", "self.example")]),
        name if name.starts_with("long") => {
            let next = name.trim_start_matches("long").trim_end_matches(".example").parse::<u32>().unwrap() + 1;
            Reply::Records(vec![alias(name, &format!("long{next}.example"))])
        }
        _ => Reply::Code(ResponseCode::NXDomain),
    });
    for name in ["a.example", "self.example", "long1.example"] {
        let problem = refused(look(&circle, name).await);
        assert!(problem.kind == ProblemKind::Dns && problem.detail.contains("aliases lead nowhere"), "{problem}");
    }
}

// conformance: 8659-3-06
#[tokio::test]
async fn a_failed_look_up_is_no_permission_wherever_it_happens() {
    for at in ["www.a.example", "a.example", "example"] {
        for (code, words) in [
            (ResponseCode::ServFail, "SERVFAIL"),
            (ResponseCode::Refused, "REFUSED"),
            (ResponseCode::FormErr, "FORMERR"),
            (ResponseCode::NotImp, "NOTIMP"),
        ] {
            let names = NameServer::start(move |question| match question.name.as_str() {
                name if name == at => Reply::Code(code),
                "a.example" => Reply::Records(Vec::new()),
                _ => Reply::Code(ResponseCode::NXDomain),
            });
            let problem = refused(look(&names, "www.a.example").await);
            assert_eq!(problem.kind, ProblemKind::Dns);
            assert!(problem.detail.contains(words) && problem.detail.contains(&format!("CAA of {at}")), "{problem}");
        }
        let names = NameServer::start(move |question| match question.name.as_str() {
            "" => Reply::Records(Vec::new()),
            name if name == at => Reply::Silence,
            _ => Reply::Code(ResponseCode::NXDomain),
        });
        let config = Config { timeout: Duration::from_millis(1000), ..settings(&names, 80) };
        let problem = refused(look_with(config, "www.a.example").await);
        assert!(problem.kind == ProblemKind::Dns && problem.detail.contains("in time"), "{problem}");
    }
    let silent = NameServer::start(|_question| Reply::Silence);
    let config = Config { timeout: Duration::from_millis(1000), ..settings(&silent, 80) };
    let result = look_with(config, "www.a.example").await;
    assert!(matches!(result, Err(ValidationError::Ours { .. })), "{result:?}");
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_is_no_permission() {
    for record in [
        caa("a.example", 0, "no tag", "x"),
        caa("a.example", 0, "", "x"),
        caa("a.example", 0, "sixteenletters16", "x"),
        text("a.example", &["no CAA"]),
        caa("b.example", 0, "issue", "x"),
    ] {
        let names = NameServer::start(move |_question| Reply::Anything(vec![record.clone()]));
        refused(look(&names, "a.example").await);
    }
    let large = caa("a.example", 0, "issue", "x".repeat(16 * 1024));
    let names = NameServer::start(move |question: &Question| match question.transport {
        Transport::Udp => Reply::Truncated,
        Transport::Tcp => Reply::Records(vec![large.clone()]),
    });
    let problem = refused(look(&names, "a.example").await);
    assert!(problem.kind == ProblemKind::Caa && problem.detail.contains("octets"), "{problem}");
}

#[tokio::test]
async fn an_answer_that_is_cut_off_is_asked_for_over_tcp() {
    let names = NameServer::start(|question: &Question| match question.transport {
        Transport::Udp => Reply::Truncated,
        Transport::Tcp => Reply::Records(vec![caa("a.example", 0, "issue", "x".repeat(4000))]),
    });
    let (domain, records) = found(look(&names, "a.example").await);
    assert_eq!((domain.as_deref(), records.len()), (Some("a.example"), 1));
    let names = NameServer::start(|_question| Reply::Truncated);
    refused(look(&names, "a.example").await);
}

#[tokio::test]
async fn octets_and_flags_arrive_as_they_are() {
    let octets: Vec<u8> = (0..=255).collect();
    let value = octets.clone();
    let names = NameServer::start(move |_question| Reply::Records(vec![caa("a.example", 0x83, "TbS9", &value)]));
    let answer = look(&names, "a.example").await.unwrap();
    let [record] = answer.records.as_slice() else { panic!("{answer:?}") };
    assert_eq!((record.flags, record.tag.as_str(), &record.value), (0x83, "TbS9", &octets));
}

#[tokio::test]
async fn the_machines_own_names_have_no_records() {
    let names = tree(&[("localhost", "one.test"), ("site.localhost", "one.test")]);
    let own = Config { local_names: LocalNames::Localhost, ..settings(&names, 80) };
    for name in ["localhost", "site.localhost", "a.site.localhost"] {
        let answer = look_with(own.clone(), name).await.unwrap();
        assert_eq!((answer.domain, answer.resolver.as_str()), (None, "local"), "{name}");
        refused(look(&names, name).await);
    }
    assert!(names.asked().is_empty());
}

#[tokio::test]
async fn a_name_of_very_many_labels_is_refused_unasked() {
    let names = tree(&[]);
    let longest = format!("{}example", "a.".repeat(39));
    assert!(look(&names, &longest).await.is_ok());
    let before = names.asked().len();
    let problem = refused(look(&names, &format!("a.{longest}")).await);
    assert!(problem.kind == ProblemKind::Caa && problem.detail.contains("41 labels"), "{problem}");
    assert_eq!(names.asked().len(), before);
}
