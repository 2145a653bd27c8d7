//! A corpus of bad certificates: each breaks one rule, and every rule is broken by one of them.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use const_oid::ObjectIdentifier;
use data_encoding::HEXLOWER;
use der::asn1::OctetStringRef;
use der::{Encode as _, Tag};

use super::{Expected, Findings, baseline, profile, rfc5280, run};
use crate::asn1::{self, Extension, TbsFields, context, implicit};
use crate::hierarchy::{CaSubject, create_root};
use crate::proof::AuthorizedNames;
use crate::{
    CertificateChain, DnsName, Issuer, KeyAlgorithm, KeyPair, PermittedKeys, Profile, Publications, SerialNumber,
    SubjectName, TbsCertificate, Timestamp, oid,
};

const DAY: Duration = Duration::from_secs(86_400);

/// A `TBSCertificate` in pieces, to be altered and put together again.
#[derive(Clone)]
struct Draft {
    version: Vec<u8>,
    serial: Vec<u8>,
    algorithm: Vec<u8>,
    issuer: Vec<u8>,
    not_before: Vec<u8>,
    not_after: Vec<u8>,
    subject: Vec<u8>,
    spki: Vec<u8>,
    unique_identifiers: Vec<u8>,
    extensions: Vec<(ObjectIdentifier, bool, Vec<u8>)>,
}

impl Draft {
    fn of(tbs_der: &[u8]) -> Self {
        let fields = TbsFields::parse(tbs_der).unwrap();
        let extension = |one: &Extension<'_>| (one.id, one.critical, one.value.as_bytes().to_vec());
        Self {
            version: vec![2, 1, 2],
            serial: fields.serial.to_vec(),
            algorithm: fields.signature.to_vec(),
            issuer: fields.issuer.to_vec(),
            not_before: asn1::time(fields.not_before.at).unwrap(),
            not_after: asn1::time(fields.not_after.at).unwrap(),
            subject: fields.subject.to_vec(),
            spki: fields.spki.to_vec(),
            unique_identifiers: Vec::new(),
            extensions: fields.extensions.iter().map(extension).collect(),
        }
    }

    fn encode(&self) -> Vec<u8> {
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(id, critical, value)| {
                Extension { id: *id, critical: *critical, value: OctetStringRef::new(value).unwrap() }.to_der().unwrap()
            })
            .collect();
        let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
        let version =
            if self.version.is_empty() { Vec::new() } else { asn1::wrap(context(0), &[&self.version]).unwrap() };
        asn1::sequence(&[
            &version,
            &asn1::wrap(Tag::Integer, &[&self.serial]).unwrap(),
            &self.algorithm,
            &self.issuer,
            &asn1::sequence(&[&self.not_before, &self.not_after]).unwrap(),
            &self.subject,
            &self.spki,
            &self.unique_identifiers,
            &asn1::explicit(3, &[&asn1::sequence(&extensions).unwrap()]).unwrap(),
        ])
        .unwrap()
    }

    fn without(&mut self, id: ObjectIdentifier) {
        self.extensions.retain(|(present, _, _)| *present != id);
    }

    fn critical(&mut self, id: ObjectIdentifier, critical: bool) {
        for (_, present, _) in self.extensions.iter_mut().filter(|(present, _, _)| *present == id) {
            *present = critical;
        }
    }

    /// Puts another value (hex of DER) into an extension, or adds the extension.
    fn value(&mut self, id: ObjectIdentifier, hex: &str) {
        let value = HEXLOWER.decode(hex.replace(' ', "").as_bytes()).unwrap();
        match self.extensions.iter_mut().find(|(present, _, _)| *present == id) {
            Some((_, _, present)) => *present = value,
            None => self.extensions.push((id, false, value)),
        }
    }

    /// Puts names (each `[tag] contents`) into subjectAltName.
    fn names(&mut self, names: &[(u32, &[u8])]) {
        let names: Vec<Vec<u8>> =
            names.iter().map(|(tag, text)| asn1::wrap(implicit(*tag), &[text]).unwrap()).collect();
        let value = asn1::sequence(&names.iter().map(Vec::as_slice).collect::<Vec<_>>()).unwrap();
        self.value(oid::SUBJECT_ALT_NAME, &HEXLOWER.encode(&value));
    }
}

