//! Where the private keys of authorities are: the port that `certus-signer` implements.

use std::fmt::Debug;

use async_trait::async_trait;

use crate::asn1::Signed;
use crate::certificate::CertificateError;
use crate::crypto::{CryptoError, KeyPair, SignatureAlgorithm, SignatureEncoding};
use crate::key::PublicKey;

/// Why a signer gave no signature.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// The signer answered and will not sign: asking again is of no use.
    #[error("the signer refused: {0}")]
    Refused(String),
    /// The signer did not answer. Whether it signed is unknown.
    #[error("the signer is unavailable: {0}")]
    Unavailable(String),
}

/// Something that signs with one private key: a file, an HSM, another machine.
#[async_trait]
pub trait Signer: Debug + Send + Sync {
    /// The public half of the key.
    fn public_key(&self) -> &PublicKey;

    /// Signs `message`, which is hashed by the signer or the algorithm.
    ///
    /// The signature is in X.509 form: DER for ECDSA.
    ///
    /// # Errors
    ///
    /// [`SignError`] if there is no signature to be had.
    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError>;
}

/// A key in memory signs for itself.
#[async_trait]
impl Signer for KeyPair {
    fn public_key(&self) -> &PublicKey {
        Self::public_key(self)
    }

    async fn sign(&self, algorithm: SignatureAlgorithm, message: &[u8]) -> Result<Vec<u8>, SignError> {
        Self::sign(self, algorithm, SignatureEncoding::Der, message)
            .map_err(|error: CryptoError| SignError::Refused(error.to_string()))
    }
}

/// Why something could not be signed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssueError {
    /// The signer gave no signature.
    #[error("there is no signature")]
    Sign(#[source] SignError),
    /// What the signer gave does not verify under the issuer's key.
    #[error("the signature that the signer gave does not verify")]
    Signature,
    /// The DER could not be written.
    #[error("the object to be signed cannot be encoded")]
    Encoding(#[source] der::Error),
    /// The signed certificate cannot be read back.
    #[error("the signed certificate cannot be read back")]
    Certificate(#[source] CertificateError),
    /// The signed CRL cannot be read back.
    #[error("the signed CRL cannot be read back")]
    Crl(#[source] crate::crl::CrlError),
    /// What was read back is not what was to be signed.
    #[error("what was signed is not what was prepared")]
    Differs,
    /// A CRL whose nextUpdate is not after its thisUpdate.
    #[error("the CRL's next update must be after this one")]
    Period,
}

/// Has `message` signed, verifies the signature under `key`, and puts the two together to the DER of `SIGNED{}`.
pub(crate) async fn sign_object(signer: &dyn Signer, key: &PublicKey, message: &[u8]) -> Result<Vec<u8>, IssueError> {
    let algorithm = key.kind().signature_algorithm();
    let signature = signer.sign(algorithm, message).await.map_err(IssueError::Sign)?;
    key.verify(algorithm, SignatureEncoding::Der, message, &signature).or(Err(IssueError::Signature))?;
    Signed::assemble(message, algorithm.identifier_der(), &signature).map_err(IssueError::Encoding)
}
