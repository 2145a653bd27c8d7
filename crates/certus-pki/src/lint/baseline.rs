//! Rules of the CA/Browser Forum's Baseline Requirements (2.2.6) section 7.1.2.7 for subscriber certificates.
//!
//! A private authority keeps them too, except that it need not assert a policy; those that assert one of the reserved
//! policies have to keep the validity limits of section 6.3.2.

use const_oid::ObjectIdentifier;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, CertificatePolicies, CrlDistributionPoints, ExtendedKeyUsage, KeyUsage, KeyUsages,
};

use super::{Linted, Rule, ensure};
use crate::asn1::{self, AltName};
use crate::certificate;
use crate::key::PublicKeyKind;
use crate::key_rules;
use crate::oid;

pub(super) const RULES: &[(&str, Rule)] = &[
    ("BR 7.1.2.7 serialNumber", serial),
    ("BR 7.1.2.7 notBefore", not_before),
    ("BR 6.3.2", validity),
    ("BR 7.1.2.7.2", subject),
    ("BR 6.1.1.3", public_key),
    ("BR 7.1.2.7.7", authority_info_access),
    ("BR 7.1.2.7.9", policies),
    ("BR 7.1.2.7.10", extended_key_usage),
    ("BR 7.1.2.7.11", key_usage),
    ("BR 7.1.2.7.12", subject_alt_name),
    ("BR 7.1.2.7.6", name_constraints),
    ("BR 7.1.2.11.2", crl_distribution_points),
];

/// Octets a serial number needs to hold 64 random bits beside a first octet that keeps it positive.
const MIN_SERIAL_OCTETS: usize = 9;
/// `notBefore` is within 48 hours of the signing.
const MAX_DISTANCE_SECONDS: u64 = 48 * 3600;
const DAY: i64 = 86_400;
/// From when on (unix seconds) how many days are allowed, latest first: 2029-03-15, 2027-03-15, 2026-03-15, ever.
const VALIDITY_LIMITS: [(i64, i64); 4] =
    [(1_868_227_200, 47), (1_805_068_800, 100), (1_773_532_800, 200), (i64::MIN, 398)];
/// At most 7 days: a short-lived certificate (BR 1.6.1, since 2026-03-15).
const SHORT_LIVED: i64 = 7 * DAY;

const FORBIDDEN_PURPOSES: [ObjectIdentifier; 6] = [
    oid::ANY_EXTENDED_KEY_USAGE,
    // codeSigning, emailProtection, timeStamping, OCSPSigning and precertificate signing
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.3"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.4"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.8"),
    ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.9"),
    ObjectIdentifier::new_unwrap("1.3.6.1.4.1.11129.2.4.4"),
];

fn serial(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.fields.serial.len() >= MIN_SERIAL_OCTETS, || {
        "the serial number is too short to hold 64 random bits".to_owned()
    })
}

fn not_before(linted: &Linted<'_>) -> Result<(), String> {
    let from = linted.fields.not_before.at;
    let distance = linted.expected.now.unix_seconds().abs_diff(from.unix_seconds());
    ensure(distance <= MAX_DISTANCE_SECONDS, || format!("notBefore ({from}) is not within 48 hours of the signing"))
}

fn validity(linted: &Linted<'_>) -> Result<(), String> {
    let asserted = linted.extension(oid::CERTIFICATE_POLICIES).is_some() && {
        let policies: CertificatePolicies = linted.value(oid::CERTIFICATE_POLICIES, "certificatePolicies")?;
        policies.0.iter().any(|policy| oid::RESERVED_POLICIES.contains(&policy.policy_identifier))
    };
    if !asserted {
        return Ok(());
    }
    let now = linted.expected.now.unix_seconds();
    let days = VALIDITY_LIMITS.into_iter().find(|(from, _)| *from <= now).map_or(0, |(_, days)| days);
    ensure(linted.validity_seconds() <= days * DAY, || {
        format!("a certificate issued today is valid for at most {days} days")
    })
}

fn subject(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.fields.subject == [0x30, 0x00], || "the subject is not empty".to_owned())
}

fn public_key(linted: &Linted<'_>) -> Result<(), String> {
    key_rules::check_subscriber_key(linted.public_key()?).map_err(|refused| refused.to_string())
}

