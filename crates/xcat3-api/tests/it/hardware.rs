//! Machines that do what they are told and remember it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use serde_json::json;
use tokio::sync::{Semaphore, mpsc};
use xcat3_conductor::FindControl;
use xcat3_core::{NodeName, Outcome, PowerTarget, Report};
use xcat3_drivers::control::{ControlDriver, ControlOperation, ControlOrder, ProbeOrder};

/// Whether each node is powered and what it boots from.
#[derive(Clone)]
pub struct Machines {
    known: Arc<Mutex<HashMap<NodeName, (bool, &'static str)>>>,
    /// What changes of hardware were ordered.
    pub told: Arc<Mutex<Vec<ControlOperation>>>,
    /// How many operations on a machine may still be carried out.
    may: Arc<Semaphore>,
}

impl Machines {
    /// Machines that are driven at once.
    pub fn ready() -> Self {
        Self::of(Semaphore::MAX_PERMITS)
    }

    /// Machines that do nothing until they may.
    pub fn held() -> Self {
        Self::of(0)
    }

    fn of(may: usize) -> Self {
        Self {
            known: Arc::default(),
            told: Arc::default(),
            may: Arc::new(Semaphore::new(may)),
        }
    }

    /// Lets `count` operations be carried out.
    pub fn release(&self, count: usize) {
        self.may.add_permits(count);
    }

    fn act(&self, operation: &ControlOperation, name: &NodeName) -> Outcome {
        let mut machines = self.known.lock().unwrap();
        let (powered, device) = machines.entry(name.clone()).or_insert((false, "disk"));
        match operation {
            ControlOperation::PowerStatus => Outcome::Done(if *powered { "on" } else { "off" }),
            ControlOperation::BootDeviceStatus => Outcome::Done(device),
            ControlOperation::Power(target) => {
                *powered = *target != PowerTarget::Off;
                Outcome::OK
            }
            ControlOperation::SetBootDevice(order) => {
                *device = order.device.as_str();
                Outcome::OK
            }
            ControlOperation::Inventory => {
                let serial = Some(format!("S-{name}"));
                Outcome::Report(Report::of(&json!({"serial": serial})).unwrap())
            }
            ControlOperation::Beacon(_)
            | ControlOperation::ClearEventLog
            | ControlOperation::SetBios(_)
            | ControlOperation::InsertMedia(_)
            | ControlOperation::EjectMedia => {
                self.told.lock().unwrap().push(operation.clone());
                Outcome::OK
            }
            ControlOperation::BeaconStatus => Outcome::Done("off"),
            other => Outcome::failed(format!("no {}", other.words())),
        }
    }
}

#[async_trait]
impl ControlDriver for Machines {
    async fn run(&self, order: ControlOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        for node in order.nodes {
            self.may.acquire().await.unwrap().forget();
            let outcome = self.act(order.operation, &node.name);
            if outcomes.send((node.name.clone(), outcome)).await.is_err() {
                return;
            }
        }
    }

    /// A BMC is at every tenth address; who logs in is known by it.
    async fn probe(&self, order: ProbeOrder<'_>, outcomes: mpsc::Sender<(NodeName, Outcome)>) {
        for (name, address) in order.targets {
            let user = order.credentials.map(|credentials| &credentials.username);
            let found = json!({"address": address, "port": order.port, "serial": user});
            let outcome = match address.octets()[3] % 10 {
                0 => Outcome::Report(Report::of(&found).unwrap()),
                _ => Outcome::SILENT,
            };
            if outcomes.send((name.clone(), outcome)).await.is_err() {
                return;
            }
        }
    }
}

impl FindControl for Machines {
    fn driver(&self, mgt: &str) -> Option<&dyn ControlDriver> {
        matches!(mgt, "kvm" | "ipmi").then_some(self as &dyn ControlDriver)
    }
}
