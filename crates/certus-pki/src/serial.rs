//! Certificate serial numbers (RFC 5280 section 4.1.2.2).
//!
//! Deliberately absent: counters. A serial of Certus is random, and unique because the store refuses a second one.

use std::fmt;

use crate::crypto;

/// Octets of a serial made here: 17, so that 16 are random and the first keeps the number positive and its length
/// fixed (RFC 5280: at most 20; Baseline Requirements 7.1: at least 64 random bits).
pub const SERIAL_OCTETS: usize = 17;
/// The longest serial that is read (RFC 5280 section 4.1.2.2).
pub const MAX_SERIAL_OCTETS: usize = 20;

/// A certificate's serial number: a positive integer, big-endian, without leading zero octets.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SerialNumber(Vec<u8>);

impl SerialNumber {
    /// A new serial with 128 random bits.
    #[must_use]
    pub fn random() -> Self {
        let mut octets = vec![0x01];
        octets.extend_from_slice(&crypto::random_bytes::<16>());
        Self(octets)
    }

    /// Reads a big-endian positive integer; leading zero octets are cut off.
    ///
    /// # Errors
    ///
    /// [`SerialError`] when it is zero or longer than [`MAX_SERIAL_OCTETS`].
    pub fn from_bytes(octets: &[u8]) -> Result<Self, SerialError> {
        let start = octets.iter().position(|octet| *octet != 0).ok_or(SerialError)?;
        let significant = octets.get(start..).unwrap_or_default();
        if significant.len() > MAX_SERIAL_OCTETS {
            return Err(SerialError);
        }
        Ok(Self(significant.to_vec()))
    }

    /// The integer, big-endian, without leading zero octets.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for SerialNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SerialNumber({self})")
    }
}

/// A serial number that RFC 5280 does not allow.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a serial number is positive and has at most 20 octets")]
pub struct SerialError;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // conformance: 5280-4.1-03 BR-7.1.2.7-01
    #[test]
    fn serials_are_positive_short_and_distinct() {
        let serials: HashSet<SerialNumber> = (0..10_000).map(|_| SerialNumber::random()).collect();
        assert_eq!(serials.len(), 10_000);
        assert!(serials.iter().all(|serial| serial.as_bytes().len() == SERIAL_OCTETS && serial.as_bytes()[0] == 1));
        // Behind the first octet every bit is as often set as not: ten standard deviations are not chance.
        for bit in 0..128 {
            let set = serials.iter().filter(|serial| serial.as_bytes()[1 + bit / 8] >> (bit % 8) & 1 == 1).count();
            assert!((4_500..=5_500).contains(&set), "bit {bit} is set {set} times");
        }
    }

    #[test]
    fn zero_and_long_serials_are_refused() {
        assert_eq!(SerialNumber::from_bytes(&[0, 0]), Err(SerialError));
        assert_eq!(SerialNumber::from_bytes(&[1; 21]), Err(SerialError));
        assert_eq!(SerialNumber::from_bytes(&[0, 1, 2]).map(|serial| serial.to_string()), Ok("0102".into()));
    }
}
