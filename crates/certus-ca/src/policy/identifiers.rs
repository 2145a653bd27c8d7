//! Which identifiers may be ordered. Asked before anything is looked up or fetched.

use std::collections::BTreeSet;

use certus_acme::{Identifier, IdentifierError, Problem, ProblemKind, RawIdentifier, Subproblem};
use certus_pki::NameError;

use crate::error::CaError;
use crate::issuers::ProfileRule;
use crate::limits;

/// Reads the identifiers of a new order, each once, in the order given. `admits` says whether one could be validated.
///
/// # Errors
///
/// `malformed` without identifiers or with too many; otherwise what is wrong with each, as subproblems when several
/// are (RFC 8555 section 6.7.1).
pub(crate) fn check(
    raw: &[RawIdentifier],
    profile: &ProfileRule,
    admits: impl Fn(&Identifier) -> Result<(), String> + Copy,
) -> Result<Vec<Identifier>, CaError> {
    if raw.is_empty() {
        return Err(CaError::malformed("the order names no identifiers"));
    }
    if raw.len() > limits::MAX_IDENTIFIERS {
        let detail = format!("an order may have {} identifiers at most; make several orders", limits::MAX_IDENTIFIERS);
        return Err(CaError::malformed(detail));
    }
    let mut seen = BTreeSet::new();
    let mut identifiers = Vec::new();
    let mut faults = Vec::new();
    for one in raw {
        match check_one(one, profile, admits) {
            Ok(identifier) => {
                if seen.insert(identifier.clone()) {
                    identifiers.push(identifier);
                }
            }
            Err((kind, detail)) => faults.push(Subproblem { kind, detail, identifier: Some(one.clone()) }),
        }
    }
    match faults.as_slice() {
        [] => Ok(identifiers),
        [one] => Err(CaError::Refused(Problem::new(one.kind, one.detail.clone()).with_subproblems(faults.clone()))),
        [first, rest @ ..] => {
            let same = rest.iter().all(|fault| fault.kind == first.kind);
            let kind = if same { first.kind } else { ProblemKind::Compound };
            let problem = Problem::new(kind, "several identifiers are not acceptable; see the subproblems");
            Err(CaError::Refused(problem.with_subproblems(faults)))
        }
    }
}

fn check_one(
    raw: &RawIdentifier,
    profile: &ProfileRule,
    admits: impl Fn(&Identifier) -> Result<(), String> + Copy,
) -> Result<Identifier, (ProblemKind, String)> {
    let identifier = Identifier::parse(raw).map_err(|error| {
        let kind = match error {
            IdentifierError::UnsupportedType(_) => ProblemKind::UnsupportedIdentifier,
            IdentifierError::Name(NameError::Wildcard | NameError::Address) => ProblemKind::RejectedIdentifier,
            IdentifierError::Name(_) | IdentifierError::AddressForm(_) | IdentifierError::NoAddress(_) => {
                ProblemKind::Malformed
            }
        };
        (kind, error.to_string())
    })?;
    admit(&identifier, profile, admits)?;
    Ok(identifier)
}

