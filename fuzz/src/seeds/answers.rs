//! Answers of name servers, octet by octet (RFC 1035 section 4.1).

use crate::answer::NAME;

const A: u16 = 1;
const CNAME: u16 = 5;
const TXT: u16 = 16;
const AAAA: u16 = 28;
/// The name of the question, which stands behind the header.
const ASKED: [u8; 2] = [0xc0, 12];

/// Right answers, each with a name.
pub(super) fn right() -> Vec<(&'static str, Vec<u8>)> {
    let mut v6 = [0; 16];
    v6[..4].copy_from_slice(&[0x20, 0x01, 0x0d, 0xb8]);
    let host = labels("host.a.example");
    let texts = format!("_acme-challenge.{NAME}");
    vec![
        ("nothing", answer(NAME, A, 0, &[])),
        ("no-such-name", answer(NAME, A, 3, &[])),
        ("a", answer(NAME, A, 0, &[record(&ASKED, A, &[192, 0, 2, 1]), record(&ASKED, A, &[192, 0, 2, 1])])),
        ("aaaa", answer(NAME, AAAA, 0, &[record(&ASKED, AAAA, &v6)])),
        ("alias", answer(NAME, A, 0, &[record(&ASKED, CNAME, &host), record(&host, A, &[192, 0, 2, 2])])),
        ("circle", answer(NAME, A, 0, &[record(&ASKED, CNAME, &ASKED)])),
        ("txt", answer(&texts, TXT, 0, &[record(&ASKED, TXT, b"\x03one\x05 text"), record(&ASKED, TXT, b"\0")])),
    ]
}

fn answer(asked: &str, record_type: u16, code: u8, records: &[Vec<u8>]) -> Vec<u8> {
    let count = u8::try_from(records.len()).unwrap_or(u8::MAX);
    let header = [0x12, 0x34, 0x81, 0x80 | code, 0, 1, 0, count, 0, 0, 0, 0];
    [&header, labels(asked).as_slice(), &record_type.to_be_bytes(), &[0, 1], &records.concat()].concat()
}

fn record(owner: &[u8], record_type: u16, data: &[u8]) -> Vec<u8> {
    let length = u16::try_from(data.len()).unwrap_or(u16::MAX).to_be_bytes();
    [owner, &record_type.to_be_bytes(), &[0, 1, 0, 0, 1, 44], &length, data].concat()
}

fn labels(name: &str) -> Vec<u8> {
    let mut octets = Vec::new();
    for label in name.split('.') {
        octets.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
        octets.extend(label.as_bytes());
    }
    octets.push(0);
    octets
}
