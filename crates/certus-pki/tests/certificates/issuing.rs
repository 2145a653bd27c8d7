//! The walk from names and a key to a certificate: what is in it, and what is refused.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use certus_pki::{
    CertificateChain, DnsName, IssueError, Issuer, IssuerError, KeyAlgorithm, KeyPair, KeyUsage, OwnNames,
    PermittedKeys, PrepareError, Profile, PublicKey, Publications, SerialNumber, SignError, SignatureAlgorithm, Signer,
    SubjectNames, TbsCertificate, TbsError, Timestamp, Validity, ValidityError, create_intermediate,
};
use der::{Decode as _, Encode as _};
use x509_parser::prelude::{FromDer as _, GeneralName, ParsedExtension, X509Certificate};

use crate::authority::{Authority, DAY, classic, leaf_key, names, noon, proved, public, publications, subject};
use crate::openssl::Workplace;

// conformance: 5280-4.1-01 5280-4.1-02 5280-4.1-04 5280-4.1-06 5280-4.1-07 5280-4.1-08 BR-7.1.3-03 BR-7.1.3-04 BR-7.1.3-05
#[tokio::test]
async fn the_fields_are_those_of_rfc_5280_under_every_kind_of_authority() {
    let identifiers = [
        (KeyAlgorithm::EcP256, "300a06082a8648ce3d040302"),
        (KeyAlgorithm::EcP384, "300a06082a8648ce3d040303"),
        (KeyAlgorithm::EcP521, "300a06082a8648ce3d040304"),
        (KeyAlgorithm::Rsa2048, "300d06092a864886f70d01010b0500"),
    ];
    for (algorithm, identifier) in identifiers {
        let authority = Authority::new(algorithm).await;
        let key = leaf_key();
        let leaf = authority.issue(&classic(), &["example.com"], key.public_key()).await;

        let parsed = x509_cert::Certificate::from_der(leaf.der()).unwrap();
        assert_eq!(parsed.to_der().unwrap(), leaf.der(), "DER is canonical");
        for certificate in [&leaf, &authority.intermediate, &authority.root] {
            let (rest, other) = X509Certificate::from_der(certificate.der()).unwrap();
            assert!(rest.is_empty());
            assert_eq!(other.version().0, 2);
            assert_eq!(other.signature_algorithm, other.tbs_certificate.signature);
            assert!(other.tbs_certificate.issuer_uid.is_none() && other.tbs_certificate.subject_uid.is_none());
            let hex = data_encoding::HEXLOWER.encode(certificate.der());
            assert_eq!(hex.matches(identifier).count(), 2, "{algorithm}: {hex}");
        }
        assert_eq!(leaf.issuer_der(), authority.intermediate.subject_der());
        assert_eq!(authority.intermediate.issuer_der(), authority.root.subject_der());
        assert_eq!(authority.root.issuer_der(), authority.root.subject_der());
        assert_ne!(leaf.issuer_der(), [0x30, 0]);
        assert_eq!(leaf.subject_der(), [0x30, 0]);
        assert!(leaf.extension(SUBJECT_ALT_NAME).unwrap().0, "subjectAltName is critical");
        assert_eq!(leaf.public_key(), key.public_key());
        assert!(
            leaf.der().windows(key.public_key().spki_der().len()).any(|bytes| bytes == key.public_key().spki_der())
        );
        leaf.verify_signed_by(authority.intermediate.public_key()).unwrap();
    }
}

