//! Public keys: encodings that are read, and keys that are refused (BR 6.1.1.3, 6.1.5, 6.1.6, 7.1.3.1).

use certus_pki::{
    CryptoError, EcCurve, KeyAlgorithm, KeyError, KeyPair, KeyRefused, PublicKey, PublicKeyKind, check_account_key,
    check_subscriber_key,
};
use num_bigint::BigUint;

use crate::openssl::Workplace;

/// The SPKI that OpenSSL writes for a key made with these arguments of `genpkey`.
fn spki(genpkey: &[&str], pkey: &[&str]) -> Vec<u8> {
    let workplace = Workplace::new();
    workplace.run(&[&["genpkey", "-out", "key.pem"], genpkey].concat());
    workplace.run(&[&["pkey", "-in", "key.pem", "-pubout", "-outform", "DER", "-out", "key.der"], pkey].concat());
    workplace.read("key.der")
}

fn ec(curve: &str) -> Vec<String> {
    ["-algorithm", "EC", "-pkeyopt"]
        .map(str::to_owned)
        .into_iter()
        .chain([format!("ec_paramgen_curve:{curve}")])
        .collect()
}

fn spki_of_curve(curve: &str, pkey: &[&str]) -> Vec<u8> {
    let arguments = ec(curve);
    spki(&arguments.iter().map(String::as_str).collect::<Vec<_>>(), pkey)
}

