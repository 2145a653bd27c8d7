//! DER, written octet by octet (X.690 section 10), for what a test wants to be wrong in one place.
//!
//! Nothing of the authority's own code is used, so that a fault there cannot hide. Deliberately absent: reading.

use std::net::IpAddr;

/// A `RelativeDistinguishedName` of one commonName.
pub(crate) fn common_name(name: &str) -> Vec<u8> {
    tlv(SET, &sequence(&[&tlv(OBJECT_IDENTIFIER, &COMMON_NAME), &tlv(UTF8_STRING, name.as_bytes())]))
}

/// `Extension` of RFC 5280 section 4.1.
pub(crate) fn extension(id: &[u8], critical: bool, value: &[u8]) -> Vec<u8> {
    let id = tlv(OBJECT_IDENTIFIER, id);
    let critical = if critical { tlv(BOOLEAN, &[0xff]) } else { Vec::new() };
    sequence(&[&id, &critical, &tlv(OCTET_STRING, value)])
}

/// The `GeneralName` of an address (RFC 5280 section 4.2.1.6).
pub(crate) fn address(address: IpAddr) -> Vec<u8> {
    match address {
        IpAddr::V4(address) => tlv(implicit(7), &address.octets()),
        IpAddr::V6(address) => tlv(implicit(7), &address.octets()),
    }
}

pub(crate) fn bit_string(octets: &[u8]) -> Vec<u8> {
    tlv(BIT_STRING, &[&[0], octets].concat())
}

pub(crate) fn sequence(parts: &[&[u8]]) -> Vec<u8> {
    tlv(SEQUENCE, &parts.concat())
}

/// Tag, length in its shortest form (X.690 section 10.1), contents.
pub(crate) fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let length = contents.len().to_be_bytes();
    let significant = length.iter().copied().skip_while(|octet| *octet == 0);
    let mut der = vec![tag];
    match u8::try_from(contents.len()) {
        Ok(short @ 0..=0x7f) => der.push(short),
        Ok(_) | Err(_) => {
            let long: Vec<u8> = significant.collect();
            // A length has eight octets at most.
            der.push(0x80 | u8::try_from(long.len()).unwrap_or_default());
            der.extend(long);
        }
    }
    der.extend_from_slice(contents);
    der
}

pub(crate) const fn context(number: u8) -> u8 {
    0xa0 | number
}

pub(crate) const fn implicit(number: u8) -> u8 {
    0x80 | number
}

pub(crate) const BOOLEAN: u8 = 0x01;
pub(crate) const INTEGER: u8 = 0x02;
pub(crate) const BIT_STRING: u8 = 0x03;
pub(crate) const OCTET_STRING: u8 = 0x04;
pub(crate) const OBJECT_IDENTIFIER: u8 = 0x06;
pub(crate) const UTF8_STRING: u8 = 0x0c;
pub(crate) const UTC_TIME: u8 = 0x17;
pub(crate) const SEQUENCE: u8 = 0x30;
pub(crate) const SET: u8 = 0x31;

/// 2.5.4.3
const COMMON_NAME: [u8; 3] = [0x55, 0x04, 0x03];
/// 2.5.29.17
pub(crate) const SUBJECT_ALT_NAME: [u8; 3] = [0x55, 0x1d, 0x11];
