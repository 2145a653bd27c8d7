//! The protocol as a client sees it: a file for each section of RFC 8555, a whole authority for each test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod section_6_1_https;
mod section_6_2_authentication;
mod section_6_3_reading;
mod section_6_4_url;
mod section_6_5_nonces;
