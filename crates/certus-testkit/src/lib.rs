//! What Certus is tested with; stands above every floor and is never part of a release.
//!
//! - [`raw_http`]: an HTTP client that sends whatever it is told, byte by byte if need be.
//! - [`authority`]: a whole authority in this process.
//! - [`client`]: an ACME client on top of it; [`flow`] is its whole way to a certificate.
//! - [`forge`]: signed requests in which every part can be wrong.
//! - [`mod@csr`]: certification requests, likewise.
//! - [`challenge_certificate`]: certificates for tls-alpn-01, likewise; [`tls_alpn_target`]: servers that show them.
//! - [`http_target`]: web servers for http-01, which keep a log of who asked.
//! - [`faulty_store`], [`faulty_signer`], [`recording_signer`], [`refusing_signer`]: the real ones, which fail or keep a record when told to.
//! - [`name_server`]: a DNS server that answers as a test says.
//! - [`bind`]: a BIND whose zone clients may change; [`signed_zones`]: one with a signed root; [`tampering`]: who changes its
//!   answers on the way.
//! - [`postgres`]: a PostgreSQL server.
//! - [`ports`]: ports that stay free until they are used.
//! - [`ready`]: waiting for a program to say that it serves.
//!
//! Deliberately absent: mocks. What the authority talks to here is real, only small.

pub mod authority;
pub mod bind;
pub mod challenge_certificate;
pub mod client;
pub mod csr;
mod der;
pub mod faulty_signer;
pub mod faulty_store;
pub mod flow;
pub mod forge;
pub mod http_target;
pub mod name_server;
pub mod ports;
pub mod postgres;
pub mod raw_http;
pub mod ready;
pub mod recording_signer;
pub mod refusing_signer;
pub mod signed_zones;
pub mod tampering;
pub mod tls_alpn_target;
pub mod unix;

pub use authority::{Hierarchy, Setup, TestAuthority};
pub use bind::BindServer;
pub use challenge_certificate::{AcmeIdentifier, AltName, ChallengeCertificate};
pub use client::{ClientError, Resource, TestClient};
pub use csr::{CsrExtension, CsrOptions, NamesIn, csr};
pub use faulty_signer::{SignerFault, SignerPlan};
pub use faulty_store::{COMMIT_POINTS, Fault, FaultyStore};
pub use flow::Issued;
pub use forge::{Forge, Member};
pub use http_target::{Http01Target, Reply, SeenRequest};
pub use ports::free_ports;
pub use postgres::PostgresServer;
pub use raw_http::{Answer, RawHttp, RawStream};
pub use ready::{ReadyFile, wait_for_ready_file};
pub use recording_signer::RecordingSigner;
pub use refusing_signer::RefusingSigner;
pub use signed_zones::{SignedZones, Signing, Zone};
pub use tampering::TamperingServer;
pub use tls_alpn_target::{ClientHello, SeenHandshake, TlsAlpnAnswer, TlsAlpnTarget};
