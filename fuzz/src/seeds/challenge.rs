//! Certificates that answer a tls-alpn-01 challenge, octet by octet.

use certus_pki::KeyPair;

use super::made_by_hand::{extension, extension_of, relative_name, signed};
use crate::der::{INTEGER, SEQUENCE, tlv};

/// What the certificates are for.
pub(crate) const NAME: &str = "www.example.com";
/// The same as an address.
pub(crate) const ADDRESS: [u8; 4] = [192, 0, 2, 1];
/// The digest of the key authorization.
pub(crate) const DIGEST: [u8; 32] = [0xa5; 32];

/// 1.3.6.1.5.5.7.1.31
const ACME_IDENTIFIER: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x01, 0x1f];
const UTF8_STRING: u8 = 0x0c;
const OCTET_STRING: u8 = 0x04;
const UTC_TIME: u8 = 0x17;

/// The extensions of a right answer for a name, and for an address.
pub(crate) fn right() -> [(&'static str, Vec<u8>); 2] {
    let digest = extension_of(&ACME_IDENTIFIER, true, &tlv(OCTET_STRING, &DIGEST));
    [("name", tlv(0x82, NAME.as_bytes())), ("address", tlv(0x87, &ADDRESS))].map(|(kind, name)| {
        let names = extension(0x11, false, &tlv(SEQUENCE, &name));
        (kind, tlv(SEQUENCE, &[names, digest.clone()].concat()))
    })
}

/// A certificate that signs itself, with these `Extensions`.
pub(crate) fn with_extensions(key: &KeyPair, extensions: &[u8]) -> Vec<u8> {
    let name = tlv(SEQUENCE, &relative_name(UTF8_STRING, "ACME challenge"));
    let validity = [tlv(UTC_TIME, b"200101000000Z"), tlv(UTC_TIME, b"491231235959Z")];
    let tbs = [
        &tlv(0xa0, &tlv(INTEGER, &[2])),
        &tlv(INTEGER, &[1]),
        key.default_signature_algorithm().identifier_der(),
        &name,
        &tlv(SEQUENCE, &validity.concat()),
        &name,
        key.public_key().spki_der(),
        &tlv(0xa3, extensions),
    ];
    signed(key, &tlv(SEQUENCE, &tbs.concat()))
}
