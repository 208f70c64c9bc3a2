//! Which domain is a node's.

use xcat3_drivers::control::ControlOperation::PowerStatus;

use super::lab::LAB;
use super::{Driver, node};

#[tokio::test]
#[ignore = "real: root, programs"]
async fn a_domain_is_found_by_any_of_the_nodes_addresses() {
    LAB.define(
        "twonics",
        "",
        "",
        &["52:54:00:03:00:01", "52:54:00:03:00:02"],
    );
    let driver = Driver::new();
    for macs in [
        ["52:54:00:03:00:ff", "52:54:00:03:00:02"],
        ["52-54-00-03-00-01", "5254.0003.00FE"],
    ] {
        assert_eq!(
            driver.ask(PowerStatus, &node("twonics", &macs)).await,
            "off"
        );
    }
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn no_domain_and_two_domains_are_told_apart() {
    LAB.define("twin1", "", "", &["52:54:00:03:01:01"]);
    LAB.define("twin2", "", "", &["52:54:00:03:01:01"]);
    let driver = Driver::new();
    let place = format!("hypervisor 127.0.0.1:{}: ", LAB.port);
    let missing = node("missing", &["52:54:00:03:01:ee", "52:54:00:03:01:ef"]);
    let words = [
        &place,
        "no domain has the MAC address 52:54:00:03:01:ee or 52:54:00:03:01:ef",
    ];
    driver.fails(PowerStatus, &missing, &words).await;
    let twins = node("twins", &["52:54:00:03:01:01"]);
    let words = [
        &place,
        "2 domains have the MAC address 52:54:00:03:01:01: 'twin",
        "'twin2'",
    ];
    driver.fails(PowerStatus, &twins, &words).await;
    driver
        .fails(PowerStatus, &node("nonic", &[]), &["has no nic"])
        .await;
}

#[tokio::test]
#[ignore = "real: root, programs"]
async fn addresses_in_metadata_are_nobodys() {
    let mac = "52:54:00:03:02:01";
    LAB.define("metadata", "", "", &["52:54:00:03:02:02"]);
    let set =
        format!("metadata metadata urn:x --key x --set \"<i><mac address=\\\"{mac}\\\"/></i>\"");
    LAB.virsh(&set);
    assert!(
        LAB.virsh("dumpxml metadata").contains(mac),
        "the domain has the metadata"
    );
    let driver = Driver::new();
    driver
        .fails(PowerStatus, &node("metadata", &[mac]), &["no domain has"])
        .await;
}
