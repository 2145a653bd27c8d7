//! A request and a certificate, octet by octet: with more in them than Certus itself writes.

use certus_pki::{Certificate, KeyPair, PublicKey, SignatureEncoding};

use crate::der::{INTEGER, SEQUENCE, SET, bit_string, tlv};

const BOOLEAN: u8 = 0x01;
const OCTET_STRING: u8 = 0x04;
const NULL: u8 = 0x05;
const OBJECT_IDENTIFIER: u8 = 0x06;
const UTF8_STRING: u8 = 0x0c;
const PRINTABLE_STRING: u8 = 0x13;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const ENUMERATED: u8 = 0x0a;

/// 2.5.4.3
const COMMON_NAME: &[u8] = &[0x55, 0x04, 0x03];
/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
/// 1.2.840.113549.1.9.7
const CHALLENGE_PASSWORD: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x07];

/// A dNSName, and an iPAddress of either length.
pub(super) fn server_names() -> Vec<Vec<u8>> {
    let mut v6 = [0; 16];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    vec![tlv(0x82, b"a.example"), tlv(0x82, b"xn--bcher-kva.example"), tlv(0x87, &[192, 0, 2, 1]), tlv(0x87, &v6)]
}

/// A request (RFC 2986) with these `GeneralName`s and attributes besides.
pub(super) fn csr(key: &KeyPair, common_name: Option<&str>, names: &[Vec<u8>]) -> Vec<u8> {
    let mut attributes = attribute(CHALLENGE_PASSWORD, &tlv(UTF8_STRING, b"secret"));
    if !names.is_empty() {
        let extensions = [
            extension(0x11, false, &tlv(SEQUENCE, &names.concat())),
            extension(0x0f, true, &tlv(0x03, &[5, 0xa0])),
            extension(0x13, true, &tlv(SEQUENCE, &tlv(BOOLEAN, &[0xff]))),
        ];
        attributes.extend(attribute(EXTENSION_REQUEST, &tlv(SEQUENCE, &extensions.concat())));
    }
    let subject = common_name.map(|text| relative_name(UTF8_STRING, text)).unwrap_or_default();
    let info = [&tlv(INTEGER, &[0]), &tlv(SEQUENCE, &subject), key.public_key().spki_der(), &tlv(0xa0, &attributes)];
    signed(key, &tlv(SEQUENCE, &info.concat()))
}

/// A certificate (RFC 5280) with every extension that Certus reads, and every kind of name.
pub(super) fn leaf(issuer: &Certificate, issuer_key: &KeyPair, key: &PublicKey) -> Vec<u8> {
    let server_auth = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x01];
    let ca_issuers = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x30, 0x02];
    let domain_validated = [0x67, 0x81, 0x0c, 0x01, 0x02, 0x01];
    let url = tlv(0x86, b"http://pki.example.com/x");
    let directory_name = tlv(0xa4, &tlv(SEQUENCE, &relative_name(PRINTABLE_STRING, "Example")));
    let mut names = server_names();
    names.extend([
        tlv(0xa0, &[tlv(OBJECT_IDENTIFIER, &[0x2a, 0x03]), tlv(0xa0, &tlv(UTF8_STRING, b"x"))].concat()),
        tlv(0x81, b"a@example.com"),
        tlv(0x82, b"*.example.com"),
        directory_name.clone(),
        url.clone(),
        tlv(0x88, &[0x2a, 0x03]),
    ]);
    let point = [tlv(0xa0, &tlv(0xa0, &url)), tlv(0x81, &[1, 0x40]), tlv(0xa2, &directory_name)];
    let constraints = [
        tlv(0xa0, &[tlv(SEQUENCE, &tlv(0x82, b"example.com")), tlv(SEQUENCE, &directory_name)].concat()),
        tlv(0xa1, &tlv(SEQUENCE, &tlv(0x87, &[10, 0, 0, 0, 255, 0, 0, 0]))),
    ];
    let authority_key =
        [tlv(0x80, issuer.subject_key_identifier().unwrap_or_default()), tlv(0xa1, &directory_name), tlv(0x82, &[1])];
    let info_access = tlv(SEQUENCE, &[tlv(OBJECT_IDENTIFIER, &ca_issuers), url.clone()].concat());
    let policy = tlv(SEQUENCE, &tlv(OBJECT_IDENTIFIER, &domain_validated));
    let extensions = [
        extension(0x13, true, &tlv(SEQUENCE, &[tlv(BOOLEAN, &[0xff]), tlv(INTEGER, &[3])].concat())),
        extension(0x0f, true, &tlv(0x03, &[1, 0xe6])),
        extension(0x25, false, &tlv(SEQUENCE, &tlv(OBJECT_IDENTIFIER, &server_auth))),
        extension(0x0e, false, &tlv(OCTET_STRING, &key.key_identifier())),
        extension(0x23, false, &tlv(SEQUENCE, &authority_key.concat())),
        extension(0x11, false, &tlv(SEQUENCE, &names.concat())),
        extension(0x1e, true, &tlv(SEQUENCE, &constraints.concat())),
        extension(0x1f, false, &tlv(SEQUENCE, &tlv(SEQUENCE, &point.concat()))),
        extension(0x20, false, &tlv(SEQUENCE, &policy)),
        extension_of(&[0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x01], false, &tlv(SEQUENCE, &info_access)),
        extension_of(&[0x2a, 0x03, 0x04], false, &[tlv(NULL, &[]), tlv(ENUMERATED, &[1])].concat()),
    ];
    let subject = relative_name(UTF8_STRING, "a.example");
    let tbs = [
        &tlv(0xa0, &tlv(INTEGER, &[2])),
        &tlv(INTEGER, &[0x7f, 0xff, 3]),
        issuer_key.default_signature_algorithm().identifier_der(),
        issuer.subject_der(),
        &tlv(SEQUENCE, &[tlv(UTC_TIME, b"261124120000Z"), tlv(GENERALIZED_TIME, b"20530101000000Z")].concat()),
        &tlv(SEQUENCE, &subject),
        key.spki_der(),
        &tlv(0xa3, &tlv(SEQUENCE, &extensions.concat())),
    ];
    signed(issuer_key, &tlv(SEQUENCE, &tbs.concat()))
}

pub(super) fn signed(key: &KeyPair, message: &[u8]) -> Vec<u8> {
    let algorithm = key.default_signature_algorithm();
    let signature = key.sign(algorithm, SignatureEncoding::Der, message).expect("a key in memory signs");
    tlv(SEQUENCE, &[message, algorithm.identifier_der(), &bit_string(&signature)].concat())
}

pub(super) fn relative_name(tag: u8, text: &str) -> Vec<u8> {
    tlv(SET, &tlv(SEQUENCE, &[tlv(OBJECT_IDENTIFIER, COMMON_NAME), tlv(tag, text.as_bytes())].concat()))
}

fn attribute(id: &[u8], value: &[u8]) -> Vec<u8> {
    tlv(SEQUENCE, &[tlv(OBJECT_IDENTIFIER, id), tlv(SET, value)].concat())
}

/// An extension of the arc 2.5.29.
pub(super) fn extension(number: u8, critical: bool, value: &[u8]) -> Vec<u8> {
    extension_of(&[0x55, 0x1d, number], critical, value)
}

pub(super) fn extension_of(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let critical = if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    tlv(SEQUENCE, &[tlv(OBJECT_IDENTIFIER, id), critical, tlv(OCTET_STRING, value)].concat())
}
