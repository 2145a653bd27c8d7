//! Certification requests that the testkit does not make: signed with old digests, or with a part of their DER replaced
//! and signed anew.

use std::process::Command;

use certus_pki::{KeyPair, SignatureEncoding};

/// A request for that name, signed with that digest by OpenSSL.
pub(crate) fn signed_with(digest: &str, name: &str) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new("openssl")
        .args(["req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-outform", "DER"])
        .args([
            &format!("-{digest}"),
            "-subj",
            &format!("/CN={name}"),
            "-addext",
            &format!("subjectAltName=DNS:{name}"),
        ])
        .current_dir(dir.path())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

/// The request with another version.
pub(crate) fn with_version(request: &[u8], version: u8, key: &KeyPair) -> Vec<u8> {
    resigned(request, key, |fields| fields[0] = vec![0x02, 0x01, version])
}

/// The request with its first attribute twice.
pub(crate) fn with_attribute_twice(request: &[u8], key: &KeyPair) -> Vec<u8> {
    resigned(request, key, |fields| {
        let attributes = contents(&fields[3]).to_vec();
        fields[3] = tlv(0xa0, &[attributes.as_slice(), &attributes].concat());
    })
}

/// Changes the fields of a request's `CertificationRequestInfo` (RFC 2986 section 4.1) and signs it anew.
fn resigned(request: &[u8], key: &KeyPair, change: impl FnOnce(&mut Vec<Vec<u8>>)) -> Vec<u8> {
    let parts = elements(contents(request));
    let mut fields = elements(contents(&parts[0]));
    change(&mut fields);
    let info = tlv(0x30, &fields.concat());
    let signature = key.sign(key.default_signature_algorithm(), SignatureEncoding::Der, &info).unwrap();
    let signature = tlv(0x03, &[&[0], signature.as_slice()].concat());
    tlv(0x30, &[info, parts[1].clone(), signature].concat())
}

/// The elements that stand one after the other.
fn elements(mut der: &[u8]) -> Vec<Vec<u8>> {
    let mut found = Vec::new();
    while !der.is_empty() {
        let (header, length) = header(der);
        found.push(der[..header + length].to_vec());
        der = &der[header + length..];
    }
    found
}

fn contents(der: &[u8]) -> &[u8] {
    let (header, length) = header(der);
    &der[header..header + length]
}

/// Octets of the tag and length, and octets of the contents.
fn header(der: &[u8]) -> (usize, usize) {
    match der[1] {
        short @ 0..=0x7f => (2, usize::from(short)),
        long => {
            let octets = usize::from(long & 0x7f);
            (2 + octets, der[2..2 + octets].iter().fold(0, |length, octet| length << 8 | usize::from(*octet)))
        }
    }
}

/// With the length in its shortest form (X.690 section 10.1).
fn tlv(tag: u8, contents: &[u8]) -> Vec<u8> {
    let [high, low] = u16::try_from(contents.len()).unwrap().to_be_bytes();
    let length = match (high, low) {
        (0, 0..=0x7f) => vec![low],
        (0, _) => vec![0x81, low],
        _ => vec![0x82, high, low],
    };
    [&[tag], length.as_slice(), contents].concat()
}
