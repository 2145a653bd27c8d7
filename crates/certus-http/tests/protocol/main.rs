//! The protocol as a client sees it: a file for each section of RFC 8555, a whole authority for each test.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod common;
mod section_6_1_https;
