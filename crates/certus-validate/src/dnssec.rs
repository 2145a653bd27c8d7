//! DNSSEC (RFC 4033 to 4035): which keys are trusted, and how far they vouch for an answer.
//!
//! The library follows the signatures. What it says of each record is judged here, since it lets through what is only not
//! known to be false. Deliberately absent: asking.

use std::fmt;
use std::sync::Arc;

use certus_ca::state::Security;
use certus_pki::DnsName;
use hickory_proto::dnssec::rdata::DNSSECRData;
use hickory_proto::dnssec::{Proof, TrustAnchors, Verifier};
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType};
use hickory_proto::serialize::txt::trust_anchor::{Entry, Parser};
use hickory_resolver::net::NoRecords;

/// Whether answers are validated.
#[derive(Debug, Clone)]
pub enum Dnssec {
    /// By signatures from these keys down: what is proven to be unsigned is believed, what is false or unclear is not.
    Validate(Anchors),
    /// Not at all: whoever is between here and a name's servers can say anything about it.
    Off,
}

/// The keys that are trusted without a signature.
#[derive(Clone)]
pub struct Anchors {
    keys: Arc<TrustAnchors>,
    /// Names beneath the root that have keys of their own here.
    islands: Vec<Name>,
}

impl Anchors {
    /// The keys of the root that IANA publishes, as far as they were known when this program was made.
    #[must_use]
    pub fn of_the_root() -> Self {
        Self { keys: Arc::new(TrustAnchors::default()), islands: Vec::new() }
    }

    /// Reads DNSKEY records, as in a zone file. Keys of the root replace those of [`Self::of_the_root`]; keys of other names
    /// stand beside them, and whatever is beneath such a name must be signed.
    ///
    /// # Errors
    ///
    /// [`AnchorError`] when there is something else, or nothing.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let entries = Parser::new(text).parse().map_err(|error| AnchorError::Unreadable(error.to_string()))?;
        let keys_only = |entry| match entry {
            Entry::DNSKEY(record) => Ok(record),
            _ => Err(AnchorError::Unreadable("there is another kind of record".to_owned())),
        };
        let records = entries.into_iter().map(keys_only).collect::<Result<Vec<_>, _>>()?;
        if records.is_empty() {
            return Err(AnchorError::Empty);
        }
        let of_root = records.iter().any(|record| record.name().is_root());
        let mut keys = if of_root { TrustAnchors::empty() } else { TrustAnchors::default() };
        let mut islands = Vec::new();
        for record in &records {
            let key = record.data();
            if !key.zone_key() || key.revoke() {
                return Err(AnchorError::NoZoneKey(record.name().to_ascii()));
            }
            let mut name = record.name().clone();
            name.set_fqdn(true);
            let key = key.key().map_err(|error| AnchorError::Unreadable(error.to_string()))?;
            keys.insert_with_name(&*key, LowerName::from(&name));
            if !name.is_root() {
                islands.push(name);
            }
        }
        Ok(Self { keys: Arc::new(keys), islands })
    }

    pub(crate) fn keys(&self) -> Arc<TrustAnchors> {
        Arc::clone(&self.keys)
    }
}

impl fmt::Debug for Anchors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Anchors").field("root_keys", &self.keys.len()).field("islands", &self.islands).finish()
    }
}

/// Why a text has no trust anchors.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnchorError {
    /// No DNSKEY records.
    #[error("{0}; trust anchors are DNSKEY records, as `dig +noall +answer DNSKEY NAME` shows them")]
    Unreadable(String),
    /// A key that signs no zone.
    #[error("a key of {0} is revoked or signs no zone")]
    NoZoneKey(String),
    /// No record at all.
    #[error("there is no DNSKEY record")]
    Empty,
}

/// What an answer needs in order to be believed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Nothing.
    Nothing,
    /// Signatures, or the proof that there are none.
    Proof,
    /// Signatures.
    Signatures,
}

/// Which names need what.
#[derive(Debug)]
pub(crate) struct Needs {
    islands: Vec<Name>,
    unsigned: Vec<Name>,
    others: Wanted,
}

