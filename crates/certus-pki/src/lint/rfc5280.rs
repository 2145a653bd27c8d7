//! Rules of RFC 5280 section 4 for end-entity certificates.

use std::collections::BTreeSet;

use x509_cert::ext::pkix::name::{GeneralName, GeneralNames};
use x509_cert::ext::pkix::{AuthorityKeyIdentifier, KeyUsage, SubjectKeyIdentifier};

use super::{Linted, Rule, ensure};
use crate::asn1::{self, AltName};
use crate::certificate;
use crate::oid;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("RFC 5280 4.1.2.1", version),
    ("RFC 5280 4.1.2.2", serial),
    ("RFC 5280 4.1.2.3", signature_algorithm),
    ("RFC 5280 4.1.2.4", issuer),
    ("RFC 5280 4.1.2.5", validity),
    ("RFC 5280 4.1.2.6", subject),
    ("RFC 5280 4.1.2.7", public_key),
    ("RFC 5280 4.1.2.8", unique_identifiers),
    ("RFC 5280 4.2", extensions),
    ("RFC 5280 4.2.1.1", authority_key_identifier),
    ("RFC 5280 4.2.1.2", subject_key_identifier),
    ("RFC 5280 4.2.1.3", key_usage),
    ("RFC 5280 4.2.1.6", subject_alt_name),
    ("RFC 5280 4.2.1.9", basic_constraints),
];

fn version(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.fields.version == 2, || format!("the version is {}, not 2 (v3)", linted.fields.version))
}

fn serial(linted: &Linted<'_>) -> Result<(), String> {
    ensure(certificate::serial(linted.fields.serial).is_some(), || {
        "the serial number is not a positive number of at most 20 octets".to_owned()
    })
}

fn signature_algorithm(linted: &Linted<'_>) -> Result<(), String> {
    let algorithm = linted.expected.issuer.public_key().kind().signature_algorithm();
    ensure(linted.fields.signature == algorithm.identifier_der(), || {
        format!("the signature algorithm is not {algorithm}")
    })
}

fn issuer(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.fields.issuer != EMPTY, || "the issuer is empty".to_owned())?;
    ensure(linted.fields.issuer == linted.expected.issuer.subject_der(), || {
        "the issuer is not, octet for octet, the subject of the issuing certificate".to_owned()
    })
}

fn validity(linted: &Linted<'_>) -> Result<(), String> {
    let (from, to) = (linted.fields.not_before, linted.fields.not_after);
    ensure(from.has_required_form() && to.has_required_form(), || {
        "times to 2049 are UTCTime, later ones GeneralizedTime".to_owned()
    })?;
    ensure(from.at <= to.at, || "the validity ends before it begins".to_owned())?;
    let issuer = linted.expected.issuer;
    ensure(issuer.not_before() <= from.at && to.at <= issuer.not_after(), || {
        "the validity does not lie within that of the issuing certificate".to_owned()
    })
}

fn subject(linted: &Linted<'_>) -> Result<(), String> {
    let critical = linted.extension(oid::SUBJECT_ALT_NAME).is_some_and(|extension| extension.critical);
    ensure(linted.fields.subject != EMPTY || critical, || {
        "the subject is empty, so subjectAltName must be critical".to_owned()
    })
}

fn public_key(linted: &Linted<'_>) -> Result<(), String> {
    linted.public_key().map(|_| ())
}

fn unique_identifiers(linted: &Linted<'_>) -> Result<(), String> {
    ensure(!linted.fields.has_unique_identifiers, || "there are unique identifiers".to_owned())
}

fn extensions(linted: &Linted<'_>) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    match linted.fields.extensions.iter().find(|extension| !seen.insert(extension.id)) {
        Some(twice) => Err(format!("the extension {} is there twice", twice.id)),
        None => Ok(()),
    }
}

fn authority_key_identifier(linted: &Linted<'_>) -> Result<(), String> {
    let value: AuthorityKeyIdentifier = linted.value(oid::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier")?;
    not_critical(linted, oid::AUTHORITY_KEY_IDENTIFIER, "authorityKeyIdentifier")?;
    let identifier = value.key_identifier.ok_or_else(|| "authorityKeyIdentifier has no keyIdentifier".to_owned())?;
    ensure(identifier.as_bytes() == linted.expected.issuer_key_identifier, || {
        "authorityKeyIdentifier is not the issuing certificate's subjectKeyIdentifier".to_owned()
    })?;
    ensure(value.authority_cert_issuer.is_none() && value.authority_cert_serial_number.is_none(), || {
        "authorityKeyIdentifier has more than a keyIdentifier".to_owned()
    })
}

fn subject_key_identifier(linted: &Linted<'_>) -> Result<(), String> {
    if linted.extension(oid::SUBJECT_KEY_IDENTIFIER).is_none() {
        return Ok(());
    }
    let value: SubjectKeyIdentifier = linted.value(oid::SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier")?;
    not_critical(linted, oid::SUBJECT_KEY_IDENTIFIER, "subjectKeyIdentifier")?;
    ensure(value.0.as_bytes() == linted.expected.public_key.key_identifier(), || {
        "subjectKeyIdentifier is not that of the key".to_owned()
    })
}

fn key_usage(linted: &Linted<'_>) -> Result<(), String> {
    let value: KeyUsage = linted.value(oid::KEY_USAGE, "keyUsage")?;
    ensure(linted.extension(oid::KEY_USAGE).is_some_and(|extension| extension.critical), || {
        "keyUsage is not critical".to_owned()
    })?;
    ensure(!value.0.is_empty(), || "keyUsage has no bit set".to_owned())?;
    ensure(!value.key_cert_sign(), || "keyUsage has keyCertSign, but this is no authority".to_owned())
}

fn subject_alt_name(linted: &Linted<'_>) -> Result<(), String> {
    let names: GeneralNames = linted.value(oid::SUBJECT_ALT_NAME, "subjectAltName")?;
    ensure(!names.is_empty(), || "subjectAltName is empty".to_owned())?;
    names.iter().try_for_each(|name| match asn1::alt_name(name) {
        AltName::Name(_) | AltName::Kind(_) => match name {
            GeneralName::DnsName(text) => ensure(!text.as_str().bytes().any(|byte| byte.is_ascii_uppercase()), || {
                format!("the name {:?} is not in lower case", text.as_str())
            }),
            GeneralName::OtherName(_)
            | GeneralName::Rfc822Name(_)
            | GeneralName::DirectoryName(_)
            | GeneralName::EdiPartyName(_)
            | GeneralName::UniformResourceIdentifier(_)
            | GeneralName::IpAddress(_)
            | GeneralName::RegisteredId(_) => Ok(()),
        },
        AltName::NotADnsName(name, reason) => Err(format!("the dNSName {name:?}: {reason}")),
        AltName::NotAnAddress => Err("an iPAddress has neither 4 nor 16 octets".to_owned()),
    })
}

fn basic_constraints(linted: &Linted<'_>) -> Result<(), String> {
    match linted.extension(oid::BASIC_CONSTRAINTS) {
        Some(extension) => ensure(extension.value.as_bytes() == EMPTY, || {
            "basicConstraints of an end entity is absent, or an empty sequence".to_owned()
        }),
        None => Ok(()),
    }
}

/// An empty SEQUENCE.
const EMPTY: &[u8] = &[0x30, 0x00];

fn not_critical(linted: &Linted<'_>, id: const_oid::ObjectIdentifier, name: &str) -> Result<(), String> {
    ensure(linted.extension(id).is_none_or(|extension| !extension.critical), || format!("{name} is critical"))
}
