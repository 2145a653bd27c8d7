//! The certificates of tls-alpn-01 (RFC 8737 section 3, RFC 8738 section 6): which ones are an answer.

use std::net::IpAddr;

use certus_pki::challenge_certificate::{ChallengeCertificateError as Error, check};
use certus_pki::{CertificateError, DnsName, KeyAlgorithm, KeyPair, SubjectName, sha256};
use certus_testkit::{AcmeIdentifier, AltName, ChallengeCertificate};
use proptest::prelude::*;

use crate::openssl::Workplace;

const NAME: &str = "www.example.com";
const KEY_AUTHORIZATION: &str = "token.thumbprint";

fn name() -> SubjectName {
    SubjectName::Dns(DnsName::parse(NAME).unwrap())
}

fn right() -> ChallengeCertificate {
    ChallengeCertificate::for_name(NAME, KEY_AUTHORIZATION)
}

fn key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

fn judge(der: &[u8], name: &SubjectName) -> Result<(), Error> {
    check(der, name, &sha256(KEY_AUTHORIZATION.as_bytes())).map(drop)
}

/// How a self-signed certificate is judged.
fn judged(certificate: &ChallengeCertificate, name: &SubjectName) -> Result<(), Error> {
    judge(&certificate.sign(&key()).unwrap(), name)
}

#[test]
fn any_key_that_certus_reads_will_do() {
    for algorithm in KeyAlgorithm::ALL {
        let key = KeyPair::generate(algorithm).unwrap();
        let der = right().sign(&key).unwrap();
        let certificate = check(&der, &name(), &sha256(KEY_AUTHORIZATION.as_bytes())).unwrap();
        assert_eq!(certificate.public_key(), key.public_key());
    }
}

/// What the other tests leave one thing out of is a certificate to others as well.
#[test]
fn openssl_reads_the_right_one() {
    for (certificate, shown) in [
        (right(), "DNS:www.example.com"),
        (ChallengeCertificate::for_address("192.0.2.1".parse().unwrap(), KEY_AUTHORIZATION), "IP Address:192.0.2.1"),
        (ChallengeCertificate::for_address("2001:db8::1".parse().unwrap(), KEY_AUTHORIZATION), "IP Address:2001:DB8:"),
    ] {
        let workplace = Workplace::new();
        workplace.write("certificate.der", certificate.sign(&key()).unwrap());
        let text = workplace.run(&["x509", "-inform", "DER", "-in", "certificate.der", "-noout", "-text"]);
        let lines: Vec<&str> = text.lines().map(str::trim).collect();
        let after = |line: &str| lines[1 + lines.iter().position(|one| *one == line).unwrap()];
        assert!(after("X509v3 Subject Alternative Name:").starts_with(shown), "{text}");
        // The value is an OCTET STRING of 32 octets; unprintable ones are shown as dots.
        assert!(after("1.3.6.1.5.5.7.1.31: critical").starts_with(". "), "{text}");
        workplace.run(&[
            "verify",
            "-ignore_critical",
            "-check_ss_sig",
            "-trusted",
            "certificate.der",
            "certificate.der",
        ]);
        let dump = workplace.run(&["asn1parse", "-inform", "DER", "-in", "certificate.der"]);
        let digest = hexadecimal(&sha256(KEY_AUTHORIZATION.as_bytes()));
        assert!(dump.contains(&format!("[HEX DUMP]:0420{digest}")), "{dump}");
    }
}

fn hexadecimal(octets: &[u8]) -> String {
    octets.iter().map(|octet| format!("{octet:02X}")).collect()
}

