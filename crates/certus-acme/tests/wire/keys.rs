//! Account keys at the edges of their encodings.

use certus_acme::{
    Algorithm, FlattenedJws, Jwk, JwkError, KeyAuthorization, KeyReference, Problem, ProblemKind, Token, base64url,
};
use certus_pki::{EcCurve, KeyAlgorithm, KeyError, KeyPair, PublicKey};
use certus_testkit::Forge;

/// Keys with zero octets in front of x, of y, of both, with two of them, and on the other curves: curve, PKCS #8, x, y and
/// thumbprint, all as another implementation wrote them.
const LEADING_ZEROS: [(&str, &str, &str, &str, &str); 6] = [
    (
        "P-256",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQghCOQYBgYSG1r7M418pY6OIMaP0yeaBhgGWPsmUxiv-ShRANCAAQAhTnL2cOENAnfdT7RE9UQLFXk8RRkofWNhMiS3rs6jeWNol5rsfSTSaVFGXt8OOSRJn_XjOF0Z9u6J4bro_-8",
        "AIU5y9nDhDQJ33U-0RPVECxV5PEUZKH1jYTIkt67Oo0",
        "5Y2iXmux9JNJpUUZe3w45JEmf9eM4XRn27onhuuj_7w",
        "d0ACAgP1FFAz89NFzV9c_ax_5xMK2HU8CNvXtpUr_SE",
    ),
    (
        "P-256",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgWoDqB1MaFiZEZ97bNaiVlM2ba0J7o9VsT0_Ct7b0gLChRANCAARo2tw88GIziwWjSu2rRwF0RPIebVHLC-mFYZUWKePbsgAzm-AKGRfuKKx3-IZNxFyAIm9NPqtyFnQijc1ZF3hn",
        "aNrcPPBiM4sFo0rtq0cBdETyHm1RywvphWGVFinj27I",
        "ADOb4AoZF-4orHf4hk3EXIAib00-q3IWdCKNzVkXeGc",
        "hI4i2UR6C7k_oEzk1NjcPXE78-ciudO4smkqLycCigQ",
    ),
    (
        "P-256",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg_Rgtlou-A4yMJSfjo0-7Gp6O-jUQKiWgkpNruNZomluhRANCAAQAsi0_BZ9LO6VrAhdCMlk6wmlcZ67JM3Wtu5pH_9axfwA-gdj3FMNFRA4FFvLrSLNzf75akvq39zH0GzHGwlTo",
        "ALItPwWfSzulawIXQjJZOsJpXGeuyTN1rbuaR__WsX8",
        "AD6B2PcUw0VEDgUW8utIs3N_vlqS-rf3MfQbMcbCVOg",
        "qJi7VmUIubMBeFKuz82ZObNFiUYTHcIgQihkCflSGaU",
    ),
    (
        "P-256",
        "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgFkc34iGGE8-Ikv-ob_NLq5VwHaS-mYvxBs7llvMhrtyhRANCAAQAAEIJ1UGtL2gwxecwRY0icVvqVY3Im-3MnVVXkQ0cG0a5gd2HSE4zS5NqqItBLxktN0vSRT-cLXxAKiuB7Hn-",
        "AABCCdVBrS9oMMXnMEWNInFb6lWNyJvtzJ1VV5ENHBs",
        "RrmB3YdITjNLk2qoi0EvGS03S9JFP5wtfEAqK4Hsef4",
        "lqXOOniAFAbEyVRl20q5_q5woZVUDn4yCNmQEv0WGFs",
    ),
    (
        "P-384",
        "MIG2AgEAMBAGByqGSM49AgEGBSuBBAAiBIGeMIGbAgEBBDCq9eSsk1n_IyeWO389MHHxCl7J1KgdRpOJfm1rw8fjSfnNeGY_ET2ByQo2wTSwMIuhZANiAAQAdB-roccHpRAynRBaQDS41WjXvzqtMKu049NQvcw7gMHp44VmnitSBFUBzgCA1Ve4Qs_E9FT75RBcvDiNKpsf05q3P3EOTsFcU66nYI-BnQ37mp2PY_77BSe9G1feJ4c",
        "AHQfq6HHB6UQMp0QWkA0uNVo1786rTCrtOPTUL3MO4DB6eOFZp4rUgRVAc4AgNVX",
        "uELPxPRU--UQXLw4jSqbH9Oatz9xDk7BXFOup2CPgZ0N-5qdj2P--wUnvRtX3ieH",
        "xQGGDJCAn9yuiPvX6vEJTGMTABzZ7cOv2AQ1MUmBqUA",
    ),
    (
        "P-521",
        "MIHuAgEAMBAGByqGSM49AgEGBSuBBAAjBIHWMIHTAgEBBEIAgOgU7MhHZLuDZ-i980WMeMDlsDk0vUjnd9TXF385QtwW6hfAz7kfynn0PdSPVMW-2N-UUoeUzSdKkA57bQE2dYKhgYkDgYYABACnMwQlrzPTVc0fIBBwqmlhNk5TrdOQClHl6ad7gHnRs-pfVVIbrMwX1xsQU6H14Qnyq0wZ2qC9VxHKhgyDbzN3JQAAQjpCLMdng39u-egp0pqcTIGfuAEVPzMTIz6GTA2GyLn4OZkmJZ5vzxIhjIoBFCCFlpCgPcxbAw7HytsbwUcXNg",
        "AKczBCWvM9NVzR8gEHCqaWE2TlOt05AKUeXpp3uAedGz6l9VUhuszBfXGxBTofXhCfKrTBnaoL1XEcqGDINvM3cl",
        "AABCOkIsx2eDf2756CnSmpxMgZ-4ARU_MxMjPoZMDYbIufg5mSYlnm_PEiGMigEUIIWWkKA9zFsDDsfK2xvBRxc2",
        "GmRYYRZq_T3o7GGrStK0ygMN20YDMz_UCQ6yB4-7KyM",
    ),
];

