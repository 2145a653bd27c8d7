//! Certification requests: made by OpenSSL as its users make them, and by hand as attackers would.

use std::collections::BTreeSet;

use certus_pki::{
    CertificationRequest, CsrError, KeyAlgorithm, KeyError, KeyPair, KeyUsage, NameError, ObjectIdentifier,
    SignatureEncoding,
};
use der::Encode as _;
use der::asn1::{AnyRef, BitStringRef};
use der::{Tag, TagNumber};

use crate::authority::{Authority, classic, names};
use crate::openssl::Workplace;

/// A request by OpenSSL: for a key made with these arguments of `genpkey`, with more arguments for `req`.
fn request(key: &[&str], arguments: &[&str]) -> Vec<u8> {
    let workplace = Workplace::new();
    workplace.run(&[&["genpkey", "-out", "key.pem"], key].concat());
    let subject: &[&str] = if arguments.contains(&"-subj") { &[] } else { &["-subj", "/"] };
    workplace.write("req.cnf", "[req]\ndistinguished_name = dn\n[dn]\n");
    let fixed = ["req", "-new", "-key", "key.pem", "-config", "req.cnf", "-outform", "DER", "-out", "request.der"];
    workplace.run(&[&fixed[..], subject, arguments].concat());
    workplace.read("request.der")
}

const P256: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
const P384: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"];
const P521: &[&str] = &["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-521"];
const RSA: &[&str] = &["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048"];

// conformance: 8555-7.4-14 8738-3-08
#[test]
fn names_come_from_common_name_and_subject_alt_name_in_any_case() {
    for (arguments, expected) in [
        (&["-subj", "/CN=example.com"][..], &["example.com"][..]),
        (&["-addext", "subjectAltName=DNS:example.com"], &["example.com"]),
        (
            &["-subj", "/CN=b.example.com", "-addext", "subjectAltName=DNS:a.example.com"],
            &["a.example.com", "b.example.com"],
        ),
        (&["-subj", "/CN=EXAMPLE.com", "-addext", "subjectAltName=DNS:Example.COM,DNS:example.com"], &["example.com"]),
        (
            &["-addext", "subjectAltName=IP:192.0.2.1,IP:2001:db8::1,DNS:a.test"],
            &["192.0.2.1", "2001:db8::1", "a.test"],
        ),
        (&["-subj", "/C=SE/O=Example/CN=192.0.2.1"], &["192.0.2.1"]),
        (&["-subj", "/CN=a.test/CN=b.test"], &["a.test", "b.test"]),
    ] {
        let parsed = CertificationRequest::parse(&request(P256, arguments)).unwrap();
        assert_eq!(*parsed.names(), names(expected), "{arguments:?}");
    }
}

#[test]
fn every_kind_of_key_and_hash_that_clients_use_verifies() {
    for key in [P256, P384, P521, RSA] {
        for hash in ["-sha256", "-sha384", "-sha512"] {
            let der = request(key, &["-addext", "subjectAltName=DNS:example.com", hash]);
            CertificationRequest::parse(&der).unwrap();
        }
    }
}

