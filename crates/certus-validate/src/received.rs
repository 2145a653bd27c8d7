//! What an answer says as it comes over the network, without DNSSEC and without having asked: the first thing that a
//! stranger's octets go through, for whoever wants to try it with octets of their own (`fuzz/` does).
//!
//! Deliberately absent: asking, and any use of this by a validation ([`crate::dns`] asks).

use std::collections::HashSet;
use std::net::IpAddr;

use certus_ca::state::CaaRecord;
use certus_pki::DnsName;
use hickory_proto::op::{DnsResponse, Message};
use hickory_proto::rr::{Name, RData, RecordType};
use hickory_resolver::net::{DnsError, NetError};

use crate::answer::{Answer, Failure, Step, in_words};
use crate::caa;
use crate::dnssec::Wanted;

/// The addresses that an answer has for a name, each once, IPv4 first; none when it leads to another name.
///
/// # Errors
///
/// Why it is no answer, or an answer without such records.
pub fn read_addresses(name: &DnsName, octets: &[u8]) -> Result<Vec<IpAddr>, String> {
    let (a, aaaa) = (read(name.as_str(), RecordType::A, octets), read(name.as_str(), RecordType::AAAA, octets));
    let records = match (a, aaaa) {
        (Ok(a), aaaa) => [a, aaaa.unwrap_or_default()].concat(),
        (Err(_), Ok(aaaa)) => aaaa,
        (Err(error), Err(_)) => return Err(error),
    };
    let mut seen = HashSet::new();
    Ok(records.iter().filter_map(RData::ip_addr).filter(|address| seen.insert(*address)).collect())
}

/// The values of the TXT records that an answer has for `_acme-challenge.{name}`, the strings of each joined; none when it
/// leads to another name.
///
/// # Errors
///
/// As [`read_addresses`].
pub fn read_texts(name: &DnsName, octets: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    let records = read(&format!("_acme-challenge.{name}"), RecordType::TXT, octets)?;
    let text = |record| {
        let RData::TXT(text) = record else { return None };
        Some(text.txt_data.concat())
    };
    Ok(records.into_iter().filter_map(text).collect())
}

/// What an answer says of the CAA records at a name; none when it leads to another name or says that there are none.
///
/// # Errors
///
/// Why it is no answer.
pub fn read_caa(name: &DnsName, octets: &[u8]) -> Result<Vec<CaaRecord>, String> {
    match step(name.as_str(), RecordType::CAA, octets)? {
        Ok(Step::Found(found)) => caa::records(name, found).map_err(|error| error.to_string()),
        Ok(Step::Alias { .. } | Step::Absent(_)) => Ok(Vec::new()),
        Err(failure) => Err(failure.sentence(name.as_str(), RecordType::CAA)),
    }
}

fn read(name: &str, record_type: RecordType, octets: &[u8]) -> Result<Vec<RData>, String> {
    match step(name, record_type, octets)? {
        Ok(Step::Found(Answer { records, .. })) => Ok(records),
        Ok(Step::Alias { .. }) => Ok(Vec::new()),
        Ok(Step::Absent(absence)) => Err(Failure::Absent(absence).sentence(name, record_type)),
        Err(failure) => Err(failure.sentence(name, record_type)),
    }
}

fn step(name: &str, record_type: RecordType, octets: &[u8]) -> Result<Result<Step, Failure>, String> {
    let question = Name::from_ascii(format!("{name}.")).map_err(|error| error.to_string())?;
    let message = Message::from_vec(octets).map_err(|error| in_words(&error))?;
    let response = DnsResponse::from_message(message).map_err(|error| in_words(&error))?;
    let answer = DnsError::from_response(response).map_err(NetError::from);
    Ok(Step::of(&question, record_type, answer, Wanted::Nothing))
}
