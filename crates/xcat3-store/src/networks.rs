//! Networks. No two of them share addresses.

use serde_json::{Map, Value};
use xcat3_core::Network;

use crate::database::{Row, Tx, json};
use crate::feed::Kind;
use crate::{Revision, Store, StoreError};

impl Store {
    /// Defines a network.
    ///
    /// # Errors
    /// Its name is taken, it shares addresses with another network, or its parts don't fit.
    pub async fn create_network(&self, network: &Network) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let others = networks_since(&mut tx, -1).await?;
        if others.iter().any(|other| other.name == network.name) {
            return Err(StoreError::Conflict(format!(
                "network {} exists already",
                network.name
            )));
        }
        check(network, &others)?;
        write(&mut tx, network).await?;
        tx.exhume(Kind::Network, [network.name.as_str()]).await?;
        tx.commit().await
    }

    /// The network of this name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn network(&self, name: &str) -> Result<Option<Network>, StoreError> {
        let networks = self.networks().await?;
        Ok(networks.into_iter().find(|network| network.name == name))
    }

    /// All networks, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn networks(&self) -> Result<Vec<Network>, StoreError> {
        networks_since(&mut self.read().await?, -1).await
    }

    /// Changes a network and gives it as it is then.
    ///
    /// # Errors
    /// There is no such network, `change` refused it or its parts don't fit
    /// ([`StoreError::Invalid`]), or it would share addresses with another.
    pub async fn update_network(
        &self,
        name: &str,
        change: &mut (dyn FnMut(&mut Network) -> Result<(), String> + Send),
    ) -> Result<Network, StoreError> {
        let mut tx = self.write().await?;
        let mut others = networks_since(&mut tx, -1).await?;
        let place = others.iter().position(|network| network.name == name);
        let old = others.remove(place.ok_or_else(|| missing(name))?);
        let mut new = old.clone();
        change(&mut new).map_err(StoreError::Invalid)?;
        if new.name != old.name {
            let why = "the name of a network can't be changed";
            return Err(StoreError::Invalid(why.to_owned()));
        }
        check(&new, &others)?;
        if new != old {
            write(&mut tx, &new).await?;
            tx.commit().await?;
        }
        Ok(new)
    }

    /// Removes a network, and with it the leases of its addresses.
    ///
    /// # Errors
    /// There is no such network.
    pub async fn delete_network(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        if tx
            .run("DELETE FROM networks WHERE name = $1", [name.into()])
            .await?
            == 0
        {
            return Err(missing(name));
        }
        tx.run("DELETE FROM leases WHERE network = $1", [name.into()])
            .await?;
        tx.bury(Kind::Network, [name]).await?;
        tx.commit().await
    }
}

fn missing(name: &str) -> StoreError {
    StoreError::NotFound(format!("network {name} does not exist"))
}

fn check(network: &Network, others: &[Network]) -> Result<(), StoreError> {
    network
        .check()
        .map_err(|why| StoreError::Invalid(why.to_string()))?;
    match others.iter().find(|other| other.overlaps(network)) {
        None => Ok(()),
        Some(other) => Err(StoreError::Conflict(format!(
            "subnet {} of network {} overlaps network {} ({})",
            network.subnet, network.name, other.name, other.subnet
        ))),
    }
}

/// The networks that changed after `revision`, by name.
pub(crate) async fn networks_since(
    tx: &mut Tx,
    revision: Revision,
) -> Result<Vec<Network>, StoreError> {
    let statement = "
        SELECT name, subnet, gateway, nameservers, ntpservers, domain, dynamic_range, dhcpserver,
               extra
        FROM networks WHERE revision > $1 ORDER BY name";
    let rows = tx.rows(statement, [revision.into()]).await?;
    rows.iter().map(network_of).collect()
}

fn network_of(row: &Row) -> Result<Network, StoreError> {
    let mut network = Network::new(row.text(0)?, row.parse(1, "the subnet of a network")?);
    network.gateway = row.maybe_parse(2, "the gateway of a network")?;
    network.nameservers = row.json(3, "the nameservers of a network")?;
    network.ntpservers = row.json(4, "the ntpservers of a network")?;
    network.domain = row.owned(5)?;
    for range in row.json::<Vec<String>>(6, "the dynamic_range of a network")? {
        let range = range.parse();
        let damaged = |why| StoreError::corrupt("the dynamic_range of a network", why);
        network.dynamic_range.push(range.map_err(damaged)?);
    }
    network.dhcpserver = row.maybe_parse(7, "the dhcpserver of a network")?;
    network.extra = row.json::<Map<String, Value>>(8, "the extra of a network")?;
    Ok(network)
}

async fn write(tx: &mut Tx, network: &Network) -> Result<(), StoreError> {
    let revision = tx.new_revision().await?;
    let ranges: Vec<String> = network
        .dynamic_range
        .iter()
        .map(ToString::to_string)
        .collect();
    let statement = "
        INSERT INTO networks (name, subnet, gateway, nameservers, ntpservers, domain,
                              dynamic_range, dhcpserver, extra, revision)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (name) DO UPDATE
        SET subnet = excluded.subnet, gateway = excluded.gateway,
            nameservers = excluded.nameservers, ntpservers = excluded.ntpservers,
            domain = excluded.domain, dynamic_range = excluded.dynamic_range,
            dhcpserver = excluded.dhcpserver, extra = excluded.extra,
            revision = excluded.revision";
    let values = [
        network.name.as_str().into(),
        network.subnet.to_string().into(),
        network.gateway.map(|address| address.to_string()).into(),
        json(&network.nameservers)?.into(),
        json(&network.ntpservers)?.into(),
        network.domain.clone().into(),
        json(&ranges)?.into(),
        network.dhcpserver.map(|address| address.to_string()).into(),
        json(&network.extra)?.into(),
        revision.into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}
