//! What the extensions of a certificate say.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use der::Decode;
use x509_cert::ext::pkix::name::{DistributionPointName, GeneralName, GeneralNames};
use x509_cert::ext::pkix::{
    AuthorityInfoAccessSyntax, AuthorityKeyIdentifier, BasicConstraints, CrlDistributionPoints, ExtendedKeyUsage,
    KeyUsage as KeyUsageSyntax, KeyUsages, SubjectKeyIdentifier,
};

use super::CertificateError;
use crate::asn1::{self, AltName, Extension};
use crate::name::SubjectName;
use crate::name_constraints::NameConstraints;
use crate::oid;

/// What a key may be used for (RFC 5280 section 4.2.1.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// digitalSignature.
    DigitalSignature,
    /// nonRepudiation.
    NonRepudiation,
    /// keyEncipherment.
    KeyEncipherment,
    /// dataEncipherment.
    DataEncipherment,
    /// keyAgreement.
    KeyAgreement,
    /// keyCertSign.
    KeyCertSign,
    /// cRLSign.
    CrlSign,
    /// encipherOnly.
    EncipherOnly,
    /// decipherOnly.
    DecipherOnly,
}

impl KeyUsage {
    pub(super) const fn syntax(self) -> KeyUsages {
        match self {
            Self::DigitalSignature => KeyUsages::DigitalSignature,
            Self::NonRepudiation => KeyUsages::NonRepudiation,
            Self::KeyEncipherment => KeyUsages::KeyEncipherment,
            Self::DataEncipherment => KeyUsages::DataEncipherment,
            Self::KeyAgreement => KeyUsages::KeyAgreement,
            Self::KeyCertSign => KeyUsages::KeyCertSign,
            Self::CrlSign => KeyUsages::CRLSign,
            Self::EncipherOnly => KeyUsages::EncipherOnly,
            Self::DecipherOnly => KeyUsages::DecipherOnly,
        }
    }
}

/// What the extensions say.
#[derive(Default)]
pub(super) struct Meaning {
    pub(super) basic_constraints: Option<BasicConstraints>,
    pub(super) key_usage: Option<KeyUsageSyntax>,
    pub(super) ext_key_usage: Option<Vec<ObjectIdentifier>>,
    pub(super) subject_names: BTreeSet<SubjectName>,
    pub(super) name_constraints: Option<NameConstraints>,
    pub(super) authority_key_identifier: Option<Vec<u8>>,
    pub(super) subject_key_identifier: Option<Vec<u8>>,
    pub(super) crl_urls: Vec<String>,
    pub(super) ca_issuers_urls: Vec<String>,
}

impl Meaning {
    pub(super) fn read(extensions: &[Extension<'_>]) -> Result<Self, CertificateError> {
        let mut meaning = Self::default();
        let mut seen = BTreeSet::new();
        for extension in extensions {
            if !seen.insert(extension.id) {
                return Err(CertificateError::DuplicateExtension(extension.id));
            }
            meaning.add(extension).map_err(|error| CertificateError::Extension(extension.id, error))?;
        }
        Ok(meaning)
    }

    fn add(&mut self, extension: &Extension<'_>) -> Result<(), der::Error> {
        let value = extension.value.as_bytes();
        match extension.id {
            oid::BASIC_CONSTRAINTS => self.basic_constraints = Some(BasicConstraints::from_der(value)?),
            oid::KEY_USAGE => self.key_usage = Some(KeyUsageSyntax::from_der(value)?),
            oid::EXT_KEY_USAGE => self.ext_key_usage = Some(ExtendedKeyUsage::from_der(value)?.0),
            oid::NAME_CONSTRAINTS => self.name_constraints = Some(NameConstraints::parse(value)?),
            oid::AUTHORITY_KEY_IDENTIFIER => {
                let identifier = AuthorityKeyIdentifier::from_der(value)?.key_identifier;
                self.authority_key_identifier = identifier.map(|octets| octets.as_bytes().to_vec());
            }
            oid::SUBJECT_KEY_IDENTIFIER => {
                self.subject_key_identifier = Some(SubjectKeyIdentifier::from_der(value)?.0.as_bytes().to_vec());
            }
            oid::SUBJECT_ALT_NAME => {
                for name in GeneralNames::from_der(value)? {
                    match asn1::alt_name(&name) {
                        AltName::Name(name) => {
                            self.subject_names.insert(name);
                        }
                        AltName::NotADnsName(..) | AltName::NotAnAddress | AltName::Kind(_) => {}
                    }
                }
            }
            oid::CRL_DISTRIBUTION_POINTS => {
                for point in CrlDistributionPoints::from_der(value)?.0 {
                    if let Some(DistributionPointName::FullName(names)) = &point.distribution_point {
                        self.crl_urls.extend(names.iter().filter_map(url));
                    }
                }
            }
            oid::AUTHORITY_INFO_ACCESS => {
                let accesses = AuthorityInfoAccessSyntax::from_der(value)?.0;
                let issuers = accesses.iter().filter(|access| access.access_method == oid::AD_CA_ISSUERS);
                self.ca_issuers_urls = issuers.filter_map(|access| url(&access.access_location)).collect();
            }
            _ => {}
        }
        Ok(())
    }
}

/// The URL of a name that is one.
pub(crate) fn url(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::UniformResourceIdentifier(url) => Some(url.as_str().to_owned()),
        GeneralName::OtherName(_)
        | GeneralName::Rfc822Name(_)
        | GeneralName::DnsName(_)
        | GeneralName::DirectoryName(_)
        | GeneralName::EdiPartyName(_)
        | GeneralName::IpAddress(_)
        | GeneralName::RegisteredId(_) => None,
    }
}
