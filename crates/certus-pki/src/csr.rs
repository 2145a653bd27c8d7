//! Certification requests: PKCS #10, RFC 2986.
//!
//! A request that is read yields names and a key, nothing else. Whatever other extensions it asks for (CA:TRUE, key usages, private
//! ones) are not even kept, so they can never be copied into a certificate. Size limits are the caller's. One that is made
//! ([`create_request`]) asks for nothing else either.

use std::collections::BTreeSet;

use const_oid::ObjectIdentifier;
use der::asn1::AnyRef;
use der::{Decode, Encode, Error, Reader, SliceReader, Tag};
use x509_cert::ext::pkix::name::{DirectoryString, GeneralNames};
use x509_cert::name::Name;

use crate::asn1::{self, AltName, Extension, Signed, TagIs as _, context, optional};
use crate::crypto::{CryptoError, KeyPair, SignatureAlgorithm, SignatureEncoding};
use crate::extensions;
use crate::key::{KeyError, PublicKey};
use crate::name::{NameError, SubjectName};
use crate::oid;

/// Why a certification request is refused; the texts are meant for the person who made it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CsrError {
    /// Not strict DER, or not the syntax of RFC 2986.
    #[error("the certification request is not well-formed DER of PKCS #10")]
    Encoding(#[source] Error),
    /// A version other than v1.
    #[error("the version of the certification request is {0}, it must be 0 (v1)")]
    Version(u8),
    /// The public key is not one that Certus reads.
    #[error("the public key of the certification request cannot be used: {0}")]
    Key(KeyError),
    /// Signed with SHA-1, MD5, RSASSA-PSS or something unknown.
    #[error("the certification request is signed by an algorithm that is not accepted; use SHA-256 or better")]
    SignatureAlgorithm,
    /// The signature does not fit the key in the request.
    #[error("the signature of the certification request does not verify with the key in it")]
    Signature,
    /// A commonName that is no name a certificate could carry.
    #[error("the common name {name:?} is not a DNS name or IP address: {reason}")]
    CommonName {
        /// What stands in the request.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// A commonName that is not text.
    #[error("the common name is not text")]
    CommonNameEncoding,
    /// A dNSName that is no name a certificate could carry.
    #[error("the name {name:?} cannot be certified: {reason}")]
    DnsName {
        /// What stands in the request.
        name: String,
        /// What is wrong with it.
        reason: NameError,
    },
    /// An iPAddress of neither 4 nor 16 octets.
    #[error("an IP address in the subjectAltName has neither 4 nor 16 octets")]
    Address,
    /// A kind of name that is not certified.
    #[error("names of kind {0} in the subjectAltName are not certified, only dNSName and iPAddress")]
    NameKind(&'static str),
    /// No names at all.
    #[error("the certification request names nothing: put the names into the subjectAltName")]
    NoNames,
    /// More than one extensionRequest attribute, or one without exactly one value.
    #[error("the certification request must have at most one extensionRequest attribute, with one value")]
    ExtensionRequests,
    /// An extension is asked for twice.
    #[error("the certification request asks for the extension {0} twice")]
    DuplicateExtension(ObjectIdentifier),
    /// The subjectAltName is malformed.
    #[error("the subjectAltName of the certification request is malformed")]
    SubjectAltName(#[source] Error),
}

/// A certification request whose signature was verified: names and a key whose private half the requester has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertificationRequest {
    names: BTreeSet<SubjectName>,
    public_key: PublicKey,
}

impl CertificationRequest {
    /// Reads the DER of a request and verifies its signature.
    ///
    /// Names come from the commonName and the dNSName and iPAddress entries of the subjectAltName, in any case (RFC 8555
    /// section 7.4).
    ///
    /// # Errors
    ///
    /// [`CsrError`] says what is wrong with it.
    pub fn parse(der: &[u8]) -> Result<Self, CsrError> {
        let signed = Signed::parse(der).map_err(CsrError::Encoding)?;
        let info = Info::parse(signed.message).map_err(CsrError::Encoding)?;
        if info.version != 0 {
            return Err(CsrError::Version(info.version));
        }
        let public_key = PublicKey::from_spki_der(info.spki).map_err(CsrError::Key)?;
        let algorithm =
            SignatureAlgorithm::from_identifier_der(signed.algorithm).ok_or(CsrError::SignatureAlgorithm)?;
        public_key
            .verify(algorithm, SignatureEncoding::Der, signed.message, signed.signature)
            .or(Err(CsrError::Signature))?;

        let mut names = common_names(info.subject)?;
        if let Some(extensions) = info.requested_extensions()? {
            names.append(&mut alternative_names(&extensions)?);
        }
        if names.is_empty() {
            return Err(CsrError::NoNames);
        }
        Ok(Self { names, public_key })
    }

    /// The names asked for. Never empty.
    #[must_use]
    pub fn names(&self) -> &BTreeSet<SubjectName> {
        &self.names
    }

    /// The key to be certified.
    #[must_use]
    pub fn public_key(&self) -> &PublicKey {
        &self.public_key
    }
}

/// Why no request was made.
#[derive(Debug, thiserror::Error)]
pub enum RequestError {
    /// A request that names nothing is refused by every authority.
    #[error("a certification request must name something")]
    NoNames,
    /// The key could not sign.
    #[error("the certification request could not be signed")]
    Sign(#[from] CryptoError),
    /// A name does not fit in a certificate.
    #[error("a name cannot be written into a certification request")]
    Encoding(#[from] Error),
}

/// Makes the DER of a request for these names and this key: an empty subject, the names in the subjectAltName (RFC 8555
/// section 7.4), signed by the key.
///
/// # Errors
///
/// [`RequestError`] when there is no name, or the key cannot sign.
pub fn create_request(names: &BTreeSet<SubjectName>, key: &KeyPair) -> Result<Vec<u8>, RequestError> {
    /// `INTEGER 0`: version 1.
    const VERSION_1: &[u8] = &[0x02, 0x01, 0x00];
    if names.is_empty() {
        return Err(RequestError::NoNames);
    }
    let extensions = asn1::sequence(&[&extensions::subject_alt_name(names)?])?;
    let values = asn1::wrap(Tag::Set, &[&extensions])?;
    let attribute = asn1::sequence(&[&oid::EXTENSION_REQUEST.to_der()?, &values])?;
    let info = asn1::sequence(&[
        VERSION_1,
        &asn1::sequence(&[])?,
        key.public_key().spki_der(),
        &asn1::wrap(context(0), &[&attribute])?,
    ])?;
    let algorithm = key.default_signature_algorithm();
    let signature = key.sign(algorithm, SignatureEncoding::Der, &info)?;
    Ok(Signed::assemble(&info, algorithm.identifier_der(), &signature)?)
}

/// `CertificationRequestInfo` of RFC 2986 section 4.1.
struct Info<'a> {
    version: u8,
    subject: &'a [u8],
    spki: &'a [u8],
    /// Each attribute's type and its values (the contents of their SET).
    attributes: Vec<(ObjectIdentifier, &'a [u8])>,
}

impl<'a> Info<'a> {
    fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut reader = SliceReader::new(der)?;
        let info = reader.sequence(|inner| {
            let version = u8::decode(inner)?;
            let subject = inner.tlv_bytes()?;
            let spki = inner.tlv_bytes()?;
            let attributes = optional(inner, context(0))?.ok_or_else(|| Tag::Set.value_error())?;
            Ok::<_, Error>(Self { version, subject, spki, attributes: attributes_of(attributes)? })
        })?;
        reader.finish()?;
        Ok(info)
    }

    /// The extensions of the extensionRequest attribute (RFC 2985 section 5.4.2), if there is one.
    fn requested_extensions(&self) -> Result<Option<Vec<Extension<'a>>>, CsrError> {
        let mut requests = self.attributes.iter().filter(|(id, _)| *id == oid::EXTENSION_REQUEST);
        let (Some((_, value)), None) = (requests.next(), requests.next()) else {
            return if self.attributes.iter().any(|(id, _)| *id == oid::EXTENSION_REQUEST) {
                Err(CsrError::ExtensionRequests)
            } else {
                Ok(None)
            };
        };
        let mut reader = SliceReader::new(value).map_err(CsrError::Encoding)?;
        if reader.is_finished() {
            return Err(CsrError::ExtensionRequests);
        }
        let extensions = Vec::<Extension<'a>>::decode(&mut reader).map_err(CsrError::Encoding)?;
        if !reader.is_finished() {
            return Err(CsrError::ExtensionRequests);
        }
        let mut seen = BTreeSet::new();
        for extension in &extensions {
            if !seen.insert(extension.id) {
                return Err(CsrError::DuplicateExtension(extension.id));
            }
        }
        Ok(Some(extensions))
    }
}

/// Reads the contents of `[0] IMPLICIT SET OF Attribute`. Their order is not asked about: encoders differ in sorting
/// them, and nothing depends on it.
fn attributes_of(contents: &[u8]) -> Result<Vec<(ObjectIdentifier, &[u8])>, Error> {
    let mut reader = SliceReader::new(contents)?;
    let mut attributes = Vec::new();
    while !reader.is_finished() {
        attributes.push(reader.sequence(|attribute| {
            let id = ObjectIdentifier::decode(attribute)?;
            let values = AnyRef::decode(attribute)?;
            values.tag_is(Tag::Set)?;
            Ok::<_, Error>((id, values.value()))
        })?);
    }
    Ok(attributes)
}

fn common_names(subject: &[u8]) -> Result<BTreeSet<SubjectName>, CsrError> {
    let subject = Name::from_der(subject).map_err(CsrError::Encoding)?;
    subject
        .iter()
        .filter(|attribute| attribute.oid == oid::COMMON_NAME)
        .map(|attribute| {
            let name = DirectoryString::try_from(&attribute.value).or(Err(CsrError::CommonNameEncoding))?;
            let name = name.value();
            if let Ok(address) = name.parse() {
                return Ok(SubjectName::Ip(address));
            }
            SubjectName::parse_dns(&name)
                .map_err(|reason| CsrError::CommonName { name: name.clone().into_owned(), reason })
        })
        .collect()
}

fn alternative_names(extensions: &[Extension<'_>]) -> Result<BTreeSet<SubjectName>, CsrError> {
    let Some(extension) = extensions.iter().find(|extension| extension.id == oid::SUBJECT_ALT_NAME) else {
        return Ok(BTreeSet::new());
    };
    let names = GeneralNames::from_der(extension.value.as_bytes()).map_err(CsrError::SubjectAltName)?;
    names
        .iter()
        .map(|name| match asn1::alt_name(name) {
            AltName::Name(name) => Ok(name),
            AltName::NotADnsName(name, reason) => Err(CsrError::DnsName { name: name.to_owned(), reason }),
            AltName::NotAnAddress => Err(CsrError::Address),
            AltName::Kind(kind) => Err(CsrError::NameKind(kind)),
        })
        .collect()
}