// conformance: 5280-4.2-01 5280-4.2-03 5280-4.2-04 5280-4.2-05 5280-4.2-08 BR-7.1.2.7-03 BR-7.1.2.7-04 BR-7.1.2.7-05 BR-7.1.2.7-09 BR-7.1.2.7-10
#[tokio::test]
async fn the_extensions_are_those_of_the_profile() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    for (algorithm, usages) in [
        (KeyAlgorithm::EcP256, vec![KeyUsage::DigitalSignature]),
        (KeyAlgorithm::Rsa2048, vec![KeyUsage::DigitalSignature, KeyUsage::KeyEncipherment]),
    ] {
        let key = KeyPair::generate(algorithm).unwrap();
        let leaf = authority
            .issue(
                &classic(),
                &["a-name-that-is-longer-than-the-64-characters.of.a.common.name.example.com"],
                key.public_key(),
            )
            .await;
        let present: Vec<String> = leaf.extension_ids().map(|id| id.to_string()).collect();
        let expected =
            ["2.5.29.15", "2.5.29.37", "2.5.29.14", "2.5.29.35", "1.3.6.1.5.5.7.1.1", "2.5.29.17", "2.5.29.31"];
        assert_eq!(present, expected);
        let critical: Vec<_> = leaf.extension_ids().filter(|id| leaf.extension(*id).unwrap().0).collect();
        assert_eq!(critical, [KEY_USAGE, SUBJECT_ALT_NAME]);

        assert_eq!(leaf.authority_key_identifier(), authority.intermediate.subject_key_identifier());
        let (_, aki) = leaf.extension(AUTHORITY_KEY_IDENTIFIER).unwrap();
        assert_eq!(aki.len(), 24, "a keyIdentifier and nothing else");
        assert_eq!(leaf.subject_key_identifier(), Some(key.public_key().key_identifier().as_slice()));
        assert_eq!(crate::authority::usages(&leaf), usages);
        let (_, purposes) = leaf.extension(EXT_KEY_USAGE).unwrap();
        assert_eq!(data_encoding::HEXLOWER.encode(purposes), "300a06082b06010505070301", "serverAuth alone");
        assert!(!leaf.is_ca());
        assert_eq!(leaf.subject_text(), "", "no common name");
    }
}

// conformance: BR-7.1.2.7-06 BR-7.1.2.7-12
#[tokio::test]
async fn publications_are_plain_http_urls() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let leaf = authority.issue(&classic(), &["example.com"], leaf_key().public_key()).await;
    let (_, parsed) = X509Certificate::from_der(leaf.der()).unwrap();
    let mut accesses = 0;
    let mut points = 0;
    for extension in parsed.extensions() {
        if let ParsedExtension::AuthorityInfoAccess(access) = extension.parsed_extension() {
            assert_eq!(access.accessdescs.len(), 1);
            assert_eq!(access.accessdescs[0].access_method.to_id_string(), "1.3.6.1.5.5.7.48.2");
            assert_eq!(access.accessdescs[0].access_location, GeneralName::URI(&publications().ca_issuers_url));
            accesses += 1;
        }
        if let ParsedExtension::CRLDistributionPoints(list) = extension.parsed_extension() {
            assert_eq!(list.points.len(), 1);
            assert!(list.points[0].reasons.is_none() && list.points[0].crl_issuer.is_none());
            points += 1;
        }
    }
    assert_eq!((accesses, points), (1, 1));
    assert_eq!(leaf.crl_urls(), [publications().crl_url]);
    assert_eq!(leaf.ca_issuers_urls(), [publications().ca_issuers_url]);

    for bad in ["https://pki.example.com/a", "ldap://x/", "http://", "http:///a", "http://a b/", "http://ä/", ""] {
        for publications in [
            Publications { ca_issuers_url: bad.to_owned(), ..publications() },
            Publications { crl_url: bad.to_owned(), ..publications() },
        ] {
            let key = leaf_key();
            let tbs = TbsCertificate::new(
                &classic(),
                proved(&["example.com"]),
                key.public_key(),
                SerialNumber::random(),
                &authority.issuer,
                &publications,
                noon(),
            );
            assert_eq!(tbs.unwrap_err(), TbsError::Url(bad.to_owned()));
        }
    }
}