// conformance: 8555-8.1-01 8555-8.1-02
#[test]
fn coordinates_keep_their_leading_zeros() {
    let token = Token::parse("DGyRejmCefe7v4NfDGDKfA").unwrap();
    for (curve, private, x, y, thumbprint) in LEADING_ZEROS {
        let key = KeyPair::from_pkcs8(&base64url::decode(private).unwrap()).unwrap();
        let canonical = format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#);
        let jwk = Jwk::from_public_key(key.public_key());
        assert_eq!(jwk.canonical_json(), canonical);
        assert_eq!(jwk.thumbprint().to_string(), thumbprint);
        assert_eq!(Jwk::parse(&canonical).as_ref(), Ok(&jwk));
        let authorization = KeyAuthorization::new(&token, &jwk.thumbprint());
        assert_eq!(authorization.as_str(), format!("DGyRejmCefe7v4NfDGDKfA.{thumbprint}"));

        // Such a key signs requests and is read out of them.
        let body = Forge::new(&key, "https://ca.example/acme/new-account", "{}").body().unwrap();
        let jws = FlattenedJws::parse(&body).unwrap();
        let KeyReference::Jwk(read) = jws.key_reference().unwrap() else { panic!("{jws:?}") };
        assert_eq!(read, jwk);
        assert!(jws.verify(read.public_key(), Algorithm::of(read.public_key())).is_ok());
    }
}

#[test]
fn coordinates_of_another_length_are_refused() {
    for (curve, _, x, y, _) in LEADING_ZEROS {
        let octets = |text: &str| base64url::decode(text).unwrap();
        let shorter = |text: &str| base64url::encode(&octets(text)[1..]);
        let longer = |text: &str| base64url::encode(&[&[0], octets(text).as_slice()].concat());
        for (x, y) in [(shorter(x), y.to_owned()), (x.to_owned(), longer(y)), (longer(x), longer(y))] {
            let json = format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#);
            let error = Jwk::parse(&json).unwrap_err();
            assert_eq!(error, JwkError::CoordinateLength);
            assert_eq!(error.problem().kind, ProblemKind::BadPublicKey);
        }
    }
}

// conformance: 8555-8.1-02
#[test]
fn surplus_zeros_of_rsa_keys_do_not_count() {
    let key = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let right = Jwk::from_public_key(key.public_key());
    let (n, e) = key.public_key().rsa_parts().unwrap();
    for zeros in 0..4 {
        let padded = |number: &[u8]| base64url::encode(&[vec![0; zeros].as_slice(), number].concat());
        let json = format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, padded(n), padded(e));
        let read = Jwk::parse(&json).unwrap();
        assert_eq!((&read, read.thumbprint()), (&right, right.thumbprint()), "{zeros}");
    }
    assert_eq!(base64url::encode(e), "AQAB");
}

fn refusal(json: &str) -> Problem {
    match Jwk::parse(json) {
        Ok(_) => panic!("{json} was accepted"),
        Err(error) => error.problem(),
    }
}

