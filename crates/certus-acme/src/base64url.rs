//! base64url without padding (RFC 7515 section 2, RFC 8555 section 6.1): the one way ACME writes octets.
//!
//! Reading is strict: no padding, no white space, no other alphabet, and no bits left over, so that every octet string
//! has exactly one text.

use data_encoding::BASE64URL_NOPAD;

/// Writes octets.
#[must_use]
pub fn encode(octets: &[u8]) -> String {
    BASE64URL_NOPAD.encode(octets)
}

/// Reads octets.
///
/// # Errors
///
/// [`Base64UrlError`] when the text is not exactly what [`encode`] would have written.
pub fn decode(text: &str) -> Result<Vec<u8>, Base64UrlError> {
    match BASE64URL_NOPAD.decode(text.as_bytes()) {
        Ok(octets) => Ok(octets),
        Err(fault) => Err(Base64UrlError { position: fault.position }),
    }
}

/// True when every character is of the base64url alphabet and there is at least one (RFC 8555 section 6.5.1).
#[must_use]
pub fn is_alphabet(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

/// A text that is not base64url.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not base64url without padding (RFC 8555 section 6.1), at octet {position}")]
pub struct Base64UrlError {
    /// Where the fault is, in octets from the start of the text.
    pub position: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    // conformance: 8555-6.1-12
    #[test]
    fn there_is_one_text_for_each_octet_string() {
        assert_eq!(decode("AQ"), Ok(vec![1]));
        assert_eq!(decode(""), Ok(vec![]));
        for bad in ["AQ==", "AQ=", "AR", "A", "+/+/", "AQ\n", " AQ", "A Q", "AQ\0"] {
            assert!(decode(bad).is_err(), "{bad:?}");
        }
        assert_eq!(encode(&[0xfb, 0xff]), "-_8");
    }

    #[test]
    fn the_alphabet_is_checked() {
        assert!(is_alphabet("aZ09-_"));
        for bad in ["", "a=", "a b", "a+", "é"] {
            assert!(!is_alphabet(bad), "{bad:?}");
        }
    }
}
