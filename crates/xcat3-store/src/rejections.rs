//! Credentials that BMCs rejected. An operator who writes how a node's BMC is reached has them tried
//! again, also where that is what was there before.

use std::collections::BTreeSet;

use xcat3_core::{BmcRejection, Node, bmc_host};

use crate::database::{Row, Tx, beside, chunks, chunks_of};
use crate::{Store, StoreError, now_ms};

/// For how long one is remembered.
const KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;

impl Store {
    /// Notes credentials that BMCs rejected just now. The change feed does not tell of it.
    ///
    /// # Errors
    /// The database failed; none was noted.
    pub async fn record_bmc_rejections(
        &self,
        rejections: &[&BmcRejection],
    ) -> Result<(), StoreError> {
        let now = now_ms();
        let mut rows: Vec<_> = rejections
            .iter()
            .map(|rejection| (&rejection.host, rejection.login, &rejection.reason, now))
            .collect();
        // Who notes the same ones at the same time locks them in the same order; and one statement
        // can't write a row twice.
        rows.sort();
        rows.dedup_by_key(|row| (row.0, row.1));
        let rows = chunks(&rows)?;
        let note = "
            INSERT INTO bmc_rejections (host, login, reason, at_ms)
            SELECT value ->> 0, CAST(value ->> 1 AS BIGINT), value ->> 2, CAST(value ->> 3 AS BIGINT)
            FROM json_each($1) WHERE true
            ON CONFLICT (host, login) DO UPDATE
            SET reason = excluded.reason, at_ms = excluded.at_ms";
        let forget_old = "DELETE FROM bmc_rejections WHERE at_ms < $1";
        beside!(self, tx, {
            for chunk in &rows {
                tx.run(note, [chunk.as_str().into()]).await?;
            }
            tx.run(forget_old, [(now - KEPT_MS).into()]).await?;
        })
    }

    /// The credentials that are known to be rejected by the BMCs of `nodes`.
    ///
    /// # Errors
    /// The database failed.
    pub async fn bmc_rejections(&self, nodes: &[Node]) -> Result<Vec<BmcRejection>, StoreError> {
        let statement = "
            SELECT host, login, reason, at_ms FROM bmc_rejections
            WHERE host IN (SELECT value ->> 0 FROM json_each($1))";
        let mut found = Vec::new();
        let mut tx = self.read().await?;
        let hosts: BTreeSet<String> = nodes.iter().filter_map(bmc_host).collect();
        for chunk in chunks_of(&hosts)? {
            let take = |row: &Row| {
                found.push(BmcRejection {
                    host: row.text(0)?.to_owned(),
                    login: row.int(1)?,
                    reason: row.text(2)?.to_owned(),
                    at_ms: row.int(3)?,
                });
                Ok(())
            };
            tx.each(statement, [chunk.into()], take).await?;
        }
        Ok(found)
    }
}

/// Has all credentials of the BMCs at `hosts` tried again.
pub(crate) async fn forget(tx: &mut Tx, hosts: &BTreeSet<String>) -> Result<(), StoreError> {
    let statement =
        "DELETE FROM bmc_rejections WHERE host IN (SELECT value ->> 0 FROM json_each($1))";
    for chunk in chunks_of(hosts)? {
        tx.run(statement, [chunk.into()]).await?;
    }
    Ok(())
}
