#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]
//! The authority as a program, and what others wrote: Certbot (Debian's and the newest), lego, Caddy, acme-client,
//! instant-acme, rustls-acme, OpenSSL, Java's keytool, curl, BIND.

mod acme_client;
mod authority;
mod binding;
mod caddy;
mod clients;
mod instant_acme;
mod judges;
mod laboratory;
mod newest_certbot;
mod revoking;
mod rustls_acme;
mod serving;
mod tls_alpn;
mod wildcards;
