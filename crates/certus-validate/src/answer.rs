//! What of an answer counts, and why there is none.
//!
//! Deliberately absent: asking, and whose fault a failure is ([`crate::dns`] finds out).

use certus_ca::state::Security;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::lookup::Lookup;
use hickory_resolver::net::{DnsError, NetError};

use crate::dnssec::{self, Wanted};

/// The aliases that are followed within one answer. Resolvers give up earlier.
const MAX_ALIASES: usize = 16;

/// The records of the asked type at the end of the aliases; never none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) records: Vec<RData>,
    /// What DNSSEC says about them and the aliases that lead there.
    pub(crate) security: Security,
}

impl Answer {
    /// Takes out of an answer what was asked for.
    pub(crate) fn of(
        question: &Name,
        record_type: RecordType,
        answer: Result<Lookup, NetError>,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        let lookup = answer.map_err(|error| Failure::of(&error, wanted))?;
        let answers = lookup.answers();
        let (owner, mut used) = follow(question, answers);
        let records: Vec<&Record> =
            answers.iter().filter(|record| record.name == *owner && record.record_type() == record_type).collect();
        if records.is_empty() {
            return Err(Failure::Unusable(format!("it has no {record_type} record at the end of its aliases")));
        }
        used.extend(&records);
        let security = dnssec::of_records(&used, answers, lookup.authorities(), wanted);
        let security = security.map_err(|why| Failure::Bogus(why.to_owned()))?;
        Ok(Self { records: records.into_iter().map(|record| record.data.clone()).collect(), security })
    }
}

/// The end of the chain of aliases that starts at `question`, and the aliases; the records of other names are nobody's
/// answer.
fn follow<'a>(question: &'a Name, answers: &'a [Record]) -> (&'a Name, Vec<&'a Record>) {
    let mut owner = question;
    let mut aliases = Vec::new();
    for _ in 0..MAX_ALIASES {
        let alias = answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if record.name == *owner => Some((record, &target.0)),
            _ => None,
        });
        let Some((record, target)) = alias else { break };
        aliases.push(record);
        owner = target;
    }
    (owner, aliases)
}

/// There are no such records, as far as DNSSEC was asked to vouch for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Absence {
    /// Whether the name exists nevertheless.
    pub(crate) exists: bool,
    pub(crate) security: Security,
    /// Whether the zone's SOA came along, as RFC 2308 section 2 has it. Without, the library may have given up on aliases.
    pub(crate) with_soa: bool,
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    Absent(Absence),
    Answered(ResponseCode),
    Unusable(String),
    /// DNSSEC says that it is false, or does not vouch for it.
    Bogus(String),
    TimedOut,
    Unreachable(String),
}

impl Failure {
    pub(crate) fn of(error: &NetError, wanted: Wanted) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut,
            NetError::Dns(DnsError::NoRecordsFound(none)) => match dnssec::of_absence(none, wanted) {
                Ok(security) => Self::Absent(Absence {
                    exists: none.response_code != ResponseCode::NXDomain,
                    security,
                    with_soa: none.soa.is_some(),
                }),
                Err(why) => Self::Bogus(why.to_owned()),
            },
            NetError::Dns(DnsError::ResponseCode(code)) => Self::Answered(*code),
            NetError::Dns(DnsError::DnssecBogus) => Self::Bogus("its signatures do not hold".to_owned()),
            NetError::Dns(DnsError::Nsec { .. }) => Self::Bogus("it does not prove what it denies".to_owned()),
            NetError::Dns(_)
            | NetError::Proto(_)
            | NetError::Truncated
            | NetError::QueryCaseMismatch
            | NetError::ForeignClassRecord { .. } => Self::Unusable(error.to_string()),
            // Sockets, and whatever else a later version of the library may report of its own doings.
            NetError::Busy
            | NetError::Io(_)
            | NetError::Message(_)
            | NetError::Msg(_)
            | NetError::NoConnections
            | NetError::ParseInt(_)
            | _ => Self::Unreachable(error.to_string()),
        }
    }

    pub(crate) fn sentence(&self, name: &str, record_type: RecordType) -> String {
        match self {
            Self::Absent(Absence { exists: false, .. }) => format!("{name} does not exist in the DNS (NXDOMAIN)"),
            Self::Absent(Absence { exists: true, .. }) => format!("{name} has no {record_type} record"),
            Self::Answered(code) => {
                format!("looking up {record_type} of {name} failed: {}", rcode(*code))
            }
            Self::Unusable(error) => format!("the answer for {record_type} of {name} cannot be used: {error}"),
            Self::Bogus(why) => {
                format!("the answer for {record_type} of {name} does not stand the test of DNSSEC: {why}")
            }
            Self::TimedOut => format!("looking up {record_type} of {name} was not answered in time"),
            Self::Unreachable(error) => format!("looking up {record_type} of {name} failed: {error}"),
        }
    }
}

/// The mnemonic of the registry where people will look it up, as far as resolvers send it.
fn rcode(code: ResponseCode) -> String {
    let mnemonic = match u16::from(code) {
        1 => "FORMERR",
        2 => "SERVFAIL",
        4 => "NOTIMP",
        5 => "REFUSED",
        9 => "NOTAUTH",
        other => return format!("response code {other}"),
    };
    format!("{mnemonic} ({code})")
}

#[cfg(test)]
mod tests {
    use super::*;
    use hickory_proto::op::Query;
    use hickory_proto::rr::rdata::{A, CNAME};

    fn name(text: &str) -> Name {
        Name::from_ascii(text).unwrap()
    }

    fn a(owner: &str, ip: [u8; 4]) -> Record {
        Record::from_rdata(name(owner), 60, RData::A(A(ip.into())))
    }

    fn cname(owner: &str, target: &str) -> Record {
        Record::from_rdata(name(owner), 60, RData::CNAME(CNAME(name(target))))
    }

    fn addresses(question: &str, answers: &[Record]) -> Vec<RData> {
        let query = Query::query(name(question), RecordType::A);
        let lookup = Lookup::new_with_max_ttl(query, answers.iter().cloned());
        let answer = Answer::of(&name(question), RecordType::A, Ok(lookup), Wanted::Nothing);
        answer.map(|answer| answer.records).unwrap_or_default()
    }

    #[test]
    fn only_the_end_of_the_chain_counts() {
        let answers = [
            a("unasked.example.", [192, 0, 2, 66]),
            cname("www.example.", "host.example."),
            cname("host.example.", "real.example."),
            a("host.example.", [192, 0, 2, 67]),
            a("real.example.", [192, 0, 2, 1]),
            a("REAL.example.", [192, 0, 2, 2]),
        ];
        let expected = [[192, 0, 2, 1], [192, 0, 2, 2]].map(|ip| RData::A(A(ip.into())));
        assert_eq!(addresses("www.example.", &answers), expected);
        assert_eq!(addresses("nobody.example.", &answers), []);
    }

    #[test]
    fn a_circle_of_aliases_ends() {
        let answers = [cname("a.example.", "b.example."), cname("b.example.", "a.example.")];
        assert_eq!(addresses("a.example.", &answers), []);
    }
}
