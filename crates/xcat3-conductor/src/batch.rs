//! A batch from beginning to end: reserve its nodes, carry the operation out, record each outcome,
//! let the nodes go.
//!
//! A batch may have been begun before, by a conductor that died: then only its nodes without outcome
//! are left, and their reservation is taken over.

use std::collections::HashSet;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use xcat3_core::{Node, NodeName, Operation, Outcome};
use xcat3_service::bus::{Topic, Work};
use xcat3_store::{Batch, LOCKED, NOT_FOUND, StoreError};

use crate::Conductor;
use crate::decide::Change;
use crate::drive::{control_operation, drive};
use crate::outcomes::Recorder;
use crate::persist::persist;

/// How long a machine's own word waits for nodes that another operation holds. A machine can't be
/// asked to come back later as an operator can.
const CALLBACK_PATIENCE: Duration = Duration::from_secs(20);
/// Between two attempts to reserve such a node.
const RESERVE_PAUSE: Duration = Duration::from_millis(200);
/// How much longer a reservation lasts than the work that it is for.
const RESERVE_MARGIN: Duration = Duration::from_secs(60);

/// The nodes of a batch that it may work on.
#[derive(Default)]
pub(crate) struct Held {
    /// Of the reservation; none where the operation shares its nodes.
    pub(crate) fence: Option<i64>,
    pub(crate) nodes: Vec<Node>,
    /// Nodes that another operation holds.
    locked: Vec<NodeName>,
    /// Nodes whose deploy an earlier attempt at this batch began.
    pub(crate) begun: Vec<NodeName>,
}

impl Conductor {
    /// Carries a batch out. When this returns well, each of its nodes has an outcome, or is another
    /// conductor's.
    pub(crate) async fn carry_out(&self, work: Work) -> Result<(), StoreError> {
        let begin = || self.store.begin_batch(work.job, work.batch);
        let Some(batch) = persist("batch", begin).await? else {
            return Ok(());
        };
        if batch.names.is_empty() {
            return self.finish(work, None).await;
        }
        let held = self.hold(&batch).await?;
        let fence = held.fence;
        let left_out = left_out(&batch.names, &held);
        self.recorder(&batch, None).record(&left_out).await?;
        let recorder = self.recorder(&batch, fence);
        self.act(&batch.operation, held, &recorder).await?;
        self.finish(work, fence).await
    }

    /// Ends a batch that killed whoever tried it: its nodes are told so.
    pub(crate) async fn give_up(&self, work: Work, reason: &str) -> Result<(), StoreError> {
        let begin = || self.store.begin_batch(work.job, work.batch);
        let Some(batch) = persist("batch", begin).await? else {
            return Ok(());
        };
        let held = self.hold(&batch).await?;
        let left_out = left_out(&batch.names, &held);
        self.recorder(&batch, None).record(&left_out).await?;
        let failed = |node: &Node| (node.name.clone(), Outcome::failed(reason));
        let outcomes: Vec<_> = held.nodes.iter().map(failed).collect();
        self.recorder(&batch, held.fence).record(&outcomes).await?;
        self.finish(work, held.fence).await
    }

    /// Notes the end of a batch and has those begin that waited for it.
    async fn finish(&self, work: Work, fence: Option<i64>) -> Result<(), StoreError> {
        let finish = || self.store.finish_batch(work.job, work.batch, fence);
        let open = persist("end of a batch", finish).await?;
        let next = |batch| Work { batch, ..work };
        let next: Vec<Work> = open.into_iter().map(next).collect();
        if let Err(error) = self.bus.publish(&next).await {
            tracing::warn!(job = %work.job, %error, "the next wave of a job will start late");
        }
        // The end of a batch may have answered for nodes that are left alone.
        if let Err(error) = self.bus.nudge(Topic::Job(work.job)).await {
            tracing::debug!(%error, "outcomes will be told late");
        }
        Ok(())
    }

    fn recorder(&self, batch: &Batch, fence: Option<i64>) -> Recorder<'_> {
        Recorder {
            store: &self.store,
            bus: self.bus.as_ref(),
            job: batch.job,
            fence,
        }
    }

    async fn act(
        &self,
        operation: &Operation,
        held: Held,
        recorder: &Recorder<'_>,
    ) -> Result<(), StoreError> {
        if let Some(change) = Change::of(operation) {
            return self.provision(change, &held, recorder).await;
        }
        let Some(operation) = control_operation(operation) else {
            return Ok(());
        };
        let (sender, outcomes) = mpsc::channel(1024);
        let deadline = self.settings.operation_deadline;
        let driven = drive(
            self.controls.as_ref(),
            operation,
            held.nodes,
            deadline,
            sender,
        );
        let ((), recorded) = tokio::join!(driven, recorder.stream(outcomes));
        recorded
    }

    /// Reserves the nodes of `batch`, or just reads them where the operation shares them.
    async fn hold(&self, batch: &Batch) -> Result<Held, StoreError> {
        let names = &batch.names;
        if batch.operation.is_shared() {
            let nodes = persist("nodes", || self.store.nodes(names)).await?;
            return Ok(Held {
                nodes,
                ..Held::default()
            });
        }
        let patience = match batch.operation {
            Operation::Callback => CALLBACK_PATIENCE,
            _ => Duration::ZERO,
        };
        let end = Instant::now() + patience;
        let (owner, purpose) = (&self.settings.slot.owner(), purpose(batch));
        loop {
            let turn = self.reserving.acquire().await;
            let reserve = || self.store.reserve(names, owner, &purpose, self.lease());
            let reserved = persist("reservation", reserve).await?;
            drop(turn);
            if reserved.locked.is_empty() || Instant::now() >= end {
                return Ok(Held {
                    fence: Some(reserved.fence),
                    nodes: reserved.nodes,
                    locked: reserved.locked,
                    begun: reserved.begun,
                });
            }
            tokio::time::sleep(RESERVE_PAUSE).await;
        }
    }

    /// How long a reservation lasts: as long as the longest that can be done under it.
    fn lease(&self) -> Duration {
        let settings = &self.settings;
        settings.operation_deadline.max(settings.serve_deadline) + RESERVE_MARGIN
    }
}

/// What the nodes of a batch are reserved for. It is the same for every attempt at the batch, which
/// is how a later one takes over the nodes of an earlier one.
fn purpose(batch: &Batch) -> String {
    format!("job {} batch {}", batch.job, batch.number)
}

/// The outcomes of those of `names` that can't be worked on.
fn left_out(names: &[NodeName], held: &Held) -> Vec<(NodeName, Outcome)> {
    let locked: HashSet<&NodeName> = held.locked.iter().collect();
    let there: HashSet<&NodeName> = held.nodes.iter().map(|node| &node.name).collect();
    let left_out = names.iter().filter(|name| !there.contains(name));
    let outcome = |name: &NodeName| match locked.contains(name) {
        true => Outcome::failed(LOCKED),
        false => Outcome::failed(NOT_FOUND),
    };
    left_out.map(|name| (name.clone(), outcome(name))).collect()
}
