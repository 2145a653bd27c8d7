//! Certification requests (RFC 2986) of any kind, right ones and wrong ones, written octet by octet.
//!
//! Nothing of the authority's own code for requests is used, so that a fault there cannot hide.

use std::net::IpAddr;

use certus_pki::{CryptoError, KeyPair, PublicKey, SignatureEncoding};

use crate::der::{
    BIT_STRING, BOOLEAN, INTEGER, OBJECT_IDENTIFIER, SEQUENCE, SET, SUBJECT_ALT_NAME, address, bit_string, common_name,
    context, extension, implicit, sequence, tlv,
};

/// What a request says besides its names.
#[derive(Debug, Clone, Default)]
pub struct CsrOptions {
    /// Where the names stand.
    pub names_in: NamesIn,
    /// A commonName of its own, in place of the first name.
    pub common_name: Option<String>,
    /// Addresses in the subjectAltName.
    pub addresses: Vec<IpAddr>,
    /// URIs in the subjectAltName.
    pub uris: Vec<String>,
    /// Mail addresses in the subjectAltName.
    pub mail_addresses: Vec<String>,
    /// Further extensions.
    pub extensions: Vec<CsrExtension>,
    /// This public key instead of the one that signs.
    pub public_key: Option<PublicKey>,
    /// This DER for the signature's `AlgorithmIdentifier`.
    pub algorithm_der: Option<Vec<u8>>,
    /// One bit of the signature is another.
    pub flip_signature_bit: bool,
}

/// Where the names stand.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum NamesIn {
    /// All of them in the subjectAltName; the subject is empty.
    #[default]
    SubjectAltName,
    /// All of them in commonNames; no subjectAltName.
    CommonName,
    /// The first one in the commonName, all of them in the subjectAltName.
    Both,
}

/// An extension that is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CsrExtension {
    /// basicConstraints with CA:TRUE (RFC 5280 section 4.2.1.9).
    CaTrue,
    /// keyUsage with keyCertSign and cRLSign (RFC 5280 section 4.2.1.3).
    CertificateSigning,
    /// extKeyUsage with codeSigning alone (RFC 5280 section 4.2.1.12).
    CodeSigning,
    /// Any other: the contents of its OBJECT IDENTIFIER, whether it is critical, and the DER of its value.
    Other {
        /// The contents octets of the OBJECT IDENTIFIER.
        id: Vec<u8>,
        /// Whether it is critical.
        critical: bool,
        /// The DER of the value.
        value: Vec<u8>,
    },
}

/// The DER of a request for DNS names, signed by `key`.
///
/// # Errors
///
/// [`CryptoError`] when the key cannot sign.
pub fn csr(names: &[&str], key: &KeyPair, options: &CsrOptions) -> Result<Vec<u8>, CryptoError> {
    let info = info(names, key, options);
    let algorithm = key.default_signature_algorithm();
    let mut signature = key.sign(algorithm, SignatureEncoding::Der, &info)?;
    if options.flip_signature_bit {
        // The lowest bit of the last octet: of s, of an RSA number, or of S, so that the form stays right.
        signature.iter_mut().next_back().into_iter().for_each(|octet| *octet ^= 1);
    }
    let identifier = options.algorithm_der.as_deref().unwrap_or(algorithm.identifier_der());
    Ok(sequence(&[&info, identifier, &bit_string(&signature)]))
}

/// `CertificationRequestInfo` of RFC 2986 section 4.1.
fn info(names: &[&str], key: &KeyPair, options: &CsrOptions) -> Vec<u8> {
    let common_names: Vec<&str> = match (&options.common_name, options.names_in) {
        (Some(own), _) => vec![own],
        (None, NamesIn::SubjectAltName) => Vec::new(),
        (None, NamesIn::CommonName) => names.to_vec(),
        (None, NamesIn::Both) => names.iter().take(1).copied().collect(),
    };
    let subject: Vec<u8> = common_names.iter().flat_map(|name| common_name(name)).collect();
    let mut extensions = Vec::new();
    let alternative_names = alternative_names(names, options);
    if !alternative_names.is_empty() {
        extensions.extend(extension(&SUBJECT_ALT_NAME, false, &tlv(SEQUENCE, &alternative_names)));
    }
    for further in &options.extensions {
        extensions.extend(match further {
            CsrExtension::CaTrue => extension(&BASIC_CONSTRAINTS, true, &sequence(&[&tlv(BOOLEAN, &[0xff])])),
            // Bits 5 and 6: keyCertSign and cRLSign.
            CsrExtension::CertificateSigning => extension(&KEY_USAGE, true, &tlv(BIT_STRING, &[1, 0x06])),
            CsrExtension::CodeSigning => {
                extension(&EXT_KEY_USAGE, false, &sequence(&[&tlv(OBJECT_IDENTIFIER, &CODE_SIGNING)]))
            }
            CsrExtension::Other { id, critical, value } => extension(id, *critical, value),
        });
    }
    let attributes = if extensions.is_empty() {
        Vec::new()
    } else {
        let values = tlv(SET, &tlv(SEQUENCE, &extensions));
        sequence(&[&tlv(OBJECT_IDENTIFIER, &EXTENSION_REQUEST), &values])
    };
    let public_key = options.public_key.as_ref().unwrap_or(key.public_key());
    sequence(&[&tlv(INTEGER, &[0]), &tlv(SEQUENCE, &subject), public_key.spki_der(), &tlv(context(0), &attributes)])
}

/// The contents of `GeneralNames` (RFC 5280 section 4.2.1.6).
fn alternative_names(names: &[&str], options: &CsrOptions) -> Vec<u8> {
    let names = match options.names_in {
        NamesIn::SubjectAltName | NamesIn::Both => names,
        NamesIn::CommonName => &[],
    };
    let mut contents = Vec::new();
    for mail in &options.mail_addresses {
        contents.extend(tlv(implicit(1), mail.as_bytes()));
    }
    for name in names {
        contents.extend(tlv(implicit(2), name.as_bytes()));
    }
    for uri in &options.uris {
        contents.extend(tlv(implicit(6), uri.as_bytes()));
    }
    for ip in &options.addresses {
        contents.extend(address(*ip));
    }
    contents
}

/// 2.5.29.15
const KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x0f];
/// 2.5.29.19
const BASIC_CONSTRAINTS: [u8; 3] = [0x55, 0x1d, 0x13];
/// 2.5.29.37
const EXT_KEY_USAGE: [u8; 3] = [0x55, 0x1d, 0x25];
/// 1.3.6.1.5.5.7.3.3
const CODE_SIGNING: [u8; 8] = [0x2b, 0x06, 0x01, 0x05, 0x05, 0x07, 0x03, 0x03];
/// 1.2.840.113549.1.9.14
const EXTENSION_REQUEST: [u8; 9] = [0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x01, 0x09, 0x0e];
