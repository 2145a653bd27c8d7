//! Authorizations, their challenges, and the evidence of those that were met.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use certus_acme::{ChallengeType, Identifier, RawIdentifier, Token};
use certus_ca::id::{AccountId, AuthorizationId, ChallengeId};
use certus_ca::ports::{StoreError, Stored};
use certus_ca::state::{Authorization, Challenge, ChallengeState, Evidence, Hop, Perspective, Retry};
use certus_pki::Timestamp;

use super::{Place, millis, problem_column};

/// A row of `authorizations`, with the public id of its account.
#[derive(Debug, Clone)]
pub(crate) struct AuthorizationRow {
    pub(crate) id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) account: Vec<u8>,
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) deactivated: Option<i64>,
    pub(crate) reuse: Option<i64>,
    pub(crate) retries: i64,
    pub(crate) vouched: bool,
    pub(crate) challenges: Vec<ChallengeRow>,
}

/// A row of `challenges`.
#[derive(Debug, Clone)]
pub(crate) struct ChallengeRow {
    pub(crate) id: Vec<u8>,
    pub(crate) method: String,
    pub(crate) token: String,
    pub(crate) begun: Option<i64>,
    pub(crate) validated: Option<i64>,
    pub(crate) evidence: Option<i64>,
    pub(crate) failures: Option<i64>,
    pub(crate) retry: Option<i64>,
    pub(crate) failed: Option<i64>,
    pub(crate) problem: Option<String>,
    /// The evidence's `caa`.
    pub(crate) caa: Option<String>,
}

/// A row of `perspectives`: one hop of one.
#[derive(Debug, Clone)]
pub(crate) struct PerspectiveRow {
    pub(crate) evidence: i64,
    pub(crate) position: i64,
    pub(crate) name: String,
    pub(crate) url: String,
    pub(crate) resolver: Option<String>,
    pub(crate) resolved: String,
    pub(crate) address: Option<String>,
    pub(crate) port: Option<i64>,
}

/// The keys of the evidence that these authorizations rest on: whose perspectives are to be read.
pub(crate) fn evidence_keys(authorizations: &[AuthorizationRow]) -> Vec<i64> {
    authorizations.iter().flat_map(|row| &row.challenges).filter_map(|challenge| challenge.evidence).collect()
}

impl AuthorizationRow {
    /// The authorization and its version; `perspectives` are those of [`evidence_keys`], in their order.
    pub(crate) fn into_state(self, perspectives: &[PerspectiveRow]) -> Result<Stored<Authorization>, StoreError> {
        let place = Place::new("authorizations", &self.id);
        let mut by_evidence: HashMap<i64, Vec<&PerspectiveRow>> = HashMap::new();
        for row in perspectives {
            by_evidence.entry(row.evidence).or_default().push(row);
        }
        let challenges: Result<Vec<Challenge>, StoreError> =
            self.challenges.iter().map(|row| row.to_state(&by_evidence)).collect();
        let authorization = Authorization {
            id: AuthorizationId::from_bytes(place.octets("id", &self.id)?),
            account: AccountId::from_bytes(place.octets("account", &self.account)?),
            identifier: identifier(&place, &self.kind, &self.value)?,
            created: Timestamp::from_unix_millis(self.created),
            expires: Timestamp::from_unix_millis(self.expires),
            deactivated: self.deactivated.map(Timestamp::from_unix_millis),
            reuse: self.reuse.map(|millis| place.number("reuse", millis).map(Duration::from_millis)).transpose()?,
            retries: place.number("retries", self.retries)?,
            vouched: self.vouched,
            challenges: challenges?,
        };
        Ok(Stored { version: place.version(self.version)?, value: authorization })
    }
}

/// An identifier, kept as type and value.
pub(super) fn identifier(place: &Place<'_>, kind: &str, value: &str) -> Result<Identifier, StoreError> {
    let raw = RawIdentifier { kind: kind.to_owned(), value: value.to_owned() };
    Identifier::parse(&raw).ok().ok_or_else(|| place.inconsistent("value"))
}

