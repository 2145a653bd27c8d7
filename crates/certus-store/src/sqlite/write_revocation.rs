//! Writing what revoking leaves behind.

use certus_ca::ports::StoreError;
use certus_ca::state::{KnownCertificate, Revocation};
use certus_pki::Timestamp;
use rusqlite::{Connection, params};

use super::fault::Fault;
use crate::operation::Reply;
use crate::rows::{millis, reason_column};

crate::sql! {
    REVOKE = "UPDATE certificates SET revoked = ?3, reason = ?4 WHERE id = ?1 AND revoked IS ?2 AND reason IS ?5";
    COUNT = "UPDATE shards SET revocations = revocations + 1
        WHERE issuer = (SELECT key FROM issuers WHERE id = ?1) AND shard = ?2";
    BLOCK = "INSERT INTO blocked_keys (spki_sha256, blocked) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
}

pub(super) fn revoke(
    connection: &Connection,
    known: &KnownCertificate,
    revocation: Revocation,
    block: bool,
) -> Result<Reply, Fault> {
    let KnownCertificate { certificate, revocation: before } = known;
    let values = params![
        certificate.id.as_bytes(),
        before.map(|before| millis(before.at)),
        millis(revocation.at),
        reason_column(revocation),
        before.and_then(reason_column),
    ];
    if connection.prepare_cached(REVOKE)?.execute(values)? == 0 {
        return Err(StoreError::Conflict.into());
    }
    if block {
        block_key(connection, &certificate.spki_sha256, revocation.at)?;
    }
    connection.prepare_cached(COUNT)?.execute(params![certificate.issuer, certificate.shard])?;
    Ok(Reply::Done)
}

pub(super) fn block_key(connection: &Connection, spki_sha256: &[u8; 32], at: Timestamp) -> Result<Reply, Fault> {
    match connection.prepare_cached(BLOCK)?.execute(params![spki_sha256, millis(at)])? {
        0 => Ok(Reply::Nothing),
        _ => Ok(Reply::Done),
    }
}
