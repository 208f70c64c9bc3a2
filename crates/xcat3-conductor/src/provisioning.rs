//! Changing the provisioning state of the nodes of a batch: decide for each, write all in one
//! transaction, and say `ok` when every network service serves it. The hardware is not touched.

use std::collections::HashSet;
use std::fmt::Write;

use xcat3_core::passwd::SYSTEM;
use xcat3_core::{NodeName, Outcome};
use xcat3_service::served;
use xcat3_store::{Provision, Revision, StoreError};

use crate::Conductor;
use crate::batch::Held;
use crate::decide::{Change, Facts, decide};
use crate::outcomes::Recorder;
use crate::tenure::{Tenure, Unfinished};

impl Conductor {
    /// Makes `change` on the nodes that are held and records what came of each.
    pub(crate) async fn provision(
        &self,
        change: Change<'_>,
        held: &Held,
        tenure: Tenure,
        recorder: &Recorder<'_>,
    ) -> Result<(), Unfinished> {
        let read = || self.facts(change);
        let facts = self.patience.persist("facts of a deploy", read).await?;
        let (changes, refused) = decide_all(change, held, &facts);
        recorder.record(&refused).await?;
        let (mut revision, mut still) = self.write(tenure.fence, &changes).await?;
        let decided = changes.iter().map(|change| &change.name);
        let decided: Vec<&NodeName> = decided.chain(done(change, held)).collect();
        if decided.iter().any(|name| !still.contains(*name)) {
            // Its time may have run out while the database was away, and nobody took them.
            recorder.regain(tenure).await?;
            (revision, still) = self.write(tenure.fence, &changes).await?;
        }
        let (written, lost): (Vec<&NodeName>, Vec<&NodeName>) =
            decided.into_iter().partition(|name| still.contains(*name));
        if !written.is_empty() {
            let outcome = self.when_served(revision).await?;
            let told = |name: &NodeName| (name.clone(), outcome.clone());
            let outcomes: Vec<_> = written.into_iter().map(told).collect();
            recorder.record(&outcomes).await?;
        }
        match lost.is_empty() {
            true => Ok(()),
            // Whoever holds them now knows; what they leave undone is tried again.
            false => Err(Unfinished::Lost),
        }
    }

    /// Writes `changes` to those of the nodes that are held; gives the revision, and who is held.
    async fn write(
        &self,
        fence: i64,
        changes: &[Provision],
    ) -> Result<(Revision, HashSet<NodeName>), StoreError> {
        let write = || self.store.provision(fence, changes);
        let revision = self.patience.persist("provisioning", write).await?;
        let ask = || self.store.held(fence);
        let still = self.patience.persist("reservations", ask).await?;
        Ok((revision, still.into_iter().collect()))
    }

    /// The outcome of what was written as `revision`, once every network service serves it or the
    /// time for that is over.
    async fn when_served(&self, revision: Revision) -> Result<Outcome, StoreError> {
        let deadline = self.settings.serve_deadline_s.duration();
        let wait = || served::wait(&self.store, &self.bus, revision, deadline);
        let served = self.patience.persist("served revisions", wait);
        Ok(match served.await? {
            Ok(()) => Outcome::OK,
            Err(lagging) => Outcome::Failed(lagging),
        })
    }

    /// What `change` depends on beside the nodes.
    async fn facts(&self, change: Change<'_>) -> Result<Facts, StoreError> {
        if !matches!(change, Change::Deploy { .. }) {
            return Ok(Facts::default());
        }
        let images = self.store.osimages().await?;
        Ok(Facts {
            images: images
                .into_iter()
                .map(|image| (image.name.clone(), image))
                .collect(),
            networks: self.store.networks().await?,
            system: self.store.passwd(SYSTEM).await?,
        })
    }
}

/// The nodes that an earlier attempt at this batch wrote before it died. Deploying them is done;
/// deciding again would refuse them, since they are deploying already.
fn done<'a>(change: Change<'_>, held: &'a Held) -> &'a [NodeName] {
    match change {
        Change::Deploy { .. } => &held.begun,
        Change::ServeDhcp | Change::Undo | Change::Callback => &[],
    }
}

/// What is written, and the outcomes of the nodes of which nothing is.
fn decide_all(
    change: Change<'_>,
    held: &Held,
    facts: &Facts,
) -> (Vec<Provision>, Vec<(NodeName, Outcome)>) {
    let done: HashSet<&NodeName> = done(change, held).iter().collect();
    let mut changes = Vec::with_capacity(held.nodes.len());
    let mut refused = Vec::new();
    for node in held.nodes.iter().filter(|node| !done.contains(&node.name)) {
        match decide(change, node, facts, token) {
            Ok(provision) => changes.push(provision),
            Err(reason) => refused.push((node.name.clone(), Outcome::Failed(reason))),
        }
    }
    (changes, refused)
}

/// A secret that is hard to guess: 128 random bits in hexadecimal.
fn token() -> String {
    let bytes: [u8; 16] = rand::random();
    bytes
        .iter()
        .fold(String::with_capacity(32), |mut text, byte| {
            // Writing to a string can't fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_tokens_are_alike() {
        let tokens: HashSet<String> = (0..1000).map(|_| token()).collect();
        assert_eq!(tokens.len(), 1000);
        assert!(tokens.iter().all(|token| token.len() == 32));
    }
}
