//! Certificate profiles: what may differ between kinds of server certificates.
//!
//! What may not differ is not here but in [`crate::TbsCertificate`]: an empty subject with critical subjectAltName, key
//! usage by kind of key, serverAuth, key identifiers, one caIssuers and one CRL URL, no basicConstraints.

use std::time::Duration;

use const_oid::ObjectIdentifier;

use crate::permitted_keys::PermittedKeys;

/// A kind of server certificate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Profile {
    /// Its name in configuration and in the directory.
    pub name: String,
    /// How long a certificate is valid, both ends included (BR 6.3.2): `notAfter` is `notBefore` plus this less one
    /// second.
    pub lifetime: Duration,
    /// How long before the present `notBefore` lies, for clients whose clocks are behind (BR 7.1.2.7: at most 48 hours).
    pub backdate: Duration,
    /// The certificate policies to assert, in their order; none leaves the extension out.
    pub policies: Vec<ObjectIdentifier>,
    /// Whether its holders may use a certificate as TLS clients too (clientAuth, RFC 5280 section 4.2.1.12).
    pub client_auth: bool,
    /// The kinds of keys it certifies.
    pub keys: PermittedKeys,
}
