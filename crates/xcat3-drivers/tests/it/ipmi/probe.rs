//! Looking for BMCs: `ipmi_sim` is found at its address, and nobody at another.

use std::net::Ipv4Addr;

use tokio::sync::mpsc;
use xcat3_core::hardware::FoundBmc;
use xcat3_core::{CertificateTrust, NodeName, Outcome, addresses};
use xcat3_drivers::control::{BmcCredentials, Password, ProbeOrder};

use super::controls;
use super::sim::{PASSWORD, Sim, USER};

async fn probe(port: u16, password: Option<&str>) -> Vec<(NodeName, Outcome)> {
    let target = |last| {
        let address = Ipv4Addr::new(127, 0, 0, last);
        (addresses::target(address).unwrap(), address)
    };
    let targets = [target(1), target(2)];
    let credentials = password.map(|password| BmcCredentials {
        username: USER.to_owned(),
        password: Password::new(password),
    });
    let order = ProbeOrder {
        targets: &targets,
        port: Some(port),
        credentials: credentials.as_ref(),
        tls: CertificateTrust::Verify,
    };
    let (sender, mut receiver) = mpsc::channel(4);
    let controls = controls();
    controls.driver("ipmi").unwrap().probe(order, sender).await;
    let mut told = Vec::new();
    while let Some(outcome) = receiver.recv().await {
        told.push(outcome);
    }
    told.sort_by(|a, b| a.0.cmp(&b.0));
    told
}

fn found(told: &[(NodeName, Outcome)]) -> FoundBmc {
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(told[1].1, Outcome::SILENT);
    let Outcome::Report(report) = &told[0].1 else {
        panic!("{told:?}");
    };
    serde_json::from_str(report.json()).unwrap()
}

#[tokio::test]
#[ignore = "real: programs"]
async fn a_bmc_is_found_and_says_who_it_is_to_who_logs_in() {
    let sim = Sim::start("").await;
    let known = found(&probe(sim.port, Some(PASSWORD)).await);
    assert_eq!(known.address, "127.0.0.1");
    assert_eq!(known.protocol.as_deref(), Some("IPMI 2.0"));
    let bmc = known.bmc.unwrap();
    assert!(
        bmc.firmware.is_some() && bmc.manufacturer.is_some(),
        "{bmc:?}"
    );
    for (password, why) in [(Some("wrong"), "no login"), (None, "passwd entry 'bmc'")] {
        let unknown = found(&probe(sim.port, password).await);
        assert_eq!(unknown.protocol.as_deref(), Some("IPMI 2.0"));
        assert!(unknown.bmc.is_none());
        let notes = unknown.notes.join("; ");
        assert!(notes.contains(why) && !notes.contains("wrong\""), "{notes}");
    }
}
