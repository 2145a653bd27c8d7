//! Certificate revocation lists: RFC 5280 section 5.

use std::sync::LazyLock;
use std::time::Duration;

use certus_pki::{
    CaSubject, Certificate, CertificateList, CrlScope, IssueError, KeyAlgorithm, KeyPair, Timestamp, create_crl,
    create_root,
};

use crate::seeds::at_once;
use crate::text::printable;

/// The input as a CRL; the same CRL made by us says the same.
pub fn crl(data: &[u8]) {
    let list = match CertificateList::parse(data) {
        Ok(list) => list,
        Err(error) => return printable(&error),
    };
    assert_eq!(list.der(), data);
    let (certificate, key) = &*AUTHORITY;
    assert!(list.verify(certificate.public_key()).is_err(), "a key that signed nothing does not verify");
    assert!(!format!("{list:?}").is_empty());
    let scope = match list.distribution_point_url() {
        Some(url) => CrlScope::Shard { url },
        None => CrlScope::Everything,
    };
    let (this, next) = (list.this_update(), list.next_update());
    match at_once(create_crl(certificate, key, list.number(), this, next, list.revoked(), scope)) {
        Ok(ours) => {
            assert_eq!(ours.verify(certificate.public_key()), Ok(()));
            assert_eq!((ours.number(), ours.this_update(), ours.next_update()), (list.number(), this, next));
            assert_eq!(ours.revoked(), list.revoked());
            assert_eq!(ours.distribution_point_url(), list.distribution_point_url());
            assert_eq!(ours.issuer_der(), certificate.subject_der());
            assert_eq!(ours.authority_key_identifier(), certificate.subject_key_identifier());
        }
        Err(IssueError::Period) => assert!(next <= this),
        Err(error) => panic!("what was read cannot be written: {error:?}"),
    }
}

static AUTHORITY: LazyLock<(Certificate, KeyPair)> = LazyLock::new(|| {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).expect("a key pair can be made");
    let subject = CaSubject { common_name: "Another Root".to_owned(), ..CaSubject::default() };
    let now = Timestamp::from_unix_seconds(1_800_000_000);
    let root = at_once(create_root(&subject, &key, Duration::from_secs(86_400), now)).expect("a root can be made");
    (root, key)
});
