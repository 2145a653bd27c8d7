//! DNSSEC: what is signed or provably unsigned is believed, for CAA, for TXT and for addresses; the same made false is not.

use certus_acme::{ChallengeType, Identifier, ProblemKind};
use certus_ca::ports::ValidationError;
use certus_ca::state::Security;
use certus_pki::DnsName;
use certus_testkit::name_server::{NameServer, Reply, ResponseCode, caa};
use certus_testkit::{SignedZones, Signing, TamperingServer, Zone, tampering};
use certus_validate::{Anchors, Config, Dnssec, Validators};
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::op::Message;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::caa::{found, look_with, refused};
use crate::web_server::WebServer;
use crate::{Seen, validate_identifier};

/// What every zone has: an address, the digest of `dns_01.rs`, records at `held` and an alias to an unsigned zone.
const RECORDS: &[&str] = &[
    "@ IN A 127.0.0.1",
    "_acme-challenge IN TXT LPsIwTo7o8BoG0-vjCyGQGBWSVIPxI-i_X336eUOQZo",
    "held IN CAA 0 issue \"held.test\"",
    "below.held IN A 127.0.0.1",
    "alias IN CNAME held.unsigned.test.",
    "into IN CNAME held.signed.test.",
    "dangling IN CNAME nobody.unsigned.test.",
    "chain IN CNAME below.held",
    "to-nothing IN CNAME nobody",
    "renamed IN DNAME signed.test.",
    "*.wild IN CAA 0 issue \"wild.test\"",
    "real.wild IN CAA 0 issue \"real.test\"",
];

const ZONES: &[Zone<'_>] = &[
    Zone { name: "signed.test", records: RECORDS, signing: Signing::Nsec },
    Zone { name: "nsec3.test", records: RECORDS, signing: Signing::Nsec3 },
    Zone { name: "unsigned.test", records: RECORDS, signing: Signing::None },
    Zone { name: "expired.test", records: RECORDS, signing: Signing::Expired },
    Zone { name: "stripped.test", records: RECORDS, signing: Signing::Stripped },
    Zone { name: "changed.test", records: RECORDS, signing: Signing::Changed("false.test", "held.test") },
    Zone { name: "moved.test", records: RECORDS, signing: Signing::Changed("127.0.0.2", "127.0.0.1") },
    Zone { name: "forged.test", records: RECORDS, signing: Signing::Changed("LPs1wTo7o8", "LPsIwTo7o8") },
];

async fn zones() -> SignedZones {
    SignedZones::start(ZONES).await.unwrap()
}

/// Settings that trust this root and ask there.
fn trusting(zones: &SignedZones, address: std::net::SocketAddr) -> Config {
    Config {
        resolvers: vec![address],
        dnssec: Dnssec::Validate(Anchors::parse(&zones.anchors).unwrap()),
        permit: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    }
}

fn dns(name: &str) -> Identifier {
    Identifier::Dns(DnsName::parse(name).unwrap())
}

async fn security(config: &Config, name: &str) -> Security {
    look_with(config.clone(), name).await.unwrap().security
}

#[track_caller]
fn assert_bogus<T: std::fmt::Debug>(result: Result<T, ValidationError>, what: &str) {
    match result {
        Err(ValidationError::Failed(problem)) => {
            assert!(problem.kind == ProblemKind::Dns && problem.detail.contains("DNSSEC"), "{what}: {problem}");
        }
        other => panic!("{what}: believed: {other:?}"),
    }
}