// conformance: 5280-4.1-07 5280-4.2-08 8555-7.4-18 BR-7.1.2.7-03 BR-7.1.2.7-10 BR-7.1.2.7-13 BR-7.1.2.7-14
#[tokio::test]
async fn extensions_of_the_request_never_reach_the_certificate() {
    let der = request(
        P256,
        &[
            "-subj",
            "/C=SE/L=Lund/O=Example/OU=Web/serialNumber=1/emailAddress=a@example.com",
            "-addext",
            "subjectAltName=DNS:example.com",
            "-addext",
            "basicConstraints=critical,CA:TRUE",
            "-addext",
            "keyUsage=keyCertSign,cRLSign",
            "-addext",
            "extendedKeyUsage=codeSigning",
            "-addext",
            "nameConstraints=permitted;DNS:com",
            "-addext",
            "1.3.6.1.4.1.55555.7=DER:0500",
            "-addext",
            "tlsfeature=status_request",
        ],
    );
    let parsed = CertificationRequest::parse(&der).unwrap();
    let authority = Authority::new(KeyAlgorithm::EcP256).await;
    let leaf = authority.issue(&classic(), &["example.com"], parsed.public_key()).await;
    let ids: Vec<_> = leaf.extension_ids().collect();
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "none twice");
    for absent in ["1.3.6.1.4.1.55555.7", "2.5.29.19", "2.5.29.30", "1.3.6.1.5.5.7.1.24"] {
        assert!(!ids.contains(&ObjectIdentifier::new_unwrap(absent)), "{absent}");
    }
    assert!(!leaf.is_ca());
    assert_eq!((leaf.key_usage(KeyUsage::KeyCertSign), leaf.key_usage(KeyUsage::CrlSign)), (Some(false), Some(false)));
    assert_eq!(leaf.subject_text(), "");
    // The key stands in the certificate as it stood in the request.
    let spki = parsed.public_key().spki_der();
    for holder in [der.as_slice(), leaf.der()] {
        assert!(holder.windows(spki.len()).any(|bytes| bytes == spki));
    }
}

// conformance: 8555-7.4-19
#[test]
fn names_that_cannot_be_certified_are_refused_by_name() {
    let refused = |arguments: &[&str]| CertificationRequest::parse(&request(P256, arguments)).unwrap_err();
    assert_eq!(refused(&[]), CsrError::NoNames);
    assert_eq!(
        refused(&["-subj", "/CN=Example Web Server", "-addext", "subjectAltName=DNS:example.com"]),
        CsrError::CommonName { name: "Example Web Server".to_owned(), reason: NameError::Character(' ') }
    );
    for (name, reason) in [
        ("*.*.example.com", NameError::Wildcard),
        ("a.*.example.com", NameError::Character('*')),
        ("a_b.example.com", NameError::Character('_')),
        ("example.com.", NameError::TrailingDot),
        ("192.0.2.1", NameError::Address),
    ] {
        let error = refused(&["-addext", &format!("subjectAltName=DNS:{name}")]);
        assert_eq!(error, CsrError::DnsName { name: name.to_owned(), reason });
        assert!(error.to_string().contains(name));
    }
    for (other, kind) in [
        ("URI:http://example.com/", "uniformResourceIdentifier"),
        ("email:root@example.com", "rfc822Name"),
        ("RID:1.2.3", "registeredID"),
        ("otherName:1.2.3;UTF8:x", "otherName"),
    ] {
        assert_eq!(refused(&["-addext", &format!("subjectAltName=DNS:example.com,{other}")]), CsrError::NameKind(kind));
    }
}

// conformance: 8555-7.4-17
#[test]
fn weak_hashes_are_refused() {
    for (key, hash) in [(RSA, "-sha1"), (RSA, "-md5"), (RSA, "-sha224"), (P256, "-sha1")] {
        let der = request(key, &["-addext", "subjectAltName=DNS:example.com", hash]);
        assert_eq!(CertificationRequest::parse(&der), Err(CsrError::SignatureAlgorithm), "{hash}");
    }
}

#[test]
fn keys_that_are_not_read_are_refused() {
    let curve = |name: &str| format!("ec_paramgen_curve:{name}");
    for name in ["secp256k1", "P-224", "brainpoolP256r1"] {
        let der = request(&["-algorithm", "EC", "-pkeyopt", &curve(name)], &["-subj", "/CN=example.com"]);
        assert_eq!(CertificationRequest::parse(&der), Err(CsrError::Key(KeyError::Curve)), "{name}");
    }
    let small = request(&["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024"], &["-subj", "/CN=example.com"]);
    assert_eq!(CertificationRequest::parse(&small), Err(CsrError::Key(KeyError::RsaModulusLength(1024))));
    let pss = request(&["-algorithm", "RSA-PSS", "-pkeyopt", "rsa_keygen_bits:2048"], &["-subj", "/CN=example.com"]);
    assert!(matches!(CertificationRequest::parse(&pss), Err(CsrError::Key(KeyError::Algorithm(_)))));
}

