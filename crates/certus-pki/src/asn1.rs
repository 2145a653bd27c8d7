//! ASN.1 building blocks shared by certificates, requests and CRLs: read strictly (DER), written byte by byte.
//!
//! Reading keeps slices of the input, so what was signed is never encoded anew before it is verified or compared.

use const_oid::ObjectIdentifier;
use der::asn1::{AnyRef, BitStringRef, GeneralizedTime, Ia5String, OctetStringRef, UintRef, UtcTime};
use der::{Decode, Encode, Error, ErrorKind, Reader, Sequence, SliceReader, Tag, TagNumber};
use x509_cert::ext::pkix::name::GeneralName;

use crate::name::SubjectName;
use crate::serial::SerialNumber;
use crate::time::Timestamp;

/// `SIGNED{}` of X.509: what is signed, by which algorithm, and the signature.
pub(crate) struct Signed<'a> {
    /// The whole DER of what is signed.
    pub(crate) message: &'a [u8],
    /// The whole DER of the `AlgorithmIdentifier`.
    pub(crate) algorithm: &'a [u8],
    /// The contents of the signature's BIT STRING.
    pub(crate) signature: &'a [u8],
}

impl<'a> Signed<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut reader = SliceReader::new(der)?;
        let signed = reader.sequence(|inner| {
            let message = inner.tlv_bytes()?;
            let algorithm = inner.tlv_bytes()?;
            let signature = BitStringRef::decode(inner)?;
            let signature =
                signature.as_bytes().ok_or_else(|| Error::from(ErrorKind::Value { tag: Tag::BitString }))?;
            Ok::<_, Error>(Self { message, algorithm, signature })
        })?;
        reader.finish()?;
        Ok(signed)
    }

    pub(crate) fn assemble(message: &[u8], algorithm: &[u8], signature: &[u8]) -> Result<Vec<u8>, Error> {
        sequence(&[message, algorithm, &BitStringRef::from_bytes(signature)?.to_der()?])
    }
}

/// `TBSCertificate` of RFC 5280 section 4.1, its fields as slices of the input.
pub(crate) struct TbsFields<'a> {
    /// The number in the version field; 0 where it is absent.
    pub(crate) version: u8,
    /// The contents of the serial number's INTEGER.
    pub(crate) serial: &'a [u8],
    /// The whole DER of the signature's `AlgorithmIdentifier`.
    pub(crate) signature: &'a [u8],
    /// The whole DER of the issuer's name.
    pub(crate) issuer: &'a [u8],
    pub(crate) not_before: Time,
    pub(crate) not_after: Time,
    /// The whole DER of the subject's name.
    pub(crate) subject: &'a [u8],
    /// The whole DER of the `SubjectPublicKeyInfo`.
    pub(crate) spki: &'a [u8],
    pub(crate) has_unique_identifiers: bool,
    pub(crate) extensions: Vec<Extension<'a>>,
}

impl<'a> TbsFields<'a> {
    pub(crate) fn parse(der: &'a [u8]) -> Result<Self, Error> {
        let mut reader = SliceReader::new(der)?;
        let fields = reader.sequence(|inner| {
            let version = match optional(inner, context(0))? {
                Some(field) => u8::from_der(field)?,
                None => 0,
            };
            let serial = AnyRef::decode(inner)?;
            serial.tag_is(Tag::Integer)?;
            let signature = inner.tlv_bytes()?;
            let issuer = inner.tlv_bytes()?;
            let (not_before, not_after) =
                inner.sequence(|validity| Ok::<_, Error>((Time::decode(validity)?, Time::decode(validity)?)))?;
            let subject = inner.tlv_bytes()?;
            let spki = inner.tlv_bytes()?;
            let issuer_id = optional(inner, implicit(1))?;
            let subject_id = optional(inner, implicit(2))?;
            let extensions = match optional(inner, context(3))? {
                Some(field) => Vec::<Extension<'a>>::from_der(field)?,
                None => Vec::new(),
            };
            Ok::<_, Error>(Self {
                version,
                serial: serial.value(),
                signature,
                issuer,
                not_before,
                not_after,
                subject,
                spki,
                has_unique_identifiers: issuer_id.is_some() || subject_id.is_some(),
                extensions,
            })
        })?;
        reader.finish()?;
        Ok(fields)
    }
}

/// `Extension` of RFC 5280 section 4.1.
#[derive(Debug, Clone, Copy, Sequence)]
pub(crate) struct Extension<'a> {
    pub(crate) id: ObjectIdentifier,
    #[asn1(default = "Default::default")]
    pub(crate) critical: bool,
    pub(crate) value: &'a OctetStringRef,
}

/// The DER of an extension whose value is `value`.
pub(crate) fn extension(id: ObjectIdentifier, critical: bool, value: &impl Encode) -> Result<Vec<u8>, Error> {
    let value = value.to_der()?;
    Extension { id, critical, value: OctetStringRef::new(&value)? }.to_der()
}

/// Which of the two forms of time stands in the DER.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TimeForm {
    Utc,
    Generalized,
}

/// `Time` of RFC 5280 section 4.1.2.5.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Time {
    pub(crate) at: Timestamp,
    pub(crate) form: TimeForm,
}

impl Time {
    /// Whether the form is the one RFC 5280 section 4.1.2.5 asks for at this date.
    pub(crate) fn has_required_form(self) -> bool {
        (self.form == TimeForm::Utc) == (self.at.unix_seconds() < YEAR_2050)
    }

