//! Certificates: RFC 5280 section 4.

use std::hint::black_box;
use std::net::Ipv4Addr;
use std::sync::{Arc, LazyLock};

use async_trait::async_trait;
use certus_pki::{
    Certificate, CertificateChain, DnsName, Issuer, KeyAlgorithm, KeyPair, KeyUsage, PublicKey, SerialNumber,
    SignError, SignatureAlgorithm, Signer, SubjectName, Timestamp,
};

use crate::text::printable;

/// The input as a certificate: all that it says, and whether its key may issue under it.
pub fn certificate(data: &[u8]) {
    match Certificate::parse(data) {
        Ok(certificate) => {
            assert_eq!(certificate.der(), data);
            sound(&certificate);
        }
        Err(error) => printable(&error),
    }
}

/// A certificate that was read says nothing that cannot be.
pub(crate) fn sound(certificate: &Certificate) {
    let serial = certificate.serial();
    assert_eq!(SerialNumber::from_bytes(serial.as_bytes()).as_ref(), Ok(serial));
    for time in [certificate.not_before(), certificate.not_after()] {
        let again = Timestamp::parse_rfc3339(&time.rfc3339()).expect("a time that is written can be read");
        assert_eq!(again.unix_seconds(), time.unix_seconds());
    }
    let key = certificate.public_key();
    assert_eq!(PublicKey::from_spki_der(key.spki_der()).as_ref(), Ok(key));
    for name in certificate.subject_names() {
        assert!(match name {
            SubjectName::Dns(name) | SubjectName::Wildcard(name) => DnsName::parse(name.as_str()).as_ref() == Ok(name),
            SubjectName::Ip(_) => true,
        });
    }
    names_and_purposes(certificate);
    assert!(certificate.verify_signed_by(&OWN_KEY).is_err(), "a key that signed nothing does not verify");
    let self_signed = certificate.verify_signed_by(key).is_ok();
    assert!(!self_signed || certificate.signature_algorithm().is_some());
    assert_eq!(Certificate::from_pem(&certificate.pem()).as_ref(), Ok(certificate));
    may_issue(certificate);
}

fn names_and_purposes(certificate: &Certificate) {
    let mut count = 0;
    for id in certificate.extension_ids() {
        let (_critical, value) = certificate.extension(id).expect("an extension that is listed is there");
        assert!(value.len() <= certificate.der().len());
        count += 1;
    }
    assert!(certificate.is_ca() || certificate.path_len().is_none() || count > 0);
    for usage in [KeyUsage::DigitalSignature, KeyUsage::KeyCertSign, KeyUsage::CrlSign, KeyUsage::DecipherOnly] {
        assert!(certificate.key_usage(usage).is_none() || count > 0);
    }
    assert!(certificate.extended_key_usage().is_none() || count > 0);
    for url in certificate.crl_urls().iter().chain(certificate.ca_issuers_urls()) {
        assert!(url.is_ascii());
    }
    for identifier in [certificate.authority_key_identifier(), certificate.subject_key_identifier()] {
        assert!(identifier.is_none_or(|identifier| identifier.len() <= certificate.der().len()));
    }
    if let Some(constraints) = certificate.name_constraints() {
        for name in certificate.subject_names().iter().chain(&*NAMES) {
            black_box(constraints.allow(name));
        }
    }
    black_box(certificate.subject_text());
    assert!(!format!("{certificate:?} {}", certificate.serial()).is_empty());
}

/// What an authority's start asks of its certificate.
fn may_issue(certificate: &Certificate) {
    let chain = CertificateChain::new(vec![certificate.clone()]).expect("one is not none");
    match Issuer::new(chain, Arc::new(Locked(certificate.public_key().clone()))) {
        Ok(issuer) => {
            assert!(certificate.is_ca());
            for name in &*NAMES {
                let allowed = certificate.name_constraints().is_none_or(|constraints| constraints.allow(name));
                assert_eq!(issuer.permits(name), allowed);
            }
        }
        Err(error) => printable(&error),
    }
}

/// A signer whose private half is out of reach: the certificate's own key, which nobody here has.
#[derive(Debug)]
struct Locked(PublicKey);

#[async_trait]
impl Signer for Locked {
    fn public_key(&self) -> &PublicKey {
        &self.0
    }

    async fn sign(&self, _: SignatureAlgorithm, _: &[u8]) -> Result<Vec<u8>, SignError> {
        Err(SignError::Unavailable("the private half is not here".to_owned()))
    }
}

static OWN_KEY: LazyLock<PublicKey> =
    LazyLock::new(|| KeyPair::generate(KeyAlgorithm::EcP256).expect("a key pair can be made").public_key().clone());

static NAMES: LazyLock<Vec<SubjectName>> = LazyLock::new(|| {
    let names = ["example.com", "a.b.example.com", "example.net"].map(|name| DnsName::parse(name).expect("a name"));
    let address = SubjectName::Ip(Ipv4Addr::new(192, 0, 2, 1).into());
    names.into_iter().map(SubjectName::Dns).chain([address]).collect()
});
