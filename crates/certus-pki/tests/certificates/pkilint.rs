//! What pkilint says of our certificates and CRLs: a linter that others wrote, of the Baseline Requirements.

use std::path::{Path, PathBuf};
use std::process::Command;

use certus_pki::KeyAlgorithm;

use crate::authority::{Authority, DAY, classic, leaf_key, noon, public};

/// Where `cargo xtask test --install` puts pkilint.
fn program(name: &str) -> PathBuf {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target/pkilint/bin").join(name);
    assert!(path.is_file(), "{} is missing: run cargo xtask test --install", path.display());
    path
}

/// The codes of the findings that are errors or fatal.
fn errors(words: &[&str], file: &Path) -> Vec<String> {
    let (name, words) = words.split_first().unwrap();
    let output = Command::new(program(name)).args(words).arg(file).output().unwrap();
    let [out, err] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    assert!(err.is_empty(), "{err}");
    let grave = |line: &&str| line.contains("(ERROR)") || line.contains("(FATAL)");
    out.lines().filter(grave).map(str::trim).map(str::to_owned).collect()
}

fn lint_certificate(pem: &str) -> Vec<String> {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("leaf.pem");
    std::fs::write(&file, pem).unwrap();
    errors(&["lint_cabf_serverauth_cert", "lint", "--detect", "--severity", "ERROR"], &file)
}

// conformance: BR-4.3.1.2-01
#[tokio::test]
async fn the_default_profile_lacks_only_the_policies_of_public_authorities() {
    for algorithm in [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::Rsa2048] {
        let authority = Authority::new(algorithm).await;
        let leaf = authority.issue(&classic(), &["www.example.com", "example.com"], leaf_key().public_key()).await;
        let found = lint_certificate(&leaf.pem());
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("certificate_policies_extension_absent"), "{found:?}");
    }
}

#[tokio::test]
async fn a_public_profile_has_no_errors() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let leaf = authority.issue(&public(90), &["www.example.com", "example.com"], leaf_key().public_key()).await;
    assert_eq!(lint_certificate(&leaf.pem()), Vec::<String>::new());
}

#[tokio::test]
async fn the_lists_have_no_errors() {
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let url = Some("http://pki.example.com/crl/0011/0.crl");
    let list = authority.issuer.crl(7, noon(), noon() + DAY * 7, &[], url).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("list.pem");
    std::fs::write(&file, certus_pki::pem::encode("X509 CRL", list.der())).unwrap();
    let words = ["lint_crl", "lint", "--type", "CRL", "--profile", "BR", "--severity", "ERROR"];
    assert_eq!(errors(&words, &file), Vec::<String>::new());
}
