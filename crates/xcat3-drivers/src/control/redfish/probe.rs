//! Looking for BMCs that speak Redfish: whose service root answers is there; with credentials it is asked
//! what its machine is.
//!
//! The service root is read from whoever shows any certificate, since nothing is told to it. To log in,
//! its certificate has to be one that the order says is trusted.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use xcat3_core::CertificateTrust;
use xcat3_core::hardware::FoundBmc;
use xcat3_redfish::{Address, Client, Connector, Error, Login, Resource, Timeouts, Trust};

use super::super::BmcCredentials;
use super::super::probe::{Pace, Probed};

/// How patiently an address is asked.
const TIMEOUTS: Timeouts = Timeouts {
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
    /// One that asks at most `rate` addresses a second.
    pub fn new(connector: Arc<Connector>, rate: u32) -> Self {
        Self {
            connector,
            pace: Pace::new(rate),
        }
    }

    /// What is at `address`.
    pub async fn ask(
        &self,
        address: SocketAddr,
        credentials: Option<&BmcCredentials>,
        tls: CertificateTrust,
    ) -> Probed {
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
        if let Err(error) = self.enquire(address, login, tls, &mut found).await {
            let accepted = match error {
                Error::Untrusted(_) if tls == CertificateTrust::Verify => {
                    ", or look for it with --tls first-use"
                }
                _ => "",
            };
            let note = format!("not asked what it is: {error}{accepted}");
            found.notes.push(note);
        }
        Some(found)
    }

    /// Logs in, and fills in what its machine is.
    async fn enquire(
        &self,
        address: SocketAddr,
        login: Login,
        tls: CertificateTrust,
        found: &mut FoundBmc,
    ) -> Result<(), Error> {
        let trust = match tls {
            CertificateTrust::Verify => Trust::Authority,
            CertificateTrust::Insecure => Trust::Insecure,
            CertificateTrust::FirstUse => {
                let at = place(address, Trust::Insecure);
                let shown = self.connector.certificate(&at, TIMEOUTS.connect).await?;
                found.certificate = Some(shown.to_string());
                // Who is logged in to is who showed it.
                Trust::Pinned(shown)
            }
        };
        let mut client = self.client(address, trust, Some(login));
        let inventory = client.inventory(None).await;
        client.close().await;
        let inventory = inventory?;
        found.manufacturer = inventory.manufacturer.or(found.manufacturer.take());
        found.model = inventory.model.or(found.model.take());
        found.serial = inventory.serial;
        found.uuid = inventory.uuid.or(found.uuid.take());
        found.bmc = inventory.bmc;
        let macs = inventory.nics.into_iter().filter_map(|nic| nic.mac);
        found.macs = macs.collect();
        found.notes.extend(inventory.notes);
        Ok(())
    }

    fn client(&self, address: SocketAddr, trust: Trust, login: Option<Login>) -> Client {
        let address = place(address, trust);
        Client::new(Arc::clone(&self.connector), address, login, TIMEOUTS)
    }
}

fn place(address: SocketAddr, trust: Trust) -> Address {
    let host = address.ip().to_string();
    Address {
        resolved: Some(address),
        ..Address::new(&host, address.port(), trust)
    }
}

/// What its service root says.
fn said(address: SocketAddr, root: &Resource) -> FoundBmc {
    let version = root.text("RedfishVersion").unwrap_or_default();
    FoundBmc {
        address: address.ip().to_string(),
        protocol: Some(format!("Redfish {version}").trim_end().to_owned()),
        manufacturer: root.short_text("Vendor"),
        model: root.short_text("Product"),
        // That of the service, which is the machine's with most vendors.
        uuid: root.short_text("UUID"),
        ..FoundBmc::default()
    }
}
