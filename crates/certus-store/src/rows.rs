//! Facts in rows → state. Impossible rows are reported, not guessed.

use std::collections::BTreeSet;

use certus_acme::{ChallengeType, Identifier, Jwk, Problem, RawIdentifier, Token};
use certus_ca::id::{AuthorizationId, CertificateId, ChallengeId, OrderId};
use certus_ca::ports::StoreError;
use certus_ca::state::{Challenge, ChallengeState, Evidence, OrderState};
use certus_pki::{DnsName, PublicKey, SubjectName, Timestamp};

/// A row that no version of Certus writes.
pub(crate) fn inconsistent(table: &'static str, column: &'static str, key: impl ToString) -> StoreError {
    StoreError::Inconsistent { table, column, key: key.to_string() }
}

pub(crate) fn time(millis: i64) -> Timestamp {
    Timestamp::from_unix_millis(millis)
}

pub(crate) fn bytes<const N: usize>(
    table: &'static str,
    column: &'static str,
    octets: &[u8],
) -> Result<[u8; N], StoreError> {
    octets.try_into().map_err(|_| inconsistent(table, column, "a value of the wrong length"))
}

pub(crate) fn jwk(json: &str) -> Result<Jwk, StoreError> {
    Jwk::parse(json).map_err(|error| inconsistent("account", "jwk", error))
}

pub(crate) fn identifier(kind: String, value: String) -> Result<Identifier, StoreError> {
    let raw = RawIdentifier { kind, value };
    Identifier::parse(&raw).map_err(|error| inconsistent("authorization", "identifier_value", error))
}

pub(crate) fn problem(table: &'static str, json: &str) -> Result<Problem, StoreError> {
    serde_json::from_str(json).map_err(|error| inconsistent(table, "problem", error))
}

pub(crate) fn problem_json(problem: &Problem) -> String {
    // Strings and numbers: writing them cannot fail.
    serde_json::to_string(problem).unwrap_or_default()
}

/// What a challenge row says.
pub(crate) struct ChallengeRow {
    pub(crate) id: Vec<u8>,
    pub(crate) method: String,
    pub(crate) token: String,
    pub(crate) processing_since: Option<i64>,
    pub(crate) validated: Option<i64>,
    pub(crate) failed: Option<i64>,
    pub(crate) problem: Option<String>,
}

impl ChallengeRow {
    pub(crate) fn restore(self, evidence: Evidence) -> Result<Challenge, StoreError> {
        let id = ChallengeId::from_bytes(bytes("challenge", "id", &self.id)?);
        let method =
            ChallengeType::from_name(&self.method).ok_or_else(|| inconsistent("challenge", "method", &self.method))?;
        let token = Token::parse(&self.token).map_err(|_| inconsistent("challenge", "token", id))?;
        let state = match (self.processing_since, self.validated, self.failed, self.problem) {
            (None, None, None, None) => ChallengeState::Pending,
            (Some(since), None, None, None) => ChallengeState::Processing { since: time(since) },
            (Some(_), Some(validated), None, None) => ChallengeState::Valid { validated: time(validated), evidence },
            (Some(_), None, Some(at), Some(text)) => {
                ChallengeState::Invalid { at: time(at), problem: problem("challenge", &text)? }
            }
            _ => return Err(inconsistent("challenge", "validated", id)),
        };
        Ok(Challenge { id, method, token, state })
    }
}

/// What a challenge's state looks like in a row: processing since, validated, failed, problem.
pub(crate) type ChallengeFacts = (Option<i64>, Option<i64>, Option<i64>, Option<String>);

pub(crate) fn challenge_facts(state: &ChallengeState, processing_since: Option<i64>) -> ChallengeFacts {
    match state {
        ChallengeState::Pending => (None, None, None, None),
        ChallengeState::Processing { since } => (Some(since.unix_millis()), None, None, None),
        ChallengeState::Valid { validated, .. } => {
            (processing_since.or(Some(validated.unix_millis())), Some(validated.unix_millis()), None, None)
        }
        ChallengeState::Invalid { at, problem } => {
            let at = at.unix_millis();
            (processing_since.or(Some(at)), None, Some(at), Some(problem_json(problem)))
        }
    }
}

/// What an order row says of its state.
pub(crate) struct OrderFacts {
    pub(crate) processing_since: Option<i64>,
    pub(crate) spki: Option<Vec<u8>>,
    pub(crate) issued: Option<i64>,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) failed: Option<i64>,
    pub(crate) problem: Option<String>,
}

impl OrderFacts {
    pub(crate) fn restore(self, id: OrderId) -> Result<OrderState, StoreError> {
        match (self.processing_since, self.spki, self.issued, self.certificate, self.failed, self.problem) {
            (None, None, None, None, None, None) => Ok(OrderState::Open),
            (Some(since), Some(spki), None, None, None, None) => {
                let key = PublicKey::from_spki_der(&spki).map_err(|_| inconsistent("acme_order", "spki", id))?;
                Ok(OrderState::Processing { since: time(since), key })
            }
            (Some(_), Some(_), Some(at), Some(certificate), None, None) => {
                let certificate = CertificateId::from_bytes(bytes("certificate", "id", &certificate)?);
                Ok(OrderState::Issued { certificate, at: time(at) })
            }
            (_, _, None, None, Some(at), Some(text)) => {
                Ok(OrderState::Failed { at: time(at), problem: problem("acme_order", &text)? })
            }
            _ => Err(inconsistent("acme_order", "issued", id)),
        }
    }
}

pub(crate) fn subject_name(kind: &str, value: &str) -> Result<SubjectName, StoreError> {
    let bad = || inconsistent("certificate_name", "value", value);
    match kind {
        "dns" => DnsName::parse(value).map(SubjectName::Dns).map_err(|_| bad()),
        "ip" => value.parse().map(SubjectName::Ip).map_err(|_| bad()),
        _ => Err(bad()),
    }
}

/// A name as its row has it: type, value, and the value with its labels reversed.
pub(crate) fn name_row(name: &SubjectName) -> (&'static str, String, String) {
    match name {
        SubjectName::Dns(name) => ("dns", name.to_string(), name.reversed()),
        SubjectName::Ip(address) => ("ip", address.to_string(), address.to_string()),
    }
}

pub(crate) fn names(rows: Vec<(String, String)>) -> Result<BTreeSet<SubjectName>, StoreError> {
    rows.iter().map(|(kind, value)| subject_name(kind, value)).collect()
}

pub(crate) fn authorization_id(octets: &[u8]) -> Result<AuthorizationId, StoreError> {
    Ok(AuthorizationId::from_bytes(bytes("authorization", "id", octets)?))
}
