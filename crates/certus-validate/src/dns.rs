//! Names to addresses, by recursive resolvers that we chose.
//!
//! Deliberately absent: the hosts file, the search list, a cache (an answer is used once; RFC 8555 section 10.2 wants
//! it fresh), and any judgement of the addresses ([`crate::target`] vets them).

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_ca::ports::ValidationError;
use certus_pki::DnsName;
use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::TokioResolver;
use hickory_resolver::config::{ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use tokio::time::Instant;

use crate::config::{ConfigError, LocalNames};
use crate::failure::{failed, ours};

/// How often a question is put anew that was not answered, or answered by SERVFAIL.
const RETRIES: usize = 1;
/// The share of a validation's time that one question may take: with [`RETRIES`] two fifths of it, which leaves time
/// to find out whether the resolver lives.
const QUESTION_SHARE: u32 = 5;
/// The aliases that are followed within one answer. Resolvers give up earlier.
const MAX_ALIASES: usize = 16;

/// Asks resolvers for addresses.
#[derive(Debug)]
pub(crate) struct Dns {
    resolver: Option<TokioResolver>,
    asked: String,
    local_names: LocalNames,
}

/// What stands in the TXT records of a name.
#[derive(Debug)]
pub(crate) struct Texts {
    pub(crate) values: Vec<Vec<u8>>,
    /// Who said so.
    pub(crate) resolver: String,
}

/// What a name stands for.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// IPv6 before IPv4, each in the order of the answer. Never empty.
    pub(crate) addresses: Vec<IpAddr>,
    /// Who said so.
    pub(crate) resolver: String,
}

impl Dns {
    /// `timeout` is what a whole validation may take.
    pub(crate) fn new(
        resolvers: &[SocketAddr],
        local_names: LocalNames,
        timeout: Duration,
    ) -> Result<Self, ConfigError> {
        let asked: Vec<String> = resolvers.iter().map(ToString::to_string).collect();
        let resolver = if resolvers.is_empty() { None } else { Some(build(resolvers, timeout / QUESTION_SHARE)?) };
        Ok(Self { resolver, asked: asked.join(","), local_names })
    }

    /// The addresses of a name, by A and AAAA at once, following aliases.
    ///
    /// One of the two failing does not matter when the other has addresses.
    pub(crate) async fn addresses(&self, name: &DnsName, deadline: Instant) -> Result<Addresses, ValidationError> {
        if is_local(name) {
            return self.local(name);
        }
        let resolver = self.resolver()?;
        let question = Name::from_ascii(format!("{name}.")).map_err(|_error| {
            // A name that DnsName admits always fits; were it not so, nobody could resolve it.
            failed(ProblemKind::Dns, format!("{name} cannot be put as a DNS question"))
        })?;
        let both = async {
            tokio::join!(
                resolver.lookup(question.clone(), RecordType::AAAA),
                resolver.lookup(question.clone(), RecordType::A)
            )
        };
        let Ok((aaaa, a)) = tokio::time::timeout_at(deadline, both).await else {
            return Err(out_of_time(name.as_str()));
        };
        let mut addresses = Vec::new();
        let mut failures = Vec::new();
        for (record_type, answer) in [(RecordType::AAAA, aaaa), (RecordType::A, a)] {
            match answer {
                Ok(lookup) => addresses.extend(final_addresses(&question, lookup.answers())),
                Err(error) => failures.push((record_type, Failure::of(&error))),
            }
        }
        if !addresses.is_empty() {
            return Ok(Addresses { addresses, resolver: self.asked.clone() });
        }
        Err(self.explain(name.as_str(), failures, deadline).await)
    }

