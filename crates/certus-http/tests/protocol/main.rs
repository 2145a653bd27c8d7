//! The protocol as a client sees it: a file for each section of RFC 8555, a whole authority for each test.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod common;
mod openssl;
mod requests;
mod rfc_5280_publications;
mod section_6_1_https;
mod section_7_4_2_certificates;
mod section_7_4_finalize;
mod section_7_4_orders;
mod section_7_5_authorizations;
mod section_8_challenges;
