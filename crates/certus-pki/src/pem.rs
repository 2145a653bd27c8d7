//! PEM of RFC 7468, strict: base64 in lines of 64 columns, nothing between the blocks and nothing around them.

use data_encoding::BASE64;

/// Columns of a line of base64 (RFC 7468 section 2).
const COLUMNS: usize = 64;

/// Why a text is not strict PEM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PemError {
    /// There is no block in it.
    #[error("there is no certificate in the PEM text")]
    Empty,
    /// A line stands where a block should begin: another kind of block, a blank line, an explanation.
    #[error("line {line} of the PEM text should read {expected:?}")]
    Line {
        /// The number of the line, from 1.
        line: usize,
        /// What it should be.
        expected: String,
    },
    /// The base64 of a block is malformed, or its lines have not 64 columns.
    #[error("the block beginning on line {line} of the PEM text is not base64 in lines of 64 columns")]
    Base64 {
        /// The number of the line, from 1.
        line: usize,
    },
}

/// One block: label lines around base64, a newline at the end.
pub fn encode(label: &str, der: &[u8]) -> String {
    let text = BASE64.encode(der);
    let mut pem = format!("-----BEGIN {label}-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, next) = rest.split_at_checked(COLUMNS).unwrap_or((rest, ""));
        pem.push_str(line);
        pem.push('\n');
        rest = next;
    }
    pem.push_str(&format!("-----END {label}-----\n"));
    pem
}

/// The DER of the one block of this label; `None` unless the text is that and nothing else.
#[must_use]
pub fn decode_one(label: &str, pem: &str) -> Option<Vec<u8>> {
    let mut blocks = decode(label, pem).ok()?;
    blocks.pop().filter(|_| blocks.is_empty())
}

/// The DER of every block; all have this label, and there is at least one.
pub(crate) fn decode(label: &str, pem: &str) -> Result<Vec<Vec<u8>>, PemError> {
    let begin = format!("-----BEGIN {label}-----");
    let end = format!("-----END {label}-----");
    let mut blocks = Vec::new();
    let mut lines = pem.lines().zip(1..);
    while let Some((first, line)) = lines.next() {
        if first != begin {
            return Err(PemError::Line { line, expected: begin });
        }
        blocks.push(block(&mut lines, &end, line)?);
    }
    if blocks.is_empty() { Err(PemError::Empty) } else { Ok(blocks) }
}

fn block<'a>(lines: &mut impl Iterator<Item = (&'a str, usize)>, end: &str, begun: usize) -> Result<Vec<u8>, PemError> {
    let malformed = PemError::Base64 { line: begun };
    let mut text = String::new();
    let mut last_is_short = false;
    for (line, _) in lines {
        if line == end {
            // The decoder takes several padded texts in a row; RFC 4648 section 3.2 has padding at the end alone.
            if text.trim_end_matches('=').contains('=') {
                return Err(malformed);
            }
            return BASE64.decode(text.as_bytes()).or(Err(malformed));
        }
        if last_is_short || line.is_empty() || line.len() > COLUMNS {
            return Err(malformed);
        }
        last_is_short = line.len() < COLUMNS;
        text.push_str(line);
    }
    Err(malformed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_read_back() {
        for length in [0, 1, 47, 48, 49, 96, 500] {
            let der = vec![0xa5; length];
            let pem = encode("CERTIFICATE", &der);
            assert!(pem.lines().all(|line| line.len() <= 64));
            assert_eq!(decode_one("CERTIFICATE", &pem), Some(der.clone()));
            assert_eq!(decode_one("CERTIFICATE", &format!("{pem}{pem}")), None);
            assert_eq!(decode_one("PUBLIC KEY", &pem), None);
            assert_eq!(decode("CERTIFICATE", &format!("{pem}{pem}")), Ok(vec![der.clone(), der]));
        }
    }

    // conformance: 8555-7.4.2-05
    #[test]
    fn what_is_not_strict_is_refused() {
        let pem = encode("CERTIFICATE", &[7; 100]);
        let key = encode("PRIVATE KEY", &[7; 100]);
        for bad in [
            String::new(),
            format!("{pem}\n{pem}"),
            format!("subject=CN\n{pem}"),
            format!("{pem}trailing\n"),
            format!("{pem}{key}"),
            pem.replace('\n', " "),
            pem.replace("-----END CERTIFICATE-----\n", ""),
            pem.replacen("BwcH", "Bw\ncH", 1),
            pem.replacen("BwcH", "Bw cH", 1),
            pem.replacen("Bw==", "Bw=", 1),
            // Padding within: two base64 texts in a row.
            pem.replacen("Bw==", "Bw==Bw==", 1),
            pem.replacen("Bw==", "Bw==BwcH", 1),
        ] {
            assert!(decode("CERTIFICATE", &bad).is_err(), "{bad}");
        }
    }
}