// conformance: BR-7.1.3-01 BR-7.1.3-02
#[test]
fn keys_have_the_octets_of_the_baseline_requirements() {
    for (der, kind, identifier) in [
        (spki_of_curve("P-256", &[]), PublicKeyKind::Ec(EcCurve::P256), "301306072a8648ce3d020106082a8648ce3d030107"),
        (spki_of_curve("P-384", &[]), PublicKeyKind::Ec(EcCurve::P384), "301006072a8648ce3d020106052b81040022"),
        (spki_of_curve("P-521", &[]), PublicKeyKind::Ec(EcCurve::P521), "301006072a8648ce3d020106052b81040023"),
        (
            spki(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"], &[]),
            PublicKeyKind::Rsa { bits: 3072 },
            "300d06092a864886f70d0101010500",
        ),
        (spki(&["-algorithm", "ED25519"], &[]), PublicKeyKind::Ed25519, "300506032b6570"),
    ] {
        let key = PublicKey::from_spki_der(&der).unwrap();
        assert_eq!((key.kind(), key.spki_der()), (kind, der.as_slice()));
        assert!(data_encoding::HEXLOWER.encode(&der).contains(identifier), "{kind}");
    }
    // Without its NULL an RSA key is not taken.
    let with_null = spki(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"], &[]);
    let hex = data_encoding::HEXLOWER.encode(&with_null);
    let without = hex.replacen("30820122300d06092a864886f70d0101010500", "30820120300b06092a864886f70d010101", 1);
    assert_ne!(hex, without);
    let without = data_encoding::HEXLOWER.decode(without.as_bytes()).unwrap();
    assert_eq!(PublicKey::from_spki_der(&without), Err(KeyError::Parameters));
}

// conformance: BR-6.1.1.3-04 BR-6.1.1.3-06
#[test]
fn other_curves_forms_and_algorithms_are_not_read() {
    for curve in ["secp256k1", "P-224", "brainpoolP256r1", "prime192v1", "secp160r1"] {
        assert_eq!(PublicKey::from_spki_der(&spki_of_curve(curve, &[])), Err(KeyError::Curve), "{curve}");
    }
    let explicit = spki_of_curve("P-256", &["-ec_param_enc", "explicit"]);
    assert_eq!(PublicKey::from_spki_der(&explicit), Err(KeyError::Curve));
    for form in ["compressed", "hybrid"] {
        let der = spki_of_curve("P-256", &["-ec_conv_form", form]);
        assert_eq!(PublicKey::from_spki_der(&der), Err(KeyError::PointEncoding), "{form}");
    }
    for algorithm in ["ED448", "X25519", "X448"] {
        let der = spki(&["-algorithm", algorithm], &[]);
        assert!(matches!(PublicKey::from_spki_der(&der), Err(KeyError::Algorithm(_))), "{algorithm}");
    }
    let pss = spki(&["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], &[]);
    assert!(matches!(PublicKey::from_spki_der(&pss), Err(KeyError::Algorithm(_))));

    for (curve, name) in [(EcCurve::P256, "P-256"), (EcCurve::P384, "P-384"), (EcCurve::P521, "P-521")] {
        let der = spki_of_curve(name, &[]);
        let point = &der[der.len() - 2 * curve.field_len()..];
        let (x, y) = point.split_at(curve.field_len());
        assert!(PublicKey::ec(curve, x, y).is_ok());
        assert_eq!(PublicKey::ec(curve, y, x), Err(KeyError::PointNotOnCurve), "{name}");
        assert_eq!(PublicKey::ec(curve, &x[1..], y), Err(KeyError::PointEncoding));
        let zero = vec![0; curve.field_len()];
        assert_eq!(PublicKey::ec(curve, &zero, &zero), Err(KeyError::PointNotOnCurve), "{name}");
        let above_field = vec![0xff; curve.field_len()];
        assert_eq!(PublicKey::ec(curve, &above_field, y), Err(KeyError::PointNotOnCurve), "{name}");
        let mut off_curve = der;
        *off_curve.last_mut().unwrap() ^= 1;
        assert_eq!(PublicKey::from_spki_der(&off_curve), Err(KeyError::PointNotOnCurve), "{name}");
    }
}

#[test]
fn only_canonical_der_is_read() {
    let der = spki_of_curve("P-256", &[]);
    assert_eq!(PublicKey::from_spki_der(&[der.as_slice(), &[0]].concat()), Err(KeyError::Encoding));
    for length in 0..der.len() {
        assert!(PublicKey::from_spki_der(&der[..length]).is_err());
    }
    // The same in a longer form of length (BER).
    let longer = [&[0x30, 0x81, 0x59], &der[2..]].concat();
    assert_eq!(PublicKey::from_spki_der(&longer), Err(KeyError::Encoding));
    let (n, e) = (honest_modulus(2048), vec![1, 0, 1]);
    assert!(PublicKey::rsa(&n, &e).is_ok());
    assert_eq!(PublicKey::rsa(&[&[0], n.as_slice()].concat(), &e), Err(KeyError::Encoding));
    assert_eq!(PublicKey::rsa(&n, &[0, 1, 0, 1]), Err(KeyError::Encoding));
    assert_eq!(PublicKey::rsa(&[], &e), Err(KeyError::Encoding));
}

#[test]
fn keys_from_numbers_equal_keys_from_der() {
    let key = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let (n, e) = key.public_key().rsa_parts().unwrap();
    assert_eq!(PublicKey::rsa(n, e).unwrap(), *key.public_key());
    let key = KeyPair::generate(KeyAlgorithm::Ed25519).unwrap();
    let raw = &key.public_key().spki_der()[12..];
    assert_eq!(PublicKey::ed25519(raw).unwrap(), *key.public_key());
    assert_eq!(PublicKey::ed25519(&raw[1..]), Err(KeyError::PointEncoding));
    assert_eq!(key.public_key().rsa_parts(), None);
}

#[test]
fn private_keys_of_openssl_are_read_and_written() {
    for arguments in [
        &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"][..],
        &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"],
        &["-algorithm", "ED25519"],
    ] {
        let workplace = Workplace::new();
        workplace.run(&[&["genpkey", "-out", "key.pem"], arguments].concat());
        workplace.run(&["pkcs8", "-topk8", "-nocrypt", "-in", "key.pem", "-outform", "DER", "-out", "key.der"]);
        workplace.run(&[
            "pkey",
            "-inform",
            "DER",
            "-in",
            "key.der",
            "-pubout",
            "-outform",
            "DER",
            "-out",
            "public.der",
        ]);
        let key = KeyPair::from_pkcs8(&workplace.read("key.der")).unwrap();
        assert_eq!(key.public_key().spki_der(), workplace.read("public.der"));
        workplace.write("written.der", key.to_pkcs8());
        workplace.run(&[
            "pkey",
            "-inform",
            "DER",
            "-in",
            "written.der",
            "-pubout",
            "-outform",
            "DER",
            "-out",
            "again.der",
        ]);
        assert_eq!(workplace.read("again.der"), workplace.read("public.der"));
    }
    assert!(matches!(KeyPair::from_pkcs8(b"no key"), Err(CryptoError::Key(_))));
}

// conformance: BR-6.1.1.3-01
#[test]
fn rsa_moduli_have_2048_to_4096_bits_and_whole_octets() {
    let check = |bits| PublicKey::rsa(&honest_modulus(bits), &[1, 0, 1]).map(|key| check_subscriber_key(&key));
    for bits in [2048, 2056, 3072, 4096] {
        assert_eq!(check(bits), Ok(Ok(())), "{bits}");
    }
    for bits in [512, 1024, 2047, 8193] {
        assert_eq!(check(bits), Err(KeyError::RsaModulusLength(bits)));
    }
    for bits in [2049, 2050, 2055, 4104, 8192] {
        assert_eq!(check(bits), Ok(Err(KeyRefused::ModulusLength(bits))));
    }
}

// conformance: BR-6.1.1.3-02
#[test]
fn rsa_exponents_are_odd_and_at_least_65537() {
    let n = honest_modulus(2048);
    for e in [&[1][..], &[2], &[4], &[1, 0, 0], &[2, 0, 0, 0, 1]] {
        assert_eq!(PublicKey::rsa(&n, e), Err(KeyError::RsaExponent), "{e:?}");
    }
    for (e, expected) in [
        (&[3][..], Err(KeyRefused::SmallExponent)),
        (&[17], Err(KeyRefused::SmallExponent)),
        (&[0xff, 0xff], Err(KeyRefused::SmallExponent)),
        (&[1, 0, 1], Ok(())),
        (&[1, 0, 0, 0, 1], Ok(())),
    ] {
        let key = PublicKey::rsa(&n, e).unwrap();
        assert_eq!((check_subscriber_key(&key), check_account_key(&key)), (expected, expected), "{e:?}");
    }
}

// conformance: BR-6.1.1.3-03
#[test]
fn rsa_moduli_with_small_factors_and_powers_are_refused() {
    let even: BigUint = (BigUint::from(1_u32) << 2047) + 2_u32;
    assert_eq!(PublicKey::rsa(&even.to_bytes_be(), &[1, 0, 1]), Err(KeyError::RsaModulusEven));
    for factor in [3_u32, 5, 13, 751] {
        let top = BigUint::from(1_u32) << 2047;
        let mut n: BigUint = &top - (&top % factor) + factor;
        while !n.bit(0) || (2..factor).any(|smaller| &n % smaller == BigUint::ZERO) {
            n += factor;
        }
        assert_eq!(refused(&n), KeyRefused::SmallFactor(factor));
    }
    for (exponent, bits) in [(2, 1024), (3, 688), (5, 416), (7, 296)] {
        let root = without_small_factors(&((BigUint::from(0xffff_ffff_u32) << (bits - 32)) + 1_u32));
        let power = root.pow(exponent);
        assert_eq!(power.bits() % 8, 0, "{exponent}");
        assert_eq!(refused(&power), KeyRefused::Power, "{exponent}");
    }
}

// conformance: BR-6.1.1.3-07
#[test]
fn keys_of_the_roca_generator_are_refused() {
    // The construction of the attack's paper: M is the product of the first 126 primes, p = k M + (65537^a mod M).
    let primes: Vec<u32> = (2..702).filter(|n: &u32| (2..*n).all(|d| !n.is_multiple_of(d))).collect();
    assert_eq!(primes.len(), 126);
    let m: BigUint = primes.iter().map(|prime| BigUint::from(*prime)).product();
    let generator = BigUint::from(65_537_u32);
    let candidate = |k: u64, a: u32| BigUint::from(k) * &m + generator.modpow(&BigUint::from(a), &m);
    let top = (BigUint::from(0xf0_u32) << 1016) / &m;
    let top = u64::try_from(top).unwrap();
    let free_of_larger = |n: &BigUint| (702_u32..752).all(|divisor| n % divisor != BigUint::ZERO);
    let mut numbers = (0..)
        .map(|step| candidate(top + step * 1_000_003, 1_234_567 + 7 * u32::try_from(step).unwrap()))
        .filter(free_of_larger);
    for _ in 0..3 {
        let (p, q) = (numbers.next().unwrap(), numbers.next().unwrap());
        let n = p * q;
        assert_eq!(n.bits(), 2048);
        assert_eq!(refused(&n), KeyRefused::Roca);
    }
}

// conformance: BR-6.1.1.3-09
#[test]
fn moduli_of_close_primes_are_refused() {
    let p = without_small_factors(&((BigUint::from(0xdead_beef_u32) << 992) + 12_345_u32));
    // The next candidate, and one so far away that Fermat needs some rounds.
    for distance in [BigUint::from(2_u32), BigUint::from(1_u32) << 300, BigUint::from(1_u32) << 514] {
        let q = without_small_factors(&(&p + distance));
        assert_eq!(refused(&(&p * &q)), KeyRefused::ClosePrimes);
    }
    let far = without_small_factors(&(&p + (BigUint::from(1_u32) << 900)));
    check_subscriber_key(&PublicKey::rsa(&(&p * &far).to_bytes_be(), &[1, 0, 1]).unwrap()).unwrap();
}

// conformance: BR-6.1.1.3-04 BR-6.1.1.3-05
#[test]
fn subscribers_have_ec_and_rsa_keys_accounts_ed25519_too() {
    for algorithm in KeyAlgorithm::ALL {
        let key = KeyPair::generate(algorithm).unwrap();
        let refused = Err(KeyRefused::Kind(PublicKeyKind::Ed25519));
        let expected = if algorithm == KeyAlgorithm::Ed25519 { refused } else { Ok(()) };
        assert_eq!(check_subscriber_key(key.public_key()), expected, "{algorithm}");
        assert_eq!(check_account_key(key.public_key()), Ok(()), "{algorithm}");
    }
}

fn refused(n: &BigUint) -> KeyRefused {
    let key = PublicKey::rsa(&n.to_bytes_be(), &[1, 0, 1]).unwrap();
    assert_eq!(check_account_key(&key), check_subscriber_key(&key));
    check_subscriber_key(&key).unwrap_err()
}

/// The next odd number without factors below 752. Not a prime, as a rule: none of the rules asks for that.
fn without_small_factors(from: &BigUint) -> BigUint {
    let mut n: BigUint = from | BigUint::from(1_u32);
    while (3_u32..752).any(|divisor| &n % divisor == BigUint::ZERO) {
        n += 2_u32;
    }
    n
}

/// A modulus of this length that no rule but those about lengths minds.
fn honest_modulus(bits: usize) -> Vec<u8> {
    let digits = (0..bits / 32)
        .fold(BigUint::from(1_u32), |n, index| (n << 32) + u32::try_from(index).unwrap().wrapping_mul(2_654_435_761));
    let body = digits % (BigUint::from(1_u32) << (bits - 1));
    without_small_factors(&((BigUint::from(1_u32) << (bits - 1)) + body)).to_bytes_be()
}