// conformance: BR-3.2.2.4-01 BR-3.2.2.4-02
#[tokio::test]
async fn caa_is_believed_when_it_is_signed_or_provably_unsigned_and_not_otherwise() {
    let zones = zones().await;
    let config = trusting(&zones, zones.server.address);
    for (name, domain, expected) in [
        ("below.held.signed.test", Some("held.signed.test"), Security::Secure),
        ("HELD.signed.test", Some("held.signed.test"), Security::Secure),
        ("signed.test", None, Security::Secure),
        ("a.b.nobody.signed.test", None, Security::Secure),
        ("below.held.nsec3.test", Some("held.nsec3.test"), Security::Secure),
        ("nsec3.test", None, Security::Secure),
        ("a.b.nobody.nsec3.test", None, Security::Secure),
        ("nobody.test", None, Security::Secure),
        ("held.unsigned.test", Some("held.unsigned.test"), Security::Insecure),
        ("nobody.unsigned.test", None, Security::Insecure),
        // Signed, but not where it leads; and the other way round.
        ("alias.signed.test", Some("alias.signed.test"), Security::Insecure),
        ("into.unsigned.test", Some("into.unsigned.test"), Security::Insecure),
        ("into.nsec3.test", Some("into.nsec3.test"), Security::Secure),
        ("dangling.signed.test", None, Security::Insecure),
        // To names of the same zone that have none.
        ("chain.signed.test", None, Security::Secure),
        ("to-nothing.signed.test", None, Security::Secure),
        ("chain.unsigned.test", None, Security::Insecure),
        ("held.renamed.unsigned.test", Some("held.renamed.unsigned.test"), Security::Insecure),
        ("some.wild.signed.test", Some("some.wild.signed.test"), Security::Secure),
        ("real.wild.signed.test", Some("real.wild.signed.test"), Security::Secure),
        ("a.b.wild.signed.test", Some("a.b.wild.signed.test"), Security::Secure),
        ("some.wild.nsec3.test", Some("some.wild.nsec3.test"), Security::Secure),
        ("a.b.wild.nsec3.test", Some("a.b.wild.nsec3.test"), Security::Secure),
        ("chain.nsec3.test", None, Security::Secure),
    ] {
        let answer = look_with(config.clone(), name).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.domain.as_ref().map(DnsName::as_str), domain, "{name}");
        assert_eq!(answer.security, expected, "{name}");
    }
    for name in [
        // The alias that is made of it is not signed, and the library does not make it itself.
        "held.renamed.signed.test",
        "held.expired.test",
        "expired.test",
        "nobody.expired.test",
        "held.stripped.test",
        "stripped.test",
        "nobody.stripped.test",
        "held.changed.test",
        "below.held.changed.test",
    ] {
        assert_bogus(look_with(config.clone(), name).await, name);
    }
}

// conformance: 8555-8.4-08 BR-3.2.2.4-01
#[tokio::test]
async fn a_digest_is_believed_when_it_is_signed_or_provably_unsigned_and_not_otherwise() {
    let zones = zones().await;
    let validators = Validators::new(trusting(&zones, zones.server.address)).unwrap();
    for (name, believed) in [
        ("signed.test", true),
        ("nsec3.test", true),
        ("unsigned.test", true),
        ("changed.test", true),
        ("expired.test", false),
        ("stripped.test", false),
        ("forged.test", false),
    ] {
        let result = validate_identifier(&validators, dns(name), ChallengeType::Dns01).await;
        match believed {
            true => assert!(result.is_ok(), "{name}: {result:?}"),
            false => assert_bogus(result, name),
        }
    }
    let absent = validate_identifier(&validators, dns("below.held.signed.test"), ChallengeType::Dns01).await;
    crate::assert_problem(absent, ProblemKind::Dns, "NXDOMAIN");
}

// conformance: 8555-8.4-08 BR-3.2.2.4-01
#[tokio::test]
async fn an_address_is_believed_when_it_is_signed_or_provably_unsigned_and_not_otherwise() {
    let zones = zones().await;
    let web = WebServer::with_key_authorization();
    let validators = Validators::new(Config { http_port: web.port, ..trusting(&zones, zones.server.address) }).unwrap();
    for (name, believed) in [
        ("signed.test", true),
        ("unsigned.test", true),
        ("forged.test", true),
        ("expired.test", false),
        ("stripped.test", false),
        ("moved.test", false),
    ] {
        let result: Result<Seen, _> = validate_identifier(&validators, dns(name), ChallengeType::Http01).await;
        match believed {
            true => assert!(result.is_ok(), "{name}: {result:?}"),
            false => assert_bogus(result, name),
        }
    }
}