impl Needs {
    /// `internal` are domains that the public DNS does not know: no signature of the root can vouch for them, so they need
    /// one only where they have an anchor of their own.
    pub(crate) fn new(dnssec: &Dnssec, internal: &[DnsName]) -> Self {
        let unsigned = internal.iter().filter_map(|name| Name::from_ascii(format!("{name}.")).ok()).collect();
        match dnssec {
            Dnssec::Validate(anchors) => Self { islands: anchors.islands.clone(), unsigned, others: Wanted::Proof },
            Dnssec::Off => Self { islands: Vec::new(), unsigned, others: Wanted::Nothing },
        }
    }

    pub(crate) fn of(&self, name: &Name) -> Wanted {
        // The library climbs past such a name to the root when a stranger tells it that no zone begins there.
        if self.islands.iter().any(|island| island.zone_of(name)) {
            Wanted::Signatures
        } else if self.unsigned.iter().any(|domain| domain.zone_of(name)) {
            Wanted::Nothing
        } else {
            self.others
        }
    }
}

/// How far DNSSEC vouches for records that are about to be used, out of an answer with those authorities; the weakest
/// counts.
///
/// # Errors
///
/// Why they are not believed, in words for a person.
pub(crate) fn of_records(
    used: &[&Record],
    answers: &[Record],
    authorities: &[Record],
    denials: Denials,
    wanted: Wanted,
) -> Result<Security, &'static str> {
    if wanted == Wanted::Nothing {
        return Ok(Security::Unchecked);
    }
    let mut weakest = Security::Secure;
    for record in used {
        let security = of_proof(record.proof, wanted)?;
        if let Some(labels) = expanded_from(record, answers).filter(|_| security == Security::Secure)
            && !denies(authorities, &record.name, labels, denials)
        {
            return Err("it is expanded from a wildcard without a proof that the name itself does not exist");
        }
        weakest = weakest.min(security);
    }
    Ok(weakest)
}

/// How far DNSSEC vouches for there being no such records.
///
/// # Errors
///
/// Why that is not believed.
pub(crate) fn of_absence(none: &NoRecords, wanted: Wanted) -> Result<Security, &'static str> {
    if wanted == Wanted::Nothing {
        return Ok(Security::Unchecked);
    }
    // The library believes an absence whose authorities are all provably unsigned, whatever zone they are of: a stranger's
    // unsigned zone must not deny the records of a signed one.
    match &none.soa {
        Some(soa) if soa.name.zone_of(none.query.name()) => of_proof(soa.proof, wanted),
        Some(_) | None => Err("nothing proves that there is no such record"),
    }
}

fn of_proof(proof: Proof, wanted: Wanted) -> Result<Security, &'static str> {
    match proof {
        Proof::Secure => Ok(Security::Secure),
        Proof::Insecure => match wanted {
            Wanted::Nothing | Wanted::Proof => Ok(Security::Insecure),
            Wanted::Signatures => Err("it is not signed"),
        },
        Proof::Bogus => Err("its signature does not hold"),
        Proof::Indeterminate => Err("nobody vouches for it"),
    }
}

/// Whether the library has verified what the authorities of an answer deny.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Denials {
    /// It has, as far as it does.
    Verified,
    /// It has not, or they are about another name.
    Unverified,
}

/// The labels of a record's signature, if it was made of a wildcard's: fewer than its name has (RFC 4035 section 5.3.4).
fn expanded_from(record: &Record, answers: &[Record]) -> Option<u8> {
    answers.iter().find_map(|answer| {
        let RData::DNSSEC(DNSSECRData::RRSIG(signature)) = &answer.data else { return None };
        let labels = signature.input().num_labels;
        let covers = answer.name == record.name && signature.input().type_covered == record.record_type();
        (covers && labels < record.name.num_labels()).then_some(labels)
    })
}

/// Whether it is proven that neither the name exists nor any between it and the wildcard, whose parent has so many labels.
fn denies(authorities: &[Record], name: &Name, labels: u8, denials: Denials) -> bool {
    authorities.iter().filter(|record| record.proof == Proof::Secure).any(|record| {
        let RData::DNSSEC(DNSSECRData::NSEC(nsec)) = &record.data else {
            // The library compares the hashes of NSEC3.
            return denials == Denials::Verified && record.record_type() == RecordType::NSEC3;
        };
        let next = nsec.next_domain_name();
        // RFC 6840 section 4.1: a delegation says nothing of the names beneath it.
        let is_cut = record.name.zone_of(name) && nsec.is_ancestor_delegation();
        // The last name of a zone is followed by its first.
        let between = record.name < *name && (*name < *next || *next <= record.name);
        let closest = common_labels(name, &record.name).max(common_labels(name, next));
        between && !is_cut && closest == labels
    })
}

