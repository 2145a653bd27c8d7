//! Names to addresses and records, by recursive resolvers that we chose.
//!
//! Deliberately absent: the hosts file, the search list, a cache (an answer is used once; RFC 8555 section 10.2 wants
//! it fresh), any judgement of the addresses ([`crate::target`] vets them), and what DNSSEC says ([`crate::dnssec`]).

use std::collections::HashSet;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use certus_acme::ProblemKind;
use certus_ca::ports::ValidationError;
use certus_pki::DnsName;
use hickory_proto::rr::{Name, RData, RecordType};
use tokio::time::Instant;

use crate::answer::{Absence, Answer, Failure};
use crate::config::{ConfigError, LocalNames};
use crate::dnssec::Dnssec;
use crate::failure::{failed, ours};
use crate::question::Questions;

/// The share of a validation's time that one question may take: put twice, two fifths of it, which leaves time to find out
/// whether the resolver lives.
const QUESTION_SHARE: u32 = 5;
/// Asks resolvers for addresses and records.
#[derive(Debug)]
pub(crate) struct Dns {
    questions: Option<Questions>,
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
        dnssec: &Dnssec,
        internal_domains: &[DnsName],
        timeout: Duration,
    ) -> Result<Self, ConfigError> {
        let asked: Vec<String> = resolvers.iter().map(ToString::to_string).collect();
        let questions = match resolvers {
            [] => None,
            [..] => Some(
                Questions::new(resolvers, timeout / QUESTION_SHARE, dnssec, internal_domains)
                    .map_err(ConfigError::Resolver)?,
            ),
        };
        Ok(Self { questions, asked: asked.join(","), local_names })
    }

    /// The addresses of a name, by A and AAAA at once, following aliases.
    ///
    /// One of the two failing does not matter when the other has addresses.
    pub(crate) async fn addresses(&self, name: &DnsName, deadline: Instant) -> Result<Addresses, ValidationError> {
        if is_local(name) {
            return self.local(name);
        }
        let questions = self.questions()?;
        let question = Name::from_ascii(format!("{name}.")).map_err(|_error| {
            // A name that DnsName admits always fits; were it not so, nobody could resolve it.
            failed(ProblemKind::Dns, format!("{name} cannot be put as a DNS question"))
        })?;
        let both =
            async { tokio::join!(questions.ask(&question, RecordType::AAAA), questions.ask(&question, RecordType::A)) };
        let Ok((aaaa, a)) = tokio::time::timeout_at(deadline, both).await else {
            return Err(out_of_time(name.as_str()));
        };
        let (mut addresses, mut seen) = (Vec::new(), HashSet::new());
        let mut failures = Vec::new();
        for (record_type, answer) in [(RecordType::AAAA, aaaa), (RecordType::A, a)] {
            match answer {
                Ok(answer) => {
                    let found = answer.records.iter().filter_map(RData::ip_addr);
                    addresses.extend(found.filter(|address| seen.insert(*address)));
                }
                Err(failure) => failures.push((record_type, failure)),
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
        let questions = self.questions()?;
        let question = Name::from_ascii(format!("{asked}.")).map_err(|_error| {
            failed(ProblemKind::Dns, format!("{asked} is too long for a DNS name; dns-01 cannot be used for it"))
        })?;
        let Ok(answer) = tokio::time::timeout_at(deadline, questions.ask(&question, RecordType::TXT)).await else {
            return Err(out_of_time(&asked));
        };
        match answer {
            Ok(answer) => {
                let texts = answer.records.into_iter().filter_map(|record| {
                    let RData::TXT(text) = record else { return None };
                    Some(text.txt_data.concat())
                });
                Ok(Texts { values: texts.collect(), resolver: self.asked.clone() })
            }
            Err(failure) => Err(self.explain(&asked, vec![(RecordType::TXT, failure)], deadline).await),
        }
    }

    /// The CAA records at exactly that name, following aliases; or that there are none there. Anything else is a failure.
    pub(crate) async fn caa(
        &self,
        name: &DnsName,
        deadline: Instant,
    ) -> Result<Result<Answer, Absence>, ValidationError> {
        let questions = self.questions()?;
        let question = Name::from_ascii(format!("{name}."))
            .map_err(|_error| failed(ProblemKind::Dns, format!("{name} cannot be put as a DNS question")))?;
        let Ok(answer) = tokio::time::timeout_at(deadline, questions.ask(&question, RecordType::CAA)).await else {
            return Err(out_of_time(name.as_str()));
        };
        match answer {
            Ok(answer) => Ok(Ok(answer)),
            Err(Failure::Absent(absence)) => Ok(Err(absence)),
            Err(failure) => Err(self.explain(name.as_str(), vec![(RecordType::CAA, failure)], deadline).await),
        }
    }

    /// The resolvers that are asked, each as `address:port`.
    pub(crate) fn asked(&self) -> &str {
        &self.asked
    }

    /// Whether a name is the machine's own and is answered here; an error if such names are not.
    pub(crate) fn answers_itself(&self, name: &DnsName) -> Result<bool, ValidationError> {
        if !is_local(name) {
            return Ok(false);
        }
        self.local(name).map(|_addresses| true)
    }

    /// Whether a resolver answers at all, and with the signatures that DNSSEC needs if that is wanted.
    pub(crate) async fn probe(&self, deadline: Instant) -> Result<(), ValidationError> {
        match self.liveness(deadline).await? {
            Liveness::Answers => {}
            Liveness::Unknown => return Err(self.silent()),
        }
        match tokio::time::timeout_at(deadline, self.questions()?.ask(&Name::root(), RecordType::NS)).await {
            Err(_elapsed) => Err(self.silent()),
            Ok(Err(Failure::Bogus(why))) => Err(ours(format!(
                "the resolvers ({}) give no answer about the root that stands the test of DNSSEC ({why}); name others in \
                 resolvers, or the keys they are signed by in trust_anchors, or set dnssec = \"off\"",
                self.asked
            ))),
            Ok(Ok(_)) => Ok(()),
            Ok(Err(
                Failure::Absent(_)
                | Failure::Answered(_)
                | Failure::Unusable(_)
                | Failure::TimedOut
                | Failure::Unreachable(_),
            )) => Ok(()),
        }
    }

    /// Asks for the root's name servers, which every resolver knows; any answer will do.
    async fn liveness(&self, deadline: Instant) -> Result<Liveness, ValidationError> {
        let root = Name::root();
        let question = self.questions()?.answers(&root, RecordType::NS);
        match tokio::time::timeout_at(deadline, question).await {
            Ok(Ok(())) => Ok(Liveness::Answers),
            Ok(Err(failure)) => match failure {
                Failure::Absent(_) | Failure::Answered(_) | Failure::Unusable(_) | Failure::Bogus(_) => {
                    Ok(Liveness::Answers)
                }
                Failure::TimedOut => Err(self.silent()),
                Failure::Unreachable(error) => Err(self.unreachable(&error)),
            },
            Err(_elapsed) => Ok(Liveness::Unknown),
        }
    }

    fn questions(&self) -> Result<&Questions, ValidationError> {
        self.questions.as_ref().ok_or_else(|| ours("no resolver is configured, and the system names none"))
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

/// `localhost` and the names beneath it (RFC 6761 section 6.3).
fn is_local(name: &DnsName) -> bool {
    name.as_str().strip_suffix("localhost").is_some_and(|rest| rest.is_empty() || rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn local_names_end_at_a_label() {
        for (text, expected) in
            [("localhost", true), ("site.localhost", true), ("notlocalhost", false), ("localhost.example", false)]
        {
            assert_eq!(is_local(&DnsName::parse(text).unwrap()), expected, "{text}");
        }
    }
}
