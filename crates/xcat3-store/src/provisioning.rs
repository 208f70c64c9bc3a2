//! Where nodes stand in their provisioning: what the conductor, and nobody else, writes.

use std::fmt;
use std::time::Duration;

use xcat3_core::boot::Phase;
use xcat3_core::{Node, NodeName, State};

use crate::database::{CHUNK, Tx, chunks_of, json};
use crate::nodes::read;
use crate::{Revision, Store, StoreError, milliseconds, now_ms};

/// Where a node is to stand.
#[derive(Clone, PartialEq, Eq)]
pub struct Provision {
    /// The node.
    pub name: NodeName,
    /// Its state.
    pub state: State,
    /// The OS image that it has or is being given; where absent it keeps the one that it has.
    pub osimage: Option<String>,
    /// The one-time token of its deploy; where absent it has none. Secret.
    pub deploy_token: Option<String>,
    /// Why its deploy failed; where absent that is forgotten.
    pub failure: Option<String>,
}

impl fmt::Debug for Provision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Provision")
            .field("name", &self.name)
            .field("state", &self.state)
            .field("osimage", &self.osimage)
            .field("failure", &self.failure)
            .finish_non_exhaustive()
    }
}

/// Makes a table of what [`provision_rows`] wrote, restricted to nodes that are held under the fence
/// `$2` at the time `$3`.
macro_rules! with_given {
    ($statement:literal) => {
        concat!(
            "WITH given AS (
                 SELECT value ->> 0 AS name, value ->> 1 AS state, value ->> 2 AS osimage,
                        value ->> 3 AS deploy_token, value ->> 4 AS failure
                 FROM json_each($1)
                 WHERE (SELECT reservations.fence FROM reservations
                        WHERE reservations.node = value ->> 0
                          AND reservations.expires_ms > $3) = $2
             ) ",
            $statement
        )
    };
}

impl Store {
    /// Writes where nodes stand, for those that are reserved under `fence`: nothing is written for a
    /// node that is not any more, or whose time is over ([`Store::held`] afterwards tells which those
    /// are). A node that is to be deploying begins its way anew in phase `waiting`, one that is to be
    /// deployed has come to its end, phase `callback`; of one that failed it is kept how far it came.
    /// Gives the revision that network services must serve for it to be true.
    ///
    /// # Errors
    /// An OS image that a node is to be given is not in the store any more, or the database failed;
    /// nothing was written.
    pub async fn provision(
        &self,
        fence: i64,
        changes: &[Provision],
    ) -> Result<Revision, StoreError> {
        let mut tx = self.write().await?;
        check_images(&mut tx, changes).await?;
        let revision = tx.new_revision().await?;
        let now = now_ms();
        let update = with_given!(
            "UPDATE nodes
             SET state = given.state, osimage = COALESCE(given.osimage, nodes.osimage),
                 deploy_token = given.deploy_token, failure = given.failure, revision = $4
             FROM given WHERE nodes.name = given.name"
        );
        let forget = with_given!(
            "DELETE FROM progress
             WHERE node IN (SELECT name FROM given
                            WHERE state IS NULL OR state NOT IN ('failed', 'deployed'))"
        );
        let begin = with_given!(
            "INSERT INTO progress (node, phase, detail, since_ms, seen_ms, started_ms, purpose)
             SELECT given.name, $4, '', $3, $3, $3, reservations.purpose
             FROM given JOIN reservations ON reservations.node = given.name
             WHERE given.state = 'deploying'"
        );
        let end = with_given!(
            "UPDATE progress SET phase = $4, detail = $4, since_ms = $3, seen_ms = $3
             WHERE node IN (SELECT name FROM given WHERE state = 'deployed')"
        );
        let mut written = 0;
        for chunk in provision_rows(changes).chunks(CHUNK) {
            let chunk = json(chunk)?;
            let given = || [chunk.as_str().into(), fence.into(), now.into()];
            let [rows, held, at] = given();
            written += tx.run(update, [rows, held, at, revision.into()]).await?;
            tx.run(forget, given()).await?;
            let [rows, held, at] = given();
            let waiting = Phase::Waiting.as_str().into();
            tx.run(begin, [rows, held, at, waiting]).await?;
            let [rows, held, at] = given();
            let callback = Phase::Callback.as_str().into();
            tx.run(end, [rows, held, at, callback]).await?;
        }
        if written == 0 {
            return Ok(revision - 1);
        }
        tx.commit().await?;
        Ok(revision)
    }

    /// The nodes that are deploying and take too long: nothing was seen of them for the time that
    /// `silence` gives to the phase that they are in (a phase that it doesn't name has no limit), or
    /// their deploy began longer than `whole` ago.
    ///
    /// # Errors
    /// The database failed.
    pub async fn overdue_deploys(
        &self,
        silence: &[(Phase, Duration)],
        whole: Duration,
    ) -> Result<Vec<Node>, StoreError> {
        let now = now_ms();
        let ago = |limit: Duration| now.saturating_sub(milliseconds(limit));
        let limits: Vec<(&str, i64)> = silence
            .iter()
            .map(|&(phase, limit)| (phase.as_str(), ago(limit)))
            .collect();
        let statement = "
            SELECT nodes.name FROM nodes JOIN progress ON progress.node = nodes.name
            WHERE nodes.state = 'deploying'
              AND (progress.started_ms < $2
                   OR EXISTS (SELECT 1 FROM json_each($1)
                              WHERE value ->> 0 = progress.phase
                                AND progress.seen_ms < CAST(value ->> 1 AS BIGINT)))
            ORDER BY nodes.name";
        let mut tx = self.read().await?;
        let limits = json(&limits)?;
        let rows = tx
            .rows(statement, [limits.into(), ago(whole).into()])
            .await?;
        let names: Vec<NodeName> = rows
            .iter()
            .map(|row| row.parse(0, "a node's name"))
            .collect::<Result<_, _>>()?;
        read::nodes(&mut tx, &names).await
    }
}

type ProvisionRow<'a> = (
    &'a str,
    Option<&'static str>,
    Option<&'a str>,
    Option<&'a str>,
    Option<&'a str>,
);

/// One row a node; of several changes to one node the last counts.
fn provision_rows(changes: &[Provision]) -> Vec<ProvisionRow<'_>> {
    let mut last = std::collections::BTreeMap::new();
    for change in changes {
        let (token, failure) = (change.deploy_token.as_deref(), change.failure.as_deref());
        let (name, state) = (change.name.as_str(), change.state.as_str());
        last.insert(
            name,
            (name, state, change.osimage.as_deref(), token, failure),
        );
    }
    last.into_values().collect()
}

/// Images may be removed at any time up to here; a node that is deploying keeps its own from it.
async fn check_images(tx: &mut Tx, changes: &[Provision]) -> Result<(), StoreError> {
    let deploying = changes
        .iter()
        .filter(|change| change.state == State::Deploying);
    let images: std::collections::BTreeSet<&String> = deploying
        .filter_map(|change| change.osimage.as_ref())
        .collect();
    let statement = "
        SELECT value ->> 0 FROM json_each($1)
        WHERE value ->> 0 NOT IN (SELECT name FROM osimages)";
    for chunk in chunks_of(images)? {
        if let Some(row) = tx.row(statement, [chunk.into()]).await? {
            let image = row.text(0)?;
            return Err(StoreError::NotFound(format!(
                "osimage {image} does not exist any more"
            )));
        }
    }
    Ok(())
}
