//! Account keys as JSON: RFC 7517, RFC 7518 section 6, RFC 7638, RFC 8037 section 2.

use certus_acme::{Jwk, JwkError, ProblemKind, base64url};
use certus_pki::{KeyAlgorithm, KeyPair, check_account_key};

/// Ed25519 points of order 1, 2, 4 and 8, canonical and not, with either sign.
pub(crate) const SMALL_ORDER: [&str; 11] = [
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
    "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_AU",
    "JuiVj8KyJ7BFw_SJ8u-Y8NXfrAXTxjM5sTgCiG1T_IU",
    "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA3o",
    "xxdqcD1N2E-6PAt2DRBnDyogU_osOczGTsf9d5KsA_o",
    "7P_______________________________________38",
    "7f_______________________________________38",
    "7v_______________________________________38",
    "AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAIA",
];

const P_256: [&str; 2] = ["f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU", "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"];

fn ec(curve: &str, x: &str, y: &str) -> String {
    format!(r#"{{"kty":"EC","crv":"{curve}","x":"{x}","y":"{y}"}}"#)
}

fn rsa(n: &[u8], e: &[u8]) -> String {
    format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, base64url::encode(n), base64url::encode(e))
}

/// With which problem a key is refused, by its form or by the rules for account keys.
fn refusal(jwk: &str) -> Option<ProblemKind> {
    match Jwk::parse(jwk) {
        Ok(jwk) => check_account_key(jwk.public_key()).err().map(|_| ProblemKind::BadPublicKey),
        Err(fault) => Some(fault.problem().kind),
    }
}

