//! Key files as an operator meets them: written, guarded, read back, and understood by OpenSSL.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use certus_pki::{KeyAlgorithm, KeyPair, SignatureAlgorithm, SignatureEncoding, Signer};
use certus_signer::{FileSigner, KeyFileError, SealingKeys, Secret, SecretError, read_key, write_key};

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn mode(path: &Path) -> u32 {
    std::fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

fn set_mode(path: &Path, mode: u32) {
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
}

#[test]
fn a_key_is_read_back_and_nobody_else_can_read_it() {
    let directory = tempfile::tempdir().unwrap();
    for (name, algorithm, passphrase) in [
        ("plain", KeyAlgorithm::EcP256, None),
        ("encrypted", KeyAlgorithm::EcP384, Some(secret("correct horse"))),
        ("rsa", KeyAlgorithm::Rsa2048, Some(secret("correct horse"))),
    ] {
        let path = directory.path().join(name);
        let key = KeyPair::generate(algorithm).unwrap();
        write_key(&path, &key, passphrase.as_ref()).unwrap();
        assert_eq!(mode(&path), 0o600);
        let read = read_key(&path, passphrase.as_ref()).unwrap();
        assert_eq!(read.public_key(), key.public_key());
        let pem = std::fs::read_to_string(&path).unwrap();
        assert_eq!(pem.starts_with("-----BEGIN ENCRYPTED PRIVATE KEY-----"), passphrase.is_some());
        assert!(matches!(write_key(&path, &key, None), Err(KeyFileError::Write { .. })), "a key was overwritten");
    }
}

#[test]
fn a_wrong_or_missing_passphrase_is_told_apart() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    write_key(&path, &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), Some(&secret("right"))).unwrap();
    assert!(matches!(read_key(&path, Some(&secret("wrong"))), Err(KeyFileError::Passphrase(_))));
    assert!(matches!(read_key(&path, None), Err(KeyFileError::NoPassphrase(_))));
}

#[test]
fn a_key_that_others_can_read_is_refused_with_the_mend() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    write_key(&path, &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), None).unwrap();
    for exposed in [0o640, 0o604, 0o620, 0o610] {
        set_mode(&path, exposed);
        let error = FileSigner::open(&path, None).unwrap_err();
        assert!(error.to_string().contains(&format!("chmod 600 {}", path.display())), "{error}");
    }
    set_mode(&path, 0o400);
    FileSigner::open(&path, None).unwrap();
}

#[test]
fn what_is_no_key_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    let long = "x".repeat(70_000);
    for (text, expected) in [
        ("", "not a private key in PEM"),
        ("hello", "not a private key in PEM"),
        (long.as_str(), "not a private key in PEM"),
        ("-----BEGIN EC PRIVATE KEY-----\nMAA=\n-----END EC PRIVATE KEY-----\n", "openssl pkcs8 -topk8"),
        ("-----BEGIN PRIVATE KEY-----\nMAA=\n-----END PRIVATE KEY-----\n", "cannot be used"),
    ] {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        let error = read_key(&path, None).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(matches!(read_key(&directory.path().join("absent"), None), Err(KeyFileError::Read { .. })));
}

#[test]
fn openssl_reads_our_keys_and_we_read_its() {
    let directory = tempfile::tempdir().unwrap();
    let ours = directory.path().join("ours");
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    write_key(&ours, &key, Some(&secret("correct horse"))).unwrap();
    let output = Command::new("openssl")
        .args(["pkey", "-passin", "pass:correct horse", "-pubout", "-outform", "DER", "-in"])
        .arg(&ours)
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(output.stdout, key.public_key().spki_der());

    let theirs = directory.path().join("theirs");
    let status = Command::new("openssl")
        .args(["genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256", "-aes-256-cbc"])
        .args(["-pass", "pass:correct horse", "-out"])
        .arg(&theirs)
        .output()
        .unwrap();
    assert!(status.status.success());
    set_mode(&theirs, 0o600);
    read_key(&theirs, Some(&secret("correct horse"))).unwrap();
}

