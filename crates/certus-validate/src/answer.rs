//! What of an answer counts, and why there is none.
//!
//! Deliberately absent: asking, and whose fault a failure is ([`crate::dns`] finds out).

use certus_ca::state::Security;
use hickory_proto::op::{DnsResponse, ResponseCode};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::net::{DnsError, NetError};

use crate::dnssec::{self, Denials, Wanted};

/// The aliases that are followed within one answer. Resolvers give up earlier.
const MAX_ALIASES: usize = 16;

/// The records of the asked type at the end of the aliases; never none.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) records: Vec<RData>,
    /// What DNSSEC says about them and the aliases that lead there.
    pub(crate) security: Security,
}

/// What one answer says.
#[derive(Debug)]
pub(crate) enum Step {
    Found(Answer),
    /// To be asked for next.
    Alias {
        target: Name,
        security: Security,
    },
    Absent(Absence),
}

impl Step {
    /// Takes out of an answer what was asked for.
    pub(crate) fn of(
        name: &Name,
        record_type: RecordType,
        answer: Result<DnsResponse, NetError>,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        match answer {
            Ok(response) => Self::of_records(name, record_type, &response, Denials::Verified, wanted),
            Err(NetError::Dns(DnsError::NoRecordsFound(none))) => match dnssec::of_absence(&none, wanted) {
                Ok(security) => {
                    Ok(Self::Absent(Absence { exists: none.response_code != ResponseCode::NXDomain, security }))
                }
                Err(why) => Err(Failure::Bogus(why.to_owned())),
            },
            // The library takes the authorities for proofs about the name that was asked for. They may be about the end of
            // its aliases, or about a wildcard in a form that it does not know; the records themselves were verified.
            Err(NetError::Dns(DnsError::Nsec { response, .. })) if !response.answers.is_empty() => {
                Self::of_records(name, record_type, &response, Denials::Unverified, wanted)
            }
            Err(error) => Err(Failure::of(&error)),
        }
    }

    fn of_records(
        name: &Name,
        record_type: RecordType,
        response: &DnsResponse,
        denials: Denials,
        wanted: Wanted,
    ) -> Result<Self, Failure> {
        let answers = &response.answers;
        let (owner, mut used) = follow(name, answers);
        let records: Vec<&Record> =
            answers.iter().filter(|record| record.name == *owner && record.record_type() == record_type).collect();
        if records.is_empty() && used.is_empty() {
            return Err(Failure::Unusable(format!("it has no {record_type} record of that name")));
        }
        used.extend(&records);
        let security = dnssec::of_records(&used, answers, &response.authorities, denials, wanted);
        let security = security.map_err(|why| Failure::Bogus(why.to_owned()))?;
        if records.is_empty() {
            return Ok(Self::Alias { target: owner.clone(), security });
        }
        Ok(Self::Found(Answer { records: records.into_iter().map(|record| record.data.clone()).collect(), security }))
    }
}

/// The end of the chain of aliases that starts at `question`, and the aliases; the records of other names are nobody's
/// answer.
fn follow<'a>(question: &'a Name, answers: &'a [Record]) -> (&'a Name, Vec<&'a Record>) {
    let mut owner = question;
    let mut aliases = Vec::new();
    for _ in 0..MAX_ALIASES {
        let alias = answers.iter().find_map(|record| {
            let RData::CNAME(target) = &record.data else { return None };
            (record.name == *owner).then_some((record, &target.0))
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
}

impl Absence {
    /// The same at the end of aliases that are vouched for so far.
    pub(crate) fn weakened(self, security: Security) -> Self {
        Self { security: self.security.min(security), ..self }
    }
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
    fn of(error: &NetError) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut,
            NetError::Dns(DnsError::ResponseCode(code)) => Self::Answered(*code),
            NetError::Dns(DnsError::DnssecBogus) => Self::Bogus("its signatures do not hold".to_owned()),
            NetError::Dns(DnsError::Nsec { .. }) => Self::Bogus("it does not prove what it denies".to_owned()),
            NetError::Dns(_)
            | NetError::Proto(_)
            | NetError::Truncated
            | NetError::QueryCaseMismatch
            | NetError::ForeignClassRecord { .. } => Self::Unusable(in_words(error)),
            // Sockets, and whatever else a later version of the library may report of its own doings.
            NetError::Busy
            | NetError::Io(_)
            | NetError::Message(_)
            | NetError::Msg(_)
            | NetError::NoConnections
            | NetError::ParseInt(_)
            | _ => Self::Unreachable(in_words(error)),
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

/// What the library says of an answer. It repeats names from it, decoded, in which a stranger can have put what moves a
/// terminal's cursor: what does not show as itself is escaped, and what goes on for long is cut.
pub(crate) fn in_words(error: &impl std::fmt::Display) -> String {
    /// Two sentences, and a name.
    const MAX_CHARS: usize = 300;
    let shown = |c: char| if c == ' ' || c.is_ascii_graphic() { c.to_string() } else { c.escape_unicode().to_string() };
    error.to_string().chars().take(MAX_CHARS).map(shown).collect()
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
    use hickory_proto::op::{Message, Query};
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

    /// The addresses that an answer has for a name, or the name that it leads to.
    fn step(question: &str, answers: &[Record]) -> Result<Vec<RData>, Option<String>> {
        let mut message = Message::query().into_response();
        message.add_query(Query::query(name(question), RecordType::A));
        message.add_answers(answers.iter().cloned());
        let answer = Ok(DnsResponse::from_message(message).unwrap());
        match Step::of(&name(question), RecordType::A, answer, Wanted::Nothing) {
            Ok(Step::Found(answer)) => Ok(answer.records),
            Ok(Step::Alias { target, .. }) => Err(Some(target.to_ascii())),
            Ok(Step::Absent(_)) | Err(_) => Err(None),
        }
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
        assert_eq!(step("www.example.", &answers), Ok(expected.into()));
        assert_eq!(step("www.example.", &answers[..4]), Err(Some("real.example.".to_owned())));
        assert_eq!(step("nobody.example.", &answers), Err(None));
    }

    #[test]
    fn a_circle_of_aliases_ends() {
        let answers = [cname("a.example.", "b.example."), cname("b.example.", "a.example.")];
        assert!(matches!(step("a.example.", &answers), Err(Some(_))));
    }
}
