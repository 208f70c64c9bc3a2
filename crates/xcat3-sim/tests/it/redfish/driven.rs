//! A control driver at work on a plant, of which the test sees the machines themselves.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::runtime::Runtime;
use tokio::sync::mpsc;
use xcat3_core::{ControlOperation, Node, NodeName, Outcome};
use xcat3_drivers::control::openbmc::Openbmc;
use xcat3_drivers::control::redfish::Redfish;
use xcat3_drivers::control::{
    BmcConfig, ControlDriver, ControlOrder, Lease, RedfishConfig, Rejections,
};
use xcat3_sim::bmc::redfish::{Flavour, Options};

use super::plant::Plant;

/// The driver and the plant that it drives.
pub(super) struct Driven {
    pub(super) plant: Plant,
    driver: Box<dyn ControlDriver>,
    runtime: Runtime,
}

impl Driven {
    pub(super) fn of(count: usize, options: Options) -> Self {
        Self::by("redfish", count, options)
    }

    pub(super) fn by(mgt: &str, count: usize, options: Options) -> Self {
        let plant = Plant::of(count, options);
        let config = RedfishConfig {
            ca_file: Some(PathBuf::from(plant.ca())),
            ..RedfishConfig::new(PathBuf::from(plant.ca()).with_file_name("known_bmcs"))
        };
        Self {
            plant,
            driver: match mgt {
                "openbmc" => Box::new(Openbmc::new(&config, &BmcConfig::default())),
                _ => Box::new(Redfish::new(&config, &BmcConfig::default())),
            },
            runtime: Runtime::new().unwrap(),
        }
    }

    /// A node for the machine, with these words beyond its address and login.
    pub(super) fn node(&self, index: usize, more: &Value) -> Node {
        let mut info = json!({"bmc_address": self.plant.machines.address(index).to_string(),
            "bmc_port": self.plant.face().port(), "bmc_username": "admin", "bmc_password": "password"});
        for (key, value) in more.as_object().unwrap() {
            info[key] = value.clone();
        }
        let mut node = Node::new(format!("n{index}").parse().unwrap());
        node.declared.mgt = Some("redfish".to_owned());
        node.declared.control_info = info.as_object().unwrap().clone();
        node
    }

    pub(super) fn all(
        &self,
        operation: &ControlOperation,
        nodes: &[Node],
        deadline: Duration,
    ) -> BTreeMap<String, Outcome> {
        self.runtime.block_on(async {
            let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(16);
            let lease = Lease::endless();
            let order = ControlOrder {
                operation,
                nodes,
                deadline,
                lease: &lease,
                default_credentials: None,
                rejections: &Rejections::none(),
            };
            let collect = async {
                let mut outcomes = BTreeMap::new();
                while let Some((name, outcome)) = receiver.recv().await {
                    assert!(
                        outcomes.insert(name.to_string(), outcome).is_none(),
                        "one a node"
                    );
                }
                outcomes
            };
            let ((), outcomes) = tokio::join!(self.driver.run(order, sender), collect);
            outcomes
        })
    }

    pub(super) fn ask(&self, index: usize, operation: &ControlOperation) -> Outcome {
        self.ask_as(index, operation, &json!({}))
    }

    pub(super) fn ask_as(
        &self,
        index: usize,
        operation: &ControlOperation,
        more: &Value,
    ) -> Outcome {
        let node = self.node(index, more);
        let mut outcomes = self.all(operation, &[node], Duration::from_secs(120));
        outcomes.remove(&format!("n{index}")).unwrap()
    }

    pub(super) fn done(&self, operation: &ControlOperation) {
        let outcome = self.ask(0, operation);
        assert_eq!(outcome, Outcome::OK, "{}", operation.words());
    }

    pub(super) fn report(&self, operation: &ControlOperation) -> Value {
        match self.ask(0, operation) {
            Outcome::Report(report) => serde_json::from_str(report.json()).unwrap(),
            other => panic!("{other:?}"),
        }
    }

    pub(super) fn refused(&self, operation: &ControlOperation) -> String {
        match self.ask(0, operation) {
            Outcome::Failed(sentence) => sentence,
            other => panic!("{other:?}"),
        }
    }
}

/// Does what is to be done with a machine of each flavour.
pub(super) fn each_flavour(check: impl Fn(&Driven, Flavour)) {
    for flavour in Flavour::ALL {
        eprintln!("{}", flavour.name());
        let options = Options {
            flavours: flavour.into(),
            task_time: Duration::from_millis(200),
            ..Options::default()
        };
        check(&Driven::of(1, options), flavour);
    }
}
