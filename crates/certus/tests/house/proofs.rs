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

/// Whatever a proof is called where it is asserted, or however the line is broken, the word is there.
#[test]
fn the_word_is_written_as_often_as_there_are_proofs() {
    // What rustls calls its own.
    const OTHERS: &[&str] = &["ServerCertVerified::assertion", "HandshakeSignatureValid::assertion"];
    let said = |text: &str| {
        text.contains("assertion(")
            && !text.contains("fn assertion(")
            && !OTHERS.iter().any(|other| text.contains(other))
    };
    let callers: Vec<_> = product().filter(|(_, text)| said(text)).map(|(place, _)| place).collect();
    assert_eq!(callers.len(), PROOFS.len(), "{callers:#?}");
    let renamed = |text: &str| PROOFS.iter().any(|proof| text.contains(&format!("{proof} as ")));
    none(&product().filter(|(_, text)| renamed(text)).map(|(place, _)| place).collect::<Vec<_>>());
}

/// Fields are private, so only the file of a proof could make one without the word.
#[test]
fn the_files_of_proofs_make_them_in_their_assertions_alone() {
    for (file, makers) in [("crates/certus-pki/src/proof.rs", 2), ("crates/certus-ca/src/state/control.rs", 1)] {
        let lines = lines().filter(|line| line.path == file && line.of == Of::Product);
        let made: Vec<_> = lines.filter(|line| makes(line.text)).map(|line| line.place()).collect();
        assert_eq!(made.len(), makers, "{made:#?}");
    }
}

fn makes(text: &str) -> bool {
    let names_itself = text.contains("Self(") || text.contains("Self {") && !text.contains("-> Self {");
    let is_named = |proof: &&str| text.contains(&format!("{proof} {{")) || text.contains(&format!("{proof}("));
    let defines = text.contains("struct ") || text.starts_with("impl ");
    names_itself || !defines && PROOFS.iter().any(is_named)
}

fn product() -> impl Iterator<Item = (String, &'static str)> {
    lines().filter(|line| line.of == Of::Product).map(|line| (line.place(), line.text))
}