// conformance: 8555-7.4-16
#[test]
fn a_changed_octet_anywhere_is_noticed() {
    let der = request(P256, &["-addext", "subjectAltName=DNS:example.com"]);
    for at in 0..der.len() {
        let mut changed = der.clone();
        changed[at] ^= 0x01;
        assert!(CertificationRequest::parse(&changed).is_err(), "octet {at}");
        assert!(CertificationRequest::parse(&der[..at]).is_err(), "cut at {at}");
    }
    let longer = [der.as_slice(), &[0]].concat();
    assert!(matches!(CertificationRequest::parse(&longer), Err(CsrError::Encoding(_))));
}

#[test]
fn a_request_signed_by_another_key_is_refused() {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let other = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let san = extension_request(&[alternative_name("example.com")]);
    let honest = Forged { version: 0, attributes: vec![san] };
    CertificationRequest::parse(&honest.build(&key, &key)).unwrap();
    assert_eq!(CertificationRequest::parse(&honest.build(&key, &other)), Err(CsrError::Signature));
}

/// A certificate has the key as it stood in the request, so one that is encoded otherwise than certificates have it is
/// refused, not put right; the signature under it would hold.
// conformance: 5280-4.1-07
#[test]
fn a_key_in_another_encoding_is_refused() {
    let forged = Forged { version: 0, attributes: vec![extension_request(&[alternative_name("example.com")])] };
    let parse = |spki: &[u8], key: &KeyPair| CertificationRequest::parse(&forged.build_for(spki, key));
    let refused = |error: KeyError| Err(CsrError::Key(error));

    let rsa = KeyPair::generate(KeyAlgorithm::Rsa2048).unwrap();
    let spki = rsa.public_key().spki_der();
    assert_eq!(parse(spki, &rsa).unwrap().public_key().spki_der(), spki);
    // The identifier of RSA with its NULL, and without.
    let (identifier, bits) = spki[4..].split_at(15);
    let bare = sequence(&[&identifier[2..13]]);
    assert_eq!(parse(&sequence(&[&bare, bits]), &rsa), refused(KeyError::Parameters));

    let elliptic = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let spki = elliptic.public_key().spki_der();
    assert_eq!(parse(spki, &elliptic).unwrap().public_key().spki_der(), spki);
    let (identifier, x, y) = (&spki[2..23], &spki[27..59], &spki[59..]);
    let even_or_odd = y[31] & 1;
    for (what, point) in
        [("compressed", [&[2 + even_or_odd], x].concat()), ("hybrid", [&[6 + even_or_odd], x, y].concat())]
    {
        let bits = BitStringRef::from_bytes(&point).unwrap().to_der().unwrap();
        let other = sequence(&[identifier, &bits]);
        assert_eq!(parse(&other, &elliptic), refused(KeyError::PointEncoding), "{what}");
    }
}

