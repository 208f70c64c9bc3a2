//! A batch from beginning to end: reserve its nodes, carry the operation out, record each outcome,
//! let the nodes go, have the next wave begin.
//!
//! A batch may have been begun before, by a conductor that died: then only its nodes without outcome
//! are left. Their reservation is taken over when its time is over, and not before, because a
//! conductor that is silent may still be at work.

use std::collections::HashSet;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::Instant;
use xcat3_core::{Node, NodeName, Operation, Outcome};
use xcat3_drivers::control::{
    BmcCredentials, Lease, Password, Rejections, wants_default_credentials,
};
use xcat3_service::bus::{Topic, Work};
use xcat3_store::{Batch, LOCKED, NOT_FOUND, StoreError};

use crate::Conductor;
use crate::decide::Change;
use crate::discover::targets;
use crate::drive::Drive;
use crate::outcomes::Recorder;
use crate::tenure::{Tenure, Unfinished};

/// How long a machine's own word waits for nodes that another operation holds. A machine can't be
/// asked to come back later as an operator can.
const CALLBACK_PATIENCE: Duration = Duration::from_secs(20);
/// Between two attempts to reserve such a node.
const RESERVE_PAUSE: Duration = Duration::from_millis(200);
/// Between two looks at a batch that another conductor holds.
const AWAIT_PAUSE: Duration = Duration::from_millis(500);
/// The passwd entry with the credentials of BMCs whose nodes have none of their own.
const BMC_CREDENTIALS: &str = "bmc";
/// Outcomes on their way from drivers to the store, at most.
pub(crate) const ON_THEIR_WAY: usize = 1_024;

/// The nodes of a batch that it may work on.
#[derive(Default)]
pub(crate) struct Held {
    /// The reservation; none where the operation shares its nodes.
    pub(crate) tenure: Option<Tenure>,
    pub(crate) nodes: Vec<Node>,
    /// Nodes that another operation holds.
    locked: Vec<NodeName>,
    /// Nodes whose deploy an earlier attempt at this batch began.
    pub(crate) begun: Vec<NodeName>,
}

/// What an attempt to hold the nodes of a batch came to.
enum Hold {
    Held(Held),
    /// An earlier attempt may still be at work on some of them.
    Awaited,
}

impl Conductor {
    /// Carries a batch out. When this returns well, each of its nodes has an outcome.
    pub(crate) async fn carry_out(&self, work: Work) -> Result<(), Unfinished> {
        let Some((batch, held)) = self.take(work).await? else {
            return Ok(());
        };
        let fence = held.tenure.map(|tenure| tenure.fence);
        let recorder = self.recorder(&batch, &held);
        recorder.record_free(&left_out(&batch.names, &held)).await?;
        self.act(&batch.operation, held, &recorder).await?;
        Ok(self.finish(work, fence).await?)
    }

    /// Ends a batch that killed whoever tried it: its nodes are told so.
    pub(crate) async fn give_up(&self, work: Work, reason: &str) -> Result<(), Unfinished> {
        let Some((batch, held)) = self.take(work).await? else {
            return Ok(());
        };
        let fence = held.tenure.map(|tenure| tenure.fence);
        let recorder = self.recorder(&batch, &held);
        recorder.record_free(&left_out(&batch.names, &held)).await?;
        let failed = |node: &Node| (node.name.clone(), Outcome::failed(reason));
        let outcomes: Vec<_> = held.nodes.iter().map(failed).collect();
        recorder.record(&outcomes).await?;
        Ok(self.finish(work, fence).await?)
    }

    /// Begins a batch and takes its nodes; nothing where nothing is left to be done.
    async fn take(&self, work: Work) -> Result<Option<(Batch, Held)>, StoreError> {
        let mut patience = None;
        loop {
            let turn = self.taking(work.lane).acquire().await;
            let begin = || self.store.begin_batch(work.job, work.batch);
            let Some(batch) = self.patience.persist("batch", begin).await? else {
                return Ok(None);
            };
            if batch.names.is_empty() {
                self.finish(work, None).await?;
                return Ok(None);
            }
            let end = *patience.get_or_insert_with(|| Instant::now() + patience_for(&batch));
            let held = self.hold(&batch).await?;
            drop(turn);
            match held {
                Hold::Awaited => tokio::time::sleep(AWAIT_PAUSE).await,
                Hold::Held(held) if held.locked.is_empty() || Instant::now() >= end => {
                    return Ok(Some((batch, held)));
                }
                Hold::Held(_) => tokio::time::sleep(RESERVE_PAUSE).await,
            }
        }
    }

    /// Notes the end of a batch and has those begin that waited for it.
    async fn finish(&self, work: Work, fence: Option<i64>) -> Result<(), StoreError> {
        let finish = || self.store.finish_batch(work.job, work.batch, fence);
        let open = self.patience.persist("end of a batch", finish).await?;
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

    fn recorder(&self, batch: &Batch, held: &Held) -> Recorder<'_> {
        Recorder {
            store: &self.store,
            bus: self.bus.as_ref(),
            patience: &self.patience,
            job: batch.job,
            tenure: held.tenure,
            left: AtomicUsize::new(held.nodes.len()),
            lost: AtomicUsize::new(0),
        }
    }

