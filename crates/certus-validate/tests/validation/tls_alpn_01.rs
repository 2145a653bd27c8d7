//! RFC 8737 section 3, and RFC 8738 section 6 for addresses: what is asked in the handshake, and what is an answer.

use std::io::{Read, Write};
use std::net::IpAddr;
use std::sync::mpsc;
use std::time::Duration;

use certus_acme::{ChallengeType, Identifier, ProblemKind, Token};
use certus_ca::id::AccountId;
use certus_ca::ports::{ValidationError, ValidationRequest, Validator};
use certus_ca::state::Hop;
use certus_pki::{DnsName, KeyAlgorithm, KeyPair};
use certus_testkit::name_server::NameServer;
use certus_testkit::{AcmeIdentifier, AltName, ChallengeCertificate, SeenHandshake, TlsAlpnAnswer, TlsAlpnTarget};
use certus_validate::{Config, Validators};
use rustls::SupportedProtocolVersion;
use rustls::version::{TLS12, TLS13};

use crate::openssl_server::OpensslServer;
use crate::web_server::{closed_port, listen, nobody_came};
use crate::{IPV4, IPV6, KEY_AUTHORIZATION, Seen, TOKEN, assert_problem, problem};

const NAME: &str = "a.example";
const PROTOCOL: &[u8] = b"acme-tls/1";
const VERSIONS: [&SupportedProtocolVersion; 2] = [&TLS12, &TLS13];

fn name() -> Identifier {
    Identifier::Dns(DnsName::parse(NAME).unwrap())
}

fn right() -> ChallengeCertificate {
    ChallengeCertificate::for_name(NAME, KEY_AUTHORIZATION)
}

fn key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

/// Self-signed, by a server that does what it should.
fn showing(certificate: &ChallengeCertificate) -> TlsAlpnAnswer {
    let key = key();
    TlsAlpnAnswer::new(certificate.sign(&key).unwrap(), key)
}

/// Settings that find port 443 at `port` and [`NAME`] at 127.0.0.1, with loopback permitted.
fn settings(port: u16) -> Config {
    let names = NameServer::with(&[(NAME, &[IPV4])]);
    Config { tls_alpn_port: port, ..crate::settings(&names, closed_port()) }
}

async fn look_by(method: ChallengeType, config: Config, identifier: Identifier) -> Result<Seen, ValidationError> {
    let request = ValidationRequest {
        account: AccountId::random(),
        identifier,
        method,
        token: Token::parse(TOKEN).unwrap(),
        key_authorization: KEY_AUTHORIZATION.to_owned(),
    };
    let control = Validators::new(config).unwrap().validate(&request).await?;
    Ok(Seen { hops: control.evidence().perspectives.iter().flat_map(|seen| seen.hops.clone()).collect() })
}

/// Validates by tls-alpn-01.
async fn look(config: Config, identifier: Identifier) -> Result<Seen, ValidationError> {
    look_by(ChallengeType::TlsAlpn01, config, identifier).await
}

/// Validates [`NAME`] against a server that answers so; and what that server saw.
async fn meet(answer: &TlsAlpnAnswer) -> (Result<Seen, ValidationError>, SeenHandshake) {
    let target = TlsAlpnTarget::bind(0).await.unwrap();
    target.answer(NAME, answer).unwrap();
    let result = look(settings(target.port()), name()).await;
    target.ended(1).await;
    let [seen] = <[_; 1]>::try_from(target.seen()).unwrap();
    (result, seen)
}

// conformance: 8737-3-02 8737-3-03 8737-3-04 8737-3-11
#[tokio::test]
async fn one_handshake_asks_for_one_protocol_under_one_name() {
    assert_eq!(Config::default().tls_alpn_port, 443);
    let names = NameServer::with(&[(NAME, &[IPV4])]);
    let (web, https) = (listen(IPV4, 0), listen(IPV4, 0));
    let target = TlsAlpnTarget::bind(0).await.unwrap();
    target.answer(NAME, &showing(&right())).unwrap();
    let config = Config {
        tls_alpn_port: target.port(),
        https_port: https.local_addr().unwrap().port(),
        ..crate::settings(&names, web.local_addr().unwrap().port())
    };
    let evidence = look(config, name()).await.unwrap();
    target.ended(1).await;

    let [seen] = <[_; 1]>::try_from(target.seen()).unwrap();
    let hello = seen.client_hello().unwrap();
    assert_eq!(hello.protocols, [PROTOCOL]);
    assert_eq!(hello.server_names, [(0, NAME.as_bytes().to_vec())]);
    assert_eq!(hello.versions, [0x0304, 0x0303]);
    let mut kinds = hello.extensions.clone();
    kinds.sort_unstable();
    kinds.dedup();
    assert_eq!(kinds.len(), hello.extensions.len(), "an extension twice: {:?}", hello.extensions);

    let expected = Hop {
        url: format!("tls://{NAME}:{}", target.port()),
        resolver: Some(names.address.to_string()),
        resolved: vec![IPV4],
        connected: Some(target.address()),
    };
    assert_eq!(evidence.hops, [expected]);
    for elsewhere in [web, https] {
        nobody_came(&elsewhere);
    }
}