    /// The values of the TXT records at `_acme-challenge.{name}` (RFC 8555 section 8.4), following aliases, the strings of
    /// each record joined. Never empty.
    pub(crate) async fn challenge_texts(&self, name: &DnsName, deadline: Instant) -> Result<Texts, ValidationError> {
        if is_local(name) {
            return Err(failed(
                ProblemKind::Dns,
                format!("{name} means the machine itself (RFC 6761) and has no records; dns-01 cannot be used for it"),
            ));
        }
        let asked = format!("_acme-challenge.{name}");
        let resolver = self.resolver()?;
        let question = Name::from_ascii(format!("{asked}.")).map_err(|_error| {
            failed(ProblemKind::Dns, format!("{asked} is too long for a DNS name; dns-01 cannot be used for it"))
        })?;
        let answer = resolver.lookup(question.clone(), RecordType::TXT);
        let Ok(answer) = tokio::time::timeout_at(deadline, answer).await else {
            return Err(out_of_time(&asked));
        };
        match answer {
            Ok(lookup) => {
                let values = final_texts(&question, lookup.answers());
                if values.is_empty() {
                    return Err(failed(ProblemKind::Dns, format!("no TXT record was found for {asked}")));
                }
                Ok(Texts { values, resolver: self.asked.clone() })
            }
            Err(error) => Err(self.explain(&asked, vec![(RecordType::TXT, Failure::of(&error))], deadline).await),
        }
    }

    /// Whether a resolver answers at all.
    pub(crate) async fn probe(&self, deadline: Instant) -> Result<(), ValidationError> {
        match self.liveness(deadline).await? {
            Liveness::Answers => Ok(()),
            Liveness::Unknown => Err(self.silent()),
        }
    }

    /// Asks for the root's name servers, which every resolver knows; any answer will do.
    async fn liveness(&self, deadline: Instant) -> Result<Liveness, ValidationError> {
        let question = self.resolver()?.lookup(Name::root(), RecordType::NS);
        match tokio::time::timeout_at(deadline, question).await {
            Ok(Ok(_)) => Ok(Liveness::Answers),
            Ok(Err(error)) => match Failure::of(&error) {
                Failure::NoSuchName | Failure::NoData | Failure::Answered(_) | Failure::Unusable(_) => {
                    Ok(Liveness::Answers)
                }
                Failure::TimedOut => Err(self.silent()),
                Failure::Unreachable(error) => Err(self.unreachable(&error)),
            },
            Err(_elapsed) => Ok(Liveness::Unknown),
        }
    }

    fn resolver(&self) -> Result<&TokioResolver, ValidationError> {
        self.resolver.as_ref().ok_or_else(|| ours("no resolver is configured, and the system names none"))
    }

    fn local(&self, name: &DnsName) -> Result<Addresses, ValidationError> {
        match self.local_names {
            LocalNames::Off => Err(failed(
                ProblemKind::Dns,
                format!("{name} means the machine itself (RFC 6761) and is not resolved by this authority"),
            )),
            LocalNames::Localhost => Ok(Addresses {
                addresses: vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()],
                resolver: "local".to_owned(),
            }),
        }
    }

    /// Whose fault it is that there is no address. Silence is the resolver's only if it answers nothing else either:
    /// a stranger's dead name servers must not look like our failure, which is tried again.
    async fn explain(&self, name: &str, failures: Vec<(RecordType, Failure)>, deadline: Instant) -> ValidationError {
        for (_, failure) in &failures {
            if let Failure::Unreachable(error) = failure {
                return self.unreachable(error);
            }
        }
        if failures.iter().any(|(_, failure)| matches!(failure, Failure::TimedOut))
            && let Err(error) = self.liveness(deadline).await
        {
            return error;
        }
        let mut sentences: Vec<String> =
            failures.iter().map(|(record_type, failure)| failure.sentence(name, *record_type)).collect();
        sentences.dedup();
        if sentences.is_empty() {
            sentences.push(format!("no record was found for {name}"));
        }
        failed(ProblemKind::Dns, sentences.join("; "))
    }

    fn silent(&self) -> ValidationError {
        ours(format!("no resolver answered (asked {})", self.asked))
    }

    fn unreachable(&self, error: &str) -> ValidationError {
        ours(format!("no resolver could be reached (tried {}): {error}", self.asked))
    }
}

/// Whether the resolvers are there. That none is, is an error of ours.
enum Liveness {
    Answers,
    /// The time of the validation ended first, which a stranger's slow servers can bring about.
    Unknown,
}

fn out_of_time(name: &str) -> ValidationError {
    failed(ProblemKind::Dns, format!("time ran out while looking up {name}"))
}

