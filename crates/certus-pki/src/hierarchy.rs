//! The certificates of a new two-tier authority: a root, and an intermediate that issues beneath it.
//!
//! Made once, when an authority is set up (BR 7.1.2.1 and 7.1.2.6). Existing authorities are only read, by
//! [`crate::Issuer::new`].

use std::time::Duration;

use der::asn1::{AnyRef, PrintableStringRef, Utf8StringRef};
use der::{Encode, Tag};
use x509_cert::ext::pkix::KeyUsages;

use crate::asn1;
use crate::certificate::{Certificate, KeyUsage};
use crate::extensions;
use crate::key::PublicKey;
use crate::name::DnsName;
use crate::oid;
use crate::serial::SerialNumber;
use crate::signer::{IssueError, Signer, sign_object};
use crate::tbs::Fields;
use crate::time::Timestamp;

/// The name of an authority.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CaSubject {
    /// commonName: 1 to 64 characters.
    pub common_name: String,
    /// organizationName: 1 to 64 characters. Public authorities must have it (BR 7.1.2.10.2).
    pub organization: Option<String>,
    /// countryName: two letters of ISO 3166-1. Public authorities must have it (BR 7.1.2.10.2).
    pub country: Option<String>,
}

/// Why an authority's certificate could not be made.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HierarchyError {
    /// A part of the name is empty, too long, or has characters that cannot be printed.
    #[error("the {field} {value:?} of the authority's name must be {rule}")]
    Subject {
        /// Which part.
        field: &'static str,
        /// What it is.
        value: String,
        /// What it should be.
        rule: &'static str,
    },
    /// A URL that is not plain HTTP.
    #[error("{0:?} is not a plain http URL")]
    Url(String),
    /// The lifetime is below one second, or the root ends before the intermediate would begin.
    #[error("the certificate would end before it begins")]
    Lifetime,
    /// The signer's key is not that of the root.
    #[error("the key does not belong to the root certificate")]
    RootKey,
    /// The certificate that is to certify is no authority's, or may not sign certificates.
    #[error("the certificate of {0:?} is not that of an authority")]
    NotAnAuthority(String),
    /// The certificate that is to certify may have no intermediates beneath it (RFC 5280 section 4.2.1.9).
    #[error("the path length constraint of {0:?} leaves no intermediate beneath it")]
    PathLength(String),
    /// The DER could not be written.
    #[error("the certificate cannot be encoded")]
    Encoding(#[source] der::Error),
    /// Signing failed.
    #[error("the certificate was not signed")]
    Issue(#[source] IssueError),
}

/// How long before the present the certificates of authorities begin, so that they are valid on machines whose clocks
/// are a little behind. BR 7.1.2.1.1 and 7.1.2.10.1 allow a day.
pub const AUTHORITY_BACKDATE: Duration = Duration::from_secs(3600);

/// Makes a self-signed root: basicConstraints without a path length, keyCertSign and cRLSign, no extKeyUsage.
///
/// `lifetime` is counted with both ends; BR 7.1.2.1.1 asks for 8 to 25 years of public authorities.
///
/// # Errors
///
/// [`HierarchyError`] for a name or lifetime that cannot be, or if the signer fails.
pub async fn create_root(
    subject: &CaSubject,
    signer: &dyn Signer,
    lifetime: Duration,
    now: Timestamp,
) -> Result<Certificate, HierarchyError> {
    let name = subject.encode()?;
    let key = signer.public_key();
    let identifier = key.key_identifier();
    let (not_before, not_after) = validity(lifetime, now)?;
    let extensions = encode_all([
        extensions::authority(None),
        extensions::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign),
        extensions::subject_key_identifier(&identifier),
        extensions::authority_key_identifier(&identifier),
    ])?;
    let fields = Fields {
        serial: &SerialNumber::random(),
        algorithm: key.kind().signature_algorithm().identifier_der(),
        issuer: &name,
        not_before,
        not_after,
        subject: &name,
        public_key: key,
        extensions: &extensions,
    };
    sign(signer, key, &fields).await
}

