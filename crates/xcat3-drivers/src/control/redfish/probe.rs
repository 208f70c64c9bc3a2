//! Looking for BMCs that speak Redfish: whose service root answers is there; with credentials it is asked
//! what its machine is.
//!
//! The service root is read from whoever shows any certificate, since nothing is told to it. To log in,
//! its certificate has to be signed by an authority that is trusted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use xcat3_core::hardware::FoundBmc;
use xcat3_redfish::{Address, Client, Connector, Login, Patience, Resource, Trust};

use super::super::BmcCredentials;
use super::super::probe::{Pace, Probed};

/// Addresses a second.
const RATE: u32 = 500;
/// How patiently an address is asked.
const PATIENCE: Patience = Patience {
    connect: Duration::from_secs(4),
    request: Duration::from_secs(10),
    task: Duration::from_secs(10),
};

/// Looks for BMCs.
pub(super) struct Prober {
    connector: Arc<Connector>,
    pub pace: Pace,
}

impl Prober {
    pub fn new(connector: Arc<Connector>) -> Self {
        Self {
            connector,
            pace: Pace::new(RATE),
        }
    }

    /// What is at `address`.
    pub async fn ask(&self, address: SocketAddr, credentials: Option<&BmcCredentials>) -> Probed {
        let mut client = self.client(address, Trust::Insecure, None);
        let root = client.root().await;
        client.close().await;
        let Ok(root) = root else {
            // A web server that is no Redfish service is no BMC either.
            return None;
        };
        let mut found = said(address, &root);
        let Some(credentials) = credentials else {
            found
                .notes
                .push("not asked what it is: there is no passwd entry 'bmc'".to_owned());
            return Some(found);
        };
        let _turn = self.pace.login().await;
        let login = Login {
            user: credentials.username.clone(),
            password: credentials.password.reveal().to_owned(),
        };
        let mut client = self.client(address, Trust::Authority, Some(login));
        match client.inventory(None).await {
            Ok(inventory) => {
                found.manufacturer = inventory.manufacturer.or(found.manufacturer);
                found.model = inventory.model.or(found.model);
                found.serial = inventory.serial;
                found.uuid = inventory.uuid.or(found.uuid);
                found.bmc = inventory.bmc;
                found.macs = inventory
                    .nics
                    .into_iter()
                    .filter_map(|nic| nic.mac)
                    .collect();
                found.notes.extend(inventory.notes);
            }
            Err(error) => found.notes.push(format!("not asked what it is: {error}")),
        }
        client.close().await;
        Some(found)
    }

    fn client(&self, address: SocketAddr, trust: Trust, login: Option<Login>) -> Client {
        let host = address.ip().to_string();
        let address = Address {
            resolved: Some(address),
            ..Address::new(&host, address.port(), trust)
        };
        Client::new(Arc::clone(&self.connector), address, login, PATIENCE)
    }
}

/// What its service root says.
fn said(address: SocketAddr, root: &Resource) -> FoundBmc {
    let version = root.text("RedfishVersion").unwrap_or_default();
    FoundBmc {
        address: address.ip().to_string(),
        protocol: Some(format!("Redfish {version}").trim_end().to_owned()),
        manufacturer: root.words("Vendor"),
        model: root.words("Product"),
        // That of the service, which is the machine's with most vendors.
        uuid: root.words("UUID"),
        ..FoundBmc::default()
    }
}
