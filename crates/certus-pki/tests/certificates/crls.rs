//! CRLs: RFC 5280 section 5, BR 7.2.

use std::time::Duration;

use certus_pki::{
    CertificateList, CrlError, CrlScope, IssueError, KeyAlgorithm, RevocationReason, RevokedEntry, SerialNumber,
    Timestamp, create_crl,
};
use x509_parser::prelude::{CertificateRevocationList, FromDer as _, ParsedExtension};

use crate::authority::{Authority, DAY, noon, publications};
use crate::openssl::Workplace;

fn entry(serial: &[u8], reason: Option<RevocationReason>) -> RevokedEntry {
    let at = Timestamp::parse_rfc3339("2026-11-20T08:00:00Z").unwrap();
    RevokedEntry { serial: SerialNumber::from_bytes(serial).unwrap(), at, reason }
}

// conformance: 5280-5-01 5280-5-05 5280-5-09 5280-5-14 BR-7.1.3-03
#[tokio::test]
async fn an_empty_crl_has_the_fields_of_rfc_5280_and_no_entries() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521, KeyAlgorithm::Rsa2048] {
        let authority = Authority::new(algorithm).await;
        let url = publications().crl_url;
        let crl = authority.issuer.crl(7, noon(), noon() + DAY * 7, &[], Some(&url)).await.unwrap();
        crl.verify(authority.intermediate.public_key()).unwrap();
        assert!(crl.verify(authority.root.public_key()).is_err());
        let (rest, parsed) = CertificateRevocationList::from_der(crl.der()).unwrap();
        assert!(rest.is_empty());
        assert_eq!(parsed.version().unwrap().0, 1);
        assert_eq!(parsed.signature_algorithm, parsed.tbs_cert_list.signature);
        assert_eq!(parsed.issuer().as_raw(), authority.intermediate.subject_der());
        // thisUpdate and nextUpdate as UTCTime, then at once the extensions: no empty list of entries.
        let times_then_extensions = "170d3236313132343132303030305a170d3236313230313132303030305aa0";
        assert!(data_encoding::HEXLOWER.encode(crl.der()).contains(times_then_extensions));

        let ids: Vec<_> = parsed.extensions().iter().map(|one| (one.oid.to_id_string(), one.critical)).collect();
        let expected = [("2.5.29.35", false), ("2.5.29.20", false), ("2.5.29.28", true)];
        assert_eq!(ids, expected.map(|(id, critical)| (id.to_owned(), critical)));
        let mut extensions = parsed.extensions().iter().map(|extension| extension.parsed_extension());
        let Some(ParsedExtension::AuthorityKeyIdentifier(identifier)) = extensions.next() else { panic!() };
        let identifier = identifier.key_identifier.as_ref().unwrap().0;
        assert_eq!(Some(identifier), authority.intermediate.subject_key_identifier());
        let Some(ParsedExtension::CRLNumber(number)) = extensions.next() else { panic!() };
        assert_eq!(number.to_string(), "7");
        let Some(ParsedExtension::IssuingDistributionPoint(point)) = extensions.next() else { panic!() };
        assert!(point.only_contains_user_certs && !point.only_contains_ca_certs);
        assert!(!point.indirect_crl && !point.only_contains_attribute_certs && point.only_some_reasons.is_none());
        assert_eq!(crl.distribution_point_url(), Some(url.as_str()));
        assert_eq!((crl.number(), crl.this_update(), crl.next_update()), (7, noon(), noon() + DAY * 7));
        assert!(crl.revoked().is_empty());
    }
}