/// The labels of the nearest name above two names.
fn common_labels(one: &Name, other: &Name) -> u8 {
    let mut above = one.clone();
    while !above.zone_of(other) {
        above = above.base_name();
    }
    above.num_labels()
}

#[cfg(test)]
mod tests {
    use hickory_proto::dnssec::rdata::NSEC;
    use hickory_proto::op::{Query, ResponseCode};
    use hickory_proto::rr::rdata::{A, SOA};

    use super::*;

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn absence(of: &str, soa: Option<(&str, Proof)>) -> NoRecords {
        let mut none = NoRecords::new(Query::query(name(of), RecordType::CAA), ResponseCode::NXDomain);
        none.soa = soa.map(|(owner, proof)| {
            let data = SOA::new(name("ns.example."), name("hostmaster.example."), 1, 2, 3, 4, 5);
            let mut record = Record::from_rdata(name(owner), 60, data);
            record.proof = proof;
            Box::new(record)
        });
        none
    }

    // conformance: BR-3.2.2.4-02
    #[test]
    fn an_absence_is_vouched_for_by_a_zone_of_the_name_alone() {
        use Wanted::{Nothing, Proof as Proven, Signatures};
        for (soa, wanted, expected) in [
            (None, Nothing, Some(Security::Unchecked)),
            (Some(("other.", Proof::Bogus)), Nothing, Some(Security::Unchecked)),
            (Some(("example.", Proof::Secure)), Proven, Some(Security::Secure)),
            (Some(("a.example.", Proof::Secure)), Proven, Some(Security::Secure)),
            (Some(("example.", Proof::Insecure)), Proven, Some(Security::Insecure)),
            (None, Proven, None),
            (Some(("other.", Proof::Insecure)), Proven, None),
            (Some(("www.a.example.", Proof::Insecure)), Proven, None),
            (Some(("other.", Proof::Secure)), Proven, None),
            (Some(("example.", Proof::Bogus)), Proven, None),
            (Some(("example.", Proof::Indeterminate)), Proven, None),
            (Some(("example.", Proof::Secure)), Signatures, Some(Security::Secure)),
            (Some(("example.", Proof::Insecure)), Signatures, None),
        ] {
            assert_eq!(of_absence(&absence("a.example.", soa), wanted).ok(), expected, "{soa:?} {wanted:?}");
        }
    }

    #[test]
    fn the_weakest_record_counts_and_a_false_one_spoils_all() {
        let record = |proof| {
            let mut record = Record::from_rdata(name("a.example."), 60, RData::A(A::new(192, 0, 2, 1)));
            record.proof = proof;
            record
        };
        let judge = |proofs: &[Proof], wanted| {
            let records: Vec<_> = proofs.iter().map(|proof| record(*proof)).collect();
            of_records(&records.iter().collect::<Vec<_>>(), &records, &[], Denials::Verified, wanted).ok()
        };
        assert_eq!(judge(&[Proof::Secure, Proof::Secure], Wanted::Proof), Some(Security::Secure));
        assert_eq!(judge(&[Proof::Secure, Proof::Insecure], Wanted::Proof), Some(Security::Insecure));
        assert_eq!(judge(&[Proof::Secure, Proof::Insecure], Wanted::Signatures), None);
        for bad in [Proof::Bogus, Proof::Indeterminate] {
            assert_eq!(judge(&[Proof::Secure, bad], Wanted::Proof), None, "{bad}");
            assert_eq!(judge(&[bad], Wanted::Nothing), Some(Security::Unchecked), "{bad}");
        }
    }

