//! When CAA records are looked for, and what follows: right after control of a name was seen, and again before a
//! certificate is signed when that was long ago.
//!
//! Nothing is signed without a [`CaaCleared`], which is made for exactly the names of an order. Deliberately absent: what
//! records mean ([`crate::policy`]) and how they are found (the validator).

use std::collections::BTreeSet;

use certus_acme::{ChallengeType, Identifier, Problem, ProblemKind, Subproblem};
use certus_pki::DnsName;
use futures_util::future::join_all;

use crate::ca::Ca;
use crate::id::AccountId;
use crate::issuers::ProfileRule;
use crate::limits;
use crate::policy::caa::{CaaClaim, judge};
use crate::ports::ValidationError;
use crate::state::{Authorization, CaaFinding, Order};

/// Proof that CAA permits a certificate for every name of an order that it is asked about.
#[derive(Debug)]
pub(crate) struct CaaCleared {
    /// What was found by asking again.
    anew: Vec<CaaFinding>,
}

impl CaaCleared {
    /// What was found by asking again, to be kept with the intent.
    pub(crate) fn into_anew(self) -> Vec<CaaFinding> {
        self.anew
    }
}

/// Why nothing may be signed.
#[derive(Debug)]
pub(crate) enum CaaStop {
    /// The order fails.
    Refused(Problem),
    /// We could not ask.
    Ours(ValidationError),
}

/// One name with the finding that was judged for it.
struct Judged {
    identifier: Identifier,
    finding: CaaFinding,
    anew: bool,
}

impl Ca {
    /// Asks for the CAA records of a name whose control was just seen. `None` for what no CAA is asked about: addresses,
    /// and names that the rule of some profile excepts. An authorization does not know which profile its order has;
    /// where the answer depends on it, it is found before signing.
    ///
    /// # Errors
    ///
    /// [`ValidationError::Failed`] when CAA forbids a certificate or cannot be looked up.
    pub(crate) async fn caa_of_validated(
        &self,
        account: AccountId,
        identifier: &Identifier,
        method: ChallengeType,
    ) -> Result<Option<CaaFinding>, ValidationError> {
        let mut names = self.issuers().profiles.values().map(|rule| rule.caa_name(identifier));
        let Some(Some(name)) = names.next().filter(|name| names.all(|other| other == *name)) else { return Ok(None) };
        let finding = self.ask_caa(name).await?;
        if finding.answer.name != *name {
            return Err(ValidationError::Failed(confused(&[identifier.clone()].into(), &BTreeSet::new())));
        }
        match self.judge_caa(identifier, &finding, Some(method), &self.inner().account_urls.of_account(account)) {
            None => Ok(Some(finding)),
            Some(refusal) => Err(ValidationError::Failed(together(vec![refusal]))),
        }
    }

    /// Sees that CAA permits the certificate of an order now: what was found when its names were validated is judged again,
    /// and what is missing or older than [`limits::CAA_FRESH`] is looked up anew.
    pub(crate) async fn clear_caa(
        &self,
        rule: &ProfileRule,
        order: &Order,
        authorizations: &[Authorization],
    ) -> Result<CaaCleared, CaaStop> {
        let account_urls = self.inner().account_urls.of_account(order.account);
        let looked = authorizations.iter().filter_map(|authorization| {
            let name = rule.caa_name(&authorization.identifier)?;
            Some(async move { (authorization, self.caa_now(name, authorization).await) })
        });
        let mut judged = Vec::new();
        let mut refusals = Vec::new();
        for (authorization, outcome) in join_all(looked).await {
            let identifier = &authorization.identifier;
            match outcome {
                Ok(Found { method, finding, anew }) => {
                    refusals.extend(self.judge_caa(identifier, &finding, method, &account_urls));
                    judged.push(Judged { identifier: identifier.clone(), finding, anew });
                }
                Err(ValidationError::Failed(problem)) => refusals.push(Subproblem {
                    kind: problem.kind,
                    detail: problem.detail,
                    identifier: Some(identifier.to_raw()),
                }),
                Err(error @ ValidationError::Ours { .. }) => return Err(CaaStop::Ours(error)),
            }
        }
        if !refusals.is_empty() {
            return Err(CaaStop::Refused(together(refusals)));
        }
        let ordered = order.identifiers.iter().filter(|one| rule.caa_name(one).is_some()).cloned().collect();
        clear(&ordered, judged).map_err(CaaStop::Refused)
    }

