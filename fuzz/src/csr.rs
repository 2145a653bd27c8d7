//! Certification requests: RFC 2986, and the keys in them.

use std::sync::LazyLock;

use certus_pki::{
    CertificationRequest, CsrError, DnsName, KeyAlgorithm, KeyPair, PublicKey, SignatureEncoding, SubjectName,
    check_account_key, check_subscriber_key,
};

use crate::der::{SEQUENCE, bit_string, children, tlv};
use crate::text::printable;

/// The input as a request, and as one whose signature holds.
///
/// A request whose signature does not hold is refused before its names are looked at, and no fuzzer guesses a
/// signature. So the input is also given a key of ours and signed with it; then only its names can be at fault.
pub fn csr(data: &[u8]) {
    if let Err(error) = request(data) {
        printable(&error);
    }
    let Some((ours, their_key)) = signed_anew(data) else { return };
    match request(&ours) {
        Err(error @ (CsrError::Signature | CsrError::SignatureAlgorithm | CsrError::Key(_))) => {
            panic!("a request that we signed ourselves: {error}")
        }
        Ok(()) => {}
        Err(error) => printable(&error),
    }
    key(&their_key);
}

fn request(der: &[u8]) -> Result<(), CsrError> {
    let request = CertificationRequest::parse(der)?;
    assert!(!request.names().is_empty());
    for name in request.names() {
        match name {
            SubjectName::Dns(name) | SubjectName::Wildcard(name) => {
                assert_eq!(DnsName::parse(name.as_str()).as_ref(), Ok(name));
            }
            SubjectName::Ip(address) => assert_eq!(address.to_string().parse().as_ref(), Ok(address)),
        }
    }
    key(request.public_key().spki_der());
    assert_eq!(CertificationRequest::parse(der).as_ref(), Ok(&request));
    Ok(())
}

/// What is good enough for a subscriber is good enough for an account.
fn key(spki: &[u8]) {
    match PublicKey::from_spki_der(spki) {
        Ok(key) => {
            assert_eq!(key.spki_der(), spki);
            match (check_subscriber_key(&key), check_account_key(&key)) {
                (Err(refused), _) => printable(&refused),
                (Ok(()), accepted) => assert_eq!(accepted, Ok(())),
            }
        }
        Err(error) => printable(&error),
    }
}

/// The request with our key in place of its own, signed by it, and the key that was there.
fn signed_anew(der: &[u8]) -> Option<(Vec<u8>, Vec<u8>)> {
    let outer = children(der)?;
    let info = children(outer.first()?)?;
    let their_key = info.get(2)?.to_vec();
    let ours = KEY.public_key().spki_der();
    let parts = info.into_iter().enumerate().map(|(index, part)| if index == 2 { ours } else { part });
    let info = tlv(SEQUENCE, &parts.collect::<Vec<_>>().concat());
    let algorithm = KEY.default_signature_algorithm();
    let signature = KEY.sign(algorithm, SignatureEncoding::Der, &info).expect("a key in memory signs");
    let request = [&info, algorithm.identifier_der(), &bit_string(&signature)].concat();
    Some((tlv(SEQUENCE, &request), their_key))
}

static KEY: LazyLock<KeyPair> =
    LazyLock::new(|| KeyPair::generate(KeyAlgorithm::EcP256).expect("a key pair can be made"));