// conformance: 5280-4.2-07 BR-7.1.2.7-11 8738-3-07
#[tokio::test]
async fn names_stand_in_the_subject_alt_name_each_in_its_form() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let asked = ["xn--bcher-kva.example", "www.example.com", "192.0.2.1", "2001:db8::1", "example.com"];
    let leaf = authority.issue(&classic(), &asked, leaf_key().public_key()).await;
    assert_eq!(*leaf.subject_names(), names(&asked));
    let (_, parsed) = X509Certificate::from_der(leaf.der()).unwrap();
    let san = parsed.subject_alternative_name().unwrap().unwrap();
    assert!(san.critical);
    let expected: [GeneralName<'_>; 5] = [
        GeneralName::DNSName("example.com"),
        GeneralName::DNSName("www.example.com"),
        GeneralName::DNSName("xn--bcher-kva.example"),
        GeneralName::IPAddress(&[192, 0, 2, 1]),
        GeneralName::IPAddress(&[0x20, 0x01, 0x0d, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
    ];
    assert_eq!(san.value.general_names, expected);
}

#[tokio::test]
async fn the_same_parts_always_give_the_same_bytes() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let serial = SerialNumber::random();
    let mut built = BTreeSet::new();
    for order in [["b.example.com", "a.example.com"], ["a.example.com", "b.example.com"]] {
        let names = SubjectNames::from(proved(&order));
        let tbs = TbsCertificate::new(
            &classic(),
            names,
            key.public_key(),
            serial.clone(),
            &authority.issuer,
            &publications(),
            noon(),
        )
        .unwrap();
        built.insert(authority.issuer.prepare(tbs, noon()).unwrap().tbs_der().to_vec());
    }
    assert_eq!(built.len(), 1);
}

// conformance: BR-6.3.2-02 BR-6.3.2-03 BR-7.1.2.7-02 5280-4.2-11
#[tokio::test]
async fn validity_counts_both_ends_and_lies_within_the_issuers() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let now = noon() + DAY * 30 + Duration::from_millis(789);
    let classic_leaf = authority.tbs(&classic(), &["example.com"], key.public_key(), now);
    let prepared = authority.issuer.prepare(classic_leaf, now).unwrap();
    assert_eq!(prepared.not_before(), noon() + DAY * 30 - Duration::from_secs(600));
    assert_eq!(prepared.not_after().duration_since(prepared.not_before()), DAY * 90 - Duration::from_secs(1));

    let shortlived = Profile { name: "shortlived".to_owned(), lifetime: DAY * 6, ..classic() };
    let prepared =
        authority.issuer.prepare(authority.tbs(&shortlived, &["example.com"], key.public_key(), now), now).unwrap();
    let period = prepared.not_after().duration_since(prepared.not_before()) + Duration::from_secs(1);
    assert!(period <= Duration::from_secs(604_800));

    // The first certificate of a fresh authority does not begin before it, the last does not end after it.
    let long_ago = Profile { backdate: DAY, ..classic() };
    let prepared =
        authority.issuer.prepare(authority.tbs(&long_ago, &["example.com"], key.public_key(), noon()), noon()).unwrap();
    assert_eq!(prepared.not_before(), authority.intermediate.not_before());
    let late = authority.intermediate.not_after() - DAY * 10;
    let prepared =
        authority.issuer.prepare(authority.tbs(&classic(), &["example.com"], key.public_key(), late), late).unwrap();
    assert_eq!(prepared.not_after(), authority.intermediate.not_after());

    let too_late = authority.intermediate.not_after() + DAY;
    let tbs = TbsCertificate::new(
        &classic(),
        proved(&["example.com"]),
        key.public_key(),
        SerialNumber::random(),
        &authority.issuer,
        &publications(),
        too_late,
    );
    assert_eq!(tbs.unwrap_err(), ValidityError::IssuerExpired(authority.intermediate.not_after()).into());
}

