//! Who of the nodes was told its outcome: each exactly once, whatever happens.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::mpsc;
use xcat3_core::{Node, NodeName, Outcome};

/// A node and whether it was told.
pub struct Asked<'n> {
    /// The node.
    pub node: &'n Node,
    told: AtomicBool,
}

impl<'n> Asked<'n> {
    /// A node that was not told anything yet.
    pub fn new(node: &'n Node) -> Self {
        Self {
            node,
            told: AtomicBool::new(false),
        }
    }
}

/// Where outcomes go.
pub struct Report {
    outcomes: mpsc::Sender<(NodeName, Outcome)>,
}

impl Report {
    /// Outcomes go to `outcomes`.
    pub fn new(outcomes: mpsc::Sender<(NodeName, Outcome)>) -> Self {
        Self { outcomes }
    }

    /// Tells a node its outcome, unless it was told one. Given up half-way, it has told nothing.
    pub async fn tell(&self, asked: &Asked<'_>, outcome: Outcome) {
        if asked.told.load(Ordering::Relaxed) {
            return;
        }
        // A receiver that went away does not want to know.
        let _ = self.outcomes.send((asked.node.name.clone(), outcome)).await;
        asked.told.store(true, Ordering::Relaxed);
    }

    /// Tells all that were not told yet why nothing can be said of them.
    pub async fn tell_rest(&self, asked: &[&Asked<'_>], reason: &str) {
        for asked in asked {
            self.tell(asked, Outcome::failed(reason)).await;
        }
    }
}
