//! Signatures and keys printed in RFCs.

use certus_pki::{EcCurve, KeyPair, PublicKey, SignatureAlgorithm, SignatureEncoding};
use data_encoding::{BASE64, BASE64URL_NOPAD, HEXLOWER};

fn base64url(text: &str) -> Vec<u8> {
    BASE64URL_NOPAD.decode(text.as_bytes()).unwrap()
}

#[test]
fn es256_of_rfc_7515_appendix_a_3() {
    let x = base64url("f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU");
    let y = base64url("x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0");
    let input = "eyJhbGciOiJFUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";
    let signature = base64url("DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q");
    let key = PublicKey::ec(EcCurve::P256, &x, &y).unwrap();
    let verify = |input: &str, signature: &[u8]| {
        key.verify(SignatureAlgorithm::EcdsaSha256, SignatureEncoding::Fixed, input.as_bytes(), signature).is_ok()
    };
    assert!(verify(input, &signature));
    assert!(!verify(&input.replacen('e', "f", 1), &signature));
    assert!(!verify(input, &signature[1..]));
    assert!(!verify(input, &[signature.as_slice(), &[0]].concat()));
    // Halves of zero, by which a careless verifier is fooled (CVE-2022-21449).
    assert!(!verify(input, &[0; 64]));
    let der = key.verify(SignatureAlgorithm::EcdsaSha256, SignatureEncoding::Der, input.as_bytes(), &signature);
    assert!(der.is_err(), "the JOSE form is not taken for DER");
    for other in [SignatureAlgorithm::EcdsaSha384, SignatureAlgorithm::RsaPkcs1Sha256, SignatureAlgorithm::Ed25519] {
        assert!(key.verify(other, SignatureEncoding::Fixed, input.as_bytes(), &signature).is_err());
    }
}

#[test]
fn es512_of_rfc_7515_appendix_a_4() {
    let x = base64url("AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk");
    let y = base64url("ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2");
    let signature = base64url(concat!(
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZq",
        "wqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8Kp",
        "EHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
    ));
    let key = PublicKey::ec(EcCurve::P521, &x, &y).unwrap();
    let input = b"eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA";
    key.verify(SignatureAlgorithm::EcdsaSha512, SignatureEncoding::Fixed, input, &signature).unwrap();
}

#[test]
fn ed25519_of_rfc_8037_appendix_a_4() {
    let key = PublicKey::ed25519(&base64url("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo")).unwrap();
    let signature = base64url("hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg");
    let input = b"eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";
    key.verify(SignatureAlgorithm::Ed25519, SignatureEncoding::Fixed, input, &signature).unwrap();
}

#[test]
fn ed25519_keys_of_rfc_8410_section_10() {
    let public = BASE64.decode(b"MCowBQYDK2VwAyEAGb9ECWmEzf6FQbrBZ9w7lshQhqowtrbLDFw4rXAxZuE=").unwrap();
    let private = BASE64.decode(b"MC4CAQAwBQYDK2VwBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC").unwrap();
    let key = KeyPair::from_pkcs8(&private).unwrap();
    assert_eq!(*key.public_key(), PublicKey::from_spki_der(&public).unwrap());
    assert_eq!(*key.to_pkcs8(), private);
}

#[test]
fn key_identifiers_are_those_of_rfc_7093_method_1() {
    // SHA-256 of the 65 octets of the point, cut to 160 bits: checked with `openssl dgst -sha256` over the point.
    let key = "3059301306072a8648ce3d020106082a8648ce3d030107034200040c83edfb6b38bf8d771214153164cabeba9e6e03854fdb182dba985d392d2745c235d27aa9d181bbc028c95e8974660444a400c0d1f27a7874800c5c2f2ff058";
    let key = PublicKey::from_spki_der(&HEXLOWER.decode(key.as_bytes()).unwrap()).unwrap();
    assert_eq!(HEXLOWER.encode(&key.key_identifier()), "5ff53aa46930543368ec664c981ca4adb2f1aa91");
    let point = &key.spki_der()[26..];
    assert_eq!(certus_pki::sha256(point)[..20], key.key_identifier());
}
