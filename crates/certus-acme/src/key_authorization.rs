//! Key authorizations: what ties a challenge to an account key (RFC 8555 section 8.1).

use std::fmt;

use certus_pki::crypto::sha256;

use crate::base64url;
use crate::jose::Thumbprint;
use crate::token::Token;

/// `token.thumbprint`, and the forms in which each challenge type shows it.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyAuthorization(String);

impl KeyAuthorization {
    /// The key authorization of a challenge's token and an account key's thumbprint.
    #[must_use]
    pub fn new(token: &Token, thumbprint: &Thumbprint) -> Self {
        Self(format!("{token}.{thumbprint}"))
    }

    /// The text itself, which an http-01 resource holds (RFC 8555 section 8.3).
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The value of a dns-01 TXT record: base64url of the SHA-256 (RFC 8555 section 8.4).
    #[must_use]
    pub fn dns_01_digest(&self) -> String {
        base64url::encode(&self.tls_alpn_01_digest())
    }

    /// The SHA-256, which a tls-alpn-01 certificate has in its acmeIdentifier (RFC 8737 section 3).
    #[must_use]
    pub fn tls_alpn_01_digest(&self) -> [u8; 32] {
        sha256(self.0.as_bytes())
    }
}

impl fmt::Debug for KeyAuthorization {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("<secret>")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::jose::Jwk;

    const TOKEN: &str = "evaGxfADs6pSRb2LAv9IZf17Dt3juxGJ-PCt92wr-oA";

    fn of(jwk: &str) -> KeyAuthorization {
        KeyAuthorization::new(&Token::parse(TOKEN).unwrap(), &Jwk::parse(jwk).unwrap().thumbprint())
    }

    // The key of RFC 8037 appendix A.2, whose thumbprint appendix A.3 gives; the digest is Python's hashlib's.
    // conformance: 8555-8.1-01
    #[test]
    fn token_and_thumbprint_are_joined_by_a_dot() {
        let authorization = of(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
        assert_eq!(authorization.as_str(), format!("{TOKEN}.kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k"));
        assert_eq!(authorization.dns_01_digest(), "lAV291d372xyXVEZRY9j2FQ8g1TYpOaJr620CiahePA");
        assert_eq!(
            data_encoding::HEXLOWER.encode(&authorization.tls_alpn_01_digest()),
            "940576f75777ef6c725d5119458f63d8543c8354d8a4e689afadb40a26a178f0"
        );
    }

    #[test]
    fn debug_tells_nothing() {
        let authorization = of(r#"{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#);
        assert_eq!(format!("{authorization:?}"), "<secret>");
    }
}
