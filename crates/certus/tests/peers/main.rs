#![expect(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test fails by panicking")]
//! The authority as a program, and programs that others wrote: Certbot, lego, OpenSSL, Java's keytool, curl,
//! BIND.

mod authority;
mod binding;
mod clients;
mod judges;
mod laboratory;
mod revoking;
mod serving;
mod tls_alpn;
mod wildcards;