#[tokio::test]
async fn dates_are_had_to_the_second_or_not_at_all() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let now = noon() + DAY * 30 + Duration::from_millis(789);
    let (profile, issuer, second) = (classic(), &authority.intermediate, Duration::from_secs(1));
    let within = |not_before, not_after| Validity { not_before, not_after }.within(&profile, issuer, now);
    let start = noon() + DAY * 30;
    let usual = (start - Duration::from_secs(600), start - Duration::from_secs(600) + DAY * 90 - second);
    assert_eq!(within(None, None), Ok(usual));
    assert_eq!(within(None, Some(start + DAY)), Ok((usual.0, start + DAY)));
    assert_eq!(within(None, Some(usual.1)), Ok(usual));
    assert_eq!(within(Some(start + DAY), None), Ok((start + DAY, start + DAY * 91 - second)));
    for (not_before, not_after) in [
        (None, Some(usual.1 + second)),
        (None, Some(start)),
        (Some(start + DAY), Some(start + DAY - second)),
        (Some(start + DAY), Some(start + DAY * 91)),
    ] {
        let refused = within(not_before, not_after);
        assert!(matches!(refused, Err(ValidityError::NotAfter { .. })), "{not_before:?} {not_after:?}: {refused:?}");
    }
    for not_before in [start - DAY * 2 - second, start + DAY * 2 + second, issuer.not_before() - second] {
        let refused = within(Some(not_before), None);
        assert!(matches!(refused, Err(ValidityError::NotBefore { .. })), "{not_before}: {refused:?}");
    }
    // Never after the issuer.
    let late = issuer.not_after() - DAY * 10;
    let ends = |not_after| Validity { not_before: None, not_after }.within(&profile, issuer, late).map(|(_, end)| end);
    assert_eq!(ends(Some(issuer.not_after())), Ok(issuer.not_after()));
    assert!(ends(Some(issuer.not_after() + second)).is_err());
}

#[tokio::test]
async fn nothing_is_prepared_while_the_issuer_is_not_valid() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    for when in [noon() - DAY, authority.intermediate.not_after() + Duration::from_secs(1)] {
        let tbs = authority.tbs(&classic(), &["example.com"], key.public_key(), noon());
        let refused = authority.issuer.prepare(tbs, when).unwrap_err();
        assert!(matches!(refused, PrepareError::IssuerValidity { .. }), "{refused}");
    }
}

// conformance: BR-6.3.2-01
#[tokio::test]
async fn a_public_certificate_keeps_the_validity_limit_of_its_day() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    for (today, days, allowed) in [
        ("2026-11-24T12:00:00Z", 200, true),
        ("2026-11-24T12:00:00Z", 201, false),
        ("2027-03-15T00:10:00Z", 100, true),
        ("2027-03-15T00:10:00Z", 101, false),
        ("2029-03-14T23:59:59Z", 100, true),
        ("2029-03-15T00:00:00Z", 47, true),
        ("2029-03-15T00:00:00Z", 48, false),
    ] {
        let now = Timestamp::parse_rfc3339(today).unwrap();
        let prepared =
            authority.issuer.prepare(authority.tbs(&public(days), &["example.com"], key.public_key(), now), now);
        match prepared {
            Ok(_) => assert!(allowed, "{today} {days}"),
            Err(PrepareError::Lint(findings)) => {
                assert!(!allowed, "{today} {days} {findings}");
                assert_eq!(findings.list().iter().map(|finding| finding.rule).collect::<Vec<_>>(), ["BR 6.3.2"]);
            }
            Err(other) => panic!("{other}"),
        }
        // A private authority that asserts no policy of the CA/Browser Forum decides for itself.
        let private = Profile { policies: Vec::new(), ..public(days) };
        authority.issuer.prepare(authority.tbs(&private, &["example.com"], key.public_key(), now), now).unwrap();
    }
}

