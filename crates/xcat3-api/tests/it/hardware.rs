//! Machines that do what they are told and remember it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use tokio::sync::mpsc;
use xcat3_conductor::FindControl;
use xcat3_core::{BootDevice, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{ControlDriver, ControlOperation, ControlOrder};

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
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        for node in order.nodes {
            let outcome = self.act(order.operation, &node.name);
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
