//! The object identifiers that certificates, requests and CRLs of Certus use.

use const_oid::ObjectIdentifier;

/// commonName (X.520).
pub(crate) const COMMON_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.3");
/// countryName (X.520).
pub(crate) const COUNTRY_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.6");
/// organizationName (X.520).
pub(crate) const ORGANIZATION_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.4.10");

/// id-ce-subjectKeyIdentifier (RFC 5280 section 4.2.1.2).
pub(crate) const SUBJECT_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.14");
/// id-ce-keyUsage (RFC 5280 section 4.2.1.3).
pub(crate) const KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.15");
/// id-ce-subjectAltName (RFC 5280 section 4.2.1.6).
pub(crate) const SUBJECT_ALT_NAME: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.17");
/// id-ce-basicConstraints (RFC 5280 section 4.2.1.9).
pub(crate) const BASIC_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.19");
/// id-ce-cRLNumber (RFC 5280 section 5.2.3).
pub(crate) const CRL_NUMBER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.20");
/// id-ce-cRLReasons (RFC 5280 section 5.3.1).
pub(crate) const CRL_REASONS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.21");
/// id-ce-issuingDistributionPoint (RFC 5280 section 5.2.5). Not taken from x509-cert, which has another number for it.
pub(crate) const ISSUING_DISTRIBUTION_POINT: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.28");
/// id-ce-nameConstraints (RFC 5280 section 4.2.1.10).
pub(crate) const NAME_CONSTRAINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.30");
/// id-ce-cRLDistributionPoints (RFC 5280 section 4.2.1.13).
pub(crate) const CRL_DISTRIBUTION_POINTS: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.31");
/// id-ce-certificatePolicies (RFC 5280 section 4.2.1.4).
pub(crate) const CERTIFICATE_POLICIES: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32");
/// anyPolicy (RFC 5280 section 4.2.1.4).
pub(crate) const ANY_POLICY: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.32.0");
/// id-ce-authorityKeyIdentifier (RFC 5280 section 4.2.1.1).
pub(crate) const AUTHORITY_KEY_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.35");
/// id-ce-extKeyUsage (RFC 5280 section 4.2.1.12).
pub(crate) const EXT_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37");
/// anyExtendedKeyUsage (RFC 5280 section 4.2.1.12).
pub(crate) const ANY_EXTENDED_KEY_USAGE: ObjectIdentifier = ObjectIdentifier::new_unwrap("2.5.29.37.0");
/// id-pe-authorityInfoAccess (RFC 5280 section 4.2.2.1).
pub(crate) const AUTHORITY_INFO_ACCESS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.1");
/// id-pe-acmeIdentifier (RFC 8737 section 6.1).
pub(crate) const ACME_IDENTIFIER: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.1.31");
/// id-kp-serverAuth (RFC 5280 section 4.2.1.12).
pub(crate) const SERVER_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
/// id-kp-clientAuth (RFC 5280 section 4.2.1.12).
pub(crate) const CLIENT_AUTH: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

/// What certificates of ours are for.
pub(crate) const fn purposes(client_auth: bool) -> &'static [ObjectIdentifier] {
    if client_auth { &[SERVER_AUTH, CLIENT_AUTH] } else { &[SERVER_AUTH] }
}
/// id-ad-ocsp (RFC 5280 section 4.2.2.1).
pub(crate) const AD_OCSP: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.1");
/// id-ad-caIssuers (RFC 5280 section 4.2.2.1).
pub(crate) const AD_CA_ISSUERS: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.48.2");
/// extensionRequest (RFC 2985 section 5.4.2).
pub(crate) const EXTENSION_REQUEST: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.9.14");

/// The reserved certificate policies of BR 7.1.6.1: domain, organization, individual and extended validation.
pub(crate) const RESERVED_POLICIES: [ObjectIdentifier; 4] = [
    ObjectIdentifier::new_unwrap("2.23.140.1.2.1"),
    ObjectIdentifier::new_unwrap("2.23.140.1.2.2"),
    ObjectIdentifier::new_unwrap("2.23.140.1.2.3"),
    ObjectIdentifier::new_unwrap("2.23.140.1.1"),
];