type Alteration = fn(&mut Draft);

/// Alterations that make a value unreadable on purpose; all others are to be read, and judged.
const UNREADABLE: [&str; 2] = ["UTF-8", "cA FALSE written out"];

/// What is altered, and a rule that must notice.
const BAD: &[(&str, &str, Alteration)] = &[
    ("RFC 5280 4.1.2.1", "version 1", |draft| draft.version.clear()),
    ("RFC 5280 4.1.2.1", "version 2", |draft| draft.version = vec![2, 1, 1]),
    ("RFC 5280 4.1.2.2", "serial zero", |draft| draft.serial = vec![0]),
    ("RFC 5280 4.1.2.2", "negative serial", |draft| draft.serial = vec![0x81; 17]),
    ("RFC 5280 4.1.2.2", "serial of 21 octets", |draft| draft.serial = vec![1; 21]),
    ("RFC 5280 4.1.2.2", "serial with a needless zero", |draft| draft.serial.insert(0, 0)),
    ("RFC 5280 4.1.2.3", "another signature algorithm", |draft| {
        draft.algorithm = crate::SignatureAlgorithm::EcdsaSha384.identifier_der().to_vec();
    }),
    ("RFC 5280 4.1.2.4", "empty issuer", |draft| draft.issuer = vec![0x30, 0]),
    ("RFC 5280 4.1.2.4", "another issuer", |draft| *draft.issuer.last_mut().unwrap() ^= 1),
    ("RFC 5280 4.1.2.5", "GeneralizedTime before 2050", |draft| {
        draft.not_before = asn1::wrap(Tag::GeneralizedTime, &[b"20261124120000Z"]).unwrap();
    }),
    ("RFC 5280 4.1.2.5", "ends before it begins", |draft| draft.not_after = time("2026-11-24T11:00:00Z")),
    ("RFC 5280 4.1.2.5", "longer than the issuer", |draft| draft.not_after = time("2049-01-01T00:00:00Z")),
    ("RFC 5280 4.1.2.6", "empty subject, names not critical", |draft| draft.critical(oid::SUBJECT_ALT_NAME, false)),
    ("RFC 5280 4.1.2.7", "a point off its curve", |draft| *draft.spki.last_mut().unwrap() ^= 1),
    ("RFC 5280 4.1.2.8", "subjectUniqueID", |draft| draft.unique_identifiers = vec![0x82, 0x02, 0x00, 0x01]),
    ("RFC 5280 4.2", "an extension twice", |draft| draft.extensions.push(draft.extensions[0].clone())),
    ("RFC 5280 4.2.1.1", "no AKI", |draft| draft.without(oid::AUTHORITY_KEY_IDENTIFIER)),
    ("RFC 5280 4.2.1.1", "critical AKI", |draft| draft.critical(oid::AUTHORITY_KEY_IDENTIFIER, true)),
    ("RFC 5280 4.2.1.1", "AKI of another key", |draft| {
        draft.value(oid::AUTHORITY_KEY_IDENTIFIER, "3016 8014 0102030405060708090a0b0c0d0e0f1011121314");
    }),
    ("RFC 5280 4.2.1.1", "AKI without keyIdentifier", |draft| draft.value(oid::AUTHORITY_KEY_IDENTIFIER, "3000")),
    ("RFC 5280 4.2.1.2", "SKI of another key", |draft| {
        draft.value(oid::SUBJECT_KEY_IDENTIFIER, "0414 0102030405060708090a0b0c0d0e0f1011121314");
    }),
    ("RFC 5280 4.2.1.2", "critical SKI", |draft| draft.critical(oid::SUBJECT_KEY_IDENTIFIER, true)),
    ("RFC 5280 4.2.1.3", "no keyUsage", |draft| draft.without(oid::KEY_USAGE)),
    ("RFC 5280 4.2.1.3", "keyUsage not critical", |draft| draft.critical(oid::KEY_USAGE, false)),
    ("RFC 5280 4.2.1.3", "keyCertSign", |draft| draft.value(oid::KEY_USAGE, "03020284")),
    ("RFC 5280 4.2.1.3", "no usage", |draft| draft.value(oid::KEY_USAGE, "030100")),
    ("RFC 5280 4.2.1.6", "no names", |draft| draft.without(oid::SUBJECT_ALT_NAME)),
    ("RFC 5280 4.2.1.6", "an empty list of names", |draft| draft.names(&[])),
    ("RFC 5280 4.2.1.6", "a trailing dot", |draft| draft.names(&[(2, b"example.com.")])),
    ("RFC 5280 4.2.1.6", "a dot in front", |draft| draft.names(&[(2, b".example.com")])),
    ("RFC 5280 4.2.1.6", "an empty label", |draft| draft.names(&[(2, b"www..example.com")])),
    ("RFC 5280 4.2.1.6", "capitals", |draft| draft.names(&[(2, b"Example.com")])),
    ("RFC 5280 4.2.1.6", "an underscore", |draft| draft.names(&[(2, b"a_b.example.com")])),
    ("RFC 5280 4.2.1.6", "an address in text", |draft| draft.names(&[(2, b"192.0.2.1")])),
    ("RFC 5280 4.2.1.6", "an address of 5 octets", |draft| draft.names(&[(7, b"\x0a\x00\x00\x01\x00")])),
    ("RFC 5280 4.2.1.6", "UTF-8", |draft| draft.names(&[(2, "bücher.example".as_bytes())])),
    ("RFC 5280 4.2.1.9", "an authority", |draft| draft.value(oid::BASIC_CONSTRAINTS, "30030101ff")),
    ("RFC 5280 4.2.1.9", "cA FALSE written out", |draft| draft.value(oid::BASIC_CONSTRAINTS, "3003010100")),
    ("BR 7.1.2.7 serialNumber", "a serial of 8 octets", |draft| draft.serial = vec![0x7f; 8]),
    ("BR 7.1.2.7 notBefore", "begins in three days", |draft| draft.not_before = time("2026-11-27T12:00:01Z")),
    ("BR 6.3.2", "public, for more than 200 days", |draft| {
        draft.value(oid::CERTIFICATE_POLICIES, "300a 3008 0606 67810c010201");
        draft.not_after = time("2027-06-20T00:00:00Z");
    }),
    ("BR 7.1.2.7.2", "a common name", |draft| {
        draft.subject = HEXLOWER.decode(b"30123110300e06035504030c074578616d706c65").unwrap();
    }),
    ("BR 6.1.1.3", "an Ed25519 key", |draft| {
        draft.spki = KeyPair::generate(KeyAlgorithm::Ed25519).unwrap().public_key().spki_der().to_vec();
    }),
    ("BR 7.1.2.7.7", "no AIA", |draft| draft.without(oid::AUTHORITY_INFO_ACCESS)),
    ("BR 7.1.2.7.7", "an empty AIA", |draft| draft.value(oid::AUTHORITY_INFO_ACCESS, "3000")),
    ("BR 7.1.2.7.7", "critical AIA", |draft| draft.critical(oid::AUTHORITY_INFO_ACCESS, true)),
    ("BR 7.1.2.7.7", "caIssuers over https", |draft| {
        draft.value(oid::AUTHORITY_INFO_ACCESS, "3018 3016 0608 2b06010505073002 860a 68747470733a2f2f612f");
    }),
    ("BR 7.1.2.7.7", "another access method", |draft| {
        draft.value(oid::AUTHORITY_INFO_ACCESS, "3017 3015 0608 2b06010505073003 8609 687474703a2f2f612f");
    }),
    ("BR 7.1.2.7.9", "anyPolicy", |draft| draft.value(oid::CERTIFICATE_POLICIES, "3008 3006 0604 551d2000")),
    ("BR 7.1.2.7.9", "two reserved policies", |draft| {
        draft.value(oid::CERTIFICATE_POLICIES, "3014 3008 0606 67810c010201 3008 0606 67810c010202");
    }),
    ("BR 7.1.2.7.9", "an empty list of policies", |draft| draft.value(oid::CERTIFICATE_POLICIES, "3000")),
    ("BR 7.1.2.7.10", "no EKU", |draft| draft.without(oid::EXT_KEY_USAGE)),
    ("BR 7.1.2.7.10", "critical EKU", |draft| draft.critical(oid::EXT_KEY_USAGE, true)),
    ("BR 7.1.2.7.10", "clientAuth alone", |draft| draft.value(oid::EXT_KEY_USAGE, "300a 0608 2b06010505070302")),
    ("BR 7.1.2.7.10", "codeSigning", |draft| {
        draft.value(oid::EXT_KEY_USAGE, "3014 0608 2b06010505070301 0608 2b06010505070303");
    }),
    ("BR 7.1.2.7.10", "anyExtendedKeyUsage", |draft| {
        draft.value(oid::EXT_KEY_USAGE, "3010 0608 2b06010505070301 0604 551d2500");
    }),
    ("BR 7.1.2.7.10", "an empty EKU", |draft| draft.value(oid::EXT_KEY_USAGE, "3000")),
    ("BR 7.1.2.7.11", "keyEncipherment for an EC key", |draft| draft.value(oid::KEY_USAGE, "030205a0")),
    ("BR 7.1.2.7.11", "keyAgreement alone", |draft| draft.value(oid::KEY_USAGE, "03020308")),
    ("BR 7.1.2.7.12", "an email address", |draft| {
        draft.names(&[(2, b"example.com"), (2, b"www.example.com"), (1, b"a@example.com")]);
    }),
    ("BR 7.1.2.7.12", "a URI", |draft| draft.names(&[(6, b"http://example.com/")])),
    ("BR 7.1.2.7.6", "name constraints", |draft| {
        draft.value(oid::NAME_CONSTRAINTS, "300b a009 3007 8205 612e636f6d");
    }),
    ("BR 7.1.2.11.2", "no CRL distribution point", |draft| draft.without(oid::CRL_DISTRIBUTION_POINTS)),
    ("BR 7.1.2.11.2", "critical CRL distribution point", |draft| draft.critical(oid::CRL_DISTRIBUTION_POINTS, true)),
    ("BR 7.1.2.11.2", "CRL over https", |draft| {
        draft.value(oid::CRL_DISTRIBUTION_POINTS, "3012 3010 a00e a00c 860a 68747470733a2f2f612f");
    }),
    ("BR 7.1.2.11.2", "CRL for some reasons", |draft| {
        draft.value(oid::CRL_DISTRIBUTION_POINTS, "3015 3013 a00d a00b 8609 687474703a2f2f612f 81020640");
    }),
    ("BR 7.1.2.11.2", "a CRL distribution point without a name", |draft| {
        draft.value(oid::CRL_DISTRIBUTION_POINTS, "3002 3000");
    }),
    ("profile: serial number", "another serial", |draft| *draft.serial.last_mut().unwrap() ^= 1),
    ("profile: names", "one name less", |draft| draft.names(&[(2, b"example.com")])),
    ("profile: names", "one name more", |draft| {
        draft.names(&[(2, b"example.com"), (2, b"www.example.com"), (2, b"other.example")]);
    }),
    ("profile: names", "a name twice", |draft| {
        draft.names(&[(2, b"example.com"), (2, b"www.example.com"), (2, b"example.com")]);
    }),
    ("profile: public key", "another key", |draft| {
        draft.spki = KeyPair::generate(KeyAlgorithm::EcP256).unwrap().public_key().spki_der().to_vec();
    }),
    ("profile: lifetime", "a second too long", |draft| draft.not_after = time("2027-02-22T12:00:00Z")),
    ("profile: purposes", "clientAuth that the profile has not", |draft| {
        draft.value(oid::EXT_KEY_USAGE, "3014 0608 2b06010505070301 0608 2b06010505070302")
    }),
    ("profile: policies", "a policy that is not the profile's", |draft| {
        draft.value(oid::CERTIFICATE_POLICIES, "300a 3008 0606 67810c010201");
    }),
    ("profile: extensions", "an unknown extension", |draft| {
        draft.value(ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55555.7"), "0500");
    }),
    ("profile: extensions", "must-staple", |draft| {
        draft.value(ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.24"), "3003020105");
    }),
];

// conformance: BR-4.3.1.2-01
#[tokio::test]
async fn every_rule_notices_what_breaks_it() {
    let fixture = Fixture::new().await;
    let good = Draft::of(&fixture.tbs.der);
    assert_eq!(good.encode(), fixture.tbs.der, "a draft that is not altered is the certificate itself");
    assert_eq!(fixture.lint(&good.encode()), Ok(()));

    let mut noticed = BTreeSet::new();
    for (rule, what, alter) in BAD {
        let mut draft = good.clone();
        alter(&mut draft);
        let Err(findings) = fixture.lint(&draft.encode()) else { panic!("{what} was not noticed") };
        assert!(findings.list().iter().any(|finding| finding.rule == *rule), "{what}: {findings}");
        let unreadable = findings.to_string().contains("malformed");
        assert!(!unreadable || UNREADABLE.contains(what), "{what}: {findings}");
        noticed.insert(*rule);
    }
    let rules = [rfc5280::RULES, baseline::RULES, profile::RULES];
    let all: BTreeSet<&str> = rules.into_iter().flatten().map(|(rule, _)| *rule).collect();
    assert_eq!(noticed, all);
}

#[tokio::test]
async fn what_is_no_certificate_is_one_finding() {
    let fixture = Fixture::new().await;
    for length in 0..fixture.tbs.der.len() {
        let findings = fixture.lint(&fixture.tbs.der[..length]).unwrap_err();
        assert_eq!(findings.list().len(), 1);
    }
}

struct Fixture {
    issuer: Issuer,
    tbs: TbsCertificate,
    now: Timestamp,
}

impl Fixture {
    async fn new() -> Self {
        let now = Timestamp::parse_rfc3339("2026-11-24T12:00:00Z").unwrap();
        let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let subject = CaSubject { common_name: "Example Root".to_owned(), ..CaSubject::default() };
        let root = create_root(&subject, &key, DAY * 5479, now - DAY).await.unwrap();
        let issuer = Issuer::new(CertificateChain::new(vec![root]).unwrap(), Arc::new(key)).unwrap();
        let names = ["example.com", "www.example.com"].map(|name| SubjectName::Dns(DnsName::parse(name).unwrap()));
        let profile = Profile {
            name: "classic".to_owned(),
            lifetime: DAY * 90,
            backdate: Duration::ZERO,
            policies: Vec::new(),
            client_auth: false,
            keys: PermittedKeys::default(),
        };
        let publications = Publications {
            ca_issuers_url: "http://pki.example.com/root.der".to_owned(),
            crl_url: "http://pki.example.com/0.crl".to_owned(),
        };
        let proof = AuthorizedNames::assertion(names).unwrap();
        let leaf = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
        let serial = SerialNumber::random();
        let tbs = TbsCertificate::new(&profile, proof, leaf.public_key(), serial, &issuer, &publications, now).unwrap();
        Self { issuer, tbs, now }
    }

    fn lint(&self, tbs_der: &[u8]) -> Result<(), Findings> {
        let expected = Expected::new(&self.tbs, self.issuer.certificate(), self.issuer.key_identifier(), self.now);
        run(tbs_der, &expected)
    }
}

fn time(text: &str) -> Vec<u8> {
    asn1::time(Timestamp::parse_rfc3339(text).unwrap()).unwrap()
}
