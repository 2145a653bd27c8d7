//! A proof is made by its `assertion`, and that word is written once in the product: the whole security argument.

use super::none;
use super::tree::{Of, lines};

/// The proofs: types that can only be made by saying `assertion`.
const PROOFS: &[&str] = &["AuthorizedNames", "OwnNames", "ValidatedControl"];

#[test]
fn each_proof_is_asserted_in_exactly_one_place() {
    let mut faults = Vec::new();
    for proof in PROOFS {
        let call = format!("{proof}::assertion");
        let callers: Vec<_> = product().filter(|(_, text)| text.contains(&call)).map(|(place, _)| place).collect();
        if callers.len() != 1 {
            faults.push(format!("{proof} is asserted in {} places:\n  {}", callers.len(), callers.join("\n  ")));
        }
    }
    none(&faults);
}

#[test]
fn no_proof_is_left_out_of_the_count_or_asserted_by_another_name() {
    let made: Vec<_> = product().filter(|(_, text)| text.contains("fn assertion(")).map(|(place, _)| place).collect();
    assert_eq!(made.len(), PROOFS.len(), "{made:#?}");
    let hidden: Vec<_> =
        product().filter(|(_, text)| text.contains("Self::assertion")).map(|(place, _)| place).collect();
    none(&hidden);
}

fn product() -> impl Iterator<Item = (String, &'static str)> {
    lines().filter(|line| line.of == Of::Product).map(|line| (line.place(), line.text))
}
