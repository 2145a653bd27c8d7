//! The extensions Certus writes, each as the DER of its `Extension`.

use const_oid::ObjectIdentifier;
use der::Error;
use der::asn1::OctetString;
use der::flagset::FlagSet;
use x509_cert::ext::pkix::crl::dp::DistributionPoint;
use x509_cert::ext::pkix::name::DistributionPointName;
use x509_cert::ext::pkix::{
    AccessDescription, AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CertificatePolicies,
    CrlDistributionPoints, ExtendedKeyUsage, IssuingDistributionPoint, KeyUsage, KeyUsages, SubjectKeyIdentifier,
    certpolicy::PolicyInformation,
};

use crate::asn1::{extension, general_name, url};
use crate::name::{DnsName, SubjectName};
use crate::name_constraints::NameConstraints;
use crate::oid;

pub(crate) fn key_usage(bits: impl Into<FlagSet<KeyUsages>>) -> Result<Vec<u8>, Error> {
    extension(oid::KEY_USAGE, true, &KeyUsage(bits.into()))
}

/// serverAuth, and clientAuth besides if so wanted.
pub(crate) fn extended_key_usage(client_auth: bool) -> Result<Vec<u8>, Error> {
    extension(oid::EXT_KEY_USAGE, false, &ExtendedKeyUsage(oid::purposes(client_auth).to_vec()))
}

pub(crate) fn authority(path_len_constraint: Option<u8>) -> Result<Vec<u8>, Error> {
    extension(oid::BASIC_CONSTRAINTS, true, &BasicConstraints { ca: true, path_len_constraint })
}

pub(crate) fn subject_key_identifier(identifier: &[u8]) -> Result<Vec<u8>, Error> {
    extension(oid::SUBJECT_KEY_IDENTIFIER, false, &SubjectKeyIdentifier(OctetString::new(identifier)?))
}

pub(crate) fn authority_key_identifier(identifier: &[u8]) -> Result<Vec<u8>, Error> {
    let value = AuthorityKeyIdentifier { key_identifier: Some(OctetString::new(identifier)?), ..Default::default() };
    extension(oid::AUTHORITY_KEY_IDENTIFIER, false, &value)
}

pub(crate) fn ca_issuers(at: &str) -> Result<Vec<u8>, Error> {
    let access = AccessDescription { access_method: oid::AD_CA_ISSUERS, access_location: url(at)? };
    extension(oid::AUTHORITY_INFO_ACCESS, false, &AuthorityInfoAccessSyntax(vec![access]))
}

/// Critical, because the subject is empty (RFC 5280 section 4.2.1.6).
pub(crate) fn subject_alt_name<'a>(names: impl IntoIterator<Item = &'a SubjectName>) -> Result<Vec<u8>, Error> {
    let names = names.into_iter().map(general_name).collect::<Result<Vec<_>, _>>()?;
    extension(oid::SUBJECT_ALT_NAME, true, &names)
}

pub(crate) fn policies(policies: &[ObjectIdentifier]) -> Result<Vec<u8>, Error> {
    let information =
        |policy: &ObjectIdentifier| PolicyInformation { policy_identifier: *policy, policy_qualifiers: None };
    extension(oid::CERTIFICATE_POLICIES, false, &CertificatePolicies(policies.iter().map(information).collect()))
}

pub(crate) fn crl_distribution_point(at: &str) -> Result<Vec<u8>, Error> {
    let point = DistributionPoint { distribution_point: Some(full_name(at)?), reasons: None, crl_issuer: None };
    extension(oid::CRL_DISTRIBUTION_POINTS, false, &CrlDistributionPoints(vec![point]))
}

pub(crate) fn name_constraints(suffixes: &[DnsName]) -> Result<Vec<u8>, Error> {
    extension(oid::NAME_CONSTRAINTS, true, &NameConstraints::names_beneath(suffixes)?)
}

/// For CRLs of subscriber certificates that name `at` as their distribution point.
pub(crate) fn issuing_distribution_point(at: &str) -> Result<Vec<u8>, Error> {
    let value = IssuingDistributionPoint {
        distribution_point: Some(full_name(at)?),
        only_contains_user_certs: true,
        only_contains_ca_certs: false,
        only_some_reasons: None,
        indirect_crl: false,
        only_contains_attribute_certs: false,
    };
    extension(oid::ISSUING_DISTRIBUTION_POINT, true, &value)
}

pub(crate) fn crl_number(number: u64) -> Result<Vec<u8>, Error> {
    extension(oid::CRL_NUMBER, false, &number)
}

fn full_name(at: &str) -> Result<DistributionPointName, Error> {
    Ok(DistributionPointName::FullName(vec![url(at)?]))
}

/// Whether a URL can stand in a certificate: plain HTTP (BR 7.1.2.11.2), with a host, in characters of a URL.
pub(crate) fn is_publication_url(at: &str) -> bool {
    let host_follows = at.strip_prefix("http://").is_some_and(|rest| rest.starts_with(|first: char| first != '/'));
    host_follows && at.bytes().all(|byte| byte.is_ascii_graphic())
}
