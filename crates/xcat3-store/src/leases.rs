//! Addresses of the dynamic ranges that the network service gave to machines.

use std::net::Ipv4Addr;

use xcat3_core::MacAddr;

use crate::database::{Row, chunks};
use crate::{Store, StoreError, now_ms};

/// For how long a lease that has expired is remembered, so that its machine gets the same address
/// again.
const REMEMBERED_MS: i64 = 30 * 24 * 3_600 * 1_000;

/// An address that a machine was given.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The machine.
    pub mac: MacAddr,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Name of the network that the address is of.
    pub network: String,
    /// Until when, in milliseconds since 1970 (UTC).
    pub expires_ms: i64,
    /// What the machine calls itself.
    pub hostname: Option<String>,
    /// What it identified itself with beside its MAC address (DHCP option 61).
    pub client_id: Option<Vec<u8>>,
}

impl Store {
    /// All leases, by expiry; those that expired less than 30 days ago included.
    ///
    /// # Errors
    /// The database failed.
    pub async fn leases(&self) -> Result<Vec<Lease>, StoreError> {
        let statement = "
            SELECT mac, ip, network, expires_ms, hostname, client_id
            FROM leases ORDER BY expires_ms, ip";
        let mut leases = Vec::new();
        let take = |row: &Row| {
            leases.push(Lease {
                mac: row.parse(0, "the MAC of a lease")?,
                ip: row.parse(1, "the address of a lease")?,
                network: row.text(2)?.to_owned(),
                expires_ms: row.int(3)?,
                hostname: row.owned(4)?,
                client_id: row.maybe_text(5)?.map(from_hex).transpose()?,
            });
            Ok(())
        };
        self.read().await?.each(statement, [], take).await?;
        Ok(leases)
    }

    /// Stores leases. An address has one lease and so has a machine in a network: what was stored of
    /// either before is replaced, and of the leases given the last counts.
    ///
    /// # Errors
    /// The database failed; none was stored.
    pub async fn save_leases(&self, leases: &[Lease]) -> Result<(), StoreError> {
        let mut rows = Vec::with_capacity(leases.len());
        for lease in leases {
            let client_id = lease.client_id.as_deref().map(hex);
            let (network, hostname) = (lease.network.as_str(), lease.hostname.as_deref());
            rows.push((
                lease.ip,
                lease.mac,
                network,
                lease.expires_ms,
                hostname,
                client_id,
            ));
        }
        // Later rows win in the statement below only if one row stands for each address and each
        // machine of a network.
        let mut taken = std::collections::HashSet::new();
        let mut machines = std::collections::HashSet::new();
        rows.reverse();
        rows.retain(|row| {
            let new = !taken.contains(&row.0) && !machines.contains(&(row.1, row.2));
            new && taken.insert(row.0) && machines.insert((row.1, row.2))
        });
        // CROSS JOIN has SQLite begin with the rows given and look each machine up by its index.
        let forget = "
            DELETE FROM leases WHERE ip IN (
                SELECT leases.ip FROM json_each($1) CROSS JOIN leases
                WHERE leases.mac = value ->> 1 AND leases.network = value ->> 2)";
        let insert = "
            INSERT INTO leases (ip, mac, network, expires_ms, hostname, client_id)
            SELECT value ->> 0, value ->> 1, value ->> 2, CAST(value ->> 3 AS BIGINT), value ->> 4,
                   value ->> 5
            FROM json_each($1) WHERE true
            ON CONFLICT (ip) DO UPDATE
            SET mac = excluded.mac, network = excluded.network, expires_ms = excluded.expires_ms,
                hostname = excluded.hostname, client_id = excluded.client_id";
        let mut tx = self.write().await?;
        for chunk in chunks(&rows)? {
            tx.run(forget, [chunk.clone().into()]).await?;
            tx.run(insert, [chunk.into()]).await?;
        }
        let long_ago = now_ms() - REMEMBERED_MS;
        tx.run(
            "DELETE FROM leases WHERE expires_ms < $1",
            [long_ago.into()],
        )
        .await?;
        tx.commit().await
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn from_hex(text: &str) -> Result<Vec<u8>, StoreError> {
    let digit = |byte: u8| {
        char::from(byte)
            .to_digit(16)
            .and_then(|digit| u8::try_from(digit).ok())
    };
    let byte = |pair: &[u8]| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    };
    let bytes: Option<Vec<u8>> = text.as_bytes().chunks(2).map(byte).collect();
    bytes.ok_or_else(|| StoreError::corrupt("the client_id of a lease", "it is not hexadecimal"))
}