    /// What CAA says of a name, from its validation if that is recent enough.
    async fn caa_now(&self, name: &DnsName, authorization: &Authorization) -> Result<Found, ValidationError> {
        if authorization.vouched {
            return Ok(Found { method: None, finding: self.ask_caa(name).await?, anew: true });
        }
        let Some((method, _, evidence)) = authorization.proof() else {
            let problem = Problem::new(ProblemKind::Unauthorized, format!("{name} is not validated; order anew"));
            return Err(ValidationError::Failed(problem));
        };
        let (now, method) = (self.now(), Some(method));
        let fresh = |finding: &&CaaFinding| finding.asked <= now && now < finding.asked + limits::CAA_FRESH;
        match evidence.caa.as_ref().filter(fresh) {
            Some(kept) => Ok(Found { method, finding: kept.clone(), anew: false }),
            None => Ok(Found { method, finding: self.ask_caa(name).await?, anew: true }),
        }
    }

    async fn ask_caa(&self, name: &DnsName) -> Result<CaaFinding, ValidationError> {
        let asked = self.now();
        Ok(CaaFinding { asked, answer: self.inner().validator.caa(name).await? })
    }

    /// What CAA has against a certificate for an identifier.
    fn judge_caa(
        &self,
        identifier: &Identifier,
        finding: &CaaFinding,
        method: Option<ChallengeType>,
        account_urls: &[String],
    ) -> Option<Subproblem> {
        let identities = &self.service().caa_identities;
        let wildcard = is_wildcard(identifier);
        let refusal = judge(&finding.answer.records, &CaaClaim { wildcard, identities, account_urls, method }).err()?;
        let domain = finding.answer.domain.as_ref().unwrap_or(&finding.answer.name);
        let own: Vec<&str> = identities.iter().map(DnsName::as_str).collect();
        let own =
            if own.is_empty() { "has no name in CAA records".to_owned() } else { format!("is {}", own.join(", ")) };
        let detail = format!("the CAA records of {domain} forbid it: {refusal}; this authority {own}");
        Some(Subproblem { kind: ProblemKind::Caa, detail, identifier: Some(identifier.to_raw()) })
    }
}

/// What CAA says of one name, and how control of that name was seen, if it had to be.
struct Found {
    method: Option<ChallengeType>,
    finding: CaaFinding,
    anew: bool,
}

/// The one place where a clearance is made: each name of the order was looked at, each finding is of its own name, and
/// nothing else was (Let's Encrypt, February 2020: one of several names was looked at several times).
fn clear(ordered: &BTreeSet<Identifier>, judged: Vec<Judged>) -> Result<CaaCleared, Problem> {
    let looked_at: BTreeSet<Identifier> = judged.iter().map(Judged::of_finding).collect();
    let own = judged.iter().all(|one| one.of_finding() == one.identifier);
    if !own || looked_at != *ordered || judged.len() != ordered.len() {
        return Err(confused(ordered, &looked_at));
    }
    Ok(CaaCleared { anew: judged.into_iter().filter(|one| one.anew).map(|one| one.finding).collect() })
}

impl Judged {
    /// The identifier that the finding is of.
    fn of_finding(&self) -> Identifier {
        let name = self.finding.answer.name.clone();
        if is_wildcard(&self.identifier) { Identifier::Wildcard(name) } else { Identifier::Dns(name) }
    }
}

fn is_wildcard(identifier: &Identifier) -> bool {
    match identifier {
        Identifier::Wildcard(_) => true,
        Identifier::Dns(_) | Identifier::Ip(_) => false,
    }
}

/// A fault of ours that would let names through unseen.
fn confused(ordered: &BTreeSet<Identifier>, looked_at: &BTreeSet<Identifier>) -> Problem {
    tracing::error!(
        ?ordered,
        ?looked_at,
        "CAA was looked up for other names than those to be certified; nothing is signed"
    );
    Problem::new(ProblemKind::ServerInternal, "CAA was not looked up for every name; make a new order")
}

/// Several refusals as one problem (RFC 8555 section 6.7.1).
fn together(refusals: Vec<Subproblem>) -> Problem {
    let problem = match refusals.as_slice() {
        [one] => Problem::new(one.kind, one.detail.clone()),
        all => {
            let forbidden = all.iter().all(|one| one.kind == ProblemKind::Caa);
            let kind = if forbidden { ProblemKind::Caa } else { ProblemKind::Compound };
            Problem::new(kind, "CAA does not permit several of the names; see the subproblems")
        }
    };
    problem.with_subproblems(refusals)
}

/// Whether CAA records are why something was refused.
pub(crate) fn forbade(problem: &Problem) -> bool {
    let kinds = problem.subproblems.iter().map(|one| one.kind);
    kinds.chain([problem.kind]).any(|kind| kind == ProblemKind::Caa)
}

