//! Machines that boot over the network without being known. Never more than [`MOST`]: whoever sends
//! requests from ever new addresses pushes out who was not seen for longest, and fills nothing.

use xcat3_core::{DiscoveredMachine, MacAddr};

use crate::database::{Row, beside, chunks};
use crate::{Store, StoreError, now_ms};

/// So many are kept.
pub const MOST: usize = 10_000;
/// For how long one is kept that is not seen any more.
const KEPT_MS: i64 = 30 * 24 * 3_600 * 1_000;

impl Store {
    /// Notes machines that were seen. Those that are nodes by now are passed over and forgotten, like
    /// those that were not seen for long. The change feed does not tell of it.
    ///
    /// # Errors
    /// The database failed; none was noted.
    pub async fn record_discovered(&self, seen: &[DiscoveredMachine]) -> Result<(), StoreError> {
        let mut seen: Vec<&DiscoveredMachine> = seen.iter().collect();
        // Two services that see the same machines lock their rows in the same order.
        seen.sort_by_key(|machine| machine.mac);
        let rows: Vec<_> = seen
            .into_iter()
            .map(|seen| {
                let (ip, uuid) = (seen.ip, seen.uuid.map(|uuid| uuid.to_string()));
                let times = (seen.first_ms, seen.last_ms);
                (
                    seen.mac,
                    &seen.network,
                    ip,
                    &seen.vendor_class,
                    seen.architecture,
                    uuid,
                    times.0,
                    times.1,
                )
            })
            .collect();
        let rows = chunks(&rows)?;
        let note = "
            INSERT INTO discovered_machines (mac, network, ip, vendor_class, architecture, uuid, first_ms, last_ms)
            SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, CAST(value ->> 4 AS BIGINT),
                   value ->> 5, CAST(value ->> 6 AS BIGINT), CAST(value ->> 7 AS BIGINT)
            FROM json_each($1) WHERE NOT EXISTS (SELECT 1 FROM nics WHERE nics.mac = value ->> 0)
            ON CONFLICT (mac) DO UPDATE
            SET network = excluded.network, ip = COALESCE(excluded.ip, discovered_machines.ip),
                vendor_class = COALESCE(excluded.vendor_class, discovered_machines.vendor_class),
                architecture = COALESCE(excluded.architecture, discovered_machines.architecture),
                uuid = COALESCE(excluded.uuid, discovered_machines.uuid),
                last_ms = CASE WHEN excluded.last_ms > discovered_machines.last_ms THEN excluded.last_ms
                          ELSE discovered_machines.last_ms END";
        let forget_old = "DELETE FROM discovered_machines WHERE last_ms < $1";
        let forget_nodes = "DELETE FROM discovered_machines WHERE mac IN (SELECT mac FROM nics)";
        let forget_more = "
            DELETE FROM discovered_machines WHERE mac IN (
                SELECT mac FROM discovered_machines ORDER BY last_ms DESC, mac LIMIT 1000000 OFFSET $1)";
        let most = i64::try_from(MOST).unwrap_or(i64::MAX);
        beside!(self, tx, {
            for chunk in &rows {
                tx.run(note, [chunk.as_str().into()]).await?;
            }
            tx.run(forget_old, [(now_ms() - KEPT_MS).into()]).await?;
            tx.run(forget_nodes, []).await?;
            tx.run(forget_more, [most.into()]).await?;
        })
    }

    /// The machines that were seen and are no nodes, by when they were first seen.
    ///
    /// # Errors
    /// The database failed.
    pub async fn discovered_machines(&self) -> Result<Vec<DiscoveredMachine>, StoreError> {
        let statement = "
            SELECT mac, network, ip, vendor_class, architecture, uuid, first_ms, last_ms
            FROM discovered_machines
            WHERE last_ms >= $1 AND NOT EXISTS (SELECT 1 FROM nics WHERE nics.mac = discovered_machines.mac)
            ORDER BY first_ms, mac";
        let mut discovered_machines = Vec::new();
        let take = |row: &Row| {
            discovered_machines.push(DiscoveredMachine {
                mac: row.parse(0, "the MAC of a machine")?,
                network: row.text(1)?.to_owned(),
                ip: row.maybe_parse(2, "the address of a machine")?,
                vendor_class: row.owned(3)?,
                architecture: row
                    .maybe_int(4)?
                    .and_then(|number| u16::try_from(number).ok()),
                uuid: row.maybe_parse(5, "the UUID of a machine")?,
                first_ms: row.int(6)?,
                last_ms: row.int(7)?,
            });
            Ok(())
        };
        let since = now_ms() - KEPT_MS;
        self.read()
            .await?
            .each(statement, [since.into()], take)
            .await?;
        Ok(discovered_machines)
    }

    /// Forgets machines that were seen: these, or all where none is named. How many there were.
    ///
    /// # Errors
    /// The database failed.
    pub async fn forget_discovered(&self, macs: Option<&[MacAddr]>) -> Result<u64, StoreError> {
        let chunks = match macs {
            Some(macs) => chunks(&macs.iter().map(|mac| [mac]).collect::<Vec<_>>())?,
            None => Vec::new(),
        };
        let these =
            "DELETE FROM discovered_machines WHERE mac IN (SELECT value ->> 0 FROM json_each($1))";
        beside!(self, tx, {
            let mut gone = 0;
            for chunk in &chunks {
                gone += tx.run(these, [chunk.as_str().into()]).await?;
            }
            if macs.is_none() {
                gone = tx.run("DELETE FROM discovered_machines", []).await?;
            }
            gone
        })
    }
}