    async fn act(
        &self,
        operation: &Operation,
        held: Held,
        recorder: &Recorder<'_>,
    ) -> Result<(), Unfinished> {
        let Some(tenure) = held.tenure else {
            return Ok(self
                .drive(operation, held.nodes, Lease::endless(), recorder)
                .await?);
        };
        let (result, lasted) = match Change::of(operation) {
            Some(change) => {
                let work = |_| self.provision(change, &held, tenure, recorder);
                tenure.during(recorder, work).await
            }
            None => {
                let work = |lease| async {
                    let driven = self.drive(operation, held.nodes, lease, recorder);
                    driven.await.map_err(Unfinished::from)
                };
                tenure.during(recorder, work).await
            }
        };
        let lost = recorder.lost.load(Ordering::Acquire);
        if !lasted || lost > 0 || matches!(result, Err(Unfinished::Lost)) {
            // What is still held is free for whoever tries again.
            let release = || self.store.release(tenure.fence);
            self.patience.persist("reservation", release).await?;
            return Err(Unfinished::Lost);
        }
        result
    }

    /// Has drivers do `operation` to `nodes`, and records what they say as they say it.
    async fn drive(
        &self,
        operation: &Operation,
        nodes: Vec<Node>,
        lease: Lease,
        recorder: &Recorder<'_>,
    ) -> Result<(), StoreError> {
        let operation = match operation {
            Operation::Control(operation) => operation,
            Operation::Discover(discovery) => {
                return self.discover(discovery, &nodes, recorder).await;
            }
            _ => return Ok(()),
        };
        let credentials = self.credentials(&nodes).await?;
        let rejections = self.rejections(&nodes).await?;
        let (sender, outcomes) = mpsc::channel(ON_THEIR_WAY);
        let drive = Drive {
            controls: self.controls.as_ref(),
            operation,
            deadline: self.settings.operation_deadline_s.duration(),
            lease,
            credentials,
            rejections: &rejections,
        };
        let recording = recorder.stream(outcomes, &rejections);
        let ((), recorded) = tokio::join!(drive.all(nodes, sender), recording);
        recorded
    }

    /// The credentials that the BMCs of `nodes` are known to reject.
    async fn rejections(&self, nodes: &[Node]) -> Result<Rejections, StoreError> {
        let begun = Instant::now();
        let read = || self.store.bmc_rejections(nodes);
        let known = self.patience.persist("rejections", read).await?;
        Ok(Rejections::new(begun, known))
    }

    /// The credentials of BMCs, from the passwd entry `bmc`, if any of `nodes` has none of its own.
    pub(crate) async fn credentials(
        &self,
        nodes: &[Node],
    ) -> Result<Option<BmcCredentials>, StoreError> {
        if !nodes.iter().any(wants_default_credentials) {
            return Ok(None);
        }
        let read = || self.store.passwd(BMC_CREDENTIALS);
        let passwd = self.patience.persist("passwd", read).await?;
        let Some(password) = passwd.as_ref().and_then(|passwd| passwd.password.as_ref()) else {
            return Ok(None);
        };
        let username = passwd.as_ref().and_then(|passwd| passwd.username.clone());
        Ok(Some(BmcCredentials {
            username: username.unwrap_or_default(),
            password: Password::new(password),
        }))
    }

    /// Reserves the nodes of `batch`, or just reads them where the operation shares them.
    async fn hold(&self, batch: &Batch) -> Result<Hold, StoreError> {
        let names = &batch.names;
        if let Operation::Discover(discovery) = &batch.operation {
            return Ok(Hold::Held(Held {
                nodes: targets(discovery, names),
                ..Held::default()
            }));
        }
        if batch.operation.is_shared() {
            let read = || self.store.nodes(names);
            let nodes = self.patience.persist("nodes", read).await?;
            return Ok(Hold::Held(Held {
                nodes,
                ..Held::default()
            }));
        }
        let (owner, purpose) = (self.slot.owner(), batch.purpose());
        let length = self.settings.reservation_s.duration();
        let mut until = Instant::now() + length;
        let reserve = || {
            until = Instant::now() + length;
            let store = &self.store;
            store.reserve_batch(batch.job, names, &owner, &purpose, length)
        };
        let reserved = self.patience.persist("reservation", reserve).await?;
        let fence = reserved.fence;
        if !reserved.awaited.is_empty() {
            let release = || self.store.release(fence);
            self.patience.persist("reservation", release).await?;
            return Ok(Hold::Awaited);
        }
        Ok(Hold::Held(Held {
            tenure: Some(Tenure {
                fence,
                until,
                length,
            }),
            nodes: reserved.nodes,
            locked: reserved.locked,
            begun: reserved.begun,
        }))
    }
}

/// How long a batch waits for nodes that another operation holds.
fn patience_for(batch: &Batch) -> Duration {
    match batch.operation {
        Operation::Callback => CALLBACK_PATIENCE,
        _ => Duration::ZERO,
    }
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
