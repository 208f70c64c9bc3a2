//! Looking for BMCs: a job whose targets are addresses, which no node has to have. It is carried out by a
//! conductor because conductors are where the BMCs' network is.

use std::collections::HashSet;
use std::panic::AssertUnwindSafe;
use std::pin::pin;

use futures::FutureExt;
use tokio::sync::mpsc;
use xcat3_core::{Discovery, Node, NodeName, Outcome, addresses};
use xcat3_drivers::control::{ControlDriver, ProbeOrder, Rejections};
use xcat3_store::StoreError;

use crate::Conductor;
use crate::batch::ON_THEIR_WAY;
use crate::outcomes::Recorder;

/// The targets of a batch, each as the node that its BMC would belong to.
pub(crate) fn targets(discovery: &Discovery, names: &[NodeName]) -> Vec<Node> {
    let node = |name: &NodeName| {
        let mut node = Node::new(name.clone());
        node.declared.mgt = Some(discovery.mgt.clone());
        node
    };
    names.iter().map(node).collect()
}

impl Conductor {
    /// Has the control driver look whether there are BMCs at the addresses of `nodes`, and records what
    /// it says as it says it.
    pub(crate) async fn discover(
        &self,
        discovery: &Discovery,
        nodes: &[Node],
        recorder: &Recorder<'_>,
    ) -> Result<(), StoreError> {
        let mut refused = Vec::new();
        let mut wanted = Vec::new();
        let driver = self.controls.driver(&discovery.mgt);
        for Node { name, .. } in nodes {
            match (driver, addresses::of_target(name)) {
                (Some(_), Some(address)) => wanted.push((name.clone(), address)),
                (None, _) => {
                    let mgt = &discovery.mgt;
                    let why = format!("there is no control driver '{mgt}' in this build");
                    refused.push((name.clone(), Outcome::failed(why)));
                }
                (_, None) => refused.push((name.clone(), Outcome::failed("it is no address"))),
            }
        }
        recorder.record(&refused).await?;
        let Some(driver) = driver else {
            return Ok(());
        };
        let credentials = self.credentials(nodes).await?;
        let order = ProbeOrder {
            targets: &wanted,
            port: discovery.port,
            credentials: credentials.as_ref(),
            tls: discovery.tls,
        };
        let (sender, outcomes) = mpsc::channel(ON_THEIR_WAY);
        let probing = probe(driver, order, sender);
        let rejections = Rejections::none();
        let recording = recorder.stream(outcomes, &rejections);
        let ((), recorded) = tokio::join!(probing, recording);
        recorded
    }
}

/// Sends exactly one outcome for each target, whatever the driver does.
async fn probe(
    driver: &dyn ControlDriver,
    order: ProbeOrder<'_>,
    outcomes: mpsc::Sender<(NodeName, Outcome)>,
) {
    let mut pending: HashSet<&NodeName> = order.targets.iter().map(|(name, _)| name).collect();
    let (sender, mut told) = mpsc::channel(ON_THEIR_WAY);
    let run = AssertUnwindSafe(driver.probe(order, sender)).catch_unwind();
    let mut run = pin!(run);
    let mut running = true;
    loop {
        tokio::select! {
            biased;
            next = told.recv() => match next {
                Some((name, outcome)) if pending.remove(&name) => {
                    if outcomes.send((name, outcome)).await.is_err() {
                        // The batch was given up.
                        return;
                    }
                }
                Some(_) => {}
                None => break,
            },
            _ = &mut run, if running => running = false,
        }
    }
    for name in pending {
        let why = "the control driver gave no answer for it: see the conductor's log";
        let _ = outcomes.send((name.clone(), Outcome::failed(why))).await;
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use async_trait::async_trait;
    use xcat3_core::CertificateTrust;
    use xcat3_drivers::control::ControlOrder;

    use super::*;

    /// Does with each address what its last number says.
    struct Odd;

    #[async_trait]
    impl ControlDriver for Odd {
        async fn run(&self, _: ControlOrder<'_>, _: mpsc::Sender<(NodeName, Outcome)>) {}

        async fn probe(&self, order: ProbeOrder<'_>, to: mpsc::Sender<(NodeName, Outcome)>) {
            for (name, address) in order.targets {
                match address.octets()[3] {
                    1 => {}
                    9 => panic!("as the test wants"),
                    _ => {
                        to.send((name.clone(), Outcome::SILENT)).await.unwrap();
                        to.send((name.clone(), Outcome::OK)).await.unwrap();
                    }
                }
            }
        }
    }

    #[tokio::test]
    async fn every_target_has_one_outcome_whatever_the_driver_does() {
        let address = |last| Ipv4Addr::new(10, 0, 0, last);
        let target = |last| (addresses::target(address(last)).unwrap(), address(last));
        let targets = [target(1), target(2), target(9), target(10)];
        let order = ProbeOrder {
            targets: &targets,
            port: None,
            credentials: None,
            tls: CertificateTrust::Verify,
        };
        let (sender, mut receiver) = mpsc::channel(10);
        probe(&Odd, order, sender).await;
        let mut told = Vec::new();
        while let Some((name, outcome)) = receiver.recv().await {
            told.push((name.to_string(), outcome == Outcome::SILENT));
        }
        told.sort();
        let expected = [
            ("10-0-0-1", false),
            ("10-0-0-10", false),
            ("10-0-0-2", true),
            ("10-0-0-9", false),
        ];
        assert_eq!(
            told,
            expected.map(|(name, silent)| (name.to_owned(), silent))
        );
    }
}