    #[test]
    fn a_denial_is_of_the_name_and_of_all_up_to_the_wildcard() {
        let nsec = |owner: &str, next: &str, types: &[RecordType], proof| {
            let data = NSEC::new(name(next), types.iter().copied());
            let mut record = Record::from_rdata(name(owner), 60, RData::DNSSEC(DNSSECRData::NSEC(data)));
            record.proof = proof;
            record
        };
        // Of some.wild.zone., by *.wild.zone. unless it says otherwise.
        for (what, owner, next, types, labels, expected) in [
            ("from the wildcard on", "*.wild.zone.", "zone.", &[][..], 2, true),
            ("from a sibling on", "real.wild.zone.", "zone.", &[], 2, true),
            ("in between", "real.wild.zone.", "x.wild.zone.", &[], 2, true),
            ("in any case", "REAL.Wild.zone.", "ZONE.", &[], 2, true),
            ("of another name", "real.wild.zone.", "rest.wild.zone.", &[], 2, false),
            ("of the name itself", "some.wild.zone.", "x.wild.zone.", &[], 2, false),
            ("up to the name itself", "real.wild.zone.", "some.wild.zone.", &[], 2, false),
            ("the name is there, with others beneath it", "real.wild.zone.", "a.some.wild.zone.", &[], 2, false),
            ("a wildcard further up", "real.wild.zone.", "x.wild.zone.", &[], 1, false),
            ("nothing at the wildcard's parent", "a.zone.", "x.zone.", &[], 2, false),
            ("the wildcard of the zone", "a.zone.", "x.zone.", &[], 1, true),
            ("a delegation above", "wild.zone.", "x.zone.", &[RecordType::NS], 2, false),
            ("the top of a zone", "wild.zone.", "x.wild.zone.", &[RecordType::NS, RecordType::SOA], 2, true),
        ] {
            let of = |proof| {
                denies(&[nsec(owner, next, types, proof)], &name("some.wild.zone."), labels, Denials::Unverified)
            };
            assert_eq!(of(Proof::Secure), expected, "{what}");
            assert!(![Proof::Insecure, Proof::Bogus, Proof::Indeterminate].into_iter().any(of), "{what}");
        }
    }

    #[test]
    fn internal_names_need_no_signatures_unless_they_have_an_anchor() {
        let internal = [DnsName::parse("corp").unwrap(), DnsName::parse("signed.test").unwrap()];
        let anchors = Anchors { islands: vec![name("signed.test.")], ..Anchors::of_the_root() };
        let needs = Needs::new(&Dnssec::Validate(anchors), &internal);
        for (of, wanted) in [
            (".", Wanted::Proof),
            ("a.example.", Wanted::Proof),
            ("a.corp.", Wanted::Nothing),
            ("corp.", Wanted::Nothing),
            ("acorp.", Wanted::Proof),
            ("test.", Wanted::Proof),
            ("Signed.TEST.", Wanted::Signatures),
            ("a.signed.test.", Wanted::Signatures),
        ] {
            assert_eq!(needs.of(&name(of)), wanted, "{of}");
        }
        assert_eq!(Needs::new(&Dnssec::Off, &internal).of(&name("a.example.")), Wanted::Nothing);
    }

    #[test]
    fn anchors_are_keys_of_zones() {
        // RFC 8080 section 6.1.
        let key = "example.com. 3600 IN DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n";
        let anchors = Anchors::parse(key).unwrap();
        assert_eq!((anchors.islands.as_slice(), anchors.keys.len()), (&[name("example.com.")][..], 2));
        let root = Anchors::parse(&format!("; a comment\n{}", key.replace("example.com.", "."))).unwrap();
        assert_eq!((root.islands.len(), root.keys.len()), (0, 1), "the root's own are replaced");
        let ds = "example.com. IN DS 3613 15 2 3aa5ab37efce57f737fc1627013fee07bdf241bd10f3b1964ab55c78e79a304b\n";
        assert!(matches!(Anchors::parse(ds), Err(AnchorError::Unreadable(_))), "{:?}", Anchors::parse(ds));
        assert_eq!(Anchors::parse("").unwrap_err(), AnchorError::Empty);
        for flags in ["256", "257"] {
            assert!(Anchors::parse(&key.replace("257", flags)).is_ok(), "{flags}");
        }
        for flags in ["0", "1", "385"] {
            let error = Anchors::parse(&key.replace("257", flags)).unwrap_err();
            assert_eq!(error, AnchorError::NoZoneKey("example.com.".to_owned()), "{flags}");
        }
    }
}
