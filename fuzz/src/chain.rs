//! Chains of certificates in PEM: RFC 7468, RFC 8555 section 9.1.

use certus_pki::{Certificate, CertificateChain};

use crate::certificate::sound;
use crate::text::printable;

/// The input as a chain in PEM.
pub fn chain(data: &[u8]) {
    let Ok(text) = str::from_utf8(data) else { return };
    match CertificateChain::from_pem(text) {
        Ok(chain) => {
            let pem = chain.to_pem();
            assert_eq!(CertificateChain::from_pem(&pem).as_ref(), Ok(&chain));
            // Line ends are the one thing in which texts of the same chain may differ.
            assert_eq!(text.replace("\r\n", "\n").trim_end_matches('\n'), pem.trim_end_matches('\n'));
            chain.certificates().iter().for_each(sound);
            let single = Certificate::from_pem(text);
            assert_eq!(single.is_ok(), chain.certificates().len() == 1);
        }
        Err(error) => printable(&error),
    }
}