// conformance: BR-3.2.2.4-02
#[tokio::test]
async fn what_is_changed_on_the_way_is_not_believed() {
    let zones = zones().await;
    let upstream = zones.server.address;
    let untouched = TamperingServer::start(upstream, |_answer| {});
    assert_eq!(security(&trusting(&zones, untouched.address), "held.signed.test").await, Security::Secure);
    let tampers: [(&str, Tamper); 6] = [
        ("another value", |answer| {
            for record in &mut answer.answers {
                if let RData::CAA(caa) = &mut record.data {
                    caa.value = b"false.test".to_vec();
                }
            }
        }),
        ("one record more", |answer| {
            if of_caa(answer) && !answer.answers.is_empty() {
                answer.answers.push(caa("held.signed.test", 0, "issue", "false.test"));
            }
        }),
        ("no signatures", strip),
        ("no records, and nothing that proves it", |answer| {
            if of_caa(answer) {
                answer.answers.clear();
                answer.authorities.clear();
            }
        }),
        ("no records, and another proof", |answer| {
            if of_caa(answer) {
                answer.answers.clear();
                answer.authorities.retain(|record| !is_denial(record));
            }
        }),
        // Unsigned, provably and truly; but of another zone.
        ("no records, says an unsigned zone", |answer| {
            if of_caa(answer) {
                answer.metadata.response_code = ResponseCode::NXDomain;
                answer.answers.clear();
                answer.authorities = vec![soa_of("unsigned.test")];
            }
        }),
    ];
    for (what, tamper) in tampers {
        let on_the_way = TamperingServer::start(upstream, tamper);
        assert_bogus(look_with(trusting(&zones, on_the_way.address), "held.signed.test").await, what);
    }
}

// conformance: BR-3.2.2.4-02
#[tokio::test]
async fn an_absence_without_its_proof_is_not_believed() {
    let zones = zones().await;
    let on_the_way = TamperingServer::start(zones.server.address, |answer| {
        if of_caa(answer) {
            answer.authorities.retain(|record| !is_denial(record));
        }
    });
    let config = trusting(&zones, on_the_way.address);
    for name in ["signed.test", "nobody.signed.test", "nsec3.test", "nobody.nsec3.test"] {
        assert_bogus(look_with(config.clone(), name).await, name);
    }
    assert_eq!(security(&config, "held.signed.test").await, Security::Secure);
}

/// The wildcard's records and its signature are true, but not for a name that has records of its own.
#[tokio::test]
async fn a_wildcard_is_not_believed_for_a_name_that_exists() {
    let zones = zones().await;
    let upstream = zones.server.address;
    let on_the_way = TamperingServer::start(upstream, move |answer| {
        let real = Name::from_ascii("real.wild.signed.test.").unwrap();
        if of_caa(answer) && answer.queries[0].name() == &real {
            let of_wildcard = tampering::question(upstream, "some.wild.signed.test.", RecordType::CAA);
            answer.answers = of_wildcard.answers;
            for record in &mut answer.answers {
                record.name = real.clone();
            }
            answer.authorities = vec![soa_of("unsigned.test")];
        }
    });
    let config = trusting(&zones, on_the_way.address);
    let problem = refused(look_with(config.clone(), "real.wild.signed.test").await);
    assert!(problem.detail.contains("expanded from a wildcard"), "{problem}");
    assert_eq!(security(&config, "some.wild.signed.test").await, Security::Secure);
}

#[tokio::test]
async fn nothing_is_believed_from_another_root() {
    let (zones, others) = tokio::join!(zones(), SignedZones::start(&ZONES[..1]));
    let config = trusting(&others.unwrap(), zones.server.address);
    for name in ["held.signed.test", "unsigned.test", "nobody"] {
        assert_bogus(look_with(config.clone(), name).await, name);
    }
    // The root of the Internet neither.
    let config = Config { dnssec: Dnssec::Validate(Anchors::of_the_root()), ..config };
    assert_bogus(look_with(config, "held.unsigned.test").await, "the real root");
}

