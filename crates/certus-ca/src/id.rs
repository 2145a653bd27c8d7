//! Public ids: the time, then 88 random bits, so that a URL can be neither guessed nor counted.
//!
//! The time goes first because a store keeps ids in order: what was made together lies together, on pages that are still
//! in memory, and a commit touches few of them. It tells nothing that the object itself does not.
//!
//! Deliberately absent: the integer keys of rows; those never leave the store.

use std::fmt;

use certus_pki::{Clock as _, SystemClock, Timestamp, crypto};
use data_encoding::BASE64URL_NOPAD;

/// Octets of an id.
pub const ID_OCTETS: usize = 16;
/// Octets of the time in an id: seconds since 1970 in four, then 1/256 of a second. It begins anew in the year 2106, when
/// nothing goes wrong but the order.
const TIME_OCTETS: usize = 5;

fn octets(now: Timestamp) -> [u8; ID_OCTETS] {
    let mut octets: [u8; ID_OCTETS] = crypto::random_bytes();
    let ticks = i128::from(now.unix_millis()) * 256 / 1000;
    let unused = size_of_val(&ticks) - TIME_OCTETS;
    for (octet, time) in octets.iter_mut().zip(ticks.to_be_bytes().into_iter().skip(unused)) {
        *octet = time;
    }
    octets
}

macro_rules! id {
    ($(#[$doc:meta])+ $name:ident) => {
        $(#[$doc])+
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; ID_OCTETS]);

        impl $name {
            /// A new id.
            #[must_use]
            pub fn random() -> Self {
                // The machine's clock, whatever time the authority keeps: nothing is decided by it.
                Self(octets(SystemClock.now()))
            }

            /// An id that was made before.
            #[must_use]
            pub const fn from_bytes(octets: [u8; ID_OCTETS]) -> Self {
                Self(octets)
            }

            /// The octets, as the store keeps them.
            #[must_use]
            pub const fn as_bytes(&self) -> &[u8; ID_OCTETS] {
                &self.0
            }

            /// Reads the text form: 22 characters of base64url. Anything else is `None`.
            #[must_use]
            pub fn parse(text: &str) -> Option<Self> {
                let octets = BASE64URL_NOPAD.decode(text.as_bytes()).ok()?;
                Some(Self(octets.try_into().ok()?))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&BASE64URL_NOPAD.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{}({self})", stringify!($name))
            }
        }
    };
}

id! {
    /// Names an account, in its URL and so in `kid`.
    AccountId
}
id! {
    /// Names an order.
    OrderId
}
id! {
    /// Names an authorization.
    AuthorizationId
}
id! {
    /// Names a key of external account binding, in `kid` of the binding.
    BindingKeyId
}
id! {
    /// Names a rule that moves times to renew.
    RenewalRuleId
}
id! {
    /// Names a challenge.
    ChallengeId
}
id! {
    /// Names a certificate in its URL.
    CertificateId
}
id! {
    /// Names a piece of durable work.
    JobId
}
id! {
    /// Names one run of one process.
    ProcessId
}
id! {
    /// Names one request in answers, logs and the audit.
    RequestId
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_stand_in_the_order_they_were_made_in_and_cannot_be_guessed() {
        let at = |millis| octets(Timestamp::from_unix_millis(millis));
        let (first, second, third) = (at(1_700_000_000_000), at(1_700_000_000_004), at(1_700_000_001_000));
        assert!(first < second && second < third);
        let random = |id: &[u8; ID_OCTETS]| id.iter().skip(TIME_OCTETS).copied().collect::<Vec<u8>>();
        assert_eq!(random(&first).len() * 8, 88);
        assert_ne!(random(&first), random(&at(1_700_000_000_000)), "made in the same moment");
        assert!(at(i64::from(u32::MAX) * 1000 + 2000) < first, "the time begins anew");
    }

    #[test]
    fn ids_have_one_text_form() {
        let id = OrderId::random();
        assert_eq!(OrderId::parse(&id.to_string()), Some(id));
        // The last character of 22 carries four bits that must be zero; a lenient reader would give one order many URLs.
        let mut text = OrderId::from_bytes([0; 16]).to_string();
        assert_eq!(text.pop(), Some('A'));
        text.push('B');
        assert_eq!(OrderId::parse(&text), None);
        for bad in ["", "1", "AAAAAAAAAAAAAAAAAAAAAA==", "AAAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(OrderId::parse(bad), None, "{bad}");
        }
    }
}
