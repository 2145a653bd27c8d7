//! The certificates of authorities.

use std::time::Duration;

use certus_pki::{
    CaSubject, Certificate, CertificateChain, HierarchyError, KeyAlgorithm, KeyPair, KeyUsage, ObjectIdentifier,
    Timestamp, create_intermediate, create_root,
};

use crate::authority::{Authority, DAY, leaf_key, noon, subject, usages};

const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

// conformance: BR-7.1.2.1-01 5280-4.2-02 5280-4.2-05
#[tokio::test]
async fn the_root_is_that_of_the_baseline_requirements() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048] {
        let key = KeyPair::generate(algorithm).unwrap();
        let root = create_root(&subject("Example Root"), &key, DAY * 7300, noon()).await.unwrap();
        root.verify_signed_by(key.public_key()).unwrap();
        assert!(root.is_ca() && root.path_len().is_none());
        assert!(root.extension(BASIC_CONSTRAINTS).unwrap().0, "critical");
        assert!(root.extension(KEY_USAGE).unwrap().0, "critical");
        assert!(!root.extension(SUBJECT_KEY_IDENTIFIER).unwrap().0, "not critical");
        assert_eq!(usages(&root), [KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
        assert_eq!(root.extended_key_usage(), None);
        assert_eq!(root.subject_key_identifier(), Some(key.public_key().key_identifier().as_slice()));
        assert_eq!(root.authority_key_identifier(), root.subject_key_identifier());
        assert_eq!(root.extension_ids().count(), 4);
        let days = root.not_after().duration_since(root.not_before()).as_secs().div_ceil(86_400);
        assert!((2922..=9132).contains(&days), "{days}");
        assert!(root.not_before() <= noon() && noon().duration_since(root.not_before()) <= DAY);
        assert_eq!(root.subject_text(), "CN=Example Root,O=Example Organization,C=SE");
    }
}

// conformance: BR-7.1.2.1-02 5280-4.2-02 5280-4.2-05
#[tokio::test]
async fn the_intermediate_is_that_of_the_baseline_requirements() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let intermediate = &authority.intermediate;
    intermediate.verify_signed_by(authority.root.public_key()).unwrap();
    assert_eq!((intermediate.is_ca(), intermediate.path_len()), (true, Some(0)));
    assert_eq!(usages(intermediate), [KeyUsage::KeyCertSign, KeyUsage::CrlSign]);
    assert_eq!(intermediate.extended_key_usage(), Some([SERVER_AUTH, CLIENT_AUTH].as_slice()));
    assert_eq!(intermediate.authority_key_identifier(), authority.root.subject_key_identifier());
    let own = intermediate.public_key().key_identifier();
    assert_eq!(intermediate.subject_key_identifier(), Some(own.as_slice()));
    assert_ne!(intermediate.subject_key_identifier(), authority.root.subject_key_identifier());
    assert_eq!(intermediate.extension_ids().count(), 8);
    assert_eq!(intermediate.crl_urls(), ["http://pki.example.com/crl/root.crl"]);
    assert_eq!(intermediate.ca_issuers_urls(), ["http://pki.example.com/root.der"]);
    let critical: Vec<_> = intermediate.extension_ids().filter(|id| intermediate.extension(*id).unwrap().0).collect();
    assert_eq!(critical, [BASIC_CONSTRAINTS, KEY_USAGE]);
    let (_, policies) = intermediate.extension(ObjectIdentifier::new_unwrap("2.5.29.32")).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(policies), "300830060604551d2000", "anyPolicy");
    assert_eq!(intermediate.subject_text(), "CN=Example Intermediate 1,O=Example Organization,C=SE");
    assert_eq!(intermediate.serial().as_bytes().len(), 17);
}

// conformance: 5280-4.2-06
#[tokio::test]
async fn an_authority_with_path_length_zero_certifies_no_authority() {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let authority = Authority::of(KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), key.clone(), &[]).await;
    let beneath = intermediate_of(&authority.intermediate, &key, "http://pki.example.com/a").await;
    assert!(matches!(beneath, Err(HierarchyError::PathLength(_))), "{beneath:?}");
}

