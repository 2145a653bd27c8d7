//! Answers that no honest name server gives: read or refused, and never more in them than came.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use certus_pki::DnsName;
use certus_testkit::name_server::{address, alias, text};
use certus_validate::{read_addresses, read_texts};
use hickory_proto::op::{Message, Query};
use hickory_proto::rr::{Name, Record, RecordType};

const NAME: &str = "www.example.test";

fn name() -> DnsName {
    DnsName::parse(NAME).unwrap()
}

fn answer(asked: &str, record_type: RecordType, records: Vec<Record>) -> Vec<u8> {
    let mut message = Message::query().into_response();
    message.add_query(Query::query(Name::from_ascii(asked).unwrap(), record_type));
    message.add_answers(records);
    message.to_vec().unwrap()
}

fn addresses() -> Vec<u8> {
    let (v4, v6) = (Ipv4Addr::new(192, 0, 2, 1), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1));
    let at = "host.example.test";
    let records = vec![
        address("other.test", Ipv4Addr::new(192, 0, 2, 66).into()),
        alias(NAME, at),
        address(at, v4.into()),
        address(at, v6.into()),
        address(at, v4.into()),
    ];
    answer(&format!("{NAME}."), RecordType::A, records)
}

fn texts() -> Vec<u8> {
    let at = format!("_acme-challenge.{NAME}");
    let records = vec![text(&at, &["one", " text"]), text(&at, &["other"]), text("other.test", &["nobody's"])];
    answer(&format!("{at}."), RecordType::TXT, records)
}

#[test]
fn what_is_the_names_own_is_read() {
    let found = read_addresses(&name(), &addresses()).unwrap();
    let expected: [IpAddr; 2] = ["192.0.2.1".parse().unwrap(), "2001:db8::1".parse().unwrap()];
    assert_eq!(found, expected);
    assert_eq!(read_texts(&name(), &texts()).unwrap(), [b"one text".to_vec(), b"other".to_vec()]);
    assert!(read_texts(&name(), &addresses()).unwrap_err().contains("no TXT record"));
    let empty = answer(&format!("{NAME}."), RecordType::A, Vec::new());
    assert!(read_addresses(&name(), &empty).unwrap_err().contains("no A record"));
}

/// Every octet of an answer takes every value, and it ends at every octet.
#[test]
fn altered_answers_are_read_or_refused() {
    for honest in [addresses(), texts()] {
        for at in 0..honest.len() {
            sound(&honest[..at]);
            for value in 0..=u8::MAX {
                let mut altered = honest.clone();
                altered[at] = value;
                sound(&altered);
            }
        }
    }
}

/// A name that begins like an A-label, and holds what no terminal should be sent: fuzzing came upon it.
#[test]
fn what_is_wrong_with_an_answer_is_told_in_characters_that_show() {
    let mut octets = vec![0x12, 0x34, 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0];
    let label = b"xn--\x03\0\x10\0?cac\x01-mhel";
    let asked = [&[u8::try_from(label.len()).unwrap()], label.as_slice(), &[0, 0, 1, 0, 1]].concat();
    octets.extend(asked);
    // An OPT record, whose owner has to be the root, at that name.
    octets.extend([0xc0, 0x0c, 0, 41, 0x10, 0, 0, 0, 0, 0, 0, 0]);
    let error = read_addresses(&name(), &octets).unwrap_err();
    assert!(error.contains("root") && error.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{error:?}");
    sound(&octets);
}

fn sound(octets: &[u8]) {
    for error in [read_addresses(&name(), octets).err(), read_texts(&name(), octets).err()].into_iter().flatten() {
        assert!(error.chars().all(|c| c == ' ' || c.is_ascii_graphic()), "{error:?}");
    }
    for found in read_addresses(&name(), octets).unwrap_or_default() {
        let came = match found {
            IpAddr::V4(address) => octets.windows(4).any(|window| window == address.octets()),
            IpAddr::V6(address) => octets.windows(16).any(|window| window == address.octets()),
        };
        assert!(came, "{found} is not in {octets:?}");
    }
    let found = read_texts(&name(), octets).unwrap_or_default();
    assert!(found.iter().map(Vec::len).sum::<usize>() <= octets.len(), "{octets:?}");
}