/// Whether an identifier may be certified by a profile. Asked again before signing: settings may have changed since the
/// order was taken.
pub(crate) fn admit(
    identifier: &Identifier,
    profile: &ProfileRule,
    admits: impl Fn(&Identifier) -> Result<(), String>,
) -> Result<(), (ProblemKind, String)> {
    let name = identifier.subject_name();
    if !(profile.ecdsa.permits(&name) && profile.rsa.permits(&name)) {
        let detail = format!("this authority's certificate does not permit it to certify {identifier}");
        return Err((ProblemKind::RejectedIdentifier, detail));
    }
    if profile.challenges_for(identifier).is_empty() {
        let detail = format!("the profile {:?} has no challenge that could prove {identifier}", profile.profile.name);
        return Err((ProblemKind::InvalidProfile, detail));
    }
    let judged = profile.names.check(identifier, profile.public_only).and_then(|()| admits(identifier));
    judged.map_err(|detail| (ProblemKind::RejectedIdentifier, detail))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use certus_pki::{
        CaSubject, CertificateChain, DnsName, Issuer, KeyAlgorithm, KeyPair, Profile, Timestamp, create_intermediate,
        create_root,
    };

    use super::*;

    /// A profile whose issuer may certify what is permitted (everything, if nothing is).
    async fn profile(permitted: &[&str]) -> ProfileRule {
        let day = Duration::from_secs(86_400);
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let subject = |name: &str| CaSubject { common_name: name.to_owned(), ..CaSubject::default() };
        let permitted: Vec<_> = permitted.iter().map(|name| DnsName::parse(name).unwrap()).collect();
        let [root_key, key] = [(), ()].map(|()| KeyPair::generate(KeyAlgorithm::EcP256).unwrap());
        let root = create_root(&subject("Root"), &root_key, 7300 * day, now).await.unwrap();
        let (subject, url) = (subject("Issuer"), "http://pki.example/x");
        let intermediate =
            create_intermediate(&subject, &root, &root_key, key.public_key(), &permitted, url, url, 1825 * day, now);
        let chain = CertificateChain::new(vec![intermediate.await.unwrap(), root]).unwrap();
        let issuer = Arc::new(Issuer::new(chain, Arc::new(key)).unwrap());
        let profile = Profile {
            name: "classic".to_owned(),
            lifetime: 90 * day,
            backdate: Duration::from_secs(3600),
            policies: Vec::new(),
            client_auth: false,
            keys: certus_pki::PermittedKeys::default(),
        };
        ProfileRule {
            profile,
            description: String::new(),
            challenges: certus_acme::ChallengeType::ALL.to_vec(),
            reuse: Duration::ZERO,
            retries: 0,
            names: Arc::default(),
            caa: crate::policy::caa::CaaRule::default(),
            public_only: false,
            ecdsa: Arc::clone(&issuer),
            rsa: issuer,
        }
    }

    fn raw(kind: &str, value: &str) -> RawIdentifier {
        RawIdentifier { kind: kind.to_owned(), value: value.to_owned() }
    }

    fn dns(names: &[&str]) -> Vec<RawIdentifier> {
        names.iter().map(|name| raw("dns", name)).collect()
    }

    fn problem(raw: &[RawIdentifier], profile: &ProfileRule) -> Problem {
        match check(raw, profile, |_| Ok(())) {
            Err(CaError::Refused(problem)) => problem,
            other => panic!("{raw:?}: {other:?}"),
        }
    }

    #[tokio::test]
    async fn names_are_taken_once_in_the_order_given() {
        let profile = profile(&[]).await;
        let taken = check(&dns(&["b.example", "A.Example", "a.example", "b.example"]), &profile, |_| Ok(())).unwrap();
        assert_eq!(taken.iter().map(Identifier::value).collect::<Vec<_>>(), ["b.example", "a.example"]);
        let names: Vec<String> = (0..=limits::MAX_IDENTIFIERS).map(|index| format!("n{index}.example")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(check(&dns(&names[1..]), &profile, |_| Ok(())).unwrap().len(), limits::MAX_IDENTIFIERS);
        assert_eq!(problem(&dns(&names), &profile).kind, ProblemKind::Malformed);
        assert_eq!(problem(&[], &profile).kind, ProblemKind::Malformed);
    }

    #[tokio::test]
    async fn what_cannot_be_certified_is_refused_by_its_kind() {
        let profile = profile(&[]).await;
        for (identifier, kind) in [
            (raw("dns", "*"), ProblemKind::RejectedIdentifier),
            (raw("dns", "*.*.example"), ProblemKind::RejectedIdentifier),
            (raw("dns", "a.*.example"), ProblemKind::Malformed),
            (raw("ip", "2001:DB8::1"), ProblemKind::Malformed),
            (raw("ip", "192.0.2"), ProblemKind::Malformed),
            (raw("dns", "192.0.2.1"), ProblemKind::RejectedIdentifier),
            (raw("dns", ""), ProblemKind::Malformed),
            (raw("dns", "a..example"), ProblemKind::Malformed),
            (raw("dns", "a b.example"), ProblemKind::Malformed),
            (raw("dns", "-a.example"), ProblemKind::Malformed),
            (raw("dns", "b\u{fc}cher.example"), ProblemKind::Malformed),
            (raw("dns", "a.example/"), ProblemKind::Malformed),
            (raw("dns", &"a".repeat(64)), ProblemKind::Malformed),
            (raw("DNS", "a.example"), ProblemKind::UnsupportedIdentifier),
            (raw("email", "a@a.example"), ProblemKind::UnsupportedIdentifier),
            (raw("", "a.example"), ProblemKind::UnsupportedIdentifier),
        ] {
            let problem = problem(&[raw("dns", "good.example"), identifier.clone()], &profile);
            assert_eq!(problem.kind, kind, "{identifier:?}");
            let blamed: Vec<_> = problem.subproblems.iter().filter_map(|one| one.identifier.as_ref()).collect();
            assert_eq!(blamed, [&identifier]);
        }
    }

    #[tokio::test]
    async fn wildcards_and_addresses_are_taken_where_they_can_be_validated() {
        let profile = profile(&[]).await;
        let raw =
            [raw("dns", "*.A.example"), raw("dns", "a.example"), raw("ip", "192.0.2.1"), raw("ip", "2001:db8::1")];
        let taken = check(&raw, &profile, |_| Ok(())).unwrap();
        let values: Vec<_> = taken.iter().map(Identifier::value).collect();
        assert_eq!(values, ["*.a.example", "a.example", "192.0.2.1", "2001:db8::1"]);
        let no_addresses = |identifier: &Identifier| match identifier {
            Identifier::Ip(address) => Err(format!("{address} is private")),
            Identifier::Dns(_) | Identifier::Wildcard(_) => Ok(()),
        };
        match check(&raw, &profile, no_addresses) {
            Err(CaError::Refused(problem)) => {
                assert_eq!((problem.kind, problem.subproblems.len()), (ProblemKind::RejectedIdentifier, 2));
                assert!(problem.subproblems[0].detail.contains("192.0.2.1 is private"));
            }
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn a_profile_certifies_what_it_has_a_challenge_for() {
        let rule = profile(&[]).await;
        let by_http = ProfileRule { challenges: vec![certus_acme::ChallengeType::Http01], ..rule.clone() };
        let by_dns = ProfileRule { challenges: vec![certus_acme::ChallengeType::Dns01], ..rule };
        for (rule, identifier) in [(&by_http, raw("dns", "*.a.example")), (&by_dns, raw("ip", "192.0.2.1"))] {
            let kind = problem(std::slice::from_ref(&identifier), rule).kind;
            assert_eq!(kind, ProblemKind::InvalidProfile, "{identifier:?}");
        }
        assert!(check(&dns(&["a.example"]), &by_http, |_| Ok(())).is_ok());
        assert!(check(&dns(&["*.a.example"]), &by_dns, |_| Ok(())).is_ok());
    }

    #[tokio::test]
    async fn several_faults_are_told_each() {
        let profile = profile(&[]).await;
        let same = problem(&dns(&["192.0.2.1", "good.example", "192.0.2.2"]), &profile);
        assert_eq!((same.kind, same.subproblems.len()), (ProblemKind::RejectedIdentifier, 2));
        let mixed = problem(&[raw("dns", "192.0.2.1"), raw("email", "a@a.example")], &profile);
        assert_eq!((mixed.kind, mixed.subproblems.len()), (ProblemKind::Compound, 2));
    }

    #[tokio::test]
    async fn name_constraints_of_the_issuer_are_kept_before_anything_is_looked_up() {
        let profile = profile(&["corp.example"]).await;
        assert!(check(&dns(&["corp.example", "a.corp.example", "*.corp.example"]), &profile, |_| Ok(())).is_ok());
        for name in ["example", "notcorp.example", "corp.example.com", "*.example"] {
            assert_eq!(problem(&dns(&[name]), &profile).kind, ProblemKind::RejectedIdentifier, "{name}");
        }
    }
}
