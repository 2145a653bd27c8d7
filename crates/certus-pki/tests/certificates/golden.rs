//! Text dumps of what is made, to be reviewed by a person when they change.

use std::path::Path;

use certus_pki::{
    CrlScope, KeyPair, Profile, RevocationReason, RevokedEntry, SerialNumber, TbsCertificate, Timestamp, create_crl,
};

use crate::authority::{Authority, DAY, classic, noon, proved, public, publications};
use crate::openssl::Workplace;

/// Throwaway P-256 keys (PKCS#8), so that key identifiers in the dumps stay the same.
const ROOT_KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420ae7593d02a9099cd10779dc3017257de65e4b2983b32aefd91a1fd78134e2132a14403420004078464ceeb1692bd8c7936279c30257aa778be2b2886801142eae91fd9e4373efb2f42bc19dd0d75b425a4949b11c3b294a2bf4d2a6c6c776e59e529f8281ff3";
const INTERMEDIATE_KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b020101042041114d623f2f4edfbeae76eeb392c056df80c28b2a8464a647c872ae52d9180da1440342000472baa23e9e07eddba7af8066c9cdb0bd6a94bdf5d515f9fe380973db9a4352470508a577e0c0fa26400cc9bbf2441edd6023135f5cfae9903cc7977bbd8f0097";
const LEAF_KEY: &str = "308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420fc90ce84df96fad7b2e8a2432cf31c665b7dd22f428d825189a6df99db880278a144034200040c83edfb6b38bf8d771214153164cabeba9e6e03854fdb182dba985d392d2745c235d27aa9d181bbc028c95e8974660444a400c0d1f27a7874800c5c2f2ff058";

fn key(hex: &str) -> KeyPair {
    KeyPair::from_pkcs8(&data_encoding::HEXLOWER.decode(hex.as_bytes()).unwrap()).unwrap()
}

async fn authority(permitted: &[&str]) -> Authority {
    Authority::of(key(ROOT_KEY), key(INTERMEDIATE_KEY), permitted).await
}

fn serial(last: u8) -> SerialNumber {
    SerialNumber::from_bytes(&[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, last]).unwrap()
}

/// Compares with the file of this name; what is there now is shown in full, to be copied once it was reviewed.
fn check(name: &str, text: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/certificates/golden").join(name);
    let expected = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(expected == text, "{} is not what is made now:\n{text}", path.display());
}

fn dump_certificate(der: &[u8], options: &str) -> String {
    let workplace = Workplace::new();
    workplace.write("certificate.der", der);
    workplace.run(&["x509", "-inform", "DER", "-in", "certificate.der", "-noout", "-text", "-certopt", options])
}

/// The dump of a CRL without its signature, which is different each time.
fn dump_crl(der: &[u8]) -> String {
    let workplace = Workplace::new();
    workplace.write("list.crl", der);
    let text = workplace.run(&["crl", "-inform", "DER", "-in", "list.crl", "-noout", "-text"]);
    let signature = text.rfind("    Signature Algorithm").unwrap();
    text[..signature].to_owned()
}

#[tokio::test]
async fn certificates_of_authorities() {
    let plain = authority(&[]).await;
    check("root.txt", &dump_certificate(plain.root.der(), "no_serial,no_sigdump"));
    check("intermediate.txt", &dump_certificate(plain.intermediate.der(), "no_serial,no_sigdump"));
    let constrained = authority(&["example.com", "corp.test"]).await;
    check("intermediate-constrained.txt", &dump_certificate(constrained.intermediate.der(), "no_serial,no_sigdump"));
}

#[tokio::test]
async fn server_certificates() {
    let authority = authority(&[]).await;
    let shortlived = Profile { name: "shortlived".to_owned(), lifetime: DAY * 6, ..classic() };
    for (profile, names) in [
        (classic(), &["example.com", "www.example.com"][..]),
        (shortlived, &["example.com", "192.0.2.1", "2001:db8::1"]),
        (public(90), &["example.com"]),
    ] {
        let key = key(LEAF_KEY);
        let tbs = TbsCertificate::new(
            &profile,
            proved(names),
            key.public_key(),
            serial(17),
            &authority.issuer,
            &publications(),
            noon(),
        )
        .unwrap();
        let leaf = authority.issuer.sign(authority.issuer.prepare(tbs, noon()).unwrap()).await.unwrap();
        check(&format!("leaf-{}.txt", profile.name), &dump_certificate(leaf.der(), "no_sigdump"));
    }
}

#[tokio::test]
async fn revocation_lists() {
    let authority = authority(&[]).await;
    let at = Timestamp::parse_rfc3339("2026-11-20T08:00:00Z").unwrap();
    let entries = [
        RevokedEntry { serial: serial(1), at, reason: None },
        RevokedEntry { serial: serial(2), at, reason: Some(RevocationReason::KeyCompromise) },
    ];
    let url = publications().crl_url;
    let next = noon() + DAY * 7;
    let empty = authority.issuer.crl(1_764_000_000, noon(), next, &[], Some(&url)).await.unwrap();
    check("shard-empty.txt", &dump_crl(empty.der()));
    let filled = authority.issuer.crl(1_764_000_001, noon(), next, &entries, Some(&url)).await.unwrap();
    check("shard.txt", &dump_crl(filled.der()));
    let root = create_crl(
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
    check("root-crl.txt", &dump_crl(root.der()));
}
