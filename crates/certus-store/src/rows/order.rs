//! Orders.

use certus_acme::CertId;
use certus_ca::id::{AccountId, AuthorizationId, CertificateId, OrderId};
use certus_ca::ports::{OrderPage, StoreError, Stored};
use certus_ca::state::{Order, OrderState, Replaces};
use certus_pki::{PublicKey, Timestamp, Validity};

use super::authorization::identifier;
use super::{Place, millis, problem_column};

/// A row of `orders`, with the public ids of its account and certificate.
#[derive(Debug)]
pub(crate) struct OrderRow {
    pub(crate) id: Vec<u8>,
    pub(crate) version: i64,
    pub(crate) account: Vec<u8>,
    pub(crate) profile: String,
    pub(crate) not_before: Option<i64>,
    pub(crate) not_after: Option<i64>,
    pub(crate) created: i64,
    pub(crate) expires: i64,
    pub(crate) finalized: Option<i64>,
    pub(crate) public_key: Option<Vec<u8>>,
    pub(crate) issued: Option<i64>,
    pub(crate) certificate: Option<Vec<u8>>,
    pub(crate) failed: Option<i64>,
    pub(crate) problem: Option<String>,
    /// The public id of the certificate that it replaces, and that as the client named it.
    pub(crate) replaces: Option<Vec<u8>>,
    pub(crate) replaces_id: Option<String>,
    pub(crate) replaces_due: Option<bool>,
}

/// A row of `order_identifiers`, with the public id of its authorization.
#[derive(Debug)]
pub(crate) struct IdentifierRow {
    pub(crate) kind: String,
    pub(crate) value: String,
    pub(crate) authorization: Vec<u8>,
}

impl OrderRow {
    /// The order and its version; `identifiers` in the order's own sequence.
    pub(crate) fn into_state(self, identifiers: &[IdentifierRow]) -> Result<Stored<Order>, StoreError> {
        let place = Place::new("orders", &self.id);
        let mut order = Order {
            id: OrderId::from_bytes(place.octets("id", &self.id)?),
            account: AccountId::from_bytes(place.octets("account", &self.account)?),
            profile: self.profile,
            validity: Validity {
                not_before: self.not_before.map(Timestamp::from_unix_millis),
                not_after: self.not_after.map(Timestamp::from_unix_millis),
            },
            identifiers: Vec::with_capacity(identifiers.len()),
            authorizations: Vec::with_capacity(identifiers.len()),
            created: Timestamp::from_unix_millis(self.created),
            expires: Timestamp::from_unix_millis(self.expires),
            replaces: None,
            state: OrderState::Open,
        };
        order.replaces = match (&self.replaces, &self.replaces_id, self.replaces_due) {
            (None, None, None) => None,
            (Some(certificate), Some(named), Some(due)) => Some(Replaces {
                certificate: CertificateId::from_bytes(place.octets("replaces", certificate)?),
                named: CertId::parse(named).ok().ok_or_else(|| place.inconsistent("replaces_id"))?,
                due,
            }),
            (Some(_), ..) | (_, Some(_), _) | (.., Some(_)) => return Err(place.inconsistent("replaces")),
        };
        for row in identifiers {
            let in_row = Place::new("order_identifiers", &self.id);
            order.identifiers.push(identifier(&in_row, &row.kind, &row.value)?);
            let authorization = in_row.octets("authorization_key", &row.authorization)?;
            order.authorizations.push(AuthorizationId::from_bytes(authorization));
        }
        let finalized = self.finalized.zip(self.public_key);
        order.state = match (finalized, self.issued, self.certificate, self.failed, self.problem) {
            (None, None, None, None, None) => OrderState::Open,
            (Some((since, key)), None, None, None, None) => OrderState::Processing {
                since: Timestamp::from_unix_millis(since),
                key: PublicKey::from_spki_der(&key).ok().ok_or_else(|| place.inconsistent("public_key"))?,
            },
            (Some(_), Some(at), Some(certificate), None, None) => OrderState::Issued {
                certificate: CertificateId::from_bytes(place.octets("certificate", &certificate)?),
                at: Timestamp::from_unix_millis(at),
            },
            (Some(_), None, None, Some(at), Some(problem)) => {
                OrderState::Failed { at: Timestamp::from_unix_millis(at), problem: place.problem("problem", &problem)? }
            }
            (Some(_), Some(_), ..) => return Err(place.inconsistent("issued")),
            (Some(_), None, ..) => return Err(place.inconsistent("failed")),
            (None, ..) => return Err(place.inconsistent("finalized")),
        };
        Ok(Stored { version: place.version(self.version)?, value: order })
    }
}