// conformance: 8737-3-12
#[tokio::test]
async fn nothing_is_sent_after_the_handshake_but_a_farewell() {
    let mut other = right();
    other.alt_names = vec![AltName::Dns("b.example".to_owned())];
    for (certificate, accepted) in [(right(), true), (other, false)] {
        for (version, records) in [
            // ClientHello, ClientKeyExchange, ChangeCipherSpec, Finished, close_notify.
            (&TLS12, vec![22, 22, 20, 22, 21]),
            // ClientHello, ChangeCipherSpec, Finished, close_notify.
            (&TLS13, vec![22, 20, 23, 23]),
        ] {
            let answer = TlsAlpnAnswer { version: Some(version), ..showing(&certificate) };
            let (result, seen) = meet(&answer).await;
            assert_eq!(result.is_ok(), accepted, "{result:?}");
            // It ended in order: farewell, then the end of the connection.
            assert_eq!(seen.failure, None);
            assert_eq!(seen.application_data, b"");
            assert_eq!(seen.records(), Some(records), "{version:?}");
        }
    }
}

#[tokio::test]
async fn any_usual_key_will_do() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
        let key = KeyPair::generate(algorithm).unwrap();
        let certificate = right().sign(&key).unwrap();
        for version in VERSIONS {
            let answer =
                TlsAlpnAnswer { version: Some(version), ..TlsAlpnAnswer::new(certificate.clone(), key.clone()) };
            let (result, _) = meet(&answer).await;
            assert!(result.is_ok(), "{algorithm} over {version:?}: {result:?}");
        }
        // In TLS 1.2 this one signs by the first hash that is offered, whatever the curve.
        for version in ["-tls1_2", "-tls1_3"] {
            let server = OpensslServer::start(&certificate, &key, &["-alpn", "acme-tls/1", version]);
            let result = look(settings(server.port), name()).await;
            assert!(result.is_ok(), "{algorithm} with openssl {version}: {result:?}");
        }
    }
}

/// The signatures of before RSASSA-PSS, which TLS 1.2 servers still make that know no other.
#[tokio::test]
async fn rsa_of_tls_1_2_will_do() {
    let key = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let certificate = right().sign(&key).unwrap();
    let arguments = ["-alpn", "acme-tls/1", "-tls1_2", "-sigalgs", "RSA+SHA256"];
    let server = OpensslServer::start(&certificate, &key, &arguments);
    look(settings(server.port), name()).await.unwrap();
}

// conformance: 8737-3-06 8737-3-07
#[tokio::test]
async fn the_certificate_is_for_the_name_alone() {
    let dns = |name: &str| AltName::Dns(name.to_owned());
    for (alt_names, accepted) in [
        (vec![dns(NAME)], true),
        (vec![dns("A.EXAMPLE")], true),
        (vec![dns(NAME), dns("b.example")], false),
        (vec![dns("b.example"), dns(NAME)], false),
        (vec![dns(NAME), dns(NAME)], false),
        (vec![dns(NAME), AltName::Ip(IPV4)], false),
        (vec![dns(NAME), AltName::Other(6, b"https://a.example".to_vec())], false),
        (vec![dns("b.example")], false),
        (vec![dns("*.example")], false),
        (vec![dns("*.a.example")], false),
        (vec![dns("www.a.example")], false),
        (vec![dns("a.example.")], false),
        (vec![dns("a.example\0.test")], false),
        (vec![AltName::Ip(IPV4)], false),
        (vec![AltName::Other(1, b"a.example".to_vec())], false),
        (vec![], false),
    ] {
        // The commonName says the right thing throughout, and nobody asks it.
        let certificate =
            ChallengeCertificate { alt_names: alt_names.clone(), common_name: Some(NAME.to_owned()), ..right() };
        let (result, _) = meet(&showing(&certificate)).await;
        if accepted {
            assert!(result.is_ok(), "{alt_names:?}: {result:?}");
        } else {
            assert_problem(result, ProblemKind::IncorrectResponse, "the answer of a.example port ");
        }
    }
}

