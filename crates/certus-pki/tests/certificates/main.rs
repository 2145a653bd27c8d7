//! Certificates, requests and CRLs as others see them: OpenSSL, webpki, x509-parser, and text dumps to review.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod authority;
mod challenge_certificates;
mod crls;
mod golden;
mod hierarchy;
mod hostile;
mod issuing;
mod keys;
mod openssl;
mod pkilint;
mod requests;
mod vectors;
mod verified;