fn authority_info_access(linted: &Linted<'_>) -> Result<(), String> {
    let value: AuthorityInfoAccessSyntax = linted.value(oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess")?;
    not_critical(linted, oid::AUTHORITY_INFO_ACCESS, "authorityInfoAccess")?;
    ensure(!value.0.is_empty(), || "authorityInfoAccess is empty".to_owned())?;
    value.0.iter().try_for_each(|access| {
        ensure([oid::AD_OCSP, oid::AD_CA_ISSUERS].contains(&access.access_method), || {
            format!("authorityInfoAccess has the method {}", access.access_method)
        })?;
        ensure(is_http(&access.access_location), || "authorityInfoAccess has a location that is no http URL".to_owned())
    })
}

fn policies(linted: &Linted<'_>) -> Result<(), String> {
    if linted.extension(oid::CERTIFICATE_POLICIES).is_none() {
        return Ok(());
    }
    let value: CertificatePolicies = linted.value(oid::CERTIFICATE_POLICIES, "certificatePolicies")?;
    not_critical(linted, oid::CERTIFICATE_POLICIES, "certificatePolicies")?;
    ensure(!value.0.is_empty(), || "certificatePolicies is empty".to_owned())?;
    let asserted = || value.0.iter().map(|policy| policy.policy_identifier);
    ensure(asserted().all(|policy| policy != oid::ANY_POLICY), || "certificatePolicies has anyPolicy".to_owned())?;
    ensure(asserted().filter(|policy| oid::RESERVED_POLICIES.contains(policy)).count() <= 1, || {
        "certificatePolicies has more than one reserved policy".to_owned()
    })?;
    ensure(value.0.iter().all(|policy| policy.policy_qualifiers.is_none()), || {
        "certificatePolicies has qualifiers".to_owned()
    })
}

fn extended_key_usage(linted: &Linted<'_>) -> Result<(), String> {
    let value: ExtendedKeyUsage = linted.value(oid::EXT_KEY_USAGE, "extKeyUsage")?;
    not_critical(linted, oid::EXT_KEY_USAGE, "extKeyUsage")?;
    ensure(value.0.contains(&oid::SERVER_AUTH), || "extKeyUsage has no serverAuth".to_owned())?;
    match value.0.iter().find(|purpose| FORBIDDEN_PURPOSES.contains(purpose)) {
        Some(forbidden) => Err(format!("extKeyUsage has the purpose {forbidden}")),
        None => Ok(()),
    }
}

fn key_usage(linted: &Linted<'_>) -> Result<(), String> {
    let value: KeyUsage = linted.value(oid::KEY_USAGE, "keyUsage")?;
    let key = linted.public_key()?;
    ensure(value.digital_signature(), || "keyUsage has no digitalSignature".to_owned())?;
    let allowed = match key.kind() {
        PublicKeyKind::Rsa { .. } => KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment,
        PublicKeyKind::Ec(_) | PublicKeyKind::Ed25519 => KeyUsages::DigitalSignature.into(),
    };
    ensure(allowed.contains(value.0), || format!("keyUsage has bits that do not fit a key of kind {}", key.kind()))
}

fn subject_alt_name(linted: &Linted<'_>) -> Result<(), String> {
    let names: GeneralNames = linted.value(oid::SUBJECT_ALT_NAME, "subjectAltName")?;
    let critical = linted.extension(oid::SUBJECT_ALT_NAME).is_some_and(|extension| extension.critical);
    ensure(critical == (linted.fields.subject == [0x30, 0x00]), || {
        "subjectAltName is critical if, and only if, the subject is empty".to_owned()
    })?;
    names.iter().try_for_each(|name| match asn1::alt_name(name) {
        AltName::Kind(kind) => Err(format!("subjectAltName has a {kind}")),
        AltName::Name(_) | AltName::NotADnsName(..) | AltName::NotAnAddress => Ok(()),
    })
}

fn name_constraints(linted: &Linted<'_>) -> Result<(), String> {
    ensure(linted.extension(oid::NAME_CONSTRAINTS).is_none(), || "there are nameConstraints".to_owned())
}

fn crl_distribution_points(linted: &Linted<'_>) -> Result<(), String> {
    if linted.extension(oid::CRL_DISTRIBUTION_POINTS).is_none() {
        return ensure(linted.validity_seconds() <= SHORT_LIVED, || "cRLDistributionPoints is absent".to_owned());
    }
    let value: CrlDistributionPoints = linted.value(oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints")?;
    not_critical(linted, oid::CRL_DISTRIBUTION_POINTS, "cRLDistributionPoints")?;
    let [point] = value.0.as_slice() else {
        return Err("cRLDistributionPoints has not exactly one point".to_owned());
    };
    ensure(point.reasons.is_none() && point.crl_issuer.is_none(), || {
        "cRLDistributionPoints has reasons or a cRLIssuer".to_owned()
    })?;
    match &point.distribution_point {
        Some(DistributionPointName::FullName(names)) if !names.is_empty() => {
            ensure(names.iter().all(is_http), || "cRLDistributionPoints has a name that is no http URL".to_owned())
        }
        Some(DistributionPointName::FullName(_) | DistributionPointName::NameRelativeToCRLIssuer(_)) | None => {
            Err("cRLDistributionPoints has no full name".to_owned())
        }
    }
}

fn is_http(name: &GeneralName) -> bool {
    certificate::url(name).is_some_and(|url| url.starts_with("http://"))
}

fn not_critical(linted: &Linted<'_>, id: ObjectIdentifier, name: &str) -> Result<(), String> {
    ensure(linted.extension(id).is_none_or(|extension| !extension.critical), || format!("{name} is critical"))
}