async fn intermediate_of(above: &Certificate, key: &KeyPair, url: &str) -> Result<Certificate, HierarchyError> {
    let new_key = leaf_key();
    create_intermediate(&subject("Next"), above, key, new_key.public_key(), &[], url, url, DAY * 10_000, noon()).await
}

#[tokio::test]
async fn an_intermediate_does_not_outlive_its_root() {
    let key = leaf_key();
    let root = create_root(&subject("Example Root"), &key, DAY * 3000, noon()).await.unwrap();
    let intermediate = intermediate_of(&root, &key, "http://pki.example.com/a").await.unwrap();
    assert_eq!(intermediate.not_after(), root.not_after());
    let other = leaf_key();
    assert_eq!(intermediate_of(&root, &other, "http://pki.example.com/a").await, Err(HierarchyError::RootKey));
    assert!(matches!(intermediate_of(&root, &key, "https://pki.example.com/a").await, Err(HierarchyError::Url(_))));
}

// conformance: 5280-4.1-05
#[tokio::test]
async fn times_are_utc_time_to_2049_and_generalized_time_after() {
    let key = leaf_key();
    for (end, expected) in [
        ("2049-12-31T23:59:59Z", "170d3439313233313233353935395a"),
        ("2050-01-01T00:00:00Z", "180f32303530303130313030303030305a"),
    ] {
        let lifetime = Timestamp::parse_rfc3339(end).unwrap().duration_since(noon()) + Duration::from_secs(3601);
        let root = create_root(&subject("Example Root"), &key, lifetime, noon()).await.unwrap();
        assert_eq!(root.not_after().rfc3339(), end);
        let validity = format!("170d3236313132343131303030305a{expected}");
        assert!(data_encoding::HEXLOWER.encode(root.der()).contains(&validity), "{end}");
    }
}

#[tokio::test]
async fn names_that_cannot_be_are_refused() {
    let key = leaf_key();
    let named = |common_name: &str, organization: Option<&str>, country: Option<&str>| CaSubject {
        common_name: common_name.to_owned(),
        organization: organization.map(str::to_owned),
        country: country.map(str::to_owned),
    };
    let long = "x".repeat(65);
    for bad in [
        named("", None, None),
        named("  ", None, None),
        named(&long, None, None),
        named("a\nb", None, None),
        named("Root", Some(""), None),
        named("Root", None, Some("Sweden")),
        named("Root", None, Some("se")),
    ] {
        let refused = create_root(&bad, &key, DAY * 7300, noon()).await;
        assert!(matches!(refused, Err(HierarchyError::Subject { .. })), "{bad:?}");
    }
    let odd = named("Bücher, \"Root\" + 1", None, None);
    let root = create_root(&odd, &key, DAY * 7300, noon()).await.unwrap();
    assert_eq!(root.subject_text(), "CN=Bücher\\, \\\"Root\\\" \\+ 1");
    assert_eq!(create_root(&odd, &key, Duration::ZERO, noon()).await, Err(HierarchyError::Lifetime));
}

// conformance: 8555-7.4.2-05 8555-7.4.2-03
#[tokio::test]
async fn chains_go_through_pem_unchanged() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let pem = authority.issuer.chain().to_pem();
    assert!(pem.lines().all(|line| !line.is_empty() && line.len() <= 64));
    assert_eq!(pem.lines().filter(|line| line.starts_with("-----BEGIN ")).count(), 2);
    let read = CertificateChain::from_pem(&pem).unwrap();
    assert_eq!(read, *authority.issuer.chain());
    let [first, second] = read.certificates() else { panic!() };
    first.verify_signed_by(second.public_key()).unwrap();
    assert_eq!(Certificate::from_pem(&authority.root.pem()).unwrap(), authority.root);
    assert!(Certificate::from_pem(&pem).is_err());
    assert!(CertificateChain::new(Vec::new()).is_none());
}
