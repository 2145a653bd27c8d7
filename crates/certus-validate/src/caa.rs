//! Finds the relevant CAA record set of a name (RFC 8659 section 3): its own, or that of the nearest name above it.
//!
//! Deliberately absent: what the records mean. Whatever is no answer is a failure, never "none".

use certus_acme::ProblemKind;
use certus_ca::ports::ValidationError;
use certus_ca::state::{CaaAnswer, CaaRecord, Security};
use certus_pki::DnsName;
use hickory_proto::rr::RData;
use tokio::time::Instant;

use crate::answer::Answer;
use crate::dns::Dns;
use crate::failure::failed;

/// The labels of a name that is looked up, each of which may cost a question: more than any name in use has, few enough to
/// be asked for one after the other within one validation's time.
const MAX_LABELS: usize = 40;
/// The octets of a record set that are taken in, with [`RECORD`] for each record: a hundred records as they are in use. They
/// are kept with every certificate, and read with every look at its order.
const MAX_OCTETS: usize = 4 * 1024;
/// What a record costs beside its tag and its value.
const RECORD: usize = 16;

/// Climbs from a name to the first set that is not empty.
pub(crate) async fn find(dns: &Dns, name: &DnsName, deadline: Instant) -> Result<CaaAnswer, ValidationError> {
    let mut answer = CaaAnswer {
        name: name.clone(),
        domain: None,
        records: Vec::new(),
        resolver: dns.asked().to_owned(),
        security: Security::Secure,
    };
    if dns.answers_itself(name)? {
        return Ok(CaaAnswer { resolver: "local".to_owned(), security: Security::Unchecked, ..answer });
    }
    let labels = name.as_str().split('.').count();
    if labels > MAX_LABELS {
        let detail = format!("{name} has {labels} labels; CAA is looked up for names of {MAX_LABELS} at most");
        return Err(failed(ProblemKind::Caa, detail));
    }
    for domain in tree(name) {
        match dns.caa(&domain, deadline).await? {
            Err(absence) => answer.security = answer.security.min(absence.security),
            Ok(found) => {
                answer.security = answer.security.min(found.security);
                answer.records = records(&domain, found)?;
                answer.domain = Some(domain);
                return Ok(answer);
            }
        }
    }
    Ok(answer)
}

/// A name and those above it, without the root.
fn tree(name: &DnsName) -> impl Iterator<Item = DnsName> {
    let parent = |name: &DnsName| name.as_str().split_once('.').and_then(|(_, rest)| DnsName::parse(rest).ok());
    std::iter::successors(Some(name.clone()), parent)
}

pub(crate) fn records(domain: &DnsName, found: Answer) -> Result<Vec<CaaRecord>, ValidationError> {
    let records: Vec<CaaRecord> = found
        .records
        .into_iter()
        .filter_map(|record| {
            let RData::CAA(caa) = record else { return None };
            Some(CaaRecord { flags: caa.flags(), tag: caa.tag, value: caa.value })
        })
        .collect();
    let octets: usize = records.iter().map(|record| RECORD + record.tag.len() + record.value.len()).sum();
    if octets > MAX_OCTETS {
        let detail = format!("the CAA records of {domain} have {octets} octets; {MAX_OCTETS} are taken in");
        return Err(failed(ProblemKind::Caa, detail));
    }
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tree_ends_below_the_root() {
        let climbed =
            |name: &str| tree(&DnsName::parse(name).unwrap()).map(|name| name.to_string()).collect::<Vec<_>>();
        assert_eq!(climbed("www.a.example"), ["www.a.example", "a.example", "example"]);
        assert_eq!(climbed("example"), ["example"]);
    }
}