/// A zone that signs though nobody above it says so, with an anchor of its own.
#[tokio::test]
async fn a_zone_with_an_anchor_of_its_own_must_sign() {
    let zones = zones().await;
    let key = &zones.zone_keys[0];
    assert!(key.contains("signed.test."), "{key}");
    let of_zone = Anchors::parse(key).unwrap();
    let config = Config { dnssec: Dnssec::Validate(of_zone.clone()), ..trusting(&zones, zones.server.address) };
    // Only within the zone: the climb beyond it leads to names that nobody vouches for.
    assert_eq!(security(&config, "held.signed.test").await, Security::Secure);
    assert_bogus(look_with(config.clone(), "unsigned.test").await, "beside the zone");
    let both = Anchors::parse(&format!("{}{key}", zones.anchors)).unwrap();
    let stripped = TamperingServer::start(zones.server.address, strip);
    for resolver in [zones.server.address, stripped.address] {
        let config = Config { dnssec: Dnssec::Validate(both.clone()), ..trusting(&zones, resolver) };
        let result = look_with(config, "held.signed.test").await;
        match resolver == zones.server.address {
            true => assert_eq!(result.unwrap().security, Security::Secure),
            false => assert_bogus(result, "stripped"),
        }
    }
}

#[tokio::test]
async fn validation_can_be_off_for_all_names_and_for_internal_ones() {
    let zones = zones().await;
    let config = trusting(&zones, zones.server.address);
    let off = Config { dnssec: Dnssec::Off, ..config.clone() };
    for name in ["held.signed.test", "held.stripped.test", "held.changed.test"] {
        assert_eq!(security(&off, name).await, Security::Unchecked, "{name}");
    }
    let internal = Config { internal_domains: vec![DnsName::parse("stripped.test").unwrap()], ..config };
    let (domain, records) = found(look_with(internal.clone(), "below.held.stripped.test").await);
    assert_eq!((domain.as_deref(), records.len()), (Some("held.stripped.test"), 1));
    assert_eq!(security(&internal, "held.stripped.test").await, Security::Unchecked);
    assert_eq!(security(&internal, "held.signed.test").await, Security::Secure);
    assert_bogus(look_with(internal, "held.changed.test").await, "no internal one");
}

#[tokio::test]
async fn a_resolver_that_gives_no_signatures_is_found_out() {
    let zones = zones().await;
    let probe = async |config: Config| Validators::new(config).unwrap().probe_resolver().await;
    probe(trusting(&zones, zones.server.address)).await.unwrap();
    let stripped = TamperingServer::start(zones.server.address, strip);
    let plain = NameServer::start(|_question| Reply::Code(ResponseCode::NXDomain));
    for address in [stripped.address, plain.address] {
        let config = trusting(&zones, address);
        let error = probe(config.clone()).await.unwrap_err().to_string();
        assert!(error.contains("DNSSEC") && error.contains(&address.to_string()), "{error}");
        probe(Config { dnssec: Dnssec::Off, ..config }).await.unwrap();
    }
}

/// Changes an answer.
type Tamper = fn(&mut Message);

fn of_caa(answer: &Message) -> bool {
    answer.queries.iter().any(|query| query.query_type() == RecordType::CAA)
}

/// What a resolver leaves that knows nothing of DNSSEC.
fn strip(answer: &mut Message) {
    for section in [&mut answer.answers, &mut answer.authorities, &mut answer.additionals] {
        section.retain(|record| !matches!(record.data, RData::DNSSEC(DNSSECRData::RRSIG(_))) && !is_denial(record));
    }
}

/// NSEC and NSEC3 records, and their signatures.
fn is_denial(record: &Record) -> bool {
    let denies = |kind| matches!(kind, RecordType::NSEC | RecordType::NSEC3);
    if let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &record.data {
        return denies(signature.input().type_covered);
    }
    denies(record.record_type())
}

fn soa_of(zone: &str) -> Record {
    let name = |text: &str| Name::from_ascii(format!("{text}.")).unwrap();
    let data = hickory_proto::rr::rdata::SOA::new(name("ns"), name("hostmaster"), 1, 3600, 600, 86_400, 1);
    Record::from_rdata(name(zone), 1, RData::SOA(data))
}
