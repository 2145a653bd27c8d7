//! Known answers: RFC 7515 appendix A, RFC 8037 appendix A, and signatures made by another library (Python's
//! `cryptography`, over the header and payload shown).

use certus_acme::{FlattenedJws, Jwk, JwsError, Protected, base64url, sign};
use certus_pki::KeyPair;

use crate::forge::body;

const RFC_7515_PAYLOAD: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

fn verify(jwk: &str, protected: &str, payload: &str, signature: &str) -> Result<Vec<u8>, JwsError> {
    let jws = FlattenedJws::parse(body(protected, payload, signature).as_bytes())?;
    let algorithm = jws.algorithm()?;
    let verified = jws.verify(Jwk::parse(jwk)?.public_key(), algorithm)?;
    Ok(verified.payload().to_vec())
}

#[test]
fn rs256_of_rfc_7515_a_2() {
    let jwk = concat!(
        r#"{"kty":"RSA","n":""#,
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZ",
        "S-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2",
        "R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcD",
        r#"TW9gb54h4FRWyuXpoQ","e":"AQAB"}"#
    );
    let signature = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CU",
        "Ar7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_d",
        "O--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0ig",
        "cN_IoypGlUPQGe77Rw"
    );
    let payload = verify(jwk, "eyJhbGciOiJSUzI1NiJ9", RFC_7515_PAYLOAD, signature).unwrap();
    assert!(payload.starts_with(b"{\"iss\":\"joe\",\r\n"));
}

#[test]
fn es256_of_rfc_7515_a_3() {
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;
    let signature = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let payload = verify(jwk, "eyJhbGciOiJFUzI1NiJ9", RFC_7515_PAYLOAD, signature).unwrap();
    assert!(payload.starts_with(b"{\"iss\":\"joe\",\r\n"));
}

#[test]
fn es512_of_rfc_7515_a_4() {
    let jwk = r#"{"kty":"EC","crv":"P-521","x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk","y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;
    let signature = concat!(
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2Y",
        "BJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn"
    );
    assert_eq!(verify(jwk, "eyJhbGciOiJFUzUxMiJ9", "UGF5bG9hZA", signature), Ok(b"Payload".to_vec()));
}

#[test]
fn es384_of_another_library() {
    let jwk = r#"{"crv":"P-384","kty":"EC","x":"AMNuvPJo9PLiDy5i7zOEaugP209zCEZSnFJnNMw6xmM9FqjB5GWZzHz8vH94VK7t","y":"CwuLIldpNqGW0rCNtqWcNZ7GYTb58u7WQaIm8eLDkdzVmWjNwolvhQraADxTvdL5"}"#;
    let signature = "67PRzlsWwgNg329-E8QWeKyoq-Krlkt-VqKYoNBuArGfcBfQaDI2M8Ea2uaCBVOVPIzGTe8APdUxGVZaNWdrUoRM1RDrDX0d4xQpa76nb_BTW3608fYy44rt1Py-MIjq";
    assert_eq!(verify(jwk, "eyJhbGciOiJFUzM4NCJ9", "UGF5bG9hZA", signature), Ok(b"Payload".to_vec()));
}

const RFC_8037_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
const RFC_8037_PAYLOAD: &str = "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc";

// conformance: 8037-3-01
#[test]
fn eddsa_of_rfc_8037_a_4_and_nothing_near_it() {
    let check = |jwk: &str, signature: &str| verify(jwk, "eyJhbGciOiJFZERTQSJ9", RFC_8037_PAYLOAD, signature);
    let good = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    assert_eq!(check(RFC_8037_KEY, good), Ok(b"Example of Ed25519 signing".to_vec()));
    // S + L in place of S (RFC 8032 section 5.1.7 decodes S below L alone).
    let malleated = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6KLa6_pyZkOh9Vg8wkiO1VhVsPt9g7sVvpAr_MuM0KEg";
    assert_eq!(check(RFC_8037_KEY, malleated), Err(JwsError::Signature));
    assert_eq!(check(RFC_8037_KEY, &good[..84]), Err(JwsError::Signature));
    // R is the base point and S is one: under a key of small order it would hold for every message, or every eighth.
    let mut forged = certus_acme::base64url::decode("WGZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmZmY").unwrap();
    forged.extend([1]);
    forged.extend([0; 31]);
    let forged = certus_acme::base64url::encode(&forged);
    for small_order in crate::keys::SMALL_ORDER {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{small_order}"}}"#);
        assert!(check(&jwk, &forged).is_err(), "{small_order}");
    }
}

/// RFC 8037 appendix A.1 in PKCS #8.
const RFC_8037_PRIVATE_KEY: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

#[test]
fn eddsa_requests_are_signed_as_by_another_library() {
    // Ed25519 signs the same thing always in the same way.
    let key = KeyPair::from_pkcs8(&base64url::decode(RFC_8037_PRIVATE_KEY).unwrap()).unwrap();
    let check = |protected: Protected<'_>, payload: &str, header: &str, signature: &str| {
        let (header, encoded) = (base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
        assert_eq!(sign(&key, &protected, payload.as_bytes()).unwrap(), body(&header, &encoded, signature));
    };
    check(
        Protected {
            kid: Some("https://example.com/acme/acct/evOfKhNU60wg"),
            nonce: Some("uQpSjlRb4vQVCjVYAyyUWg"),
            url: "https://example.com/acme/authz/PAniVnsZcis",
        },
        "",
        r#"{"alg":"EdDSA","kid":"https://example.com/acme/acct/evOfKhNU60wg","nonce":"uQpSjlRb4vQVCjVYAyyUWg","url":"https://example.com/acme/authz/PAniVnsZcis"}"#,
        "iEmCF3FCbWDbSOYvshSokbPUAdstYKSShfAkRV_1vH3vCY8-WHI1cBJYE94fAFgyf6TAoaDhMSs0zp5TO1zZBA",
    );
    check(
        Protected { kid: None, nonce: Some("6S8IqOGY7eL2lsGoTZYifg"), url: "https://example.com/acme/new-account" },
        r#"{"termsOfServiceAgreed":true}"#,
        r#"{"alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"nonce":"6S8IqOGY7eL2lsGoTZYifg","url":"https://example.com/acme/new-account"}"#,
        "oRl_nKWTldvCcy0eazlIB5gaim-VjWeAISnzWHtKP-yirwYnpPcTwhQlgRhljP6csA5-wRxrWPjrlrzD_XaiBg",
    );
}
