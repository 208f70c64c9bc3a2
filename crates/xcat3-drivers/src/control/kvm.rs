//! The control driver `kvm`: virtual machines on hypervisors that are reached over ssh and driven
//! with `virsh`.
//!
//! Nodes are grouped by endpoint. A hypervisor has one connection, which is kept for a while, and a
//! lane of its own: one that does not answer delays nobody else. On it, one command finds the
//! domains of all its nodes by their MAC addresses and a few more do what is to be done. No
//! process is started on the conductor's host, and nothing that a user declared is ever part of a
//! command: see [`ssh`] and [`virsh`].

mod domain_xml;
mod endpoint;
mod failure;
mod hypervisor;
mod key_file;
mod known_hosts;
mod link;
mod report;
mod ssh;
mod virsh;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use async_trait::async_trait;
use futures::future::join_all;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};
use xcat3_core::{NodeName, Outcome};

use self::endpoint::Endpoint;
use self::hypervisor::Hypervisor;
use self::report::{Asked, Report};
use super::{ControlDriver, ControlOrder, KvmConfig};

/// From how many hypervisors on those without a connection are forgotten.
const MANY: usize = 256;

/// The driver `kvm`. Made once: it keeps connections.
pub struct Kvm {
    config: KvmConfig,
    hypervisors: Mutex<HashMap<Endpoint, Arc<Hypervisor>>>,
}

impl Kvm {
    /// The driver as configured. Nothing is connected to yet.
    #[must_use]
    pub fn new(config: KvmConfig) -> Self {
        Self {
            config,
            hypervisors: Mutex::new(HashMap::new()),
        }
    }

    /// The hypervisor at `endpoint`, the same for all who ask.
    fn hypervisor(&self, endpoint: &Endpoint) -> Arc<Hypervisor> {
        let mut known = self
            .hypervisors
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if known.len() >= MANY && !known.contains_key(endpoint) {
            known.retain(|_, kept| Arc::strong_count(kept) > 1 || kept.is_in_use());
        }
        let new = || Arc::new(Hypervisor::new(endpoint.clone(), self.config.clone()));
        Arc::clone(known.entry(endpoint.clone()).or_insert_with(new))
    }
}

#[async_trait]
impl ControlDriver for Kvm {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        let end = Instant::now() + order.deadline;
        let report = Report::new(outcomes);
        let mut groups: HashMap<Endpoint, Vec<Asked<'_>>> = HashMap::new();
        for node in order.nodes {
            let asked = Asked::new(node);
            match Endpoint::of(node) {
                Ok(endpoint) => groups.entry(endpoint).or_default().push(asked),
                Err(reason) => report.tell(&asked, Outcome::failed(reason)).await,
            }
        }
        let lanes = groups.into_iter().map(|(endpoint, asked)| {
            let (hypervisor, report, order) = (self.hypervisor(&endpoint), &report, &order);
            async move {
                let asked: Vec<&Asked<'_>> = asked.iter().collect();
                let driving = hypervisor.drive(order, &asked, report);
                if timeout_at(end, driving).await.is_err() {
                    let seconds = order.deadline.as_secs_f32();
                    let late = format!("hypervisor {endpoint}: not done within {seconds} s");
                    report.tell_rest(&asked, &late).await;
                }
            }
        });
        join_all(lanes).await;
    }
}
