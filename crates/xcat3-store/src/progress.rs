//! How far nodes came on their way through a deploy: what the network service saw of them.

use std::collections::HashMap;

use xcat3_core::NodeName;
use xcat3_core::boot::Progress;

use crate::database::{beside, chunks, chunks_of};
use crate::{Store, StoreError};

impl Store {
    /// Notes how far nodes came. Nodes that are not deploying are passed over, and so is what was
    /// seen before that which is stored. The change feed does not tell of it.
    ///
    /// # Errors
    /// The database failed; nothing was noted.
    pub async fn record_progress(&self, seen: &[(NodeName, Progress)]) -> Result<(), StoreError> {
        let mut latest: HashMap<&NodeName, &Progress> = HashMap::with_capacity(seen.len());
        for (name, progress) in seen {
            let kept = latest.entry(name).or_insert(progress);
            if progress.seen_ms >= kept.seen_ms {
                *kept = progress;
            }
        }
        let rows: Vec<_> = latest
            .iter()
            .map(|(name, seen)| {
                let (phase, detail) = (seen.phase.as_str(), seen.detail.as_str());
                (name.as_str(), phase, detail, seen.since_ms, seen.seen_ms)
            })
            .collect();
        let rows = chunks(&rows)?;
        // Which nodes are deploying is asked inside, so that the rows given lead and each is looked
        // up by its key.
        let statement = "
            UPDATE progress
            SET phase = given.phase, detail = given.detail, since_ms = given.since_ms,
                seen_ms = given.seen_ms
            FROM (SELECT value ->> 0 AS name, value ->> 1 AS phase, value ->> 2 AS detail,
                         CAST(value ->> 3 AS BIGINT) AS since_ms,
                         CAST(value ->> 4 AS BIGINT) AS seen_ms
                  FROM json_each($1)
                  WHERE (SELECT nodes.state FROM nodes
                         WHERE nodes.name = value ->> 0) = 'deploying'
                 ) AS given
            WHERE progress.node = given.name AND progress.seen_ms <= given.seen_ms";
        beside!(self, tx, {
            for chunk in &rows {
                tx.run(statement, [chunk.as_str().into()]).await?;
            }
        })
    }

    /// How far nodes are, as far as they are deploying.
    ///
    /// # Errors
    /// The database failed.
    pub async fn progress(
        &self,
        names: &[NodeName],
    ) -> Result<HashMap<NodeName, Progress>, StoreError> {
        let statement = "
            SELECT node, phase, detail, since_ms, seen_ms FROM progress
            WHERE node IN (SELECT value ->> 0 FROM json_each($1))";
        let mut tx = self.read().await?;
        let mut found = HashMap::with_capacity(names.len());
        for chunk in chunks_of(names)? {
            for row in tx.rows(statement, [chunk.into()]).await? {
                let progress = Progress {
                    phase: row.parse(1, "the phase of a node")?,
                    detail: row.text(2)?.to_owned(),
                    since_ms: row.int(3)?,
                    seen_ms: row.int(4)?,
                };
                found.insert(row.parse(0, "the name of a node")?, progress);
            }
        }
        Ok(found)
    }
}
