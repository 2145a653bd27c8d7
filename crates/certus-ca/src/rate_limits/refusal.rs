//! What a client is told that went beyond a limit: which, its number, when to try again, and what mends it.

use certus_acme::{Identifier, Problem, ProblemKind, Subproblem};

use super::{Excess, LimitName, subject};

/// The problem document (RFC 8555 section 6.6). Where single identifiers are at fault, each is told by a subproblem (RFC
/// 8555 section 6.7.1).
pub(crate) fn problem(excesses: &[Excess], identifiers: &[Identifier]) -> Problem {
    let of_identifiers: Vec<Subproblem> = excesses
        .iter()
        .flat_map(|excess| identifiers.iter().filter(|one| concerns(excess, one)).map(move |one| (excess, one)))
        .map(|(excess, identifier)| Subproblem {
            kind: ProblemKind::RateLimited,
            detail: sentence(excess),
            identifier: Some(identifier.to_raw()),
        })
        .collect();
    let others: Vec<&Excess> =
        excesses.iter().filter(|excess| !identifiers.iter().any(|one| concerns(excess, one))).collect();
    let detail = match (others.as_slice(), excesses) {
        ([other, ..], _) => sentence(other),
        ([], [only]) => sentence(only),
        ([], _) => match excesses.iter().max_by_key(|excess| excess.again) {
            Some(last) => format!("several names are at a limit; see the subproblems. Try again at {}", last.again),
            None => "a limit was reached; try again later".to_owned(),
        },
    };
    Problem::new(ProblemKind::RateLimited, detail).with_subproblems(of_identifiers)
}

/// Whether a limit is about one identifier of a request.
fn concerns(excess: &Excess, identifier: &Identifier) -> bool {
    match excess.limit {
        LimitName::CertificatesPerRegisteredDomain => subject::registered_domain(identifier) == excess.subject,
        LimitName::FailedValidationsPerAccountAndName | LimitName::ConsecutiveFailuresPerAccountAndName => {
            name_of(&excess.subject) == identifier.authorized().value()
        }
        LimitName::NewAccountsPerAddress
        | LimitName::NewAccountsPerNetwork
        | LimitName::NewOrdersPerAccount
        | LimitName::CertificatesPerExactSet => false,
    }
}

/// The name of an account's pair.
fn name_of(pair: &str) -> &str {
    pair.split_once('/').map_or(pair, |(_, name)| name)
}

fn sentence(excess: &Excess) -> String {
    let Excess { limit, subject, rate, again, .. } = excess;
    let what = match limit {
        LimitName::NewAccountsPerAddress | LimitName::NewAccountsPerNetwork => {
            format!("too many new accounts from {subject}")
        }
        LimitName::NewOrdersPerAccount => "too many new orders of this account".to_owned(),
        LimitName::CertificatesPerRegisteredDomain => format!("too many certificates with names of {subject}"),
        LimitName::CertificatesPerExactSet => format!("too many certificates for exactly these names ({subject})"),
        LimitName::FailedValidationsPerAccountAndName => {
            format!("too many failed validations of {} for this account", name_of(subject))
        }
        LimitName::ConsecutiveFailuresPerAccountAndName => {
            return format!(
                "{name} is paused for this account, since all its validations have failed for long ({limit}: {rate}); mend what \
                 they look for, then try again at {again}, or at once after the authority's operator has run: certus ca limits \
                 clear {limit} {subject}",
                name = name_of(subject)
            );
        }
    };
    format!("{what} ({limit}: {rate}); try again at {again}")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use certus_acme::RawIdentifier;
    use certus_pki::Timestamp;

    use super::*;
    use crate::id::AccountId;

    fn dns(name: &str) -> Identifier {
        Identifier::parse(&RawIdentifier { kind: "dns".to_owned(), value: name.to_owned() }).unwrap()
    }

    fn excess(limit: LimitName, subject: &str, seconds: u64) -> Excess {
        let judged = Timestamp::from_unix_seconds(1_800_000_000);
        let again = judged + Duration::from_secs(seconds);
        Excess { limit, subject: subject.to_owned(), rate: limit.built_in(), judged, again }
    }

    #[test]
    fn the_limit_its_number_and_the_moment_are_told() {
        for limit in LimitName::ALL {
            let account = AccountId::random();
            let told = problem(&[excess(*limit, &format!("{account}/a.example"), 60)], &[]);
            assert_eq!((told.kind, told.status), (ProblemKind::RateLimited, 429));
            for part in [limit.name(), &limit.built_in().to_string(), "2027-01-15T08:01:00Z"] {
                assert!(told.detail.contains(part), "{part} is not in {}", told.detail);
            }
        }
        let pair = format!("{}/a.example", AccountId::random());
        let paused = problem(&[excess(LimitName::ConsecutiveFailuresPerAccountAndName, &pair, 60)], &[]);
        let mend = format!("certus ca limits clear consecutive_failures_per_account_and_name {pair}");
        assert!(paused.detail.ends_with(&mend), "{}", paused.detail);
    }

    #[test]
    fn each_name_at_fault_is_told_by_itself() {
        let names = ["a.example.org", "*.example.org", "b.example.net", "c.example.com"].map(dns);
        let domain = LimitName::CertificatesPerRegisteredDomain;
        let one = excess(domain, "example.org", 60);
        let told = problem(&[one.clone(), excess(domain, "example.net", 90)], &names);
        let blamed: Vec<_> = told.subproblems.iter().map(|one| one.identifier.clone().unwrap().value).collect();
        assert_eq!(blamed, ["a.example.org", "*.example.org", "b.example.net"]);
        assert!(told.subproblems.iter().all(|one| one.kind == ProblemKind::RateLimited));
        assert!(told.detail.contains("several") && told.detail.contains("2027-01-15T08:01:30Z"), "{}", told.detail);
        // What is about the whole account comes first.
        let whole = problem(&[one, excess(LimitName::NewOrdersPerAccount, "account", 5)], &names);
        assert!(whole.detail.contains("new_orders_per_account") && whole.subproblems.len() == 2, "{whole:?}");
        let pair = format!("{}/example.org", AccountId::random());
        let failed = problem(&[excess(LimitName::FailedValidationsPerAccountAndName, &pair, 5)], &names);
        let blamed: Vec<_> = failed.subproblems.iter().map(|one| one.identifier.clone().unwrap().value).collect();
        assert_eq!(blamed, ["*.example.org"]);
    }
}
