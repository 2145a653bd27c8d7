//! Accepts every TLS certificate: for the targets of redirects, and for tls-alpn-01, which judges it afterwards.
//!
//! Validation asks whether the name's HTTP server, on its authorized port, hands on to a resource with the key
//! authorization. It must not ask for a certificate: getting one is what the client is here for, and often the one on
//! that server has expired or is self-signed (conformance row 8555-8.3-11; Baseline Requirements 3.2.2.4.19 ask none).
//! Nothing secret is sent over such a connection, and what comes back is compared with a value only the right account
//! can make. The certificate of tls-alpn-01 has a critical extension that no verifier of chains knows, and is judged by
//! `certus_pki::challenge_certificate`; what is verified here is that the handshake is signed with its key. Nothing else in
//! Certus may use these verifiers.

use std::io;
use std::sync::Arc;

use certus_pki::{Certificate, CertificateError, SignatureAlgorithm, SignatureEncoding};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls13_signature_with_raw_key};
use rustls::pki_types::{CertificateDer, ServerName, SubjectPublicKeyInfoDer, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, OtherError, SignatureScheme};

/// TLS 1.2 and 1.3 to anybody, without resumption: every validation stands for itself.
pub(crate) fn danger_accept_any_certificate() -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(AnyCertificate(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// The same, but the certificate shown must be one that Certus reads and the handshake signed with its key; and this
/// protocol is asked for alone.
pub(crate) fn danger_accept_any_certificate_for(protocol: &[u8]) -> Result<Arc<ClientConfig>, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let verifier = Arc::new(KeyOfCertificate(Arc::clone(&provider)));
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.to_vec()];
    config.resumption = rustls::client::Resumption::disabled();
    Ok(Arc::new(config))
}

/// What makes a certificate unreadable, if a handshake under [`danger_accept_any_certificate_for`] failed for that.
pub(crate) fn unreadable_certificate(error: &io::Error) -> Option<&CertificateError> {
    let Some(rustls::Error::InvalidCertificate(rustls::CertificateError::Other(OtherError(cause)))) =
        error.get_ref()?.downcast_ref()
    else {
        return None;
    };
    cause.downcast_ref()
}

#[derive(Debug)]
struct KeyOfCertificate(Arc<CryptoProvider>);

/// Read by Certus: the library's own reader knows of no extension that such a certificate must have.
fn read(certificate: &CertificateDer<'_>) -> Result<Certificate, rustls::Error> {
    Certificate::parse(certificate).map_err(|error| rustls::CertificateError::Other(OtherError(Arc::new(error))).into())
}

/// What the handshake may be signed by, and its name in TLS 1.2, where a curve goes with any hash (RFC 5246 section
/// 7.4.1.4.1) and servers sign so. RSASSA-PSS is the same in both versions; RSASSA-PKCS1-v1_5 is offered to both, and taken
/// in TLS 1.2 alone (RFC 8446 section 4.2.3).
const SCHEMES: [(SignatureScheme, Option<SignatureAlgorithm>); 10] = [
    (SignatureScheme::ECDSA_NISTP256_SHA256, Some(SignatureAlgorithm::EcdsaSha256)),
    (SignatureScheme::ECDSA_NISTP384_SHA384, Some(SignatureAlgorithm::EcdsaSha384)),
    (SignatureScheme::ECDSA_NISTP521_SHA512, Some(SignatureAlgorithm::EcdsaSha512)),
    (SignatureScheme::ED25519, Some(SignatureAlgorithm::Ed25519)),
    (SignatureScheme::RSA_PSS_SHA256, None),
    (SignatureScheme::RSA_PSS_SHA384, None),
    (SignatureScheme::RSA_PSS_SHA512, None),
    (SignatureScheme::RSA_PKCS1_SHA256, Some(SignatureAlgorithm::RsaPkcs1Sha256)),
    (SignatureScheme::RSA_PKCS1_SHA384, Some(SignatureAlgorithm::RsaPkcs1Sha384)),
    (SignatureScheme::RSA_PKCS1_SHA512, Some(SignatureAlgorithm::RsaPkcs1Sha512)),
];

impl ServerCertVerifier for KeyOfCertificate {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        read(end_entity).map(|_| ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithm = SCHEMES.iter().find_map(|(scheme, algorithm)| algorithm.filter(|_| *scheme == signed.scheme));
        let Some(algorithm) = algorithm else { return self.verify_tls13_signature(message, certificate, signed) };
        read(certificate)?
            .public_key()
            .verify(algorithm, SignatureEncoding::Der, message, signed.signature())
            .map(|()| HandshakeSignatureValid::assertion())
            .map_err(|_bad_signature| rustls::CertificateError::BadSignature.into())
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let certificate = read(certificate)?;
        let key = SubjectPublicKeyInfoDer::from(certificate.public_key().spki_der());
        verify_tls13_signature_with_raw_key(message, &key, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        SCHEMES.map(|(scheme, _)| scheme).to_vec()
    }
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _end_entity: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _server_name: &ServerName<'_>,
        _ocsp_response: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _message: &[u8],
        _cert: &CertificateDer<'_>,
        _dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
