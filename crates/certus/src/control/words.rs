//! Words that several commands have in common: what an operator calls an account, and how a refusal is told.

use anyhow::Context;
use certus_ca::CaError;
use certus_ca::id::AccountId;

/// The account of a URL, or of the last part of one.
pub(crate) fn account_id(text: &str) -> anyhow::Result<AccountId> {
    let last = text.rsplit('/').next().unwrap_or(text);
    AccountId::parse(last).with_context(|| format!("{text:?} is neither an account's URL nor the last part of one"))
}

/// How one gets at the name of an account.
pub(crate) const WHERE_ACCOUNTS_ARE: &str = "its client has its URL, and so has the audit";

/// A refusal in the words it has for people; `mend` says how to find what is not there.
pub(crate) fn told(error: CaError, mend: &str) -> anyhow::Error {
    match error {
        CaError::Refused(problem) => anyhow::anyhow!(problem.detail),
        CaError::NotFound(what) => anyhow::anyhow!("there is no such {what}; {mend}"),
        error @ (CaError::NotYours(_)
        | CaError::Terms(_)
        | CaError::Limited { .. }
        | CaError::Busy(_)
        | CaError::Contended
        | CaError::Store(_)
        | CaError::Vault(_)
        | CaError::Internal(_)) => error.into(),
    }
}
