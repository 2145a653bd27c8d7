//! What an account may order that is bound to a key (RFC 8555 section 7.3.4). Asked for each order, and before signing.

use certus_acme::{Identifier, Problem, ProblemKind, Subproblem};

use crate::state::binding::{BindingEntry, BindingKey};

/// Why an account that is bound to the key may not have these names certified by this profile (`None`: whichever). An
/// account without one is not narrowed.
pub(crate) fn refusal(
    bound: Option<&BindingEntry>,
    identifiers: &[Identifier],
    profile: Option<&str>,
) -> Option<Problem> {
    let BindingEntry { key, used } = bound?;
    if key.revoked.is_some() {
        let detail = "the key that this account is bound to was revoked, so nothing is issued to it any more";
        return Some(Problem::new(ProblemKind::Unauthorized, detail));
    }
    if let Some(profile) = profile
        && let profiles = &key.scope.profiles
        && !profiles.is_empty()
        && !profiles.iter().any(|one| one == profile)
    {
        let detail =
            format!("the profile {profile:?} is not among those that this account may order: {}", profiles.join(", "));
        return Some(Problem::new(ProblemKind::InvalidProfile, detail));
    }
    if let Some(quota) = key.scope.quota.filter(|quota| used.certificates >= *quota) {
        let detail = format!(
            "the key that this account is bound to is for {quota} certificates, which were issued; ask for another"
        );
        return Some(Problem::new(ProblemKind::Unauthorized, detail));
    }
    rejected(key, identifiers)
}

fn rejected(key: &BindingKey, identifiers: &[Identifier]) -> Option<Problem> {
    let fault = |one: &Identifier| Subproblem {
        kind: ProblemKind::RejectedIdentifier,
        detail: format!("the key that this account is bound to does not permit {one}"),
        identifier: Some(one.to_raw()),
    };
    let faults: Vec<Subproblem> = identifiers.iter().filter(|one| !key.permits(one)).map(fault).collect();
    let detail = match faults.as_slice() {
        [] => return None,
        [one] => one.detail.clone(),
        _ => "the key that this account is bound to does not permit several names; see the subproblems".to_owned(),
    };
    Some(Problem::new(ProblemKind::RejectedIdentifier, detail).with_subproblems(faults))
}