// conformance: 8555-6.2-25 8555-6.2-26
#[test]
fn small_and_odd_rsa_keys_are_refused_with_the_reason() {
    let rsa = |n: &[u8], e: &[u8]| {
        format!(r#"{{"kty":"RSA","n":"{}","e":"{}"}}"#, base64url::encode(n), base64url::encode(e))
    };
    let odd = |octets: usize| vec![0xff; octets];
    for (json, reason) in [
        (rsa(&odd(128), &[1, 0, 1]), "1024 bits"),
        (rsa(&[&[0x7f], odd(255).as_slice()].concat(), &[1, 0, 1]), "2047 bits"),
        (rsa(&odd(2048), &[1, 0, 1]), "16384 bits"),
        (rsa(&[odd(255).as_slice(), &[0xfe]].concat(), &[1, 0, 1]), "even"),
        (rsa(&odd(256), &[1]), "exponent"),
        (rsa(&odd(256), &[2]), "exponent"),
        (rsa(&[0; 256], &[1, 0, 1]), "no valid key"),
        (rsa(&odd(256), &[]), "no valid key"),
    ] {
        let problem = refusal(&json);
        assert_eq!((problem.kind, problem.status), (ProblemKind::BadPublicKey, 400), "{problem}");
        assert!(problem.detail.contains(reason), "{problem}");
    }
}

// conformance: 8555-6.2-27
#[test]
fn points_that_are_on_no_curve_are_refused() {
    let (_, _, x, y, _) = LEADING_ZEROS[0];
    let ec = |curve: &str, x: &str, y: &str| format!(r#"{{"crv":"{curve}","kty":"EC","x":"{x}","y":"{y}"}}"#);
    assert!(Jwk::parse(&ec("P-256", x, y)).is_ok());
    let zeros = base64url::encode(&[0; 32]);
    // p itself, which is zero for who reduces.
    let field =
        data_encoding::HEXLOWER.decode(b"ffffffff00000001000000000000000000000000ffffffffffffffffffffffff").unwrap();
    let field = base64url::encode(&field);
    for (x, y) in [(y, x), (x, x), (&zeros, &zeros), (&field, y), (&field, &field), (x, &zeros)] {
        let json = ec("P-256", x, y);
        assert_eq!(Jwk::parse(&json), Err(JwkError::Key(KeyError::PointNotOnCurve)), "{json}");
        assert_eq!(refusal(&json).kind, ProblemKind::BadPublicKey);
    }
    // The right point under the name of another curve.
    for curve in ["P-384", "P-521"] {
        assert_eq!(refusal(&ec(curve, x, y)).kind, ProblemKind::BadPublicKey, "{curve}");
    }
}

// conformance: 8555-6.2-28
#[test]
fn kinds_of_keys_that_are_not_supported_are_refused_by_name() {
    let x57 = base64url::encode(&[7; 57]);
    for (json, name) in [
        (format!(r#"{{"kty":"OKP","crv":"Ed448","x":"{x57}"}}"#), "Ed448"),
        (r#"{"kty":"OKP","crv":"X25519","x":"3p7bfXt9wbTTW2HC7OQ1Nz-DQ8hbeGdNrfx-FG-IK08"}"#.into(), "X25519"),
        (r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#.into(), "secp256k1"),
        (r#"{"kty":"EC","crv":"p-256","x":"AA","y":"AA"}"#.into(), "p-256"),
        (r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#.into(), "AKP"),
        (r#"{"kty":"ec","crv":"P-256"}"#.into(), "ec"),
        (r#"{"kty":"oct"}"#.into(), "oct"),
    ] {
        let problem = refusal(&json);
        assert_eq!((problem.kind, problem.status), (ProblemKind::BadPublicKey, 400), "{problem}");
        assert!(problem.detail.contains(name), "{problem}");
    }
}

// conformance: 8555-6.2-35
#[test]
fn a_private_key_is_refused_and_never_repeated() {
    for json in [
        r#"{"kty":"OKP","crv":"Ed25519","d":"c2VjcmV0c2VjcmV0","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"oct","k":"c2VjcmV0c2VjcmV0"}"#,
        r#"{"kty":"RSA","n":"AQ","e":"AQAB","p":"c2VjcmV0c2VjcmV0"}"#,
        r#"{"kty":"RSA","n":"AQ","e":"AQAB","oth":[{"r":"c2VjcmV0c2VjcmV0"}]}"#,
        r#"{"kty":"EC","d":["c2VjcmV0c2VjcmV0"]}"#,
    ] {
        let problem = refusal(json);
        assert_eq!((problem.kind, problem.status), (ProblemKind::BadPublicKey, 400), "{problem}");
        assert!(!problem.detail.contains("c2VjcmV0"), "{problem}");
    }
}

#[test]
fn a_text_that_is_no_key_is_malformed() {
    for json in [
        "",
        "null",
        "[]",
        "{}",
        r#"{"kty":7}"#,
        r#"{"kty":"EC"}"#,
        r#"{"kty":"OKP"}"#,
        r#"{"kty":"EC","crv":"P-256","x":"AA"}"#,
        r#"{"kty":"EC","crv":"P-256","x":7,"y":7}"#,
        r#"{"kty":"RSA","n":"AQ"}"#,
        r#"{"kty":"RSA","n":"AQ==","e":"AQAB"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#,
        r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURp"}"#,
    ] {
        assert_eq!(refusal(json).kind, ProblemKind::Malformed, "{json}");
    }
}

#[test]
fn every_kind_of_key_has_a_form_that_is_read_back() {
    for algorithm in KeyAlgorithm::ALL {
        let key = KeyPair::generate(algorithm).unwrap();
        let jwk = Jwk::from_public_key(key.public_key());
        assert_eq!(Jwk::parse(jwk.canonical_json()).as_ref(), Ok(&jwk), "{algorithm}");
        assert_eq!(jwk.public_key(), key.public_key());
    }
    assert!(PublicKey::ec(EcCurve::P256, &[0; 32], &[0; 32]).is_err());
}
