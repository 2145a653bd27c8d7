//! The only place that knows ACME is spoken over HTTP.
//!
//! [`acme`] makes the whole URL map from an authority; [`serve_acme`] accepts connections for it. Every handler is: take a
//! verified request, make one call, show the result. Deliberately absent: decisions; those are in `certus-ca`.

mod connection;
mod edge;
mod error;
mod kept;
pub mod limits;
mod patience;
mod pki_site;
mod places;
mod routes;
mod serve;
mod signed;
mod urls;
mod view;

pub use pki_site::PkiSite;
pub use routes::acme;
pub use serve::{serve_acme, serve_pki};
pub use urls::{UrlError, Urls};
