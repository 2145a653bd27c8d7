//! The token of a challenge (RFC 8555 section 8.1).

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

/// Random octets of a token made here: 256 bits, twice what RFC 8555 section 8.3 asks.
const TOKEN_OCTETS: usize = 32;

/// A random text that names one challenge: base64url without padding.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Token(String);

impl Token {
    /// A new token.
    #[must_use]
    pub fn random() -> Self {
        Self(BASE64URL_NOPAD.encode(&certus_pki::crypto::random_bytes::<TOKEN_OCTETS>()))
    }

    /// Reads a token: at least 22 characters of the base64url alphabet (128 bits).
    ///
    /// # Errors
    ///
    /// [`TokenError`] when it is shorter, over 256 characters, or has other characters.
    pub fn parse(text: &str) -> Result<Self, TokenError> {
        let alphabet = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_');
        if !alphabet || text.len() < 22 || text.len() > 256 {
            return Err(TokenError);
        }
        Ok(Self(text.to_owned()))
    }

    /// The token as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<token>")
    }
}

/// A text that is no token.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a token is 22 to 256 characters of the base64url alphabet")]
pub struct TokenError;

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    // conformance: 8555-8.3-01
    #[test]
    fn tokens_are_long_base64url_and_distinct() {
        let tokens: HashSet<String> = (0..1000).map(|_| Token::random().to_string()).collect();
        assert_eq!(tokens.len(), 1000);
        for token in &tokens {
            assert!(token.len() >= 22 && Token::parse(token).is_ok(), "{token}");
        }
        for bad in ["", "short", "aaaaaaaaaaaaaaaaaaaaaaaa=", "../../../../etc/passwd/aaaaaaa"] {
            assert_eq!(Token::parse(bad), Err(TokenError));
        }
    }
}
