//! Names of certificates in renewal information and orders: RFC 9773 sections 4.1 and 5.

use certus_acme::{CertId, base64url};
use certus_pki::SerialNumber;

use crate::text::printable;

/// The input as the last part of a URL of renewal information, or as `replaces` of an order.
pub fn cert_id(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    let id = match CertId::parse(text) {
        Ok(id) => id,
        Err(error) => return printable(&error),
    };
    // There is one text for each.
    assert_eq!(id.to_string(), text);
    let (identifier, octets) = text.split_once('.').expect("two parts");
    assert_eq!(base64url::decode(identifier).as_deref(), Ok(id.key_identifier()));
    let octets = base64url::decode(octets).expect("the second part was read");
    match id.serial() {
        // The number, and nothing beside its sign.
        Some(serial) => {
            assert_eq!(SerialNumber::from_bytes(&octets), Ok(serial.clone()));
            assert_eq!(CertId::new(id.key_identifier(), &serial), Ok(id));
        }
        // Negative, zero, or over the 20 octets of RFC 5280 section 4.1.2.2: no certificate has it.
        None => assert!(octets[0] >= 0x80 || octets == [0] || octets.len() > 20, "{octets:?}"),
    }
}