// The keys with a zero octet in front of a coordinate, and their thumbprints, are Python's.
// conformance: 7638-3-01 7638-3-02 8555-8.1-01 8555-8.1-02
#[test]
fn thumbprints_are_the_known_ones() {
    let rfc_7638 = concat!(
        r#"{"kty":"RSA","n":""#,
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3",
        "oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdA",
        "ZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-",
        r#"kEgU8awapJzKnqDKgw","e":"AQAB","alg":"RS256","kid":"2011-04-29"}"#
    );
    let rfc_8037 = r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let x_starts_with_zero =
        ec("P-256", "ALkCOYuVxlwBWWfrIkwvGExMOL_rNaT5mJSa5pAOAUg", "5LeBO_gd5kLBLphDJTCLQ3zz4i8T5cImogQPtaIzt3Q");
    let y_starts_with_zero =
        ec("P-256", "_oTWno-FBLKggKGhOaifOhu0M3NmOzaA1sfMFl50354", "AAR5T7ia8V3f10ljV2jH2J0XY_Z1BP_W2JoH5xnk3m0");
    let p_384 = ec(
        "P-384",
        "AMNuvPJo9PLiDy5i7zOEaugP209zCEZSnFJnNMw6xmM9FqjB5GWZzHz8vH94VK7t",
        "CwuLIldpNqGW0rCNtqWcNZ7GYTb58u7WQaIm8eLDkdzVmWjNwolvhQraADxTvdL5",
    );
    let p_521 = ec(
        "P-521",
        "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
        "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2",
    );
    for (jwk, thumbprint) in [
        (rfc_7638, "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"),
        (rfc_8037, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"),
        (&x_starts_with_zero, "A8ntLEUuwd_2uo8WudLPQ2VhmDRh-8uB3csmBK8Lxto"),
        (&y_starts_with_zero, "INXCNiigTl6d3xaNxqBDcSGhmySZGysYzoN6S3jpEng"),
        (&p_384, "VYoAosjXBaFmxG9QY5YhyeZx3jFffeHjYZRT9PxW7sk"),
        (&p_521, "u5YUSjQ2-2chBi51NSk3t3g7IM4o2KYcnPqPtCNGd3U"),
    ] {
        assert_eq!(Jwk::parse(jwk).unwrap().thumbprint().to_string(), thumbprint, "{jwk}");
    }
}

// conformance: 7638-3-03
#[test]
fn order_white_space_and_optional_members_make_no_other_key() {
    let [x, y] = P_256;
    let plain = Jwk::parse(&ec("P-256", x, y)).unwrap();
    let dressed = format!(
        r#" {{ "y" : "{y}", "use":"sig", "kid":"1", "alg":"ES256", "x":"{x}", "ext":true, "kty":"EC", "crv":"P-256" }} "#
    );
    let dressed = Jwk::parse(&dressed).unwrap();
    assert_eq!(dressed, plain);
    assert_eq!(dressed.canonical_json(), format!(r#"{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}"#));
}

#[test]
fn every_kind_of_key_survives_its_json() {
    for kind in KeyAlgorithm::ALL {
        let key = KeyPair::generate(kind).unwrap();
        let jwk = Jwk::from_public_key(key.public_key());
        let read = Jwk::parse(jwk.canonical_json()).unwrap();
        assert_eq!(read.public_key(), key.public_key(), "{kind}");
        assert_eq!((read.thumbprint(), read.canonical_json()), (jwk.thumbprint(), jwk.canonical_json()), "{kind}");
        assert_eq!(refusal(jwk.canonical_json()), None, "{kind}");
    }
}

// conformance: 7518-6-03
#[test]
fn surplus_zeros_of_rsa_make_no_other_key() {
    let key = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let (n, e) = key.public_key().rsa_parts().unwrap();
    let padded = Jwk::parse(&rsa(&[&[0, 0], n].concat(), &[&[0], e].concat())).unwrap();
    assert_eq!(padded, Jwk::from_public_key(key.public_key()));
}

// conformance: 8555-6.2-25 8555-6.2-26 7518-3-03 7518-3-04
#[test]
fn rsa_keys_out_of_range_are_refused_with_the_reason() {
    // Odd numbers of that many bits; what else they are is not asked before.
    let modulus = |bits: usize| {
        let mut octets = vec![0x5b_u8; bits.div_ceil(8)];
        octets[0] = 1 << ((bits - 1) % 8);
        octets
    };
    let exponent = [1, 0, 1];
    for bits in [8, 512, 1024, 2047, 8193, 16_384, 400_000] {
        let fault = Jwk::parse(&rsa(&modulus(bits), &exponent)).unwrap_err().problem();
        assert_eq!(fault.kind, ProblemKind::BadPublicKey, "{bits}");
        assert!(fault.detail.contains(&bits.to_string()), "{}", fault.detail);
    }
    // Read, as certificates may have it, but no account's.
    assert_eq!(refusal(&rsa(&modulus(4104), &exponent)), Some(ProblemKind::BadPublicKey));
    let huge = [1; 256];
    for (what, e) in [("0", &[0][..]), ("1", &[1]), ("2", &[2]), ("even", &[1, 0, 0]), ("3", &[3]), ("huge", &huge)] {
        assert_eq!(refusal(&rsa(&modulus(2048), e)), Some(ProblemKind::BadPublicKey), "e = {what}");
    }
    let mut even = modulus(2048);
    even[255] = 0x5a;
    assert_eq!(refusal(&rsa(&even, &exponent)), Some(ProblemKind::BadPublicKey));
    assert_eq!(refusal(&rsa(&[], &exponent)), Some(ProblemKind::BadPublicKey));
    assert_eq!(refusal(&rsa(&[0, 0], &exponent)), Some(ProblemKind::BadPublicKey));
}

// conformance: 8555-6.2-27 7518-6-01 7518-6-02
#[test]
fn ec_keys_are_points_of_their_curve_in_full_length() {
    let [x, y] = P_256;
    let without_zero =
        base64url::encode(&base64url::decode("ALkCOYuVxlwBWWfrIkwvGExMOL_rNaT5mJSa5pAOAUg").unwrap()[1..]);
    let with_zero = base64url::encode(&[&[0], &base64url::decode(x).unwrap()[..]].concat());
    let zero = base64url::encode(&[0; 32]);
    let beyond_the_field = base64url::encode(&[0xff; 32]);
    for (what, jwk) in [
        ("not on the curve", ec("P-256", y, x)),
        ("infinity", ec("P-256", &zero, &zero)),
        ("a coordinate beyond the field", ec("P-256", &beyond_the_field, y)),
        ("a zero stripped", ec("P-256", &without_zero, "5LeBO_gd5kLBLphDJTCLQ3zz4i8T5cImogQPtaIzt3Q")),
        ("a zero in front", ec("P-256", &with_zero, y)),
        ("another curve's name", ec("P-384", x, y)),
        ("an empty coordinate", ec("P-256", "", y)),
        ("secp256k1", ec("secp256k1", x, y)),
    ] {
        assert_eq!(refusal(&jwk), Some(ProblemKind::BadPublicKey), "{what}");
    }
    assert_eq!(refusal(&ec("P-256", x, y)), None);
}

// conformance: 8555-6.2-28
#[test]
fn other_kinds_of_keys_are_refused_by_name() {
    for (name, jwk) in [
        ("Ed448", format!(r#"{{"kty":"OKP","crv":"Ed448","x":"{}"}}"#, base64url::encode(&[9; 57]))),
        ("X25519", format!(r#"{{"kty":"OKP","crv":"X25519","x":"{}"}}"#, base64url::encode(&[9; 32]))),
        ("AKP", r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.into()),
    ] {
        let problem = Jwk::parse(&jwk).unwrap_err().problem();
        assert_eq!(problem.kind, ProblemKind::BadPublicKey);
        assert!(problem.detail.contains(name) && problem.detail.contains("Ed25519"), "{}", problem.detail);
    }
}

// conformance: 8555-6.2-35
#[test]
fn private_and_symmetric_keys_are_refused_and_not_repeated() {
    let [x, y] = P_256;
    let ec = |more: &str| format!(r#"{{"kty":"EC","crv":"P-256","x":"{x}","y":"{y}",{more}}}"#);
    let mut keys: Vec<String> =
        ["d", "p", "q", "dp", "dq", "qi", "oth", "k"].iter().map(|name| ec(&format!(r#""{name}":"S3cret""#))).collect();
    keys.push(ec(r#""d":null"#));
    keys.push(r#"{"kty":"oct","k":"S3cret"}"#.into());
    for jwk in keys {
        let fault = Jwk::parse(&jwk).unwrap_err();
        assert_eq!(fault, JwkError::Private, "{jwk}");
        assert_eq!(fault.problem().kind, ProblemKind::BadPublicKey);
        assert!(!format!("{fault} {fault:?}").contains("S3cret"));
    }
}

#[test]
fn what_is_no_jwk_is_malformed() {
    let [x, y] = P_256;
    for jwk in [
        "",
        "null",
        "[]",
        "\"x\"",
        "{}",
        r#"{"kty":"EC"}"#,
        r#"{"kty":"RSA","n":"AQ"}"#,
        r#"{"kty":"RSA","e":"AQAB"}"#,
        r#"{"kty":"OKP","crv":"Ed25519"}"#,
        r#"{"kty":["EC"],"crv":"P-256"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":7}"#,
        &ec("P-256", &format!("{x}="), y),
        &ec("P-256", x, &y.replace('_', "/")),
        &ec("P-256", &format!("{}F", &x[..42]), y),
        &format!(r#"{{"kty":"EC","kty":"EC","crv":"P-256","x":"{x}","y":"{y}"}}"#),
        &format!("{}{{}}", ec("P-256", x, y)),
    ] {
        assert_eq!(refusal(jwk), Some(ProblemKind::Malformed), "{jwk}");
    }
}

#[test]
fn ed25519_points_of_small_order_are_no_keys() {
    for x in SMALL_ORDER {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{x}"}}"#);
        assert_eq!(refusal(&jwk), Some(ProblemKind::BadPublicKey), "{x}");
    }
    for octets in [0, 31, 33] {
        let jwk = format!(r#"{{"kty":"OKP","crv":"Ed25519","x":"{}"}}"#, base64url::encode(&vec![9; octets]));
        assert_eq!(refusal(&jwk), Some(ProblemKind::BadPublicKey), "{octets}");
    }
}
