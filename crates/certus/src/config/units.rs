//! Durations, sizes and networks as people write them: `90d`, `64 KiB`, `10.0.0.0/8`.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use ipnet::IpNet;
use serde::Deserialize;
use serde::de::{Deserializer, Error};

/// A duration written with its unit: `s`, `m`, `h` or `d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Period(pub Duration);

/// A size written with its unit: `B`, `KiB` or `MiB`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size(pub usize);

/// A network, or one address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network(pub IpNet);

/// Why a text is no duration, size or network.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UnitError {
    /// Not a duration.
    #[error("{0:?} is not a duration; write a whole number and its unit: \"30s\", \"10m\", \"12h\", \"90d\"")]
    Period(String),
    /// Not a size.
    #[error("{0:?} is not a size; write a whole number and its unit: \"512 B\", \"64 KiB\", \"1 MiB\"")]
    Size(String),
    /// Not a network.
    #[error("{0:?} is not a network; write \"10.0.0.0/8\" or \"fd00::/8\", or one address: \"127.0.0.1\"")]
    Network(String),
}

impl Period {
    /// Reads `90d`, `12h`, `10m` or `30s`.
    ///
    /// # Errors
    ///
    /// [`UnitError::Period`].
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Period(text.to_owned());
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let seconds: u64 = match unit {
            "s" => 1,
            "m" => 60,
            "h" => 3600,
            "d" => 86_400,
            _ => return Err(wrong()),
        };
        // A duration that does not fit in a time stamp is no setting anybody means.
        let total = number.checked_mul(seconds).filter(|total| i64::try_from(*total).is_ok_and(|t| t < 1 << 40));
        total.map(Duration::from_secs).map(Self).ok_or_else(wrong)
    }
}

/// In the largest unit that leaves no rest.
impl fmt::Display for Period {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let seconds = self.0.as_secs();
        let whole = |(unit, _): &(u64, &str)| seconds >= *unit && seconds.is_multiple_of(*unit);
        let (unit, letter) = [(86_400, "d"), (3600, "h"), (60, "m")].into_iter().find(whole).unwrap_or((1, "s"));
        write!(f, "{}{letter}", seconds / unit)
    }
}

impl Size {
    /// Reads `512 B`, `64 KiB` or `1 MiB`.
    ///
    /// # Errors
    ///
    /// [`UnitError::Size`].
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let wrong = || UnitError::Size(text.to_owned());
        let (number, unit) = split(text).ok_or_else(wrong)?;
        let bytes: u64 = match unit {
            "B" => 1,
            "KiB" => 1024,
            "MiB" => 1024 * 1024,
            _ => return Err(wrong()),
        };
        let total = number.checked_mul(bytes).and_then(|total| usize::try_from(total).ok());
        total.map(Self).ok_or_else(wrong)
    }
}

impl Network {
    /// Reads `10.0.0.0/8`, `fd00::/8` or `127.0.0.1`.
    ///
    /// # Errors
    ///
    /// [`UnitError::Network`].
    pub fn parse(text: &str) -> Result<Self, UnitError> {
        let address = || text.parse::<IpAddr>().map(IpNet::from);
        text.parse().or_else(|_no_network| address()).map(Self).map_err(|_error| UnitError::Network(text.to_owned()))
    }
}

/// The number and the unit behind it, one space between them or none.
fn split(text: &str) -> Option<(u64, &str)> {
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, unit) = text.split_at_checked(digits)?;
    Some((number.parse().ok()?, unit.strip_prefix(' ').unwrap_or(unit)))
}

/// The text of a value with a unit. A bare number is given on as its digits, so that what is said of it names the units.
fn text<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "expected a number and its unit in quotes")]
    enum Given {
        Text(String),
        Number(u64),
    }
    Given::deserialize(deserializer).map(|given| match given {
        Given::Text(text) => text,
        Given::Number(number) => number.to_string(),
    })
}

impl<'de> Deserialize<'de> for Period {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&text(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&text(deserializer)?).map_err(D::Error::custom)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_address_is_a_network() {
        for (text, network) in [("10.0.0.0/8", "10.0.0.0/8"), ("127.0.0.1", "127.0.0.1/32"), ("::1", "::1/128")] {
            assert_eq!(Network::parse(text).map(|network| network.0.to_string()), Ok(network.to_owned()));
        }
        for text in ["", "localhost", "10.0.0.0/33", "10.0.0", "::/129"] {
            assert_eq!(Network::parse(text), Err(UnitError::Network(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn a_unit_is_required() {
        for (text, seconds) in [("30s", 30), ("10m", 600), ("12h", 43_200), ("90d", 7_776_000), ("6 d", 518_400)] {
            let period = Period(Duration::from_secs(seconds));
            assert_eq!(Period::parse(text), Ok(period), "{text}");
            assert_eq!(period.to_string(), text.replace(' ', ""));
        }
        for text in ["", "90", "d", "-1d", "1.5h", "90 days", "1w", "1h30m", " 1d", "1d ", "1  d", "99999999999999999d"]
        {
            assert_eq!(Period::parse(text), Err(UnitError::Period(text.to_owned())), "{text}");
        }
    }

    #[test]
    fn sizes_are_binary() {
        for (text, bytes) in [("512 B", 512), ("64 KiB", 65_536), ("1MiB", 1_048_576)] {
            assert_eq!(Size::parse(text), Ok(Size(bytes)), "{text}");
        }
        for text in ["", "64", "64 KB", "64 kib", "1 GB", "KiB", "99999999999999999999 B", "18446744073709551615 KiB"] {
            assert_eq!(Size::parse(text), Err(UnitError::Size(text.to_owned())), "{text}");
        }
    }
}