fn build(resolvers: &[SocketAddr], timeout: Duration) -> Result<TokioResolver, ConfigError> {
    let servers = resolvers.iter().map(|address| {
        let mut udp = ConnectionConfig::udp();
        udp.port = address.port();
        let mut tcp = ConnectionConfig::tcp();
        tcp.port = address.port();
        NameServerConfig::new(address.ip(), true, vec![udp, tcp])
    });
    let config = ResolverConfig::from_parts(None, Vec::new(), servers.collect());
    let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
    let options = builder.options_mut();
    options.use_hosts_file = ResolveHosts::Never;
    options.cache_size = 0;
    options.positive_max_ttl = Some(Duration::ZERO);
    options.negative_max_ttl = Some(Duration::ZERO);
    options.preserve_intermediates = true;
    options.case_randomization = true;
    options.timeout = timeout;
    options.attempts = RETRIES;
    builder.build().map_err(ConfigError::Resolver)
}

/// `localhost` and the names beneath it (RFC 6761 section 6.3).
fn is_local(name: &DnsName) -> bool {
    name.as_str().strip_suffix("localhost").is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

/// The end of the chain of aliases that starts at `question`; the records of other names are nobody's answer.
fn end_of_aliases<'a>(question: &'a Name, answers: &'a [Record]) -> &'a Name {
    let mut owner = question;
    for _ in 0..MAX_ALIASES {
        let alias = answers.iter().find_map(|record| {
            if let RData::CNAME(target) = &record.data
                && record.name == *owner
            {
                return Some(&target.0);
            }
            None
        });
        let Some(target) = alias else { break };
        owner = target;
    }
    owner
}

pub(crate) fn final_texts(question: &Name, answers: &[Record]) -> Vec<Vec<u8>> {
    let owner = end_of_aliases(question, answers);
    let of_owner = answers.iter().filter(|record| record.name == *owner);
    let mut texts = Vec::new();
    for record in of_owner {
        if let RData::TXT(text) = &record.data {
            texts.push(text.txt_data.concat());
        }
    }
    texts
}

pub(crate) fn final_addresses(question: &Name, answers: &[Record]) -> Vec<IpAddr> {
    let owner = end_of_aliases(question, answers);
    let mut seen = HashSet::new();
    answers
        .iter()
        .filter(|record| record.name == *owner)
        .filter_map(|record| record.data.ip_addr())
        .filter(|ip| seen.insert(*ip))
        .collect()
}

/// Why a question has no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    NoSuchName,
    NoData,
    Answered(ResponseCode),
    Unusable(String),
    TimedOut,
    Unreachable(String),
}

impl Failure {
    pub(crate) fn of(error: &NetError) -> Self {
        match error {
            NetError::Timeout => Self::TimedOut,
            NetError::Dns(DnsError::NoRecordsFound(none)) if none.response_code == ResponseCode::NXDomain => {
                Self::NoSuchName
            }
            NetError::Dns(DnsError::NoRecordsFound(_)) => Self::NoData,
            NetError::Dns(DnsError::ResponseCode(code)) => Self::Answered(*code),
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
            Self::NoSuchName => format!("{name} does not exist in the DNS (NXDOMAIN)"),
            Self::NoData => format!("{name} has no {record_type} record"),
            Self::Answered(code) => {
                format!("looking up {record_type} of {name} failed: {}", rcode(*code))
            }
            Self::Unusable(error) => format!("the answer for {record_type} of {name} cannot be used: {error}"),
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

    #[test]
    fn only_the_end_of_the_chain_counts() {
        let answers = [
            a("unasked.example.", [192, 0, 2, 66]),
            cname("www.example.", "host.example."),
            cname("host.example.", "real.example."),
            a("host.example.", [192, 0, 2, 67]),
            a("real.example.", [192, 0, 2, 1]),
            a("REAL.example.", [192, 0, 2, 1]),
        ];
        assert_eq!(final_addresses(&name("www.example."), &answers), [IpAddr::from([192, 0, 2, 1])]);
        assert_eq!(final_addresses(&name("nobody.example."), &answers), Vec::<IpAddr>::new());
    }

    #[test]
    fn a_circle_of_aliases_ends() {
        let answers = [cname("a.example.", "b.example."), cname("b.example.", "a.example.")];
        assert_eq!(final_addresses(&name("a.example."), &answers), Vec::<IpAddr>::new());
    }

    #[test]
    fn local_names_end_at_a_label() {
        for (text, expected) in
            [("localhost", true), ("site.localhost", true), ("notlocalhost", false), ("localhost.example", false)]
        {
            assert_eq!(is_local(&DnsName::parse(text).unwrap()), expected, "{text}");
        }
    }
}
