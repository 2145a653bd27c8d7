//! Parsers against bytes that nobody honest sends: errors, never a panic.

use std::sync::OnceLock;

use certus_pki::{
    Certificate, CertificateChain, CertificateList, CertificationRequest, CrlScope, DnsName, KeyAlgorithm, KeyPair,
    PublicKey, RevocationReason, RevokedEntry, SerialNumber, create_crl,
};
use proptest::prelude::*;

use crate::authority::{Authority, DAY, classic, leaf_key, noon};

/// What honest parties send, to be altered.
struct Honest {
    certificates: Vec<Vec<u8>>,
    crl: Vec<u8>,
    pkcs8: Vec<u8>,
    pem: String,
}

fn honest() -> &'static Honest {
    static HONEST: OnceLock<Honest> = OnceLock::new();
    HONEST.get_or_init(|| {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let root = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
            let intermediate = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
            let authority = Authority::of(root.clone(), intermediate, &["example.com"]).await;
            let leaf = authority.issue(&classic(), &["example.com", "a.example.com"], leaf_key().public_key()).await;
            let entry =
                RevokedEntry { serial: SerialNumber::random(), at: noon(), reason: Some(RevocationReason::Superseded) };
            let scope = CrlScope::Shard { url: "http://pki.example.com/0.crl" };
            let crl = create_crl(&authority.root, &root, 1, noon(), noon() + DAY, &[entry], scope).await.unwrap();
            Honest {
                certificates: [&leaf, &authority.intermediate, &authority.root].map(|one| one.der().to_vec()).into(),
                crl: crl.der().to_vec(),
                pkcs8: root.to_pkcs8().to_vec(),
                pem: authority.issuer.chain().to_pem(),
            }
        })
    })
}

/// Reads bytes as everything; whatever is read gives its bytes back.
fn read_as_everything(bytes: &[u8]) {
    if let Ok(certificate) = Certificate::parse(bytes) {
        assert_eq!(certificate.der(), bytes);
        assert!(!certificate.subject_text().contains('\0'));
    }
    if let Ok(list) = CertificateList::parse(bytes) {
        assert_eq!(list.der(), bytes);
    }
    if let Ok(key) = PublicKey::from_spki_der(bytes) {
        assert_eq!(key.spki_der(), bytes);
    }
    if let Ok(request) = CertificationRequest::parse(bytes) {
        assert!(!request.names().is_empty());
    }
    if let Ok(key) = KeyPair::from_pkcs8(bytes) {
        assert!(format!("{key:?}").contains("<secret>"));
    }
}

#[derive(Debug, Clone)]
enum Change {
    Flip(usize, u8),
    Cut(usize, usize),
    Repeat(usize, usize),
}

impl Change {
    fn apply(&self, bytes: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let length = bytes.len();
        match *self {
            Self::Flip(at, with) => bytes[at % length] ^= with,
            Self::Cut(from, count) => {
                let from = from % length;
                bytes.drain(from..length.min(from + count % 16));
            }
            Self::Repeat(from, count) => {
                let from = from % length;
                let part = bytes[from..length.min(from + count % 16)].to_vec();
                bytes.splice(from..from, part);
            }
        }
    }
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let change = prop_oneof![
        4 => (any::<usize>(), 1_u8..).prop_map(|(at, with)| Change::Flip(at, with)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(from, count)| Change::Cut(from, count)),
        1 => (any::<usize>(), any::<usize>()).prop_map(|(from, count)| Change::Repeat(from, count)),
    ];
    prop::collection::vec(change, 1..6)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn altered_objects_are_read_or_refused(which in 0_usize..5, changes in changes()) {
        let honest = honest();
        let mut bytes = match which {
            3 => honest.crl.clone(),
            4 => honest.pkcs8.clone(),
            index => honest.certificates[index].clone(),
        };
        changes.iter().for_each(|change| change.apply(&mut bytes));
        read_as_everything(&bytes);
    }

    #[test]
    fn random_bytes_are_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        read_as_everything(&bytes);
        // The same as the contents of a SEQUENCE, so that more of it is looked at.
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        read_as_everything(&[&[0x30, 0x82, length[0], length[1]], bytes.as_slice()].concat());
    }

    #[test]
    fn an_altered_certificate_never_verifies(at in any::<usize>(), with in 1_u8..) {
        let honest = honest();
        let intermediate = Certificate::parse(&honest.certificates[1]).unwrap();
        let mut bytes = honest.certificates[0].clone();
        let at = at % bytes.len();
        bytes[at] ^= with;
        if let Ok(certificate) = Certificate::parse(&bytes) {
            prop_assert!(certificate.verify_signed_by(intermediate.public_key()).is_err());
        }
    }

    #[test]
    fn altered_pem_is_read_or_refused(changes in changes()) {
        let mut bytes = honest().pem.clone().into_bytes();
        changes.iter().for_each(|change| change.apply(&mut bytes));
        if let Ok(chain) = CertificateChain::from_pem(&String::from_utf8_lossy(&bytes)) {
            prop_assert!(!chain.certificates().is_empty());
        }
    }

    #[test]
    fn names_that_are_read_come_back_in_lower_case(text in "\\PC{0,80}") {
        if let Ok(name) = DnsName::parse(&text) {
            prop_assert_eq!(name.as_str(), text.to_ascii_lowercase());
            prop_assert_eq!(DnsName::parse(name.as_str()).unwrap(), name);
        }
    }
}
