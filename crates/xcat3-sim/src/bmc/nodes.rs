//! The simulated machines as nodes: the body of a `POST /v1/nodes` that enrols them.

use serde_json::{Value, json};

use super::Machines;

/// How the nodes are driven.
pub struct Driven<'a> {
    /// The control driver.
    pub mgt: &'a str,
    /// The port of the BMCs.
    pub port: u16,
    /// Their user.
    pub user: &'a str,
    /// The user's password.
    pub password: &'a str,
    /// How a BMC is known (`bmc_tls`), where that is not by an authority's certificate.
    pub tls: Option<&'static str>,
}

/// All machines as nodes, named `sim1` and so on.
#[must_use]
pub fn nodes(machines: &Machines, driven: &Driven<'_>) -> Value {
    let nodes = (0..machines.len()).map(|index| {
        let macs = machines.machine(index).macs.clone();
        let nics = macs.iter().enumerate().map(|(number, mac)| {
            json!({"name": format!("eth{number}"), "mac": mac, "primary": number == 0})
        });
        let mut control = json!({
            "bmc_address": machines.address(index).to_string(),
            "bmc_port": driven.port,
            "bmc_username": driven.user,
            "bmc_password": driven.password,
        });
        if let Some(tls) = driven.tls {
            control["bmc_tls"] = json!(tls);
        }
        json!({
            "name": format!("sim{}", index + 1),
            "mgt": driven.mgt,
            "netboot": "pxe",
            "arch": "x86_64",
            "control_info": control,
            "nics_info": {"nics": nics.collect::<Vec<_>>()},
        })
    });
    json!({"nodes": nodes.collect::<Vec<_>>()})
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    #[test]
    fn a_node_names_its_bmc_and_its_nics() {
        let machines = Machines::new(Ipv4Addr::new(127, 2, 0, 255), 2);
        let driven = Driven {
            mgt: "redfish",
            port: 8443,
            user: "admin",
            password: "password",
            tls: Some("first-use"),
        };
        let nodes = nodes(&machines, &driven);
        let second = &nodes["nodes"][1];
        assert_eq!(second["name"], "sim2");
        assert_eq!(second["control_info"]["bmc_address"], "127.2.1.0");
        assert_eq!(second["control_info"]["bmc_tls"], "first-use");
        let mac = &second["nics_info"]["nics"][0]["mac"];
        assert_eq!(*mac, machines.machine(1).macs[0].as_str());
        assert_ne!(*mac, nodes["nodes"][0]["nics_info"]["nics"][0]["mac"]);
    }
}
