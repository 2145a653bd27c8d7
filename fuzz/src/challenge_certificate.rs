//! Certificates that answer a challenge: RFC 8737 section 3, RFC 8738 section 6.

use std::net::Ipv4Addr;
use std::sync::LazyLock;

use certus_pki::challenge_certificate::check;
use certus_pki::{DnsName, KeyAlgorithm, KeyPair, SubjectName};

use crate::certificate::sound;
use crate::seeds::challenge::{ADDRESS, DIGEST, NAME, with_extensions};
use crate::text::printable;

/// The input as a certificate, and as the extensions of one that signs itself.
pub fn challenge_certificate(data: &[u8]) {
    judge(data);
    judge(&with_extensions(&KEY, data));
}

/// Whether a certificate is an answer, for a name and for an address: one that is, is one for the one of them alone.
fn judge(der: &[u8]) {
    let answers = SUBJECTS.each_ref().map(|subject| match check(der, subject, &DIGEST) {
        Ok(certificate) => {
            assert_eq!(certificate.der(), der);
            assert_eq!(certificate.subject_names().iter().collect::<Vec<_>>(), [subject]);
            certificate.verify_signed_by(certificate.public_key()).expect("it signed itself");
            let mut other = DIGEST;
            other[31] ^= 1;
            check(der, subject, &other).expect_err("it has one digest");
            sound(&certificate);
            true
        }
        Err(error) => {
            printable(&error);
            false
        }
    });
    assert_ne!(answers, [true, true]);
}

static SUBJECTS: LazyLock<[SubjectName; 2]> = LazyLock::new(|| {
    [SubjectName::Dns(DnsName::parse(NAME).expect("a name")), SubjectName::Ip(Ipv4Addr::from(ADDRESS).into())]
});

static KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate(KeyAlgorithm::EcP256).expect("a key pair can be made"));