// conformance: 8737-3-08 8737-3-09 8737-3-10 8737-3-15
#[tokio::test]
async fn the_digest_is_in_one_critical_extension() {
    let one = AcmeIdentifier::of(KEY_AUTHORIZATION);
    let [_, _, raw @ ..] = one.value.as_slice() else { panic!("no header") };
    for (acme_identifiers, words) in [
        (vec![], "no acmeIdentifier extension"),
        (vec![AcmeIdentifier { critical: false, ..one.clone() }], "not critical"),
        (vec![one.clone(), one.clone()], "twice"),
        (vec![one.clone(), AcmeIdentifier::with(&[0; 32])], "twice"),
        (vec![AcmeIdentifier { value: raw.to_vec(), ..one.clone() }], "not an OCTET STRING of 32 octets"),
        (vec![AcmeIdentifier::with(&raw[..31])], "not an OCTET STRING of 32 octets"),
        (vec![AcmeIdentifier::with(&[raw, &[0]].concat())], "not an OCTET STRING of 32 octets"),
        (vec![AcmeIdentifier { value: vec![], ..one.clone() }], "not an OCTET STRING of 32 octets"),
        (vec![AcmeIdentifier::of(TOKEN)], "another key authorization"),
        (vec![AcmeIdentifier { id: AcmeIdentifier::DRAFT_ID.to_vec(), ..one.clone() }], "no acmeIdentifier extension"),
    ] {
        let (result, _) = meet(&showing(&ChallengeCertificate { acme_identifiers, ..right() })).await;
        assert_problem(result, ProblemKind::IncorrectResponse, words);
    }
    // Next to one of another kind the right one counts.
    let draft = AcmeIdentifier { id: AcmeIdentifier::DRAFT_ID.to_vec(), critical: false, ..AcmeIdentifier::of(TOKEN) };
    let (result, _) = meet(&showing(&ChallengeCertificate { acme_identifiers: vec![draft, one], ..right() })).await;
    result.unwrap();
}

// conformance: 8737-3-13
#[tokio::test]
async fn a_certificate_may_have_expired_but_is_signed_with_its_own_key() {
    let expired = ChallengeCertificate { validity: ChallengeCertificate::EXPIRED, ..right() };
    let (result, _) = meet(&showing(&expired)).await;
    result.unwrap();

    let key = key();
    let by_another = right().sign_by(key.public_key(), &self::key()).unwrap();
    let (result, _) = meet(&TlsAlpnAnswer::new(by_another, key)).await;
    assert_problem(result, ProblemKind::IncorrectResponse, "the certificate is not self-signed");
}

/// Else a copy of somebody's certificate would prove control: it is shown to everybody who asks for it.
#[tokio::test]
async fn a_certificate_is_worth_nothing_without_its_key() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::Rsa2048, KeyAlgorithm::Ed25519] {
        let owner = KeyPair::generate(algorithm).unwrap();
        let copied = right().sign(&owner).unwrap();
        for thief in [KeyPair::generate(algorithm).unwrap(), KeyPair::generate(KeyAlgorithm::EcP384).unwrap()] {
            for version in VERSIONS {
                let answer =
                    TlsAlpnAnswer { version: Some(version), ..TlsAlpnAnswer::new(copied.clone(), thief.clone()) };
                let (result, _) = meet(&answer).await;
                assert_problem(result, ProblemKind::Tls, "the TLS handshake with a.example port ");
            }
        }
    }
}