// conformance: 8737-3-06 8737-3-07
#[test]
fn the_one_name_is_the_only_name() {
    let dns = |name: &str| AltName::Dns(name.to_owned());
    let ip = AltName::Ip("192.0.2.1".parse().unwrap());
    let names = |said: &str| Err(Error::Names(said.to_owned()));
    for (alt_names, expected) in [
        (vec![dns(NAME)], Ok(())),
        (vec![dns("WWW.Example.COM")], Ok(())),
        (vec![dns(NAME), dns("example.com")], names("www.example.com, example.com")),
        (vec![dns(NAME), dns(NAME)], names("www.example.com, www.example.com")),
        (vec![dns(NAME), ip.clone()], names("www.example.com, 192.0.2.1")),
        (vec![ip], names("192.0.2.1")),
        (vec![dns("*.example.com")], names("*.example.com")),
        (vec![dns("www.example.com.")], names("a name that is no host name")),
        (vec![dns("www.example.com\0")], names("a name that is no host name")),
        (vec![AltName::Other(6, b"http://www.example.com".to_vec())], names("a uniformResourceIdentifier")),
        (vec![AltName::Other(7, vec![1, 2, 3])], names("an address of a wrong length")),
        (vec![dns("a.test"), dns("b.test"), dns("c.test"), dns("d.test")], names("a.test, b.test, c.test and 1 more")),
        (vec![], Err(Error::NoNames)),
    ] {
        // The commonName is nobody's business.
        let certificate =
            ChallengeCertificate { alt_names: alt_names.clone(), common_name: Some(NAME.to_owned()), ..right() };
        assert_eq!(judged(&certificate, &name()), expected, "{alt_names:?}");
    }
    // Nor whether there is one.
    assert_eq!(judged(&ChallengeCertificate { common_name: None, ..right() }, &name()), Ok(()));
    // A certificate for the wildcard proves nothing of the name, nor the other way round.
    let wildcard = SubjectName::Wildcard(DnsName::parse("example.com").unwrap());
    assert_eq!(judged(&right(), &wildcard), names(NAME));
}

// conformance: 8738-6-02
#[test]
fn an_address_stands_as_an_address() {
    let dns = |name: &str| AltName::Dns(name.to_owned());
    for (text, reverse) in [("192.0.2.1", "1.2.0.192.in-addr.arpa"), ("2001:db8::1", "8.b.d.0.1.0.0.2.ip6.arpa")] {
        let address: IpAddr = text.parse().unwrap();
        let other: IpAddr = "192.0.2.2".parse().unwrap();
        for (alt_names, accepted) in [
            (vec![AltName::Ip(address)], true),
            (vec![dns(text)], false),
            (vec![dns(reverse)], false),
            (vec![AltName::Ip(address), dns(reverse)], false),
            (vec![AltName::Ip(address), AltName::Ip(other)], false),
            (vec![AltName::Ip(address), AltName::Ip(address)], false),
            (vec![AltName::Ip(other)], false),
            (vec![AltName::Other(7, [&[0; 10][..], &[0xff, 0xff, 192, 0, 2, 1]].concat())], false),
            (vec![], false),
        ] {
            let right = ChallengeCertificate::for_address(address, KEY_AUTHORIZATION);
            let certificate = ChallengeCertificate { alt_names: alt_names.clone(), ..right };
            let result = judged(&certificate, &SubjectName::Ip(address));
            assert_eq!(result.is_ok(), accepted, "{alt_names:?}: {result:?}");
        }
    }
}

// conformance: 8737-3-08 8737-3-09 8737-3-10
#[test]
fn the_digest_is_an_octet_string_in_a_critical_extension() {
    let one = AcmeIdentifier::of(KEY_AUTHORIZATION);
    let digest = sha256(KEY_AUTHORIZATION.as_bytes());
    let valued = |value: &[&[u8]]| vec![AcmeIdentifier { value: value.concat(), ..one.clone() }];
    let draft = AcmeIdentifier { id: AcmeIdentifier::DRAFT_ID.to_vec(), ..one.clone() };
    let mut flipped = digest;
    flipped[31] ^= 1;
    for (acme_identifiers, expected) in [
        (vec![one.clone()], Ok(())),
        (vec![draft.clone(), one.clone()], Ok(())),
        (vec![], Err(Error::NoDigest)),
        (vec![draft], Err(Error::NoDigest)),
        (vec![AcmeIdentifier { critical: false, ..one.clone() }], Err(Error::NotCritical)),
        (vec![AcmeIdentifier::with(&flipped)], Err(Error::Digest)),
        (vec![AcmeIdentifier::of("token.another")], Err(Error::Digest)),
        (vec![AcmeIdentifier::with(&digest[..31])], Err(Error::DigestForm)),
        (vec![AcmeIdentifier::with(&[&digest[..], &[0]].concat())], Err(Error::DigestForm)),
        (vec![AcmeIdentifier::with(&[])], Err(Error::DigestForm)),
        // Without a header, with another's, with a length in its long form, with something behind.
        (valued(&[&digest]), Err(Error::DigestForm)),
        (valued(&[&[0x03, 0x20], &digest]), Err(Error::DigestForm)),
        (valued(&[&[0x04, 0x81, 0x20], &digest]), Err(Error::DigestForm)),
        (valued(&[&[0x04, 0x20], &digest, &[0x05, 0x00]]), Err(Error::DigestForm)),
        (valued(&[&[0x04]]), Err(Error::DigestForm)),
        (valued(&[]), Err(Error::DigestForm)),
    ] {
        let certificate = ChallengeCertificate { acme_identifiers, ..right() };
        assert_eq!(judged(&certificate, &name()), expected, "{:02x?}", certificate.acme_identifiers);
    }
    for second in [one.clone(), AcmeIdentifier { critical: false, ..AcmeIdentifier::of("token.another") }] {
        let twice = judged(&ChallengeCertificate { acme_identifiers: vec![one.clone(), second], ..right() }, &name());
        assert!(matches!(twice, Err(Error::Certificate(CertificateError::DuplicateExtension(_)))), "{twice:?}");
    }
}

