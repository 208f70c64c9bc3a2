//! BMCs on which things go wrong.

use std::time::Duration;

use tokio::sync::mpsc;
use xcat3_core::{Node, NodeName, Outcome, PowerTarget};
use xcat3_drivers::control::{ControlOperation, ControlOrder, Controls, Lease, Rejections};
use xcat3_ipmi::{CipherSuite, Credentials, Privilege, RetryPolicy, Secret, Sockets};

use super::rack::{Fault, Rack};
use super::sim::{PASSWORD, USER};
use super::{DEADLINE, controls};

/// The outcomes in the order of their coming.
async fn ask(
    controls: &Controls,
    nodes: &[Node],
    operation: &ControlOperation,
) -> Vec<(usize, String)> {
    let (sender, mut receiver) = mpsc::channel::<(NodeName, Outcome)>(4);
    let order = ControlOrder {
        operation,
        nodes,
        deadline: DEADLINE,
        lease: &Lease::endless(),
        default_credentials: None,
        rejections: &Rejections::none(),
    };
    let driver = controls.driver("ipmi").unwrap();
    let gather = async {
        let mut told = Vec::new();
        while let Some((name, outcome)) = receiver.recv().await {
            told.push((name.as_str()[1..].parse().unwrap(), outcome.to_string()));
        }
        told
    };
    tokio::join!(gather, driver.run(order, sender)).0
}

async fn status(controls: &Controls, rack: &Rack) -> Vec<(usize, String)> {
    let nodes = rack.nodes(PASSWORD);
    ask(controls, &nodes, &ControlOperation::PowerStatus).await
}

#[tokio::test]
async fn the_healthy_are_told_before_the_slow_and_these_before_the_dead() {
    let slow = Fault::Slow(Duration::from_millis(400));
    let faults: Vec<Fault> = (0..200)
        .map(|number| match number % 20 {
            5 => Fault::Dead,
            15 => slow,
            _ => Fault::None,
        })
        .collect();
    let rack = Rack::start(&faults, 4).await;
    let told = status(&controls(), &rack).await;
    assert_eq!(told.len(), faults.len());
    let ranks: Vec<usize> = told
        .iter()
        .map(|(number, said)| match (faults[*number], said.as_str()) {
            (Fault::None, "off") => 0,
            (Fault::Slow(_), "off") => 1,
            (Fault::Dead, said) if said.ends_with("does not answer") => 2,
            (fault, said) => panic!("{fault:?}: {said}"),
        })
        .collect();
    assert!(ranks.is_sorted(), "{ranks:?}");
}

#[tokio::test]
async fn a_wrong_password_reaches_the_bmc_once() {
    let rack = Rack::start(&[Fault::None], 4).await;
    let (controls, wrong) = (controls(), rack.nodes("wrong"));
    for _ in 0..5 {
        let told = ask(&controls, &wrong, &ControlOperation::PowerStatus).await;
        assert!(told[0].1.contains("password"), "{told:?}");
    }
    let asked = rack.bmcs[0].lock().unwrap().asked_to_open;
    assert_eq!(asked, 1);
    assert_eq!(status(&controls, &rack).await[0].1, "off");
}

#[tokio::test]
async fn a_session_is_kept_and_a_bmc_that_restarted_is_logged_in_to_again() {
    let rack = Rack::start(&[Fault::None], 4).await;
    let controls = controls();
    for _ in 0..5 {
        assert_eq!(status(&controls, &rack).await[0].1, "off");
    }
    assert_eq!(rack.bmcs[0].lock().unwrap().asked_to_open, 1);
    rack.bmcs[0].lock().unwrap().sessions.clear();
    let boot = ControlOperation::Power(PowerTarget::Boot);
    let told = ask(&controls, &rack.nodes(PASSWORD), &boot).await;
    assert_eq!(told[0].1, "ok");
    let bmc = rack.bmcs[0].lock().unwrap();
    assert_eq!(bmc.controlled, [1], "switched on, once");
    assert_eq!(bmc.asked_to_open, 2);
}

#[tokio::test]
async fn a_bmc_without_a_free_slot_is_asked_again_until_it_has_one() {
    let rack = Rack::start(&[Fault::None], 1).await;
    let sockets = Sockets::new();
    let credentials = Credentials {
        user: USER.into(),
        password: Secret::new(PASSWORD.as_bytes()).unwrap(),
        bmc_key: None,
        privilege: Privilege::User,
    };
    let suites = CipherSuite::ALL;
    let other = sockets
        .connect(rack.first(), credentials, &suites, RetryPolicy::default())
        .await
        .unwrap();
    let free_later = async {
        while rack.bmcs[0].lock().unwrap().asked_to_open < 3 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        other.close().await;
    };
    let controls = controls();
    let (told, ()) = tokio::join!(status(&controls, &rack), free_later);
    assert_eq!(told[0].1, "off");
}

#[tokio::test]
async fn answers_that_come_twice_or_late_do_nothing_twice() {
    let rack = Rack::start(&[Fault::Duplicate, Fault::Reorder], 4).await;
    let (controls, nodes) = (controls(), rack.nodes(PASSWORD));
    for target in [PowerTarget::On, PowerTarget::Reset, PowerTarget::Off] {
        let told = ask(&controls, &nodes, &ControlOperation::Power(target)).await;
        assert!(
            told.iter().all(|(_, said)| said == "ok"),
            "{target}: {told:?}"
        );
    }
    assert_eq!(rack.bmcs[0].lock().unwrap().controlled, [1, 3, 0]);
    assert_eq!(rack.bmcs[1].lock().unwrap().controlled, [1, 3, 0]);
    let told = status(&controls, &rack).await;
    assert!(told.iter().all(|(_, said)| said == "off"), "{told:?}");
}