#[tokio::test]
async fn a_file_signs() {
    let directory = tempfile::tempdir().unwrap();
    for (name, algorithm, with) in [
        ("ec", KeyAlgorithm::EcP256, SignatureAlgorithm::EcdsaSha256),
        ("ec384", KeyAlgorithm::EcP384, SignatureAlgorithm::EcdsaSha384),
        ("rsa", KeyAlgorithm::Rsa2048, SignatureAlgorithm::RsaPkcs1Sha256),
    ] {
        let path = directory.path().join(name);
        write_key(&path, &KeyPair::generate(algorithm).unwrap(), None).unwrap();
        let signer = FileSigner::open(&path, None).unwrap();
        let signature = signer.sign(with, b"message").await.unwrap();
        signer.public_key().verify(with, SignatureEncoding::Der, b"message", &signature).unwrap();
        assert!(signer.sign(SignatureAlgorithm::Ed25519, b"message").await.is_err());
    }
}

#[test]
fn nothing_prints_a_secret() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("key");
    write_key(&path, &KeyPair::generate(KeyAlgorithm::EcP256).unwrap(), None).unwrap();
    let signer = FileSigner::open(&path, None).unwrap();
    assert!(format!("{signer:?}").contains("<secret>"));
    assert_eq!(format!("{:?}", secret("correct horse")), "<secret>");
    SealingKeys::create(&directory.path().join("sealing"), None).unwrap();
    let keys = SealingKeys::open(&directory.path().join("sealing"), None).unwrap();
    assert!(format!("{keys:?}").contains("<secret>"));
}

#[test]
fn a_secret_is_one_line_that_others_cannot_read() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("passphrase");
    for (text, expected) in
        [("a b\n", Some("a b")), ("a b", Some("a b")), ("a\r\n", Some("a")), ("a\nb\n", None), ("\n", None)]
    {
        std::fs::write(&path, text).unwrap();
        set_mode(&path, 0o600);
        assert_eq!(Secret::from_file(&path).ok().as_ref().map(Secret::reveal), expected, "{text:?}");
    }
    set_mode(&path, 0o644);
    assert!(matches!(Secret::from_file(&path), Err(SecretError::Exposed { mode: 0o644, .. })));
}

#[test]
fn a_new_sealing_key_leaves_old_values_open() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("sealing");
    SealingKeys::create(&path, None).unwrap();
    assert_eq!(mode(&path), 0o700);
    let keys = SealingKeys::open(&path, None).unwrap();
    let (old, key) = keys.current().unwrap();
    let sealed = key.seal(b"row 1", b"hmac key");
    let passphrase = secret("correct horse");
    let new = SealingKeys::add(&path, Some(&passphrase)).unwrap();
    let error = SealingKeys::open(&path, None).unwrap_err();
    assert!(error.to_string().contains("[authority.sealing]"), "{error}");
    let keys = SealingKeys::open(&path, Some(&passphrase)).unwrap();
    assert_eq!(keys.current().unwrap().0, new);
    assert_ne!(old, new);
    assert_eq!(keys.get(old).unwrap().open(b"row 1", &sealed).unwrap(), b"hmac key");
    let sealed = keys.current().unwrap().1.seal(b"row 2", b"another");
    let keys = SealingKeys::open(&path, Some(&passphrase)).unwrap();
    assert_eq!(keys.get(&new).unwrap().open(b"row 2", &sealed).unwrap(), b"another");

    let wrong = SealingKeys::open(&path, Some(&secret("wrong"))).unwrap_err();
    assert!(wrong.to_string().contains("does not open"), "{wrong}");
    // Under another name it is another key's file.
    std::fs::copy(path.join(format!("{new}.key")), path.join("00000000.key")).unwrap();
    let wrong = SealingKeys::open(&path, Some(&passphrase)).unwrap_err();
    assert!(wrong.to_string().contains("00000000.key"), "{wrong}");
    std::fs::remove_file(path.join("00000000.key")).unwrap();
    std::fs::remove_file(path.join(format!("{new}.key"))).unwrap();
    let error = SealingKeys::open(&path, None).unwrap_err();
    assert!(error.to_string().contains("restore it from a backup"), "{error}");
}
