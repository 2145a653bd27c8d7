//! Which 32 octets are an Ed25519 public key that can stand for somebody.
//!
//! Under a point of small order one signature holds for every message, or for every eighth, so that anybody could sign
//! for its account. The cryptographic library takes such points, and second encodings of others, for keys.

/// Where the sign of x is; the rest of the octets is y, little-endian (RFC 8032 section 5.1.2).
const SIGN: u8 = 0x80;

/// The y of all points whose order divides 8: the neutral point, those of order 2 and 4, and two of order 8.
const SMALL_ORDER: [[u8; 32]; 5] = [
    little_endian(1, 0, 0),
    little_endian(0xec, 0xff, 0x7f),
    little_endian(0, 0, 0),
    [
        0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0, 0xd5, 0xdf,
        0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05,
    ],
    [
        0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f, 0x2a, 0x20,
        0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a,
    ],
];

/// The field's prime, 2^255 - 19: a y of this or more is a second encoding (RFC 8032 section 5.1.3 refuses it).
const PRIME: [u8; 32] = little_endian(0xed, 0xff, 0x7f);

/// Whether the octets encode a y below the prime that belongs to no point of small order. Anything but 32 octets is for
/// others to refuse.
pub(super) fn is_sound(octets: &[u8]) -> bool {
    let Ok(mut y) = <[u8; 32]>::try_from(octets) else {
        return true;
    };
    if let Some(last) = y.last_mut() {
        *last &= !SIGN;
    }
    y.iter().rev().lt(PRIME.iter().rev()) && !SMALL_ORDER.contains(&y)
}

/// 32 octets with these at the start, in the middle, and at the end.
const fn little_endian(first: u8, between: u8, last: u8) -> [u8; 32] {
    let mut octets = [between; 32];
    let [start, .., end] = &mut octets;
    *start = first;
    *end = last;
    octets
}
