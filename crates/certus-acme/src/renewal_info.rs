//! Renewal information on the wire (RFC 9773): how a certificate is named, and when it should be renewed.
//!
//! Deliberately absent: when that is; the authority decides it.

use std::fmt;

use certus_pki::{Certificate, SerialNumber};
use serde::{Deserialize, Serialize};

use crate::base64url::{self, Base64UrlError};

/// Octets of a key identifier: those of the longest digest in use, SHA-512; RFC 5280 section 4.2.1.2 makes 20 of it.
const MAX_KEY_IDENTIFIER: usize = 64;
/// Octets of a serial's DER: the 20 of RFC 5280 section 4.1.2.2, and one that keeps it positive.
const MAX_SERIAL: usize = certus_pki::serial::MAX_SERIAL_OCTETS + 1;
/// Characters of the longest text.
const MAX_TEXT: usize = MAX_KEY_IDENTIFIER.div_ceil(3) * 4 + 1 + MAX_SERIAL.div_ceil(3) * 4;

/// Names a certificate (RFC 9773 section 4.1): `base64url(AKI keyIdentifier) "." base64url(serial)`.
///
/// The serial is the content of its DER, so that one whose first bit is set has a zero octet in front. There is exactly one
/// text for each.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CertId {
    key_identifier: Vec<u8>,
    serial: Vec<u8>,
}

impl CertId {
    /// The name of a certificate with that key identifier of its authority and that serial.
    ///
    /// # Errors
    ///
    /// [`CertIdError::KeyIdentifier`] when that is empty or longer than any digest.
    pub fn new(key_identifier: &[u8], serial: &SerialNumber) -> Result<Self, CertIdError> {
        let significant = serial.as_bytes();
        let sign: &[u8] = if significant.first().is_some_and(|octet| octet & 0x80 != 0) { &[0] } else { &[] };
        Self::of_octets(key_identifier.to_vec(), [sign, significant].concat())
    }

    /// The name of a certificate.
    ///
    /// # Errors
    ///
    /// [`CertIdError::KeyIdentifier`] when the certificate has no key identifier of its authority.
    pub fn of(certificate: &Certificate) -> Result<Self, CertIdError> {
        Self::new(certificate.authority_key_identifier().unwrap_or_default(), certificate.serial())
    }

    /// Reads the text form.
    ///
    /// # Errors
    ///
    /// [`CertIdError`] when it is not what [`fmt::Display`] writes of any certificate.
    pub fn parse(text: &str) -> Result<Self, CertIdError> {
        if text.len() > MAX_TEXT {
            return Err(CertIdError::Length);
        }
        let (key_identifier, serial) = text.split_once('.').ok_or(CertIdError::Form)?;
        if serial.contains('.') {
            return Err(CertIdError::Form);
        }
        Self::of_octets(base64url::decode(key_identifier)?, base64url::decode(serial)?)
    }

    fn of_octets(key_identifier: Vec<u8>, serial: Vec<u8>) -> Result<Self, CertIdError> {
        if key_identifier.is_empty() || key_identifier.len() > MAX_KEY_IDENTIFIER {
            return Err(CertIdError::KeyIdentifier);
        }
        // X.690 section 8.3.2: the first nine bits are not all alike.
        let padded = match serial.as_slice() {
            [0x00, second, ..] => second & 0x80 == 0,
            [0xff, second, ..] => second & 0x80 != 0,
            [..] => false,
        };
        if serial.is_empty() || serial.len() > MAX_SERIAL || padded {
            return Err(CertIdError::Serial);
        }
        Ok(Self { key_identifier, serial })
    }

    /// The keyIdentifier of the certificate's authorityKeyIdentifier.
    #[must_use]
    pub fn key_identifier(&self) -> &[u8] {
        &self.key_identifier
    }

    /// The serial. `None` when the octets are those of a negative number, of zero, or of more than 20 octets, which no
    /// certificate has: a serial without its leading zero octet is another number.
    #[must_use]
    pub fn serial(&self) -> Option<SerialNumber> {
        let positive = self.serial.first().is_some_and(|octet| octet & 0x80 == 0);
        positive.then(|| SerialNumber::from_bytes(&self.serial).ok()).flatten()
    }
}

impl fmt::Display for CertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", base64url::encode(&self.key_identifier), base64url::encode(&self.serial))
    }
}

/// Why a text names no certificate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CertIdError {
    /// Longer than any.
    #[error("it has more than {MAX_TEXT} characters")]
    Length,
    /// No dot, or several.
    #[error("it is not two texts with one dot between")]
    Form,
    /// One of the two is not base64url without padding.
    #[error(transparent)]
    Base64Url(#[from] Base64UrlError),
    /// Nothing, or more than the longest digest.
    #[error("the key identifier in it has not 1 to {MAX_KEY_IDENTIFIER} octets")]
    KeyIdentifier,
    /// Not the content of a serial's DER.
    #[error("the serial in it is not the content of its DER in 1 to {MAX_SERIAL} octets")]
    Serial,
}