// conformance: BR-7.1.2.7-08
#[tokio::test]
async fn a_public_certificate_asserts_domain_validation_once() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let leaf = authority.issue(&public(90), &["example.com"], leaf_key().public_key()).await;
    let (critical, value) = leaf.extension(CERTIFICATE_POLICIES).unwrap();
    assert!(!critical);
    assert_eq!(data_encoding::HEXLOWER.encode(value), "300a300806066781 0c010201".replace(' ', ""));
}

// conformance: BR-7.1.2.7-09
#[tokio::test]
async fn a_certificate_is_for_clients_where_its_profile_says_so() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let clients = Profile { client_auth: true, ..classic() };
    for (profile, purposes) in
        [(classic(), "300a 06082b06010505070301"), (clients, "3014 06082b06010505070301 06082b06010505070302")]
    {
        let leaf = authority.issue(&profile, &["example.com"], leaf_key().public_key()).await;
        let (critical, value) = leaf.extension(EXT_KEY_USAGE).unwrap();
        assert_eq!((critical, data_encoding::HEXLOWER.encode(value)), (false, purposes.replace(' ', "")));
    }
}

#[tokio::test]
async fn a_profile_says_which_keys_it_certifies() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let strong = Profile { keys: PermittedKeys::parse(&["P-384".to_owned()]).unwrap(), ..classic() };
    for (algorithm, permitted) in
        [(KeyAlgorithm::EcP384, true), (KeyAlgorithm::EcP256, false), (KeyAlgorithm::Rsa2048, false)]
    {
        let key = KeyPair::generate(algorithm).unwrap();
        let tbs = authority.tbs(&strong, &["example.com"], key.public_key(), noon());
        match authority.issuer.prepare(tbs, noon()) {
            Ok(_) => assert!(permitted, "{algorithm}"),
            Err(PrepareError::Lint(findings)) => {
                assert!(!permitted, "{algorithm}");
                assert_eq!(findings.list().iter().map(|one| one.rule).collect::<Vec<_>>(), ["profile: public key"]);
            }
            Err(other) => panic!("{other}"),
        }
    }
}

// conformance: BR-4.3.1.2-01
#[tokio::test]
async fn a_broken_profile_is_refused_before_anything_is_signed() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let any_policy = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.32.0");
    let reserved = public(90).policies[0];
    let private_policy = certus_pki::ObjectIdentifier::new_unwrap("1.3.6.1.4.1.55555.1");
    for (profile, rule) in [
        (Profile { policies: vec![any_policy], ..classic() }, "BR 7.1.2.7.9"),
        (Profile { policies: vec![reserved, reserved], ..classic() }, "BR 7.1.2.7.9"),
        (Profile { policies: vec![reserved], lifetime: DAY * 398, ..classic() }, "BR 6.3.2"),
    ] {
        let refused =
            authority.issuer.prepare(authority.tbs(&profile, &["example.com"], key.public_key(), noon()), noon());
        let PrepareError::Lint(findings) = refused.unwrap_err() else { panic!("{profile:?}") };
        assert!(findings.list().iter().any(|finding| finding.rule == rule), "{findings}");
    }
    let own_policy = Profile { policies: vec![reserved, private_policy], ..classic() };
    authority.issuer.prepare(authority.tbs(&own_policy, &["example.com"], key.public_key(), noon()), noon()).unwrap();

    // A month too far back, seen from the day of the signing.
    let later = noon() + DAY * 3;
    let refused =
        authority.issuer.prepare(authority.tbs(&classic(), &["example.com"], key.public_key(), noon()), later);
    let PrepareError::Lint(findings) = refused.unwrap_err() else { panic!() };
    assert_eq!(findings.list()[0].rule, "BR 7.1.2.7 notBefore");
}

