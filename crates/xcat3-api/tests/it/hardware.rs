//! Machines that do what they are told and remember it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_conductor::FindControl;
use xcat3_core::{BootDevice, Node, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{ControlDriver, ControlOperation};

/// Whether each node is powered and what it boots from.
#[derive(Clone, Default)]
pub struct Machines(Arc<Mutex<HashMap<NodeName, (bool, &'static str)>>>);

impl Machines {
    fn act(&self, operation: ControlOperation, name: &NodeName) -> Outcome {
        let mut machines = self.0.lock().unwrap();
        let (powered, device) = machines.entry(name.clone()).or_insert((false, "disk"));
        match operation {
            ControlOperation::PowerStatus => Outcome::Done(if *powered { "on" } else { "off" }),
            ControlOperation::BootDeviceStatus => Outcome::Done(device),
            ControlOperation::Power(target) => {
                *powered = target != PowerTarget::Off;
                Outcome::OK
            }
            ControlOperation::SetBootDevice(to) => {
                *device = match to {
                    BootDevice::Net => "net",
                    BootDevice::Disk => "disk",
                    BootDevice::Cdrom => "cdrom",
                };
                Outcome::OK
            }
        }
    }
}

#[async_trait]
impl ControlDriver for Machines {
    async fn run(
        &self,
        operation: ControlOperation,
        nodes: &[Node],
        outcomes: mpsc::Sender<(NodeName, Outcome)>,
        _: Duration,
    ) {
        for node in nodes {
            let outcome = self.act(operation, &node.name);
            if outcomes.send((node.name.clone(), outcome)).await.is_err() {
                return;
            }
        }
    }
}

impl FindControl for Machines {
    fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        (mgt == "kvm").then_some(self as &dyn ControlDriver)
    }
}