    pub(crate) fn decode<'a>(reader: &mut impl Reader<'a>) -> Result<Self, Error> {
        let value = AnyRef::decode(reader)?;
        let (since_epoch, form) = if value.tag_is(Tag::UtcTime).is_ok() {
            (value.decode_as::<UtcTime>()?.to_unix_duration(), TimeForm::Utc)
        } else {
            (value.decode_as::<GeneralizedTime>()?.to_unix_duration(), TimeForm::Generalized)
        };
        let seconds = i64::try_from(since_epoch.as_secs()).or(Err(Error::from(ErrorKind::Overflow)))?;
        Ok(Self { at: Timestamp::from_unix_seconds(seconds), form })
    }
}

/// 2050-01-01T00:00:00Z, from which on times are `GeneralizedTime`.
const YEAR_2050: i64 = 2_524_608_000;

/// The DER of a time in whole seconds: `UTCTime` to 2049, `GeneralizedTime` after.
pub(crate) fn time(at: Timestamp) -> Result<Vec<u8>, Error> {
    let seconds = u64::try_from(at.unix_seconds()).or(Err(Error::from(ErrorKind::DateTime)))?;
    let since_epoch = std::time::Duration::from_secs(seconds);
    if at.unix_seconds() < YEAR_2050 {
        UtcTime::from_unix_duration(since_epoch)?.to_der()
    } else {
        GeneralizedTime::from_unix_duration(since_epoch)?.to_der()
    }
}

/// The DER of a serial number.
pub(crate) fn serial(serial: &SerialNumber) -> Result<Vec<u8>, Error> {
    UintRef::new(serial.as_bytes())?.to_der()
}

/// The DER of a SEQUENCE of parts that are DER themselves.
pub(crate) fn sequence(parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    wrap(Tag::Sequence, parts)
}

/// The DER of parts under an explicit context tag.
pub(crate) fn explicit(number: u32, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    wrap(context(number), parts)
}

pub(crate) fn wrap(tag: Tag, parts: &[&[u8]]) -> Result<Vec<u8>, Error> {
    AnyRef::new(tag, &parts.concat())?.to_der()
}

/// The tag `[number]` of something constructed.
pub(crate) const fn context(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: true, number: TagNumber(number) }
}

/// The tag `[number]` of something primitive.
pub(crate) const fn implicit(number: u32) -> Tag {
    Tag::ContextSpecific { constructed: false, number: TagNumber(number) }
}

/// The contents of the next element if it has this tag; it stays unread otherwise.
pub(crate) fn optional<'a>(reader: &mut impl Reader<'a>, tag: Tag) -> Result<Option<&'a [u8]>, Error> {
    if reader.is_finished() || Tag::peek(reader)? != tag {
        return Ok(None);
    }
    Ok(Some(AnyRef::decode(reader)?.value()))
}

/// The `GeneralName` of a subject.
pub(crate) fn general_name(name: &SubjectName) -> Result<GeneralName, Error> {
    match name {
        SubjectName::Dns(name) => Ok(GeneralName::DnsName(Ia5String::new(name.as_str())?)),
        SubjectName::Wildcard(_) => Ok(GeneralName::DnsName(Ia5String::new(&name.to_string())?)),
        SubjectName::Ip(address) => Ok(GeneralName::from(*address)),
    }
}

/// The `GeneralName` of a URL.
pub(crate) fn url(url: &str) -> Result<GeneralName, Error> {
    Ok(GeneralName::UniformResourceIdentifier(Ia5String::new(url)?))
}

/// What a `GeneralName` of a subjectAltName says.
pub(crate) enum AltName<'a> {
    Name(SubjectName),
    /// A dNSName that is no host name, with the reason.
    NotADnsName(&'a str, crate::name::NameError),
    /// An iPAddress of neither 4 nor 16 octets.
    NotAnAddress,
    /// A kind of name that server certificates do not carry.
    Kind(&'static str),
}

pub(crate) fn alt_name(name: &GeneralName) -> AltName<'_> {
    match name {
        GeneralName::DnsName(name) => match SubjectName::parse_dns(name.as_str()) {
            Ok(parsed) => AltName::Name(parsed),
            Err(error) => AltName::NotADnsName(name.as_str(), error),
        },
        GeneralName::IpAddress(octets) => {
            let octets = octets.as_bytes();
            if let Ok(v4) = <[u8; 4]>::try_from(octets) {
                AltName::Name(SubjectName::Ip(v4.into()))
            } else if let Ok(v6) = <[u8; 16]>::try_from(octets) {
                AltName::Name(SubjectName::Ip(v6.into()))
            } else {
                AltName::NotAnAddress
            }
        }
        GeneralName::OtherName(_) => AltName::Kind("otherName"),
        GeneralName::Rfc822Name(_) => AltName::Kind("rfc822Name"),
        GeneralName::DirectoryName(_) => AltName::Kind("directoryName"),
        GeneralName::EdiPartyName(_) => AltName::Kind("ediPartyName"),
        GeneralName::UniformResourceIdentifier(_) => AltName::Kind("uniformResourceIdentifier"),
        GeneralName::RegisteredId(_) => AltName::Kind("registeredID"),
    }
}

/// Adds the question "is it this tag?" to untyped elements.
pub(crate) trait TagIs {
    fn tag_is(&self, tag: Tag) -> Result<(), Error>;
}

impl TagIs for AnyRef<'_> {
    fn tag_is(&self, tag: Tag) -> Result<(), Error> {
        der::Tagged::tag(self).assert_eq(tag).map(|_| ())
    }
}
