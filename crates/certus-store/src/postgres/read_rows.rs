//! Rows of joined tables, gathered into what they are rows of.

use certus_ca::ports::{OrderAndAuthorizations, StoreError, Stored};
use certus_ca::state::Authorization;
use tokio_postgres::Row;

use super::fault::column;
use crate::rows::{AuthorizationRow, ChallengeRow, IdentifierRow, OrderRow, PerspectiveRow};

/// Columns of an authorization with challenge and hop, in front of every such row.
const AUTHORIZATION: usize = 29;

/// Takes in rows sorted by authorization, challenge, perspective and hop.
#[derive(Debug, Default)]
struct Gatherer {
    authorizations: Vec<AuthorizationRow>,
    perspectives: Vec<PerspectiveRow>,
}

impl Gatherer {
    /// Takes in a row; `first` says that it is the first of another authorization.
    fn take(&mut self, row: &Row, first: bool) -> Result<(), StoreError> {
        if first {
            self.authorizations.push(AuthorizationRow {
                id: column(row, 0)?,
                version: column(row, 1)?,
                account: column(row, 2)?,
                kind: column(row, 3)?,
                value: column(row, 4)?,
                created: column(row, 5)?,
                expires: column(row, 6)?,
                deactivated: column(row, 7)?,
                reuse: column(row, 23)?,
                retries: column(row, 24)?,
                vouched: column(row, 28)?,
                challenges: Vec::new(),
            });
        }
        let evidence: Option<i64> = column(row, 13)?;
        if let Some(id) = column::<Option<Vec<u8>>>(row, 8)?
            && let Some(authorization) = self.authorizations.last_mut()
            && authorization.challenges.last().is_none_or(|last| last.id != id)
        {
            authorization.challenges.push(ChallengeRow {
                id,
                method: column(row, 9)?,
                token: column(row, 10)?,
                begun: column(row, 11)?,
                validated: column(row, 12)?,
                evidence,
                failed: column(row, 14)?,
                problem: column(row, 15)?,
                failures: column(row, 25)?,
                retry: column(row, 26)?,
                caa: column(row, 27)?,
            });
        }
        if let Some(evidence) = evidence
            && let Some(position) = column(row, 16)?
        {
            self.perspectives.push(PerspectiveRow {
                evidence,
                position,
                name: column(row, 17)?,
                url: column(row, 18)?,
                resolver: column(row, 19)?,
                resolved: column(row, 20)?,
                address: column(row, 21)?,
                port: column(row, 22)?,
            });
        }
        Ok(())
    }
}

/// The one authorization whose rows these are.
pub(super) fn authorization(rows: &[Row]) -> Result<Option<Stored<Authorization>>, StoreError> {
    let mut gathered = Gatherer::default();
    for (index, row) in rows.iter().enumerate() {
        gathered.take(row, index == 0)?;
    }
    let Gatherer { mut authorizations, perspectives } = gathered;
    authorizations.pop().map(|row| row.into_state(&perspectives)).transpose()
}

/// The one order whose rows these are, with its authorizations.
pub(super) fn order(rows: &[Row]) -> Result<Option<Stored<OrderAndAuthorizations>>, StoreError> {
    const IDENTIFIER: usize = AUTHORIZATION;
    const ORDER: usize = AUTHORIZATION + 3;
    let Some(first) = rows.first() else { return Ok(None) };
    let order = OrderRow {
        id: column(first, ORDER)?,
        version: column(first, ORDER + 1)?,
        account: column(first, ORDER + 2)?,
        profile: column(first, ORDER + 3)?,
        created: column(first, ORDER + 4)?,
        expires: column(first, ORDER + 5)?,
        finalized: column(first, ORDER + 6)?,
        public_key: column(first, ORDER + 7)?,
        issued: column(first, ORDER + 8)?,
        certificate: column(first, ORDER + 9)?,
        failed: column(first, ORDER + 10)?,
        problem: column(first, ORDER + 11)?,
        not_before: column(first, ORDER + 12)?,
        not_after: column(first, ORDER + 13)?,
        replaces: column(first, ORDER + 14)?,
        replaces_id: column(first, ORDER + 15)?,
        replaces_due: column(first, ORDER + 16)?,
    };
    let mut gathered = Gatherer::default();
    let mut identifiers = Vec::new();
    let mut last = None;
    for row in rows {
        let Some(position) = column::<Option<i64>>(row, IDENTIFIER + 2)? else { continue };
        let another = last != Some(position);
        gathered.take(row, another)?;
        if another {
            identifiers.push(IdentifierRow {
                kind: column(row, IDENTIFIER)?,
                value: column(row, IDENTIFIER + 1)?,
                authorization: column(row, 0)?,
            });
        }
        last = Some(position);
    }
    let Stored { value: order, version } = order.into_state(&identifiers)?;
    let perspectives = gathered.perspectives;
    let authorizations: Result<Vec<Authorization>, StoreError> =
        gathered.authorizations.into_iter().map(|row| Ok(row.into_state(&perspectives)?.value)).collect();
    Ok(Some(Stored { value: OrderAndAuthorizations { order, authorizations: authorizations? }, version }))
}
