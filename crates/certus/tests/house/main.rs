//! The rules of the house, checked against the tree itself: who may depend on whom, who may make a proof, and what no
//! file may say. `docs/house.md` tells why.
#![expect(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "a test fails by panicking")]

mod documents;
mod floors;
mod graph;
mod licences;
mod proofs;
mod tests;
mod tree;
mod unix;
mod walls;
mod words;

/// Fails with all faults at once.
fn none(faults: &[String]) {
    assert!(faults.is_empty(), "{} against the rules of the house:\n{}", faults.len(), faults.join("\n"));
}
