//! That the certificate is the one that was meant: its profile, the names that were proved, the key of the request.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::name::GeneralNames;
use x509_cert::ext::pkix::{CertificatePolicies, ExtendedKeyUsage};

use super::{Linted, Rule, ensure};
use crate::asn1::{self, AltName};
use crate::certificate;
use crate::oid;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("profile: serial number", serial),
    ("profile: names", names),
    ("profile: public key", public_key),
    ("profile: lifetime", lifetime),
    ("profile: policies", policies),
    ("profile: purposes", purposes),
    ("profile: extensions", extensions),
];

/// Every extension a server certificate of ours may have.
const ALLOWED: [ObjectIdentifier; 8] = [
    oid::KEY_USAGE,
    oid::EXT_KEY_USAGE,
    oid::SUBJECT_KEY_IDENTIFIER,
    oid::AUTHORITY_KEY_IDENTIFIER,
    oid::AUTHORITY_INFO_ACCESS,
    oid::SUBJECT_ALT_NAME,
    oid::CERTIFICATE_POLICIES,
    oid::CRL_DISTRIBUTION_POINTS,
];

fn serial(linted: &Linted<'_>) -> Result<(), String> {
    ensure(certificate::serial(linted.fields.serial).as_ref() == Some(linted.expected.serial), || {
        "the serial number is not the one that was drawn".to_owned()
    })
}

fn names(linted: &Linted<'_>) -> Result<(), String> {
    let present: GeneralNames = linted.value(oid::SUBJECT_ALT_NAME, "subjectAltName")?;
    let mut read = BTreeSet::new();
    for name in &present {
        match asn1::alt_name(name) {
            AltName::Name(name) => ensure(read.insert(name.clone()), || format!("the name {name} is there twice"))?,
            AltName::NotADnsName(..) | AltName::NotAnAddress | AltName::Kind(_) => {
                return Err("there is a name that is neither a DNS name nor an address".to_owned());
            }
        }
    }
    ensure(read == *linted.expected.names, || "the names are not exactly those that were proved".to_owned())
}

fn public_key(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.fields.spki == linted.expected.public_key.spki_der(), || {
        "the public key is not, octet for octet, that of the request".to_owned()
    })?;
    let (permitted, kind) = (&linted.expected.profile.keys, linted.expected.public_key.kind());
    ensure(permitted.permits(kind), || format!("the profile certifies keys of kind {permitted}, not {kind}"))
}

fn lifetime(linted: &Linted<'_>) -> Result<(), String> {
    let allowed = i64::try_from(linted.expected.profile.lifetime.as_secs()).unwrap_or(i64::MAX);
    ensure(linted.validity_seconds() <= allowed, || "the validity is longer than the profile's lifetime".to_owned())
}

fn policies(linted: &Linted<'_>) -> Result<(), String> {
    let present = match linted.extension(oid::CERTIFICATE_POLICIES) {
        Some(_) => linted.value::<CertificatePolicies>(oid::CERTIFICATE_POLICIES, "certificatePolicies")?.0,
        None => Vec::new(),
    };
    let present: Vec<_> = present.iter().map(|policy| policy.policy_identifier).collect();
    ensure(present == linted.expected.profile.policies, || "the policies are not those of the profile".to_owned())
}

fn purposes(linted: &Linted<'_>) -> Result<(), String> {
    let present: ExtendedKeyUsage = linted.value(oid::EXT_KEY_USAGE, "extKeyUsage")?;
    ensure(present.0 == oid::purposes(linted.expected.profile.client_auth), || {
        "extKeyUsage is not what the profile says".to_owned()
    })
}

fn extensions(linted: &Linted<'_>) -> Result<(), String> {
    match linted.fields.extensions.iter().find(|extension| !ALLOWED.contains(&extension.id)) {
        Some(other) => Err(format!("there is the extension {}", other.id)),
        None => Ok(()),
    }
}