// conformance: 8555-7.4-19
#[test]
fn requests_with_other_versions_or_several_extension_requests_are_refused() {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    let one = || extension_request(&[alternative_name("example.com")]);
    let parse = |forged: Forged| CertificationRequest::parse(&forged.build(&key, &key));
    let accepted = parse(Forged { version: 0, attributes: vec![one()] }).unwrap();
    assert_eq!(*accepted.names(), names(&["example.com"]));
    assert_eq!(parse(Forged { version: 2, attributes: vec![one()] }), Err(CsrError::Version(2)));
    assert_eq!(parse(Forged { version: 0, attributes: vec![one(), one()] }), Err(CsrError::ExtensionRequests));
    let value = sequence(&[&alternative_name("example.com")]);
    let two_values = attribute(EXTENSION_REQUEST, &[&value, &value]);
    assert_eq!(parse(Forged { version: 0, attributes: vec![two_values] }), Err(CsrError::ExtensionRequests));
    let no_value = attribute(EXTENSION_REQUEST, &[]);
    assert_eq!(parse(Forged { version: 0, attributes: vec![no_value] }), Err(CsrError::ExtensionRequests));
    let twice = extension_request(&[alternative_name("example.com"), alternative_name("example.net")]);
    assert!(matches!(parse(Forged { version: 0, attributes: vec![twice] }), Err(CsrError::DuplicateExtension(_))));
    // Attributes beside the extension request are no harm.
    let password = attribute("1.2.840.113549.1.9.7", &[&tlv(Tag::Utf8String, b"secret")]);
    parse(Forged { version: 0, attributes: vec![password, one()] }).unwrap();
}

#[test]
fn addresses_have_4_or_16_octets() {
    let key = KeyPair::generate(KeyAlgorithm::EcP256).unwrap();
    for length in [0, 3, 5, 8, 15, 17, 32] {
        let tag = Tag::ContextSpecific { constructed: false, number: TagNumber(7) };
        let san = subject_alt_name(&tlv(tag, &vec![1; length]));
        let forged = Forged { version: 0, attributes: vec![extension_request(&[san])] };
        assert_eq!(CertificationRequest::parse(&forged.build(&key, &key)), Err(CsrError::Address), "{length}");
    }
}

const EXTENSION_REQUEST: &str = "1.2.840.113549.1.9.14";

/// A request that OpenSSL would not make.
struct Forged {
    version: u8,
    attributes: Vec<Vec<u8>>,
}

impl Forged {
    fn build(&self, certified: &KeyPair, signing: &KeyPair) -> Vec<u8> {
        self.build_for(certified.public_key().spki_der(), signing)
    }

    /// For a key in any encoding.
    fn build_for(&self, spki: &[u8], signing: &KeyPair) -> Vec<u8> {
        let attributes: Vec<u8> = self.attributes.concat();
        let info = sequence(&[
            &tlv(Tag::Integer, &[self.version]),
            &[0x30, 0x00],
            spki,
            &tlv(Tag::ContextSpecific { constructed: true, number: TagNumber(0) }, &attributes),
        ]);
        let algorithm = signing.default_signature_algorithm();
        let signature = signing.sign(algorithm, SignatureEncoding::Der, &info).unwrap();
        let signature = BitStringRef::from_bytes(&signature).unwrap().to_der().unwrap();
        sequence(&[&info, algorithm.identifier_der(), &signature])
    }
}

fn tlv(tag: Tag, contents: &[u8]) -> Vec<u8> {
    AnyRef::new(tag, contents).unwrap().to_der().unwrap()
}

fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(Tag::Sequence, &parts.concat())
}

fn attribute(id: &str, values: &[&[u8]]) -> Vec<u8> {
    let id = ObjectIdentifier::new_unwrap(id).to_der().unwrap();
    sequence(&[&id, &tlv(Tag::Set, &values.concat())])
}

fn extension_request(extensions: &[Vec<u8>]) -> Vec<u8> {
    let extensions: Vec<&[u8]> = extensions.iter().map(Vec::as_slice).collect();
    attribute(EXTENSION_REQUEST, &[&sequence(&extensions)])
}

fn alternative_name(name: &str) -> Vec<u8> {
    subject_alt_name(&tlv(Tag::ContextSpecific { constructed: false, number: TagNumber(2) }, name.as_bytes()))
}

fn subject_alt_name(general_name: &[u8]) -> Vec<u8> {
    let id = ObjectIdentifier::new_unwrap("2.5.29.17").to_der().unwrap();
    sequence(&[&id, &tlv(Tag::OctetString, &sequence(&[general_name]))])
}
