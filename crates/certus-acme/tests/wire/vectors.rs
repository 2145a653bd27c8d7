//! The vectors of RFC 7515 appendix A, RFC 7638 section 3.1 and RFC 8037 appendix A.

use certus_acme::{
    Algorithm, FlattenedJws, Jwk, JwkError, JwsError, KeyAuthorization, Protected, Token, base64url, sign,
};
use certus_pki::{KeyPair, PublicKeyKind};
use certus_testkit::Forge;

/// RFC 7515 appendix A.2.1, without its private members.
const RSA_KEY: &str = r#"{"kty":"RSA",
    "n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    "e":"AQAB"}"#;

/// RFC 7515 appendix A.3.1, without its private member.
const P256_KEY: &str = r#"{"kty":"EC","crv":"P-256",
    "x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
    "y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}"#;

/// RFC 7515 appendix A.4.1, without its private member.
const P521_KEY: &str = r#"{"kty":"EC","crv":"P-521",
    "x":"AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
    "y":"ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}"#;

/// RFC 8037 appendix A.2.
const ED25519_KEY: &str = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;

/// RFC 8037 appendix A.1 in PKCS #8.
const ED25519_PRIVATE: &str = "MC4CAQAwBQYDK2VwBCIEIJ1hsZ3v_VpguoRK9JLsLMREScVpezJpGXA7rAMcrn9g";

/// The payload of RFC 7515 appendices A.1 to A.3.
const CLAIMS: &str = "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// Name, key, algorithm, protected header, payload and signature.
const SIGNED: [(&str, &str, Algorithm, &str, &str, &str); 4] = [
    (
        "RFC 7515 A.2",
        RSA_KEY,
        Algorithm::Rs256,
        "eyJhbGciOiJSUzI1NiJ9",
        CLAIMS,
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    ),
    (
        "RFC 7515 A.3",
        P256_KEY,
        Algorithm::Es256,
        "eyJhbGciOiJFUzI1NiJ9",
        CLAIMS,
        "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q",
    ),
    (
        "RFC 7515 A.4",
        P521_KEY,
        Algorithm::Es512,
        "eyJhbGciOiJFUzUxMiJ9",
        "UGF5bG9hZA",
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgoXD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    ),
    (
        "RFC 8037 A.4",
        ED25519_KEY,
        Algorithm::EdDsa,
        "eyJhbGciOiJFZERTQSJ9",
        "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
        "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg",
    ),
];

