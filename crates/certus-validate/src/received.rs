//! What an answer says as it comes over the network, without DNSSEC and without having asked: the first thing that a
//! stranger's octets go through, for whoever wants to try it with octets of their own (`fuzz/` does).
//!
//! Deliberately absent: asking, and any use of this by a validation ([`crate::dns`] asks).

use std::net::IpAddr;

use certus_pki::DnsName;
use hickory_proto::op::{DnsResponse, Message};
use hickory_proto::rr::{Name, Record, RecordType};
use hickory_resolver::net::{DnsError, NetError};

use crate::dns::{Failure, final_addresses, final_texts};

/// The addresses that an answer has for a name, each once, in its order; none when it has others' alone.
///
/// # Errors
///
/// Why it is no answer, or an answer without records.
pub fn read_addresses(name: &DnsName, octets: &[u8]) -> Result<Vec<IpAddr>, String> {
    read(name.as_str(), RecordType::A, octets, final_addresses)
}

/// The values of the TXT records that an answer has for `_acme-challenge.{name}`, the strings of each joined.
///
/// # Errors
///
/// As [`read_addresses`].
pub fn read_texts(name: &DnsName, octets: &[u8]) -> Result<Vec<Vec<u8>>, String> {
    read(&format!("_acme-challenge.{name}"), RecordType::TXT, octets, final_texts)
}

fn read<T>(
    name: &str,
    record_type: RecordType,
    octets: &[u8],
    of: fn(&Name, &[Record]) -> Vec<T>,
) -> Result<Vec<T>, String> {
    let question = Name::from_ascii(format!("{name}.")).map_err(|error| error.to_string())?;
    let message = Message::from_vec(octets).map_err(|error| error.to_string())?;
    let response = DnsResponse::from_message(message).map_err(|error| error.to_string())?;
    match DnsError::from_response(response) {
        Ok(response) => Ok(of(&question, &response.answers)),
        Err(error) => Err(Failure::of(&NetError::from(error)).sentence(name, record_type)),
    }
}
