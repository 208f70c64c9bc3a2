//! The control driver `fake`: machines that don't exist, for rehearsals, benchmarks and tests.
//!
//! Nothing is driven. Power and boot device of a fake machine are remembered in a file that all
//! conductor processes of a host share ([`journal`]), as slowly and as unreliably as is asked for
//! ([`manner`]). Hosts don't share it: for several hosts it has to be on a file system which does.

mod journal;
mod manner;

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::{OnceCell, mpsc};
use tokio::time::{Instant, sleep_until};
use xcat3_core::{Node, NodeName, Outcome};

use self::journal::Journal;
use self::manner::Manner;
use super::{ControlDriver, ControlOrder, FakeConfig};

pub use self::manner::Rate;

/// Of how many machines actions are noted at once: what was done to them and not told yet is few.
const GROUP: usize = 256;

/// The driver `fake`. Made once: it keeps its journal open.
pub struct Fake {
    config: FakeConfig,
    journal: OnceCell<Arc<Mutex<Journal>>>,
}

impl Fake {
    /// The driver as configured. Its journal is opened when the first fake machine is driven.
    #[must_use]
    pub fn new(config: FakeConfig) -> Self {
        Self {
            config,
            journal: OnceCell::new(),
        }
    }

    async fn journal(&self) -> Result<Arc<Mutex<Journal>>, String> {
        let open = || async {
            let path = self.config.journal.clone();
            let opening = tokio::task::spawn_blocking(move || Journal::open(&path));
            let opened = opening.await.map_err(std::io::Error::other).flatten();
            opened.map(|journal| Arc::new(Mutex::new(journal)))
        };
        let journal = self.journal.get_or_try_init(open).await;
        journal.cloned().map_err(|error| self.forgetful(&error))
    }

    /// Why machines can't remember.
    fn forgetful(&self, error: &std::io::Error) -> String {
        let path = self.config.journal.display();
        format!("fake machines are kept in {path}, which cannot be used: {error}")
    }

    /// Does the order to those of its machines that answer now; those in `group` have a reason
    /// where they fail.
    async fn act(&self, order: &ControlOrder<'_>, group: &[Asked<'_>]) -> Vec<(NodeName, Outcome)> {
        let working: Vec<&NodeName> = group
            .iter()
            .filter(|(_, failure)| failure.is_none())
            .map(|(node, _)| &node.name)
            .collect();
        let answers = match self.journal().await {
            Ok(journal) => {
                let mut journal = journal.lock().unwrap_or_else(PoisonError::into_inner);
                let answers = journal.act(order.operation, &working);
                answers.map_err(|error| self.forgetful(&error))
            }
            Err(reason) => Err(reason),
        };
        let mut answers = answers.map(Vec::into_iter);
        let mut next = || match &mut answers {
            Ok(answers) => match answers.next() {
                Some(Ok(word)) => Outcome::Done(word),
                Some(Err(reason)) => Outcome::failed(reason),
                None => Outcome::failed("the fake machine gave no answer"),
            },
            Err(reason) => Outcome::failed(reason),
        };
        let outcome = |(node, failure): &Asked<'_>| {
            let outcome = match failure {
                Some(reason) => Outcome::failed(reason),
                None => next(),
            };
            (node.name.clone(), outcome)
        };
        group.iter().map(outcome).collect()
    }

    /// The machines by the time that each takes.
    fn by_time<'n>(&self, nodes: &'n [Node]) -> BTreeMap<Duration, Vec<Asked<'n>>> {
        let mut all: BTreeMap<Duration, Vec<Asked<'n>>> = BTreeMap::new();
        for node in nodes {
            let (takes, failure) = match Manner::of(node, &self.config) {
                Ok(manner) => (manner.takes(), manner.fails()),
                Err(reason) => (Duration::ZERO, Some(reason)),
            };
            all.entry(takes).or_default().push((node, failure));
        }
        all
    }
}

/// A machine, and why it fails this time if it does.
type Asked<'n> = (&'n Node, Option<String>);

#[async_trait]
impl ControlDriver for Fake {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        let start = Instant::now();
        let mut by_time = self.by_time(order.nodes);
        let late = by_time.split_off(&order.deadline.saturating_add(Duration::from_nanos(1)));
        // However many machines there are, there is one sleep a millisecond at most.
        for (takes, all) in by_time {
            if !takes.is_zero() {
                sleep_until(start + takes).await;
            }
            for group in all.chunks(GROUP) {
                if !order.lease.holds().await {
                    return;
                }
                for outcome in self.act(&order, group).await {
                    if outcomes.send(outcome).await.is_err() {
                        return;
                    }
                }
            }
        }
        if late.is_empty() {
            return;
        }
        sleep_until(start + order.deadline).await;
        let seconds = order.deadline.as_secs_f32();
        for (takes, all) in late {
            let takes = takes.as_secs_f32();
            let reason = format!("fake machine: not done within {seconds} s, it takes {takes} s");
            for (node, _) in all {
                // Nobody may listen any more.
                let _ = outcomes
                    .send((node.name.clone(), Outcome::failed(&reason)))
                    .await;
            }
        }
    }
}