// conformance: BR-6.1.1.3-05
#[tokio::test]
async fn keys_that_are_not_for_servers_are_refused_by_the_linter_too() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = KeyPair::generate(KeyAlgorithm::Ed25519).unwrap();
    let refused =
        authority.issuer.prepare(authority.tbs(&classic(), &["example.com"], key.public_key(), noon()), noon());
    let PrepareError::Lint(findings) = refused.unwrap_err() else { panic!() };
    assert_eq!(findings.list()[0].rule, "BR 6.1.1.3");
}

// conformance: 5280-4.2-10
#[tokio::test]
async fn name_constraints_of_the_authority_are_kept() {
    let keys = [KeyAlgorithm::EcP256; 2].map(|algorithm| KeyPair::generate(algorithm).unwrap());
    let [root_key, intermediate_key] = keys;
    let authority = Authority::of(root_key, intermediate_key, &["example.com", "corp.test"]).await;
    assert!(authority.intermediate.extension(NAME_CONSTRAINTS).unwrap().0, "critical");
    let key = leaf_key();
    for (asked, allowed) in [
        (&["example.com", "a.example.com", "b.c.corp.test"][..], true),
        (&["other.test"], false),
        (&["example.com", "badexample.com"], false),
        (&["192.0.2.1"], false),
        (&["2001:db8::1"], false),
    ] {
        let prepared = authority.issuer.prepare(authority.tbs(&classic(), asked, key.public_key(), noon()), noon());
        assert_eq!(prepared.is_ok(), allowed, "{asked:?}");
        assert_eq!(names(asked).iter().all(|name| authority.issuer.permits(name)), allowed);
        if let Err(refused) = prepared {
            assert!(matches!(refused, PrepareError::NameConstraints(_)));
        }
    }
}

#[tokio::test]
async fn the_authoritys_own_names_take_the_same_walk() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let own = OwnNames::assertion(names(&["ca.example.com", "127.0.0.1"])).unwrap();
    let tbs = TbsCertificate::new(
        &Profile { lifetime: DAY * 7, ..classic() },
        own,
        key.public_key(),
        SerialNumber::random(),
        &authority.issuer,
        &publications(),
        noon(),
    )
    .unwrap();
    let certificate = authority.issuer.sign(authority.issuer.prepare(tbs, noon()).unwrap()).await.unwrap();
    assert_eq!(*certificate.subject_names(), names(&["ca.example.com", "127.0.0.1"]));
    assert!(OwnNames::assertion(BTreeSet::new()).is_none());
}

/// A signer that is not what it seems.
#[derive(Debug)]
struct Faulty {
    says: PublicKey,
    signs_with: Option<KeyPair>,
}

#[async_trait]
impl Signer for Faulty {
    fn public_key(&self) -> &PublicKey {
        &self.says
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        match &self.signs_with {
            Some(key) => Signer::sign(key, algorithm, message).await,
            None => Err(SignError::Unavailable("the HSM was unplugged".to_owned())),
        }
    }
}

#[tokio::test]
async fn a_signature_by_another_key_never_becomes_a_certificate() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let says = authority.intermediate.public_key().clone();
    for (signs_with, expected) in [
        (Some(leaf_key()), IssueError::Signature),
        (None, IssueError::Sign(SignError::Unavailable("the HSM was unplugged".to_owned()))),
    ] {
        let signer = Faulty { says: says.clone(), signs_with };
        let issuer = Issuer::new(authority.issuer.chain().clone(), Arc::new(signer)).unwrap();
        let key = leaf_key();
        let prepared =
            issuer.prepare(authority.tbs(&classic(), &["example.com"], key.public_key(), noon()), noon()).unwrap();
        assert_eq!(issuer.sign(prepared).await.unwrap_err(), expected);
    }
}