/// The first `limit` of the ids that were found, and whether there was one more.
pub(crate) fn order_page<T: AsRef<[u8]>>(found: &[T], limit: u32) -> Result<OrderPage, StoreError> {
    let limit = usize::try_from(limit).unwrap_or(usize::MAX);
    let shown = found.iter().take(limit).map(AsRef::as_ref);
    let orders = shown.map(|id| Ok(OrderId::from_bytes(Place::new("orders", id).octets("id", id)?)));
    Ok(OrderPage { orders: orders.collect::<Result<_, StoreError>>()?, more: found.len() > limit })
}

/// What has happened to an order, as columns. Facts that the state no longer names stay in the row as they are.
#[derive(Debug, Default)]
pub(crate) struct OrderFacts<'a> {
    pub(crate) finalized: Option<(i64, &'a [u8])>,
    pub(crate) issued: Option<(i64, CertificateId)>,
    pub(crate) failed: Option<(i64, String)>,
}

impl<'a> OrderFacts<'a> {
    /// The columns of a state.
    pub(crate) fn of(state: &'a OrderState) -> Result<Self, StoreError> {
        Ok(match state {
            OrderState::Open => Self::default(),
            OrderState::Processing { since, key } => {
                Self { finalized: Some((millis(*since), key.spki_der())), ..Self::default() }
            }
            OrderState::Issued { certificate, at } => {
                Self { issued: Some((millis(*at), *certificate)), ..Self::default() }
            }
            OrderState::Failed { at, problem } => {
                Self { failed: Some((millis(*at), problem_column(problem)?)), ..Self::default() }
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn open() -> OrderRow {
        OrderRow {
            id: vec![1; 16],
            version: 1,
            account: vec![2; 16],
            profile: "classic".into(),
            not_before: None,
            not_after: None,
            created: 1,
            expires: 2,
            finalized: None,
            public_key: None,
            issued: None,
            certificate: None,
            failed: None,
            problem: None,
            replaces: None,
            replaces_id: None,
            replaces_due: None,
        }
    }

    #[test]
    fn impossible_orders_are_told_by_table_column_and_key() {
        let key = |row: OrderRow| OrderRow { finalized: Some(1), public_key: Some(vec![0]), ..row };
        for (row, expected) in [
            (OrderRow { issued: Some(1), ..open() }, "finalized"),
            (OrderRow { finalized: Some(1), issued: Some(1), ..open() }, "finalized"),
            (key(open()), "public_key"),
            (key(OrderRow { issued: Some(1), ..open() }), "issued"),
            (key(OrderRow { certificate: Some(vec![1; 16]), ..open() }), "failed"),
            (key(OrderRow { failed: Some(1), ..open() }), "failed"),
            (key(OrderRow { failed: Some(1), problem: Some("7".into()), ..open() }), "problem"),
            (key(OrderRow { issued: Some(1), certificate: Some(vec![1; 3]), ..open() }), "certificate"),
            (OrderRow { version: -1, ..open() }, "version"),
            (OrderRow { replaces: Some(vec![1; 16]), ..open() }, "replaces"),
            (OrderRow { replaces_id: Some("AQ.AQ".into()), ..open() }, "replaces"),
            (
                OrderRow {
                    replaces: Some(vec![1; 16]),
                    replaces_id: Some("AQ".into()),
                    replaces_due: Some(true),
                    ..open()
                },
                "replaces_id",
            ),
            (OrderRow { account: vec![], ..open() }, "account"),
        ] {
            match row.into_state(&[]) {
                Err(StoreError::Inconsistent { table: "orders", column, key }) => {
                    assert_eq!(column, expected);
                    assert_eq!(key, "AQEBAQEBAQEBAQEBAQEBAQ");
                }
                other => panic!("{expected}: {other:?}"),
            }
        }
        assert!(open().into_state(&[]).is_ok());
    }
}
