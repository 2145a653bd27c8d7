//! The protocol as a client sees it: a file for each section of RFC 8555, a whole authority for each test.

#![expect(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test fails by panicking")]

mod baseline;
mod common;
mod connections;
mod frames;
mod identifiers;
mod kept;
mod limits;
mod mutations;
mod names;
mod openssl;
mod overload;
mod profiles;
mod rate_limits;
mod requests;
mod rfc_5280_publications;
mod rfc_9773_renewal;
mod section_6_1_https;
mod section_6_2_authentication;
mod section_6_3_reading;
mod section_6_4_url;
mod section_6_5_nonces;
mod section_6_6_rate_limits;
mod section_6_7_errors;
mod section_7_1_2_1_orders;
mod section_7_1_objects;
mod section_7_1_resources;
mod section_7_2_nonces;
mod section_7_3_4_binding;
mod section_7_3_5_key_change;
mod section_7_3_accounts;
mod section_7_4_1_pre_authorization;
mod section_7_4_2_certificates;
mod section_7_4_finalize;
mod section_7_4_orders;
mod section_7_5_authorizations;
mod section_7_6_revocation;
mod section_8_challenges;
mod terms;
mod weak_keys;