// conformance: 8737-3-05 8737-3-15
#[tokio::test]
async fn a_server_must_take_up_the_protocol() {
    let key = key();
    let certificate = right().sign(&key).unwrap();
    let answer = |protocols: &[&[u8]]| TlsAlpnAnswer {
        protocols: protocols.iter().map(|protocol| protocol.to_vec()).collect(),
        ..TlsAlpnAnswer::new(certificate.clone(), key.clone())
    };
    for version in VERSIONS {
        // It knows nothing of protocols, and shows the right certificate to everybody.
        let (result, seen) = meet(&TlsAlpnAnswer { version: Some(version), ..answer(&[]) }).await;
        assert_problem(result, ProblemKind::Tls, "did not take up the protocol acme-tls/1");
        assert_eq!(seen.application_data, b"");
        // It knows others, and says so.
        let (result, _) = meet(&TlsAlpnAnswer { version: Some(version), ..answer(&[b"h2", b"http/1.1"]) }).await;
        assert_problem(result, ProblemKind::Tls, "the TLS handshake with a.example port ");
        // It knows others as well.
        let (result, _) = meet(&TlsAlpnAnswer { version: Some(version), ..answer(&[b"h2", PROTOCOL]) }).await;
        result.unwrap();
    }
    let server = OpensslServer::start(&certificate, &key, &[]);
    let result = look(settings(server.port), name()).await;
    assert_problem(result, ProblemKind::Tls, "did not take up the protocol acme-tls/1");
}

// conformance: 8737-3-05 8737-3-15
#[tokio::test]
async fn a_protocol_that_was_not_asked_for_is_no_answer() {
    for protocols in [&[b"http/1.1".as_slice()][..], &[PROTOCOL, b"http/1.1"], &[b"acme-tls/2"], &[b""], &[]] {
        let names: Vec<u8> = protocols.iter().flat_map(|name| vector::<1>(name)).collect();
        let alpn = [&[0, 16], vector::<2>(&vector::<2>(&names)).as_slice()].concat();
        // ServerHello (RFC 5246 section 7.4.1.3): version, random, no session, a cipher suite, no compression.
        let hello = [&[3, 3], [7; 32].as_slice(), &[0, 0xc0, 0x2b, 0], &vector::<2>(&alpn)].concat();
        let message = [&[2], vector::<3>(&hello).as_slice()].concat();
        let record = [&[22, 3, 3], vector::<2>(&message).as_slice()].concat();
        let (port, _left) = raw_server(record);
        let result = look(settings(port), name()).await;
        assert_problem(result, ProblemKind::Tls, "the TLS handshake with a.example port ");
    }
}

/// Octets behind their number, which is of `N` octets.
fn vector<const N: usize>(octets: &[u8]) -> Vec<u8> {
    let length = octets.len().to_be_bytes();
    [length.get(length.len() - N..).unwrap(), octets].concat()
}

/// A server that meets the first octets of every connection with these, then listens until the other side has gone, and
/// says that it has.
fn raw_server(answer: Vec<u8>) -> (u16, mpsc::Receiver<()>) {
    let listener = listen(IPV4, 0);
    let port = listener.local_addr().unwrap().port();
    let (gone, left) = mpsc::sync_channel(16);
    std::thread::spawn(move || {
        while let Ok((mut stream, _peer)) = listener.accept() {
            stream.read_exact(&mut [0]).unwrap();
            // The other side may go at any time.
            let _gone = stream.write_all(&answer);
            let _reset = stream.read_to_end(&mut Vec::new());
            if gone.send(()).is_err() {
                return;
            }
        }
    });
    (port, left)
}

// conformance: 8737-3-11 8737-3-15
#[tokio::test]
async fn versions_before_tls_1_2_are_not_spoken() {
    let key = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let certificate = right().sign(&key).unwrap();
    for version in ["-tls1", "-tls1_1"] {
        let arguments = ["-alpn", "acme-tls/1", version, "-cipher", "ALL:@SECLEVEL=0"];
        let server = OpensslServer::start(&certificate, &key, &arguments);
        let result = look(settings(server.port), name()).await;
        assert_problem(result, ProblemKind::Tls, "the TLS handshake with a.example port ");
    }
}

// conformance: 8737-3-15
#[tokio::test]
async fn a_closed_port_is_a_connection_problem() {
    let port = closed_port();
    let result = look(settings(port), name()).await;
    assert_problem(result, ProblemKind::Connection, &format!("127.0.0.1:{port} could not be connected to"));
}

