//! Chains and CRLs that OpenSSL and webpki verify.

use std::time::Duration;

use certus_pki::{Certificate, KeyAlgorithm, KeyPair, RevocationReason, RevokedEntry};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};
use webpki::{
    BorrowedCertRevocationList, CertRevocationList, EndEntityCert, KeyUsage, RevocationCheckDepth,
    RevocationOptionsBuilder, UnknownStatusPolicy, anchor_from_trusted_cert,
};

use crate::authority::{Authority, DAY, classic, leaf_key, noon, publications};
use crate::openssl::Workplace;

const ALGORITHMS: [KeyAlgorithm; 4] =
    [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048];

// conformance: 5280-6-01
#[tokio::test]
async fn openssl_verifies_the_chain_for_servers_and_the_names() {
    for algorithm in ALGORITHMS {
        let authority = Authority::new(algorithm).await;
        let key = leaf_key();
        let leaf = authority.issue(&classic(), &["www.example.com", "192.0.2.1"], key.public_key()).await;
        let workplace = Workplace::new();
        workplace.write("root.pem", authority.root.pem());
        workplace.write("intermediate.pem", authority.intermediate.pem());
        workplace.write("leaf.pem", leaf.pem());
        let at = noon().unix_seconds().to_string();
        let arguments = [
            "verify",
            "-x509_strict",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "intermediate.pem",
            "-purpose",
            "sslserver",
            "-attime",
            &at,
        ];
        let verify = |name: &[&str]| workplace.try_run(&[&arguments[..], name, &["leaf.pem"]].concat(), b"");
        assert!(verify(&["-verify_hostname", "www.example.com"]).status.success(), "{algorithm}");
        assert!(verify(&["-verify_ip", "192.0.2.1"]).status.success(), "{algorithm}");
        assert!(!verify(&["-verify_hostname", "example.com"]).status.success(), "{algorithm}");
    }
}

fn verify_with_webpki(authority: &Authority, leaf: &Certificate, crl: Option<&[u8]>) -> Result<(), webpki::Error> {
    let root = CertificateDer::from(authority.root.der());
    let anchors = [anchor_from_trusted_cert(&root).unwrap()];
    let intermediates = [CertificateDer::from(authority.intermediate.der())];
    let leaf = CertificateDer::from(leaf.der());
    let end_entity = EndEntityCert::try_from(&leaf).unwrap();
    let list = crl.map(|der| CertRevocationList::from(BorrowedCertRevocationList::from_der(der).unwrap()));
    let lists: Vec<&CertRevocationList<'_>> = list.iter().collect();
    let revocation = (!lists.is_empty()).then(|| {
        RevocationOptionsBuilder::new(&lists)
            .unwrap()
            .with_depth(RevocationCheckDepth::EndEntity)
            .with_status_policy(UnknownStatusPolicy::Deny)
            .build()
    });
    let now = UnixTime::since_unix_epoch(Duration::from_millis(u64::try_from(noon().unix_millis()).unwrap()));
    end_entity.verify_for_usage(
        webpki::ALL_VERIFICATION_ALGS,
        &anchors,
        &intermediates,
        now,
        KeyUsage::server_auth(),
        revocation,
        None,
    )?;
    end_entity.verify_is_valid_for_subject_name(&ServerName::try_from("www.example.com").unwrap())
}

// conformance: 5280-6-01 5280-5-08
#[tokio::test]
async fn webpki_verifies_the_chain_and_finds_the_certificate_on_its_shard() {
    for algorithm in ALGORITHMS {
        let authority = Authority::new(algorithm).await;
        let leaf = authority.issue(&classic(), &["www.example.com"], leaf_key().public_key()).await;
        verify_with_webpki(&authority, &leaf, None).unwrap();

        let url = publications().crl_url;
        let next = noon() + DAY * 7;
        let empty = authority.issuer.crl(1, noon(), next, &[], Some(&url)).await.unwrap();
        verify_with_webpki(&authority, &leaf, Some(empty.der())).unwrap();
        let entry =
            RevokedEntry { serial: leaf.serial().clone(), at: noon(), reason: Some(RevocationReason::Superseded) };
        let with_entry = authority.issuer.crl(2, noon(), next, &[entry], Some(&url)).await.unwrap();
        let revoked = verify_with_webpki(&authority, &leaf, Some(with_entry.der()));
        assert!(matches!(revoked, Err(webpki::Error::CertRevoked)), "{revoked:?}");
        // The CRL of another shard says nothing about this certificate.
        let other =
            authority.issuer.crl(2, noon(), next, &[], Some("http://pki.example.com/crl/0011/1.crl")).await.unwrap();
        let unknown = verify_with_webpki(&authority, &leaf, Some(other.der()));
        assert!(matches!(unknown, Err(webpki::Error::UnknownRevocationStatus)), "{unknown:?}");
    }
}

#[tokio::test]
async fn webpki_refuses_what_the_name_constraints_leave_out() {
    let intermediate_key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let root_key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let constrained = Authority::of(root_key.clone(), intermediate_key.clone(), &["example.com"]).await;
    let inside = constrained.issue(&classic(), &["www.example.com"], leaf_key().public_key()).await;
    verify_with_webpki(&constrained, &inside, None).unwrap();

    // The same keys without constraints would sign it; beneath the constrained certificate nobody takes it.
    let free = Authority::of(root_key, intermediate_key, &[]).await;
    let outside = free.issue(&classic(), &["www.example.com", "www.example.net"], leaf_key().public_key()).await;
    let refused = verify_with_webpki(&constrained, &outside, None);
    assert!(matches!(refused, Err(webpki::Error::NameConstraintViolation)), "{refused:?}");
}