/// When a certificate should be renewed (RFC 9773 section 4.2).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RenewalInfo {
    /// Within which time.
    pub suggested_window: SuggestedWindow,
    /// A page for people that says why then.
    #[serde(rename = "explanationURL", default, skip_serializing_if = "Option::is_none")]
    pub explanation_url: Option<String>,
}

/// A time to renew in (RFC 3339); it ends after it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuggestedWindow {
    /// Its first moment.
    pub start: String,
    /// Its last moment.
    pub end: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The certificate of RFC 9773, appendix A.
    const EXAMPLE: &str = "aYhba4dGQEHhs3uEe6CuLN4ByNQ.AIdlQyE";

    // conformance: 9773-4.1-02 9773-4.1-03
    #[test]
    fn the_example_of_the_rfc_is_read_and_written() {
        let key_identifier = [
            0x69, 0x88, 0x5b, 0x6b, 0x87, 0x46, 0x40, 0x41, 0xe1, 0xb3, 0x7b, 0x84, 0x7b, 0xa0, 0xae, 0x2c, 0xde, 0x01,
            0xc8, 0xd4,
        ];
        let serial = SerialNumber::from_bytes(&[0x87, 0x65, 0x43, 0x21]).unwrap();
        let id = CertId::new(&key_identifier, &serial).unwrap();
        assert_eq!(id.to_string(), EXAMPLE);
        assert_eq!(CertId::parse(EXAMPLE), Ok(id.clone()));
        assert_eq!((id.key_identifier(), id.serial()), (&key_identifier[..], Some(serial)));
        let small = SerialNumber::from_bytes(&[0x7f]).unwrap();
        assert_eq!(CertId::new(&key_identifier, &small).unwrap().to_string(), "aYhba4dGQEHhs3uEe6CuLN4ByNQ.fw");
    }

    #[test]
    fn what_names_no_certificate_is_refused() {
        let long = base64url::encode(&[1; 65]);
        for (text, expected) in [
            ("", CertIdError::Form),
            ("aYhb", CertIdError::Form),
            ("aYhb.AIdl.QyE", CertIdError::Form),
            ("aYhb.AIdlQyE.", CertIdError::Form),
            (".AIdlQyE", CertIdError::KeyIdentifier),
            ("aYhb.", CertIdError::Serial),
            (".", CertIdError::KeyIdentifier),
            ("aYhb.AAE", CertIdError::Serial),
            ("aYhb._4c", CertIdError::Serial),
            (&format!("{long}.AQ"), CertIdError::KeyIdentifier),
            (&format!("aYhb.{}", base64url::encode(&[1; 22])), CertIdError::Serial),
            (&"a".repeat(MAX_TEXT + 1), CertIdError::Length),
        ] {
            assert_eq!(CertId::parse(text), Err(expected), "{text:?}");
        }
        for text in ["aYhba4dGQEHhs3uEe6CuLN4ByNQ=.AIdlQyE=", "aYhb.A+dl", "aYhb.A/dl", "aYhb .AQ", "aYhb.AR", "é.AQ"]
        {
            assert!(matches!(CertId::parse(text), Err(CertIdError::Base64Url(_))), "{text:?}");
        }
        let longest =
            format!("{}.{}", base64url::encode(&[1; 64]), base64url::encode(&[&[0][..], &[0x80; 20]].concat()));
        assert!(CertId::parse(&longest).unwrap().serial().is_some());
    }

    // conformance: 9773-4.1-05
    #[test]
    fn a_serial_without_its_leading_zero_is_another_number() {
        let id = CertId::parse("aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ").unwrap();
        assert_eq!((id.serial(), id.to_string()), (None, "aYhba4dGQEHhs3uEe6CuLN4ByNQ.h2VDIQ".to_owned()));
        assert_eq!(CertId::parse("aYhb.AA").unwrap().serial(), None, "zero");
    }

    #[test]
    fn renewal_information_is_what_the_rfc_draws() {
        let window = SuggestedWindow { start: "2025-01-02T04:00:00Z".into(), end: "2025-01-03T04:00:00Z".into() };
        let info = RenewalInfo {
            suggested_window: window,
            explanation_url: Some("https://acme.example.com/docs/ari".to_owned()),
        };
        let json = r#"{"suggestedWindow":{"start":"2025-01-02T04:00:00Z","end":"2025-01-03T04:00:00Z"},"explanationURL":"https://acme.example.com/docs/ari"}"#;
        assert_eq!(serde_json::to_string(&info).unwrap(), json);
        assert_eq!(serde_json::from_str::<RenewalInfo>(json).unwrap(), info);
    }
}