/// Makes an intermediate that issues server certificates beneath `root`: path length 0, anyPolicy, and serverAuth with
/// clientAuth (BR 7.1.2.10.6), of which a profile gives what its certificates are for.
///
/// With `permitted` suffixes the certificate has critical name constraints: DNS names at and beneath them, and no IP
/// addresses (BR 7.1.2.5.2). The end is capped to the root's.
///
/// # Errors
///
/// [`HierarchyError`] for a name, URL or lifetime that cannot be, if `root` may not certify an authority or is not the
/// signer's, or if the signer fails.
pub async fn create_intermediate(
    subject: &CaSubject,
    root: &Certificate,
    root_signer: &dyn Signer,
    public_key: &PublicKey,
    permitted: &[DnsName],
    ca_issuers_url: &str,
    crl_url: &str,
    lifetime: Duration,
    now: Timestamp,
) -> Result<Certificate, HierarchyError> {
    if root_signer.public_key() != root.public_key() {
        return Err(HierarchyError::RootKey);
    }
    if !root.is_ca() || root.key_usage(KeyUsage::KeyCertSign) == Some(false) {
        return Err(HierarchyError::NotAnAuthority(root.subject_text()));
    }
    if root.path_len() == Some(0) {
        return Err(HierarchyError::PathLength(root.subject_text()));
    }
    for url in [ca_issuers_url, crl_url] {
        if !extensions::is_publication_url(url) {
            return Err(HierarchyError::Url(url.to_owned()));
        }
    }
    let name = subject.encode()?;
    let (not_before, not_after) = validity(lifetime, now)?;
    let (not_before, not_after) = (not_before.max(root.not_before()), not_after.min(root.not_after()));
    if not_after < not_before {
        return Err(HierarchyError::Lifetime);
    }
    let root_identifier = root.public_key().key_identifier();
    let mut extensions = encode_all([
        extensions::authority(Some(0)),
        extensions::key_usage(KeyUsages::KeyCertSign | KeyUsages::CRLSign),
        extensions::extended_key_usage(true),
        extensions::subject_key_identifier(&public_key.key_identifier()),
        extensions::authority_key_identifier(root.subject_key_identifier().unwrap_or(&root_identifier)),
        extensions::ca_issuers(ca_issuers_url),
        extensions::policies(&[oid::ANY_POLICY]),
        extensions::crl_distribution_point(crl_url),
    ])?;
    if !permitted.is_empty() {
        extensions.push(extensions::name_constraints(permitted).map_err(HierarchyError::Encoding)?);
    }
    let fields = Fields {
        serial: &SerialNumber::random(),
        algorithm: root.public_key().kind().signature_algorithm().identifier_der(),
        issuer: root.subject_der(),
        not_before,
        not_after,
        subject: &name,
        public_key,
        extensions: &extensions,
    };
    sign(root_signer, root.public_key(), &fields).await
}

async fn sign(signer: &dyn Signer, key: &PublicKey, fields: &Fields<'_>) -> Result<Certificate, HierarchyError> {
    let tbs = fields.encode().map_err(HierarchyError::Encoding)?;
    let der = sign_object(signer, key, &tbs).await.map_err(HierarchyError::Issue)?;
    let certificate =
        Certificate::parse(&der).map_err(|error| HierarchyError::Issue(IssueError::Certificate(error)))?;
    if certificate.tbs_der() == tbs { Ok(certificate) } else { Err(HierarchyError::Issue(IssueError::Differs)) }
}

fn validity(lifetime: Duration, now: Timestamp) -> Result<(Timestamp, Timestamp), HierarchyError> {
    let second = Duration::from_secs(1);
    if lifetime < second {
        return Err(HierarchyError::Lifetime);
    }
    let not_before = (now - AUTHORITY_BACKDATE).whole_seconds();
    Ok((not_before, (not_before + lifetime).whole_seconds() - second))
}

fn encode_all<const N: usize>(parts: [Result<Vec<u8>, der::Error>; N]) -> Result<Vec<Vec<u8>>, HierarchyError> {
    parts.into_iter().collect::<Result<_, _>>().map_err(HierarchyError::Encoding)
}

/// The upper bound of RFC 5280 appendix A.1 for commonName and organizationName.
const MAX_NAME_CHARACTERS: usize = 64;

impl CaSubject {
    /// The DER of the name, in the order BR 7.1.4.2 gives: country, organization, common name.
    fn encode(&self) -> Result<Vec<u8>, HierarchyError> {
        let mut parts = Vec::new();
        if let Some(country) = &self.country {
            let rule = "two capital letters";
            if country.len() != 2 || !country.bytes().all(|byte| byte.is_ascii_uppercase()) {
                return Err(HierarchyError::Subject { field: "country", value: country.clone(), rule });
            }
            let text = PrintableStringRef::new(country).map_err(HierarchyError::Encoding)?;
            parts.push(attribute(oid::COUNTRY_NAME, AnyRef::from(text)).map_err(HierarchyError::Encoding)?);
        }
        let texts = [
            (oid::ORGANIZATION_NAME, "organization", self.organization.as_ref()),
            (oid::COMMON_NAME, "common name", Some(&self.common_name)),
        ];
        for (id, field, value) in texts {
            let Some(value) = value else { continue };
            let rule = "1 to 64 printable characters";
            let length = value.chars().count();
            if length > MAX_NAME_CHARACTERS || value.trim().is_empty() || value.chars().any(char::is_control) {
                return Err(HierarchyError::Subject { field, value: value.clone(), rule });
            }
            let text = Utf8StringRef::new(value).map_err(HierarchyError::Encoding)?;
            parts.push(attribute(id, AnyRef::from(text)).map_err(HierarchyError::Encoding)?);
        }
        let parts: Vec<&[u8]> = parts.iter().map(Vec::as_slice).collect();
        asn1::sequence(&parts).map_err(HierarchyError::Encoding)
    }
}

/// A relative distinguished name of one attribute.
fn attribute(id: const_oid::ObjectIdentifier, value: AnyRef<'_>) -> Result<Vec<u8>, der::Error> {
    asn1::wrap(Tag::Set, &[&asn1::sequence(&[&id.to_der()?, &value.to_der()?])?])
}