impl ChallengeRow {
    fn to_state(&self, evidence: &HashMap<i64, Vec<&PerspectiveRow>>) -> Result<Challenge, StoreError> {
        let place = Place::new("challenges", &self.id);
        let state = match (self.begun, self.validated, self.evidence, self.failed, self.problem.as_deref()) {
            (None, None, None, None, None) => ChallengeState::Pending,
            (Some(since), None, None, None, None) => {
                ChallengeState::Processing { since: Timestamp::from_unix_millis(since), retry: None }
            }
            (Some(since), None, None, None, Some(problem)) => {
                let (failures, next) = self.failures.zip(self.retry).ok_or_else(|| place.inconsistent("retry"))?;
                let retry = Retry {
                    failures: place.number("failures", failures)?,
                    problem: place.problem("problem", problem)?,
                    next: Timestamp::from_unix_millis(next),
                };
                ChallengeState::Processing { since: Timestamp::from_unix_millis(since), retry: Some(retry) }
            }
            (Some(_), Some(validated), Some(key), None, None) => {
                let rows = evidence.get(&key).map(Vec::as_slice).unwrap_or_default();
                let caa = super::caa::finding(&Place::new("evidence", &self.id), self.caa.as_deref())?;
                let evidence = Evidence { perspectives: perspectives(rows, &place)?, caa };
                ChallengeState::Valid { validated: Timestamp::from_unix_millis(validated), evidence }
            }
            (Some(_), None, None, Some(at), Some(problem)) => ChallengeState::Invalid {
                at: Timestamp::from_unix_millis(at),
                problem: place.problem("problem", problem)?,
            },
            (Some(_), Some(_), ..) => return Err(place.inconsistent("validated")),
            (Some(_), None, ..) => return Err(place.inconsistent("failed")),
            (None, ..) => return Err(place.inconsistent("begun")),
        };
        Ok(Challenge {
            id: ChallengeId::from_bytes(place.octets("id", &self.id)?),
            method: ChallengeType::from_name(&self.method).ok_or_else(|| place.inconsistent("method"))?,
            token: Token::parse(&self.token).ok().ok_or_else(|| place.inconsistent("token"))?,
            state,
        })
    }
}

/// Rows by position and hop, gathered into what they are rows of.
fn perspectives(rows: &[&PerspectiveRow], place: &Place<'_>) -> Result<Vec<Perspective>, StoreError> {
    let of_one = rows.chunk_by(|one, next| one.position == next.position);
    let gathered = of_one.filter_map(|rows| {
        let name = rows.first()?.name.clone();
        let hops: Result<_, _> = rows.iter().map(|row| row.to_state(place)).collect();
        Some(hops.map(|hops| Perspective { name, hops }))
    });
    gathered.collect()
}

impl PerspectiveRow {
    fn to_state(&self, place: &Place<'_>) -> Result<Hop, StoreError> {
        let address = |text: &str| text.parse().map_err(|_no_address| place.inconsistent("evidence"));
        let connected = match (&self.address, self.port) {
            (None, None) => None,
            (Some(ip), Some(port)) => Some(SocketAddr::new(address(ip)?, place.number("evidence", port)?)),
            (Some(_), None) | (None, Some(_)) => return Err(place.inconsistent("evidence")),
        };
        Ok(Hop {
            url: self.url.clone(),
            resolver: self.resolver.clone(),
            resolved: self.resolved.split_ascii_whitespace().map(address).collect::<Result<_, _>>()?,
            connected,
        })
    }
}

/// The addresses of a hop as they are kept: with a space between.
pub(crate) fn resolved_column(hop: &Hop) -> String {
    hop.resolved.iter().map(IpAddr::to_string).collect::<Vec<_>>().join(" ")
}

/// What has happened to a challenge, as columns.
#[derive(Debug, Default)]
pub(crate) struct ChallengeFacts<'a> {
    /// When it was begun, where the state still says so; a later state leaves the column as it is.
    pub(crate) begun: Option<i64>,
    pub(crate) validated: Option<(i64, &'a Evidence)>,
    pub(crate) failed: Option<(i64, String)>,
    /// Failures so far, the next try, and what was wrong.
    pub(crate) retry: Option<(i64, i64, String)>,
}

fn retry_columns(retry: &Retry) -> Result<(i64, i64, String), StoreError> {
    Ok((i64::from(retry.failures), millis(retry.next), problem_column(&retry.problem)?))
}

impl<'a> ChallengeFacts<'a> {
    /// The columns of a state.
    pub(crate) fn of(state: &'a ChallengeState) -> Result<Self, StoreError> {
        Ok(match state {
            ChallengeState::Pending => Self::default(),
            ChallengeState::Processing { since, retry } => Self {
                begun: Some(millis(*since)),
                retry: retry.as_ref().map(retry_columns).transpose()?,
                ..Self::default()
            },
            ChallengeState::Valid { validated, evidence } => {
                Self { validated: Some((millis(*validated), evidence)), ..Self::default() }
            }
            ChallengeState::Invalid { at, problem } => {
                Self { failed: Some((millis(*at), problem_column(problem)?)), ..Self::default() }
            }
        })
    }
}

/// When an authorization was settled that is valid from the beginning.
pub(crate) fn settled_column(authorization: &Authorization) -> Option<i64> {
    authorization.vouched.then(|| millis(authorization.created))
}

/// How long an authorization may serve later orders, in milliseconds.
pub(crate) fn reuse_column(authorization: &Authorization) -> Option<i64> {
    authorization.reuse.map(|reuse| i64::try_from(reuse.as_millis()).unwrap_or(i64::MAX))
}