// conformance: 8737-3-13
#[test]
fn it_may_have_expired_but_is_signed_with_its_own_key() {
    let expired = ChallengeCertificate { validity: ChallengeCertificate::EXPIRED, ..right() };
    assert_eq!(judged(&expired, &name()), Ok(()));

    let key = key();
    for signer in [self::key(), KeyPair::generate(KeyAlgorithm::Ed25519).unwrap()] {
        let by_another = right().sign_by(key.public_key(), &signer).unwrap();
        assert_eq!(judge(&by_another, &name()), Err(Error::NotSelfSigned));
    }
    let mut altered = right().sign(&key).unwrap();
    *altered.last_mut().unwrap() ^= 1;
    assert_eq!(judge(&altered, &name()), Err(Error::NotSelfSigned));
}

#[test]
fn what_is_no_certificate_is_refused() {
    let der = right().sign(&key()).unwrap();
    for bytes in [&[][..], b"-----BEGIN CERTIFICATE-----", &der[..der.len() - 1], &[&der[..], &[0]].concat()] {
        assert!(matches!(judge(bytes, &name()), Err(Error::Certificate(_))));
    }
}

fn names() -> impl Strategy<Value = Vec<AltName>> {
    let octets = || prop::collection::vec(any::<u8>(), 0..20);
    let name = prop_oneof![
        4 => Just(AltName::Dns(NAME.to_owned())),
        1 => "[wW.]{0,4}[a-zA-Z0-9.*-]{0,20}".prop_map(AltName::Dns),
        1 => any::<IpAddr>().prop_map(AltName::Ip),
        1 => (0_u8..9, octets()).prop_map(|(number, octets)| AltName::Other(number, octets)),
    ];
    prop::collection::vec(name, 0..3)
}

fn identifiers() -> impl Strategy<Value = Vec<AcmeIdentifier>> {
    let right = AcmeIdentifier::of(KEY_AUTHORIZATION);
    let value = prop_oneof![
        4 => Just(right.value.clone()),
        1 => (0_usize..34, 1_u8..).prop_map({
            let right = right.value.clone();
            move |(at, with)| {
                let mut value = right.clone();
                value[at] ^= with;
                value
            }
        }),
        1 => prop::collection::vec(any::<u8>(), 0..40),
    ];
    let one = (any::<bool>(), value).prop_map(move |(critical, value)| AcmeIdentifier {
        critical,
        value,
        ..AcmeIdentifier::of(KEY_AUTHORIZATION)
    });
    prop::collection::vec(one, 0..3)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever stands in it, and though it signs itself: an answer is the one name, and the one digest.
    #[test]
    fn only_the_right_one_is_an_answer(alt_names in names(), acme_identifiers in identifiers()) {
        let is_the_one = |name: &AltName| match name {
            AltName::Dns(text) => text.eq_ignore_ascii_case(NAME),
            AltName::Other(number, octets) => *number == 2 && octets.eq_ignore_ascii_case(NAME.as_bytes()),
            AltName::Ip(_) => false,
        };
        let is_right = matches!(alt_names.as_slice(), [one] if is_the_one(one))
            && acme_identifiers == [AcmeIdentifier::of(KEY_AUTHORIZATION)];
        let certificate = ChallengeCertificate { alt_names, acme_identifiers, ..right() };
        prop_assert_eq!(judged(&certificate, &name()).is_ok(), is_right, "{:?}", certificate);
    }
}