#[tokio::test]
async fn what_is_prepared_can_be_recorded_before_it_is_signed() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let prepared = authority
        .issuer
        .prepare(authority.tbs(&classic(), &["example.com"], key.public_key(), noon()), noon())
        .unwrap();
    let (serial, tbs, digest) = (prepared.serial().clone(), prepared.tbs_der().to_vec(), prepared.tbs_sha256());
    assert_eq!(certus_pki::sha256(&tbs), digest);
    assert_eq!(*prepared.names(), names(&["example.com"]));
    assert_eq!(prepared.public_key(), key.public_key());
    let certificate = authority.issuer.sign(prepared).await.unwrap();
    assert_eq!(*certificate.serial(), serial);
    assert_eq!(certificate.tbs_der(), tbs);
}

#[tokio::test]
async fn only_a_sound_chain_with_its_key_becomes_an_issuer() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let other = Authority::new(KeyAlgorithm::EcP256).await;
    let key = leaf_key();
    let leaf = authority.issue(&classic(), &["example.com"], key.public_key()).await;
    let issuer = |certificates: &[&certus_pki::Certificate], signer: PublicKey| {
        let chain = CertificateChain::new(certificates.iter().copied().cloned().collect()).unwrap();
        Issuer::new(chain, Arc::new(Faulty { says: signer, signs_with: None })).map(|issuer| issuer.id().to_owned())
    };
    let own = || authority.intermediate.public_key().clone();
    let id = issuer(&[&authority.intermediate], own()).unwrap();
    assert_eq!(id, data_encoding::HEXLOWER.encode(&authority.intermediate.sha256()[..10]));
    assert_eq!(issuer(&[&authority.intermediate, &authority.root], own()), Ok(id));
    assert!(matches!(issuer(&[&authority.intermediate], key.public_key().clone()), Err(IssuerError::Key(_))));
    assert!(matches!(issuer(&[&leaf], key.public_key().clone()), Err(IssuerError::NoSubject)));
    assert!(matches!(
        issuer(&[&authority.intermediate, &authority.intermediate], own()),
        Err(IssuerError::PathLength(_))
    ));
    assert!(matches!(
        issuer(&[&authority.root, &authority.intermediate], authority.root.public_key().clone()),
        Err(IssuerError::PathLength(_))
    ));
    // Same names, another key: the order looks right, the signature is wrong.
    assert!(matches!(issuer(&[&authority.intermediate, &other.root], own()), Err(IssuerError::Signature(_))));
}

/// RFC 8555 section 7.4.2: a client that takes an alternate chain must be able to verify its certificate by it.
#[tokio::test]
async fn only_another_chain_of_the_issuers_own_name_and_key_is_an_alternate() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let other = Authority::new(KeyAlgorithm::EcP256).await;
    let cross = async |permitted: &[DnsName]| {
        create_intermediate(
            &subject("Example Intermediate 1"),
            &other.root,
            other.root_key.as_ref(),
            authority.intermediate.public_key(),
            permitted,
            "http://pki.example.com/other.der",
            "http://pki.example.com/crl/other.crl",
            DAY * 1826,
            noon(),
        )
        .await
        .unwrap()
    };
    let crossed = cross(&[]).await;
    let chain = |certificates: &[&certus_pki::Certificate]| {
        CertificateChain::new(certificates.iter().copied().cloned().collect()).unwrap()
    };
    let with = |alternates: Vec<CertificateChain>| authority.issuer.clone().with_alternates(alternates);
    let sound = chain(&[&crossed, &other.root]);
    let issuer = with(vec![sound.clone()]).unwrap();
    assert_eq!(issuer.alternates(), std::slice::from_ref(&sound));
    // It is offered as long as it holds.
    let offered = |now| issuer.alternates_for(&names(&["a.example"]), now).count();
    assert_eq!((offered(noon()), offered(noon() + DAY * 1826)), (1, 0));
    let narrow = cross(&[DnsName::parse("b.example").unwrap()]).await;
    let issuer = with(vec![chain(&[&narrow, &other.root])]).unwrap();
    let offered = |name| issuer.alternates_for(&names(&[name]), noon()).map(|(number, _)| number).collect::<Vec<_>>();
    assert_eq!((offered("a.example"), offered("b.example")), (vec![], vec![1]));
    for (what, alternates) in [
        ("another authority's", vec![chain(&[&other.intermediate, &other.root])]),
        ("the root alone", vec![chain(&[&other.root])]),
        ("its own chain", vec![chain(&[&authority.intermediate, &authority.root])]),
        ("one twice", vec![sound.clone(), sound]),
    ] {
        assert!(matches!(with(alternates), Err(IssuerError::Alternate { .. })), "{what}");
    }
    // The right beginning, and the wrong root above it.
    let wrong = with(vec![chain(&[&crossed, &authority.root])]);
    assert!(matches!(wrong, Err(IssuerError::Signature(_))), "{wrong:?}");
}

