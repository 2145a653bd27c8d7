//! Contacts of an account (RFC 8555 sections 7.1.2 and 7.3).

use certus_acme::ProblemKind;
use certus_acme::contact::{ContactError, check_contact};

use crate::error::CaError;
use crate::limits;

/// Checks the contacts of a new account or an update.
///
/// # Errors
///
/// `invalidContact` or `unsupportedContact`, naming the rule.
pub(crate) fn check(contacts: &[String]) -> Result<(), CaError> {
    if contacts.len() > limits::MAX_CONTACTS {
        let detail = format!("an account may have {} contacts at most", limits::MAX_CONTACTS);
        return Err(CaError::refused(ProblemKind::InvalidContact, detail));
    }
    for contact in contacts {
        if contact.len() > limits::MAX_CONTACT_LENGTH {
            let detail = format!("a contact is longer than {} characters", limits::MAX_CONTACT_LENGTH);
            return Err(CaError::refused(ProblemKind::InvalidContact, detail));
        }
        check_contact(contact).map_err(|error: ContactError| CaError::Refused(error.problem()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(contacts: &[String]) -> Option<ProblemKind> {
        match check(contacts) {
            Ok(()) => None,
            Err(CaError::Refused(problem)) => Some(problem.kind),
            Err(other) => panic!("{other:?}"),
        }
    }

    #[test]
    fn contacts_are_few_short_mailto_urls() {
        let mail = |index: usize| format!("mailto:a{index}@a.example");
        let long = format!("mailto:{}@a.example", "a".repeat(limits::MAX_CONTACT_LENGTH));
        for (contacts, expected) in [
            (vec![], None),
            (vec![mail(0)], None),
            ((0..limits::MAX_CONTACTS).map(mail).collect(), None),
            ((0..=limits::MAX_CONTACTS).map(mail).collect(), Some(ProblemKind::InvalidContact)),
            (vec![long], Some(ProblemKind::InvalidContact)),
            (vec![mail(0), "tel:+46123".to_owned()], Some(ProblemKind::UnsupportedContact)),
            (vec!["mailto:a@a.example,b@a.example".to_owned()], Some(ProblemKind::InvalidContact)),
            (vec!["mailto:a@a.example?subject=x".to_owned()], Some(ProblemKind::InvalidContact)),
        ] {
            assert_eq!(kind(&contacts), expected, "{contacts:?}");
        }
    }
}