/// What the audit keeps of a refusal by CAA (Baseline Requirements 3.2.2.8: with what was found).
pub(crate) fn audited(object: &str, account: AccountId, problem: &Problem) -> String {
    let mut text = format!("{object} account:{account}");
    for one in &problem.subproblems {
        let name = one.identifier.as_ref().map_or("", |identifier| identifier.value.as_str());
        text.push_str(&format!(" {name}: {};", one.detail));
    }
    if problem.subproblems.is_empty() {
        text.push_str(&format!(" {}", problem.detail));
    }
    text.truncate(text.floor_char_boundary(limits::MAX_CAA_AUDIT));
    text
}

#[cfg(test)]
mod tests {
    use certus_pki::Timestamp;

    use super::*;
    use crate::state::{CaaAnswer, Security};

    fn identifier(text: &str) -> Identifier {
        match text.strip_prefix("*.") {
            Some(base) => Identifier::Wildcard(DnsName::parse(base).unwrap()),
            None => Identifier::Dns(DnsName::parse(text).unwrap()),
        }
    }

    /// A name, and the name that the finding for it is of.
    fn judged(name: &str, found_of: &str, anew: bool) -> Judged {
        let answer = CaaAnswer {
            name: DnsName::parse(found_of).unwrap(),
            domain: None,
            records: Vec::new(),
            resolver: "local".to_owned(),
            security: Security::Unchecked,
        };
        let finding = CaaFinding { asked: Timestamp::UNIX_EPOCH, answer };
        Judged { identifier: identifier(name), finding, anew }
    }

    // conformance: 8659-3-01 8659-3-05
    #[test]
    fn the_names_looked_at_are_the_names_of_the_order() {
        let cleared = |ordered: &[&str], looked_at: &[(&str, &str)]| {
            let ordered = ordered.iter().map(|name| identifier(name)).collect();
            let judged = looked_at.iter().map(|(name, of)| judged(name, of, true)).collect();
            clear(&ordered, judged).is_ok()
        };
        let (a, b, wild) = (("a.example", "a.example"), ("b.example", "b.example"), ("*.a.example", "a.example"));
        assert!(cleared(&[], &[]));
        assert!(cleared(&["a.example", "b.example", "*.a.example"], &[a, b, wild]));
        for (what, ordered, looked_at) in [
            ("one is missing", &["a.example", "b.example"][..], &[a][..]),
            ("one twice, another never", &["a.example", "b.example"], &[a, ("b.example", "a.example")]),
            ("both mixed up", &["a.example", "b.example"], &[("a.example", "b.example"), ("b.example", "a.example")]),
            ("one of each for two of one", &["a.example", "b.example"], &[a, a]),
            ("the same twice", &["a.example"], &[a, a]),
            ("another one's", &["a.example"], &[("a.example", "b.example")]),
            ("the parent's", &["www.a.example"], &[("www.a.example", "a.example")]),
            ("one too many", &["a.example"], &[a, b]),
            ("the wildcard as a name", &["*.a.example"], &[a]),
            ("the name as a wildcard", &["a.example"], &[wild]),
            ("none", &["a.example"], &[]),
        ] {
            assert!(!cleared(ordered, looked_at), "{what}");
        }
    }

    #[test]
    fn what_was_asked_anew_is_kept() {
        let ordered = ["a.example", "b.example"].map(identifier).into();
        let names = vec![judged("a.example", "a.example", false), judged("b.example", "b.example", true)];
        let anew = clear(&ordered, names).unwrap().into_anew();
        assert_eq!(anew.iter().map(|finding| finding.answer.name.as_str()).collect::<Vec<_>>(), ["b.example"]);
    }

    #[test]
    fn the_audit_has_names_account_and_records_within_bounds() {
        let refusal = |name: &str, detail: String| Subproblem {
            kind: ProblemKind::Caa,
            detail,
            identifier: Some(identifier(name).to_raw()),
        };
        let account = AccountId::random();
        let problem = together(vec![refusal("a.example", "no".to_owned()), refusal("b.example", "neither".to_owned())]);
        assert_eq!(problem.kind, ProblemKind::Caa);
        let text = audited("ORDER", account, &problem);
        assert_eq!(text, format!("ORDER account:{account} a.example: no; b.example: neither;"));
        let long = together(vec![refusal("a.example", "ä".repeat(limits::MAX_CAA_AUDIT))]);
        assert!(audited("ORDER", account, &long).len() <= limits::MAX_CAA_AUDIT);
    }
}
