//! Certification requests say what they were told to.

use certus_pki::{CertificationRequest, CsrError, KeyAlgorithm, KeyPair, SubjectName};
use certus_testkit::{CsrExtension, CsrOptions, NamesIn, csr};

fn key() -> KeyPair {
    KeyPair::generate(KeyAlgorithm::EcP256).unwrap()
}

fn names(der: &[u8]) -> Vec<String> {
    CertificationRequest::parse(der).unwrap().names().iter().map(SubjectName::to_string).collect()
}

#[test]
fn every_key_signs_a_request_of_its_own() {
    for algorithm in KeyAlgorithm::ALL {
        let key = KeyPair::generate(algorithm).unwrap();
        let request = CertificationRequest::parse(&csr(&["a.example"], &key, &CsrOptions::default()).unwrap()).unwrap();
        assert_eq!(request.public_key(), key.public_key());
    }
}

#[test]
fn names_stand_where_they_should() {
    let key = key();
    for names_in in [NamesIn::SubjectAltName, NamesIn::CommonName, NamesIn::Both] {
        let der = csr(&["a.example", "b.example"], &key, &CsrOptions { names_in, ..CsrOptions::default() }).unwrap();
        assert_eq!(names(&der), ["a.example", "b.example"], "{names_in:?}");
        let has_subject = der.windows(5).any(|octets| octets == [0x06, 0x03, 0x55, 0x04, 0x03]);
        let has_alternatives = der.windows(5).any(|octets| octets == [0x06, 0x03, 0x55, 0x1d, 0x11]);
        assert_eq!(has_subject, names_in != NamesIn::SubjectAltName);
        assert_eq!(has_alternatives, names_in != NamesIn::CommonName);
    }
    let addresses = vec!["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    let options = CsrOptions { addresses, common_name: Some("c.example".into()), ..CsrOptions::default() };
    assert_eq!(names(&csr(&["a.example"], &key, &options).unwrap()).len(), 4);
}

#[test]
fn long_requests_are_well_formed() {
    let names: Vec<String> = (0..3000).map(|number| format!("host-{number}.example")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    assert_eq!(self::names(&csr(&names, &key(), &CsrOptions::default()).unwrap()).len(), 3000);
}

#[test]
fn wrong_requests_are_wrong_in_one_thing() {
    let (key, other) = (key(), key());
    let with = |options: CsrOptions| CertificationRequest::parse(&csr(&["a.example"], &key, &options).unwrap());
    let extensions = vec![
        CsrExtension::CaTrue,
        CsrExtension::CertificateSigning,
        CsrExtension::CodeSigning,
        CsrExtension::Other { id: vec![0x2a, 3, 4], critical: true, value: vec![5, 0] },
    ];
    assert!(with(CsrOptions { extensions: extensions.clone(), ..CsrOptions::default() }).is_ok());
    let twice = vec![CsrExtension::CaTrue, CsrExtension::CaTrue];
    let duplicate = with(CsrOptions { extensions: twice, ..CsrOptions::default() });
    assert!(matches!(duplicate, Err(CsrError::DuplicateExtension(_))));
    assert_eq!(with(CsrOptions { flip_signature_bit: true, ..CsrOptions::default() }), Err(CsrError::Signature));
    let foreign = with(CsrOptions { public_key: Some(other.public_key().clone()), ..CsrOptions::default() });
    assert_eq!(foreign, Err(CsrError::Signature));
    // ecdsa-with-SHA1
    let sha1 = vec![0x30, 0x09, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x04, 0x01];
    let weak = with(CsrOptions { algorithm_der: Some(sha1), ..CsrOptions::default() });
    assert_eq!(weak, Err(CsrError::SignatureAlgorithm));
    let uri = with(CsrOptions { uris: vec!["https://a.example/".into()], ..CsrOptions::default() });
    assert_eq!(uri, Err(CsrError::NameKind("uniformResourceIdentifier")));
    let mail = with(CsrOptions { mail_addresses: vec!["a@a.example".into()], ..CsrOptions::default() });
    assert_eq!(mail, Err(CsrError::NameKind("rfc822Name")));
}
