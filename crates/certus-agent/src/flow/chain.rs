//! What was issued, looked at before anybody uses it: for our key and our names, in its time, and nothing beside
//! certificates.

use std::collections::BTreeSet;

use certus_pki::{Certificate, CertificateChain, CertificateError, PublicKey, SubjectName, Timestamp};

/// Certificates of a chain at most: a root, and more cross-signed intermediates than there ever were.
const MAX_CERTIFICATES: usize = 16;

/// Why what was issued is not used.
#[derive(Debug, thiserror::Error)]
pub enum ChainError {
    /// It cannot be read.
    #[error("what was issued is no chain of certificates in PEM: {0}")]
    Unreadable(#[from] CertificateError),
    /// The certificate is for another key.
    #[error("the certificate that was issued is for another key")]
    Key,
    /// The certificate is for other names.
    #[error("the certificate that was issued is for {found}, not for {wanted}")]
    Names {
        /// Its names.
        found: String,
        /// The names of the order.
        wanted: String,
    },
    /// There is none.
    #[error("what was issued has no certificate in it")]
    Empty,
    /// Its time is over.
    #[error("the certificate that was issued ended at {0}")]
    Ended(Timestamp),
    /// The one after it should have signed it (RFC 8555 section 9.1).
    #[error("the certificate that was issued is not signed by the one that comes after it")]
    Broken,
    /// A chain of so many is none.
    #[error("the chain has {0} certificates; more than {MAX_CERTIFICATES} are not kept")]
    TooMany(usize),
}

/// Reads a chain and sees that it is what was asked for.
///
/// It may begin in the future by an authority's clock: whether it is
/// served yet is for whoever serves it. Only what signs the certificate itself has to be in its place: of cross-signed
/// issuers further up there are chains in any order.
///
/// # Errors
///
/// [`ChainError`] says what is wrong with it.
pub fn check_chain(
    pem: &str,
    names: &BTreeSet<SubjectName>,
    key: &PublicKey,
    now: Timestamp,
) -> Result<CertificateChain, ChainError> {
    // Authorities put empty lines between certificates, or end lines as on Windows.
    let lines = pem.lines().map(str::trim_end).filter(|line| !line.is_empty());
    let pem: String = lines.flat_map(|line| [line, "\n"]).collect();
    let chain = CertificateChain::from_pem(&pem)?;
    let certificates = chain.certificates();
    if certificates.len() > MAX_CERTIFICATES {
        return Err(ChainError::TooMany(certificates.len()));
    }
    let Some(leaf) = certificates.first() else { return Err(ChainError::Empty) };
    if leaf.public_key() != key {
        return Err(ChainError::Key);
    }
    if leaf.subject_names() != names {
        return Err(ChainError::Names { found: listed(leaf.subject_names()), wanted: listed(names) });
    }
    if leaf.not_after() < now {
        return Err(ChainError::Ended(leaf.not_after()));
    }
    let signs = |issuer: &Certificate| {
        leaf.issuer_der() == issuer.subject_der() && leaf.verify_signed_by(issuer.public_key()).is_ok()
    };
    if certificates.get(1).is_some_and(|issuer| !signs(issuer)) {
        return Err(ChainError::Broken);
    }
    Ok(chain)
}

fn listed(names: &BTreeSet<SubjectName>) -> String {
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