fn flattened(protected: &str, payload: &str, signature: &str) -> FlattenedJws {
    let body = format!(r#"{{"payload":"{payload}","protected":"{protected}","signature":"{signature}"}}"#);
    FlattenedJws::parse(body.as_bytes()).unwrap()
}

#[test]
fn signatures_of_the_rfcs_verify() {
    for (name, key, algorithm, protected, payload, signature) in SIGNED {
        let jwk = Jwk::parse(key).unwrap();
        let jws = flattened(protected, payload, signature);
        assert_eq!(jws.algorithm(), Ok(algorithm), "{name}");
        let verified = jws.verify(jwk.public_key(), algorithm).unwrap();
        assert_eq!(base64url::encode(verified.payload()), payload, "{name}");
    }
}

#[test]
fn signatures_of_the_rfcs_hold_for_nothing_else() {
    for (name, key, algorithm, protected, payload, signature) in SIGNED {
        let jwk = Jwk::parse(key).unwrap();
        let refusal = |protected: &str, payload: &str, signature: &str| {
            flattened(protected, payload, signature).verify(jwk.public_key(), algorithm).err()
        };
        assert_eq!(refusal(protected, "AAAA", signature), Some(JwsError::Signature), "{name}");
        // The same header with a space in it.
        let header = base64url::decode(protected).unwrap();
        let header = base64url::encode(&[header.as_slice(), b" "].concat());
        assert_eq!(refusal(&header, payload, signature), Some(JwsError::Signature), "{name}");
        for (_, _, _, _, _, other) in SIGNED.iter().filter(|(other, ..)| *other != name) {
            assert_eq!(refusal(protected, payload, other), Some(JwsError::Signature), "{name}");
        }
        for (_, other, ..) in SIGNED.iter().filter(|(other, ..)| *other != name) {
            let other = Jwk::parse(other).unwrap();
            let refused = flattened(protected, payload, signature).verify(other.public_key(), algorithm).err();
            assert_eq!(refused, Some(JwsError::KeyMismatch(algorithm)), "{name}");
        }
    }
}

// conformance: 8555-8.1-01
#[test]
fn thumbprints_of_the_rfcs_are_computed() {
    // RFC 7638 section 3.1: members of other kinds and their order do not count.
    let rsa = r#"{"kty": "RSA", "n": "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw", "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}"#;
    let table = [
        (rsa, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (ED25519_KEY, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
    ];
    let token = Token::parse("DGyRejmCefe7v4NfDGDKfA").unwrap();
    for (key, thumbprint) in table {
        let jwk = Jwk::parse(key).unwrap();
        assert_eq!(jwk.thumbprint().to_string(), thumbprint);
        let authorization = KeyAuthorization::new(&token, &jwk.thumbprint());
        assert_eq!(authorization.as_str(), format!("DGyRejmCefe7v4NfDGDKfA.{thumbprint}"));
    }
    // RFC 8037 appendix A.3.
    let octets = "90facafea9b1556698540f70c0117a22ea37bd5cf3ed3c47093c1707282b4b89";
    let jwk = Jwk::parse(ED25519_KEY).unwrap();
    assert_eq!(data_encoding::HEXLOWER.encode(jwk.thumbprint().as_bytes()), octets);
    assert_eq!(
        jwk.canonical_json(),
        r#"{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#
    );
}

#[test]
fn a_key_of_an_rfc_with_its_private_members_is_refused() {
    let private = ED25519_KEY.replace("\"x\"", "\"d\":\"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A\",\"x\"");
    assert_eq!(Jwk::parse(&private), Err(JwkError::Private));
    for key in [RSA_KEY, P256_KEY, P521_KEY, ED25519_KEY] {
        for member in ["d", "p", "q", "dp", "dq", "qi", "oth", "k"] {
            let private = format!("{},\"{member}\":\"AQ\"}}", key.trim_end_matches('}'));
            assert_eq!(Jwk::parse(&private), Err(JwkError::Private), "{member}");
        }
    }
}

#[test]
fn canonical_forms_are_read_back() {
    for (key, kind) in [(RSA_KEY, "RSA 2048"), (P256_KEY, "EC P-256"), (P521_KEY, "EC P-521"), (ED25519_KEY, "Ed25519")]
    {
        let jwk = Jwk::parse(key).unwrap();
        assert_eq!(jwk.public_key().kind().to_string(), kind);
        assert_eq!(Jwk::parse(jwk.canonical_json()).unwrap(), jwk);
        assert_eq!(Jwk::from_public_key(jwk.public_key()), jwk);
    }
}

#[test]
fn what_is_signed_here_is_what_the_rfc_signs() {
    // Ed25519 signs the same thing always in the same way.
    let key = KeyPair::from_pkcs8(&base64url::decode(ED25519_PRIVATE).unwrap()).unwrap();
    assert_eq!(key.public_key().kind(), PublicKeyKind::Ed25519);
    let (_, _, _, protected, payload, signature) = SIGNED[3];
    let forge = Forge::new(&key, "", base64url::decode(payload).unwrap()).without("jwk").without("url");
    assert_eq!(forge.compact().unwrap(), format!("{protected}.{payload}.{signature}").into_bytes());

    // Signatures made by another implementation over the same texts.
    let kid = Protected {
        kid: Some("https://example.com/acme/acct/evOfKhNU60wg"),
        nonce: Some("uQpSjlRb4vQVCjVYAyyUWg"),
        url: "https://example.com/acme/authz/PAniVnsZcis",
    };
    let header = r#"{"alg":"EdDSA","kid":"https://example.com/acme/acct/evOfKhNU60wg","nonce":"uQpSjlRb4vQVCjVYAyyUWg","url":"https://example.com/acme/authz/PAniVnsZcis"}"#;
    let signature = "iEmCF3FCbWDbSOYvshSokbPUAdstYKSShfAkRV_1vH3vCY8-WHI1cBJYE94fAFgyf6TAoaDhMSs0zp5TO1zZBA";
    check(&key, &kid, "", header, signature);
    let jwk =
        Protected { kid: None, nonce: Some("6S8IqOGY7eL2lsGoTZYifg"), url: "https://example.com/acme/new-account" };
    let header = r#"{"alg":"EdDSA","jwk":{"crv":"Ed25519","kty":"OKP","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"},"nonce":"6S8IqOGY7eL2lsGoTZYifg","url":"https://example.com/acme/new-account"}"#;
    let signature = "oRl_nKWTldvCcy0eazlIB5gaim-VjWeAISnzWHtKP-yirwYnpPcTwhQlgRhljP6csA5-wRxrWPjrlrzD_XaiBg";
    check(&key, &jwk, r#"{"termsOfServiceAgreed":true}"#, header, signature);
}

fn check(key: &KeyPair, protected: &Protected<'_>, payload: &str, header: &str, signature: &str) {
    let (header, payload) = (base64url::encode(header.as_bytes()), base64url::encode(payload.as_bytes()));
    let expected = format!(r#"{{"protected":"{header}","payload":"{payload}","signature":"{signature}"}}"#);
    assert_eq!(sign(key, protected, &base64url::decode(&payload).unwrap()).unwrap(), expected);
}