// conformance: 5280-5-06 5280-5-07
#[tokio::test]
async fn entries_carry_serial_date_and_reason_as_they_are() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let mut entries = vec![entry(&[0x01, 0x02], None), entry(&[0x00, 0xff, 0x01], None)];
    for (last, reason) in (3..).zip(RevocationReason::ALL) {
        entries.push(entry(&[0x80, last], Some(reason)));
    }
    let crl =
        authority.issuer.crl(8, noon(), noon() + DAY * 7, &entries, Some("http://a.example/0.crl")).await.unwrap();
    assert_eq!(crl.revoked(), entries);
    assert_eq!(CertificateList::parse(crl.der()).unwrap(), crl);

    let hex = data_encoding::HEXLOWER.encode(crl.der());
    let date = "170d3236313132303038303030305a";
    assert!(hex.contains(&format!("3013020201 02{date}").replace(' ', "")), "no entry extensions for unspecified");
    assert!(hex.contains(&format!("020300ff01{date}")), "a serial with its sign octet");
    for (last, code) in [(3, 1), (4, 3), (5, 4), (6, 5), (7, 9)] {
        assert!(hex.contains(&format!("02030080{last:02x}{date}300c300a0603551d1504030a01{code:02x}")), "{code}");
    }
    assert_eq!(RevocationReason::from_code(0), None);
    assert!([2, 6, 7, 8, 10].into_iter().all(|code| RevocationReason::from_code(code).is_none()));
}

#[tokio::test]
async fn the_roots_crl_covers_everything_and_openssl_checks_the_chain_with_both() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let root_crl = create_crl(
        &authority.root,
        authority.root_key.as_ref(),
        1,
        noon(),
        noon() + DAY * 365,
        &[],
        CrlScope::Everything,
    )
    .await
    .unwrap();
    assert_eq!(root_crl.distribution_point_url(), None);
    assert_eq!(root_crl.authority_key_identifier(), authority.root.subject_key_identifier());
    let url = publications().crl_url;
    let leaf = authority
        .issue(&crate::authority::classic(), &["example.com"], crate::authority::leaf_key().public_key())
        .await;
    let revoked =
        RevokedEntry { serial: leaf.serial().clone(), at: noon(), reason: Some(RevocationReason::KeyCompromise) };
    let workplace = Workplace::new();
    workplace.write("root.pem", authority.root.pem());
    workplace.write("intermediate.pem", authority.intermediate.pem());
    workplace.write("leaf.pem", leaf.pem());
    let at = (noon().unix_seconds() + 60).to_string();
    let verify = |crl: &CertificateList| {
        let mut lists = String::new();
        for (name, list) in [("root.crl", &root_crl), ("shard.crl", crl)] {
            workplace.write(name, list.der());
            lists.push_str(&workplace.run(&["crl", "-inform", "DER", "-in", name]));
        }
        workplace.write("lists.pem", lists);
        let arguments =
            ["-attime", &at, "-crl_check_all", "-extended_crl", "-CAfile", "root.pem", "-CRLfile", "lists.pem"];
        let output = workplace
            .try_run(&[&["verify"], &arguments[..], &["-untrusted", "intermediate.pem", "leaf.pem"]].concat(), b"");
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let empty = authority.issuer.crl(1, noon(), noon() + DAY * 7, &[], Some(&url)).await.unwrap();
    assert_eq!(verify(&empty), (true, String::new()));
    let with_entry = authority.issuer.crl(2, noon(), noon() + DAY * 7, &[revoked], Some(&url)).await.unwrap();
    let (accepted, errors) = verify(&with_entry);
    assert!(!accepted && errors.contains("certificate revoked"), "{errors}");
}

#[tokio::test]
async fn a_crl_that_ends_before_it_begins_is_not_signed() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    for next in [noon(), noon() - DAY, noon() + Duration::from_millis(500)] {
        assert_eq!(authority.issuer.crl(1, noon(), next, &[], None).await, Err(IssueError::Period));
    }
}

#[tokio::test]
async fn numbers_to_64_bits_and_long_lists_are_read_back() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let many: Vec<RevokedEntry> = (0..3000).map(|_| entry(SerialNumber::random().as_bytes(), None)).collect();
    for number in [0, 127, 128, u64::MAX] {
        let crl = authority.issuer.crl(number, noon(), noon() + DAY, &many, None).await.unwrap();
        assert_eq!((crl.number(), crl.revoked().len()), (number, 3000));
    }
}

#[tokio::test]
async fn a_cut_or_prolonged_crl_is_not_read() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let crl = authority.issuer.crl(1, noon(), noon() + DAY, &[entry(&[5], None)], None).await.unwrap();
    for length in 0..crl.der().len() {
        assert!(CertificateList::parse(&crl.der()[..length]).is_err());
    }
    let mut longer = crl.der().to_vec();
    longer.push(0);
    assert!(matches!(CertificateList::parse(&longer), Err(CrlError::Encoding(_))));
}