// conformance: 8737-3-15
#[tokio::test]
async fn what_is_not_tls_is_a_tls_problem() {
    for answer in ["HTTP/1.1 400 Bad Request: secret-from-the-inside\r\n\r\n", "220 secret-from-the-inside\r\n"] {
        let (port, left) = raw_server(answer.as_bytes().to_vec());
        let problem = problem(look(settings(port), name()).await);
        assert_eq!(problem.kind, ProblemKind::Tls);
        assert!(!problem.detail.contains("secret"), "{problem}");
        left.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

#[tokio::test]
async fn a_server_that_stops_is_left_when_time_is_up() {
    const SHORT: Duration = Duration::from_millis(300);
    // Nothing; and the head of a record that never comes whole.
    for answer in [&b""[..], &[22, 3, 3, 0x40, 0]] {
        let (port, left) = raw_server(answer.to_vec());
        let config = Config { timeout: SHORT, ..settings(port) };
        let result = tokio::time::timeout(SHORT * 10, look(config, name())).await.unwrap();
        assert_problem(result, ProblemKind::Connection, "time ran out while waiting for the TLS handshake of");
        // And the connection is closed, not kept.
        left.recv_timeout(Duration::from_secs(20)).unwrap();
    }
}

// conformance: 8738-6-01 8738-6-02
#[tokio::test]
async fn an_address_is_asked_by_its_reverse_name_and_answers_with_itself() {
    const REVERSE_V4: &str = "1.0.0.127.in-addr.arpa";
    const REVERSE_V6: &str = "1.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.ip6.arpa";
    let dns = |name: &str| AltName::Dns(name.to_owned());
    for (address, reverse, other) in [(IPV4, REVERSE_V4, IPV6), (IPV6, REVERSE_V6, IPV4)] {
        let target = TlsAlpnTarget::bind_to((address, 0).into()).await.unwrap();
        let names = NameServer::with(&[]);
        let config = Config { tls_alpn_port: target.port(), ..crate::settings(&names, closed_port()) };
        let right = ChallengeCertificate::for_address(address, KEY_AUTHORIZATION);
        for alt_names in [
            vec![dns(&address.to_string())],
            vec![dns(reverse)],
            vec![AltName::Ip(address), dns(reverse)],
            vec![AltName::Ip(address), dns(NAME)],
            vec![AltName::Ip(address), AltName::Ip(other)],
            vec![AltName::Ip(address), AltName::Ip(address)],
            vec![AltName::Ip(other)],
            vec![AltName::Ip(neighbour(address))],
            vec![AltName::Other(7, vec![127, 0, 0])],
            // ::ffff:127.0.0.1
            vec![AltName::Other(7, [&[0; 10][..], &[0xff, 0xff, 127, 0, 0, 1]].concat())],
            vec![],
        ] {
            target.answer(reverse, &showing(&ChallengeCertificate { alt_names, ..right.clone() })).unwrap();
            let result = look(config.clone(), Identifier::Ip(address)).await;
            assert_problem(result, ProblemKind::IncorrectResponse, "the answer of ");
        }
        target.answer(reverse, &showing(&right)).unwrap();
        let count = target.seen().len();
        let evidence = look(config, Identifier::Ip(address)).await.unwrap();
        assert_eq!(evidence.last().connected, Some(target.address()));
        target.ended(count + 1).await;
        let hello = target.seen().last().unwrap().client_hello().unwrap();
        assert_eq!(hello.server_names, [(0, reverse.as_bytes().to_vec())]);
        assert_eq!(hello.protocols, [PROTOCOL]);
        // Nothing is looked up.
        assert_eq!(names.asked(), []);
    }
}

fn neighbour(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => "127.0.0.2".parse().unwrap(),
        IpAddr::V6(_) => "::2".parse().unwrap(),
    }
}

/// They are never offered (RFC 8737 with Baseline Requirements 3.2.2.4.20; RFC 8738 section 7). Asked all the same, nothing
/// is looked at.
#[tokio::test]
async fn a_method_that_proves_nothing_is_refused() {
    let wildcard = || Identifier::Wildcard(DnsName::parse(NAME).unwrap());
    for (method, identifier) in [
        (ChallengeType::TlsAlpn01, wildcard()),
        (ChallengeType::Http01, wildcard()),
        (ChallengeType::Dns01, Identifier::Ip(IPV4)),
    ] {
        let listener = listen(IPV4, 0);
        let port = listener.local_addr().unwrap().port();
        let names = NameServer::with(&[(NAME, &[IPV4])]);
        let config = Config { tls_alpn_port: port, ..crate::settings(&names, port) };
        let result = look_by(method, config, identifier).await;
        assert_problem(result, ProblemKind::Malformed, "cannot prove control of");
        nobody_came(&listener);
        assert_eq!(names.asked(), []);
    }
}