#[test]
fn an_authority_whose_certificates_clients_would_refuse_is_no_issuer() {
    let place = Workplace::new();
    let made = |extensions: &str| {
        let ca = "[req]\ndistinguished_name=dn\n[dn]\n[v3]\nbasicConstraints=critical,CA:TRUE\n";
        place.write("req.cnf", format!("{ca}keyUsage=critical,keyCertSign,cRLSign\n{extensions}"));
        place.run(&["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-out", "ca.key"]);
        place.run(&[
            "req",
            "-x509",
            "-key",
            "ca.key",
            "-subj",
            "/CN=Other",
            "-config",
            "req.cnf",
            "-extensions",
            "v3",
            "-out",
            "ca.pem",
        ]);
        place.run(&["pkcs8", "-topk8", "-nocrypt", "-in", "ca.key", "-outform", "DER", "-out", "ca.der"]);
        let key = KeyPair::from_pkcs8(&place.read("ca.der")).unwrap();
        let pem = String::from_utf8(place.read("ca.pem")).unwrap();
        Issuer::new(CertificateChain::from_pem(&pem).unwrap(), Arc::new(key))
    };
    let servers = made("subjectKeyIdentifier=hash\nextendedKeyUsage=serverAuth\n").unwrap();
    let own = Authority::tbs_of(&servers, &classic(), leaf_key().public_key());
    assert!(own.is_ok(), "{own:?}");
    let clients = Profile { client_auth: true, ..classic() };
    let refused = Authority::tbs_of(&servers, &clients, leaf_key().public_key());
    assert!(matches!(&refused, Err(TbsError::ClientAuth { issuer, .. }) if issuer == "CN=Other"), "{refused:?}");
    let mail = made("subjectKeyIdentifier=hash\nextendedKeyUsage=emailProtection\n").map(drop);
    assert!(matches!(mail, Err(IssuerError::ExtendedKeyUsage(_))), "{mail:?}");
    let made = |extensions: &str| made(extensions).map(drop);
    assert_eq!(made("subjectKeyIdentifier=hash\n"), Ok(()));
    let bare = made("subjectKeyIdentifier=none\nauthorityKeyIdentifier=none\n");
    assert!(matches!(bare, Err(IssuerError::NoKeyIdentifier(_))), "{bare:?}");
    let unknown = made("subjectKeyIdentifier=hash\n1.2.3.4.5=critical,DER:0500\n");
    assert!(matches!(unknown, Err(IssuerError::CriticalExtension { .. })), "{unknown:?}");
    let policies = made("subjectKeyIdentifier=hash\npolicyConstraints=critical,requireExplicitPolicy:0\n");
    assert!(matches!(policies, Err(IssuerError::CriticalExtension { .. })), "{policies:?}");
}

const SUBJECT_ALT_NAME: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.17");
const KEY_USAGE: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.15");
const EXT_KEY_USAGE: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.37");
const AUTHORITY_KEY_IDENTIFIER: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.35");
const NAME_CONSTRAINTS: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.30");
const CERTIFICATE_POLICIES: certus_pki::ObjectIdentifier = certus_pki::ObjectIdentifier::new_unwrap("2.5.29.32");
