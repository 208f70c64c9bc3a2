//! One order on many BMCs: they are asked as slots come free, and each outcome is told as it comes.

use std::time::Duration;

use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use xcat3_core::{Node, NodeName, Outcome};

use super::super::ControlOrder;
use super::endpoint::{Bmc, credentials, endpoint};
use super::failure::Kind;
use super::lanes::{Lanes, Shared};
use super::protocol::{Asked, Protocol};
use super::slots::Slot;

/// Where outcomes go.
type Outcomes = mpsc::Sender<(NodeName, Outcome)>;

/// How far a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Waiting,
    UnderWay,
    Told,
}

impl<P: Protocol> Lanes<P> {
    /// Carries `order` out, as [`ControlDriver::run`](super::super::ControlDriver::run) says.
    pub async fn run(&self, order: ControlOrder<'_>, outcomes: Outcomes) {
        self.look_after();
        let end = Instant::now() + order.deadline;
        let mut stages = vec![Stage::Waiting; order.nodes.len()];
        tokio::select! {
            biased;
            () = self.shared.drive(&order, end, &mut stages, &outcomes) => return,
            () = sleep_until(end) => {}
        }
        for (node, stage) in order.nodes.iter().zip(stages) {
            let reason = match stage {
                Stage::Told => continue,
                Stage::UnderWay => self.shared.late(node, order.deadline),
                Stage::Waiting => too_many(order.deadline),
            };
            let failed = (node.name.clone(), Outcome::failed(reason));
            if outcomes.send(failed).await.is_err() {
                return;
            }
        }
    }

    /// How many BMCs are remembered, and with how many of them there is a session.
    #[must_use]
    pub fn count(&self) -> (usize, usize) {
        self.shared.count()
    }
}

fn too_many(deadline: Duration) -> String {
    let seconds = deadline.as_secs_f32();
    format!("its BMC was not asked within {seconds} s: too many others were before it")
}

impl<P: Protocol> Shared<P> {
    async fn drive(
        &self,
        order: &ControlOrder<'_>,
        end: Instant,
        stages: &mut [Stage],
        outcomes: &Outcomes,
    ) {
        let mut under_way = FuturesUnordered::new();
        let mut free = std::pin::pin!(self.slots.acquire());
        let mut next = 0;
        while next < order.nodes.len() || !under_way.is_empty() {
            let (number, outcome) = tokio::select! {
                biased;
                Some(told) = under_way.next() => told,
                slot = &mut free, if next < order.nodes.len() => {
                    free.set(self.slots.acquire());
                    stages[next] = Stage::UnderWay;
                    under_way.push(self.node((next, end), order, slot));
                    next += 1;
                    continue;
                }
            };
            stages[number] = Stage::Told;
            let Some(outcome) = outcome else {
                continue;
            };
            let told = (order.nodes[number].name.clone(), outcome);
            if outcomes.send(told).await.is_err() {
                return;
            }
        }
    }

    /// Does the order to one node; no outcome where the lease was lost.
    async fn node(
        &self,
        (number, end): (usize, Instant),
        order: &ControlOrder<'_>,
        slot: Slot<'_>,
    ) -> (usize, Option<Outcome>) {
        let node = &order.nodes[number];
        let bmc = match self.bmc(node, order) {
            Ok(bmc) => bmc,
            Err(reason) => return (number, Some(Outcome::failed(reason))),
        };
        let lane = self.lane(&bmc.endpoint);
        let asked = Asked {
            node,
            operation: order.operation,
            lease: order.lease,
            rejections: order.rejections,
            end,
        };
        let outcome = match self.ask(&bmc, &lane, asked, slot).await {
            Ok(outcome) => Some(outcome),
            Err(failure) if failure.kind == Kind::LeaseLost => None,
            Err(failure) => {
                let endpoint = &bmc.endpoint;
                Some(Outcome::failed(format!("BMC {endpoint}: {failure}")))
            }
        };
        (number, outcome)
    }

    fn bmc(&self, node: &Node, order: &ControlOrder<'_>) -> Result<Bmc<P::Options>, String> {
        if let Some(reason) = self.protocol.lacks(order.operation) {
            return Err(reason);
        }
        Ok(Bmc {
            endpoint: endpoint(node, self.protocol.port())?,
            credentials: credentials(node, order.default_credentials)?,
            options: self.protocol.options(node)?,
        })
    }

    /// What is said of a node whose BMC did not come to an end in time.
    fn late(&self, node: &Node, deadline: Duration) -> String {
        let seconds = deadline.as_secs_f32();
        match endpoint(node, self.protocol.port()) {
            Ok(endpoint) => format!("BMC {endpoint}: not done within {seconds} s"),
            Err(reason) => reason,
        }
    }
}
