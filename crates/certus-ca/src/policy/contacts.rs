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
