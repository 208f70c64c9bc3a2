//! Looking for BMCs that speak IPMI: who answers without a session is there; with credentials it is asked
//! who it is.

use std::net::SocketAddr;
use std::time::Duration;

use xcat3_core::hardware::{BmcFacts, FoundBmc};
use xcat3_ipmi::command::{device, fru};
use xcat3_ipmi::{
    Capabilities, CipherSuite, Connection, Credentials, Error, Privilege, RetryPolicy, Secret,
    Sockets,
};

use super::super::BmcCredentials;
use super::super::probe::{Pace, Probed};
use super::inventory;

/// How patiently an address is asked whether anyone is there.
const ANYONE: RetryPolicy = RetryPolicy {
    first_timeout: Duration::from_millis(700),
    attempts: 3,
};
/// How patiently a BMC is asked who it is.
const SOMEONE: RetryPolicy = RetryPolicy {
    first_timeout: Duration::from_secs(1),
    attempts: 4,
};
const PRIVILEGES: [Privilege; 3] = [
    Privilege::Administrator,
    Privilege::Operator,
    Privilege::User,
];

/// Looks for BMCs.
pub(super) struct Prober {
    sockets: Sockets,
    pub pace: Pace,
}

impl Prober {
    /// One that asks at most `rate` addresses a second.
    pub fn new(rate: u32) -> Self {
        Self {
            sockets: Sockets::new(),
            pace: Pace::new(rate),
        }
    }

    /// What is at `address`.
    pub async fn ask(&self, address: SocketAddr, credentials: Option<&BmcCredentials>) -> Probed {
        let capabilities = match self.sockets.capabilities(address, ANYONE).await {
            Ok(capabilities) => Some(capabilities),
            // It answers, though it makes no sense or refuses: someone is there.
            Err(Error::Malformed(_) | Error::Refused(_)) => None,
            Err(_) => return None,
        };
        let mut found = said(address, capabilities.as_ref());
        if let Some(credentials) = credentials {
            let _turn = self.pace.login().await;
            match self.log_in(address, credentials).await {
                Ok(mut connection) => {
                    ask_who(&mut connection, &mut found).await;
                    connection.close().await;
                }
                Err(why) => found.notes.push(why),
            }
        } else {
            found
                .notes
                .push("not asked who it is: there is no passwd entry 'bmc'".to_owned());
        }
        if found.uuid.is_none()
            && let Ok(Some(guid)) = self.sockets.system_guid(address, ANYONE).await
        {
            found.uuid = Some(guid.to_string());
        }
        Some(found)
    }

    /// Logs in once with each privilege that the user may lack; a password is tried no second time.
    async fn log_in(
        &self,
        address: SocketAddr,
        credentials: &BmcCredentials,
    ) -> Result<Connection, String> {
        let password = Secret::new(credentials.password.reveal().as_bytes());
        let password =
            password.ok_or("the password of the passwd entry 'bmc' is longer than IPMI has it")?;
        let mut refused = String::new();
        for privilege in PRIVILEGES {
            let credentials = Credentials {
                user: credentials.username.as_bytes().to_vec(),
                password: password.clone(),
                bmc_key: None,
                privilege,
            };
            let suites = &CipherSuite::ALL;
            match self
                .sockets
                .connect(address, credentials, suites, SOMEONE)
                .await
            {
                Ok(connection) => return Ok(connection),
                Err(error) => {
                    refused = format!("no login: {error}");
                    if !matches!(&error, Error::Ended(over) if over.is_privilege_denied()) {
                        break;
                    }
                }
            }
        }
        Err(refused)
    }
}

/// What it said to anyone.
fn said(address: SocketAddr, capabilities: Option<&Capabilities>) -> FoundBmc {
    let version = match capabilities {
        Some(capabilities) if capabilities.version_2 => "IPMI 2.0",
        Some(_) => "IPMI 1.5",
        None => "IPMI",
    };
    FoundBmc {
        address: address.ip().to_string(),
        protocol: Some(version.to_owned()),
        ..FoundBmc::default()
    }
}

async fn ask_who(bmc: &mut Connection, found: &mut FoundBmc) {
    let mut facts = BmcFacts::default();
    match device::id(bmc).await {
        Ok(device) => {
            facts.firmware = Some(device.firmware_version());
            let number = device.manufacturer;
            let name = device.manufacturer_name().map(str::to_owned);
            facts.manufacturer = Some(name.unwrap_or_else(|| format!("enterprise {number}")));
        }
        Err(error) => found.notes.push(format!("device id: {error}")),
    }
    match device::guid(bmc).await {
        Ok(guid) => found.uuid = guid.map(|guid| guid.to_string()),
        Err(error) => found.notes.push(format!("GUID: {error}")),
    }
    match inventory::mac(bmc).await {
        Ok(mac) => facts.mac = mac,
        Err(error) => found.notes.push(format!("MAC address: {error}")),
    }
    match fru::read(bmc, 0).await {
        Ok(Some(unit)) => describe(&unit, found),
        Ok(None) => {}
        Err(error) => found.notes.push(format!("inventory: {error}")),
    }
    found.bmc = Some(facts);
}

/// Who made the machine, by what it says of the product, else of its board.
fn describe(unit: &fru::Fru, found: &mut FoundBmc) {
    let some = |text: &str| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    if let Some(product) = &unit.product {
        found.manufacturer = some(&product.manufacturer);
        found.model = some(&product.name);
        found.serial = some(&product.serial);
    }
    if let Some(board) = &unit.board {
        found.manufacturer = found
            .manufacturer
            .take()
            .or_else(|| some(&board.manufacturer));
        found.model = found.model.take().or_else(|| some(&board.product));
        found.serial = found.serial.take().or_else(|| some(&board.serial));
    }
}
