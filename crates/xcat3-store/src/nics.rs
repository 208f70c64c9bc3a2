//! Single nics, as the API reads and changes them. Most come and go with their nodes.

use std::collections::BTreeSet;
use std::net::IpAddr;

use uuid::Uuid;
use xcat3_core::{MacAddr, Nic, NodeName};

use crate::database::{Row, Tx, json};
use crate::nodes::read::select_nics;
use crate::nodes::touch;
use crate::{LOCKED, Store, StoreError, now_ms};

impl Store {
    /// Adds a nic to the node that it names and gives it as it is stored, with its new uuid.
    ///
    /// # Errors
    /// The node does not exist or is held by an operation, or the MAC address belongs to another.
    pub async fn create_nic(&self, nic: &Nic) -> Result<Nic, StoreError> {
        let mut tx = self.write().await?;
        let nic = Nic {
            uuid: Uuid::new_v4(),
            ..nic.clone()
        };
        check_free(&mut tx, &nic).await?;
        insert(&mut tx, &nic).await?;
        touch_nodes(&mut tx, nic.node.iter().collect()).await?;
        tx.commit().await?;
        Ok(nic)
    }

    /// The nic of this uuid.
    ///
    /// # Errors
    /// The database failed.
    pub async fn nic(&self, uuid: Uuid) -> Result<Option<Nic>, StoreError> {
        by_uuid(&mut self.read().await?, uuid).await
    }

    /// The nic that has this MAC address.
    ///
    /// # Errors
    /// The database failed.
    pub async fn nic_by_mac(&self, mac: MacAddr) -> Result<Option<Nic>, StoreError> {
        by_mac(&mut self.read().await?, mac).await
    }

    /// All nics, by MAC address.
    ///
    /// # Errors
    /// The database failed.
    pub async fn nics(&self) -> Result<Vec<Nic>, StoreError> {
        let statement = select_nics!("true ORDER BY nics.mac");
        let mut nics = Vec::new();
        let take = |row: &Row| {
            nics.push(nic_of(row)?);
            Ok(())
        };
        self.read().await?.each(statement, [], take).await?;
        Ok(nics)
    }

    /// The nics of a node, in the order in which they were declared.
    ///
    /// # Errors
    /// There is no such node.
    pub async fn nics_of_node(&self, node: &NodeName) -> Result<Vec<Nic>, StoreError> {
        let mut tx = self.read().await?;
        check_node(&mut tx, node).await?;
        let statement = select_nics!("nics.node = $1 ORDER BY nics.position");
        let rows = tx.rows(statement, [node.as_str().into()]).await?;
        rows.iter().map(nic_of).collect()
    }

    /// Changes a nic, its node included, and gives it as it is then.
    ///
    /// # Errors
    /// There is no such nic, `change` refused it ([`StoreError::Invalid`]), its node is held by an
    /// operation or does not exist, or its new MAC address belongs to another.
    pub async fn update_nic(
        &self,
        uuid: Uuid,
        change: &mut (dyn FnMut(&mut Nic) -> Result<(), String> + Send),
    ) -> Result<Nic, StoreError> {
        let mut tx = self.write().await?;
        let old = by_uuid(&mut tx, uuid).await?.ok_or_else(|| missing(uuid))?;
        let mut new = old.clone();
        change(&mut new).map_err(StoreError::Invalid)?;
        new.uuid = uuid;
        if new == old {
            return Ok(new);
        }
        if let Some(node) = &old.node {
            check_unlocked(&mut tx, node).await?;
        }
        check_free(&mut tx, &new).await?;
        if new.node == old.node {
            write(&mut tx, &new).await?;
        } else {
            delete(&mut tx, uuid).await?;
            insert(&mut tx, &new).await?;
        }
        touch_nodes(&mut tx, old.node.iter().chain(&new.node).collect()).await?;
        tx.commit().await?;
        Ok(new)
    }

    /// Removes a nic.
    ///
    /// # Errors
    /// There is no such nic, or its node is held by an operation.
    pub async fn delete_nic(&self, uuid: Uuid) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let nic = by_uuid(&mut tx, uuid).await?.ok_or_else(|| missing(uuid))?;
        if let Some(node) = &nic.node {
            check_unlocked(&mut tx, node).await?;
        }
        delete(&mut tx, uuid).await?;
        touch_nodes(&mut tx, nic.node.iter().collect()).await?;
        tx.commit().await
    }
}

fn missing(uuid: Uuid) -> StoreError {
    StoreError::NotFound(format!("nic {uuid} does not exist"))
}

/// Reads a row of [`select_nics`].
pub(crate) fn nic_of(row: &Row) -> Result<Nic, StoreError> {
    Ok(Nic {
        uuid: row.parse(0, "the uuid of a nic")?,
        mac: row.parse(1, "the MAC of a nic")?,
        name: row.owned(2)?,
        ip: row.maybe_parse(3, "the ip of a nic")?,
        netmask: row.maybe_parse(4, "the netmask of a nic")?,
        primary: row.int(5)? != 0,
        extra: row.json(6, "the extra of a nic")?,
        node: row.maybe_parse(7, "the node of a nic")?,
    })
}

async fn by_uuid(tx: &mut Tx, uuid: Uuid) -> Result<Option<Nic>, StoreError> {
    let statement = select_nics!("nics.uuid = $1");
    let row = tx.row(statement, [uuid.to_string().into()]).await?;
    row.as_ref().map(nic_of).transpose()
}

async fn by_mac(tx: &mut Tx, mac: MacAddr) -> Result<Option<Nic>, StoreError> {
    let statement = select_nics!("nics.mac = $1");
    let row = tx.row(statement, [mac.to_string().into()]).await?;
    row.as_ref().map(nic_of).transpose()
}

/// Checks that the nic can be what it is to be: its node exists and is free, its address is its own.
async fn check_free(tx: &mut Tx, nic: &Nic) -> Result<(), StoreError> {
    if let Some(node) = &nic.node {
        check_node(tx, node).await?;
        check_unlocked(tx, node).await?;
    }
    let mac = nic.mac;
    match by_mac(tx, mac)
        .await?
        .filter(|other| other.uuid != nic.uuid)
    {
        None => Ok(()),
        Some(Nic {
            node: Some(owner), ..
        }) => Err(StoreError::Conflict(format!(
            "nic {mac} belongs to node {owner} already"
        ))),
        Some(_) => Err(StoreError::Conflict(format!(
            "nic {mac} exists already and belongs to no node"
        ))),
    }
}

async fn check_node(tx: &mut Tx, node: &NodeName) -> Result<(), StoreError> {
    match tx
        .row(
            "SELECT 1 FROM nodes WHERE name = $1",
            [node.as_str().into()],
        )
        .await?
    {
        Some(_) => Ok(()),
        None => Err(StoreError::NotFound(format!("node {node} does not exist"))),
    }
}

async fn check_unlocked(tx: &mut Tx, node: &NodeName) -> Result<(), StoreError> {
    let statement = "SELECT 1 FROM reservations WHERE node = $1 AND expires_ms > $2";
    match tx
        .row(statement, [node.as_str().into(), now_ms().into()])
        .await?
    {
        None => Ok(()),
        Some(_) => Err(StoreError::Conflict(format!("node {node}: {LOCKED}"))),
    }
}

async fn touch_nodes(tx: &mut Tx, nodes: BTreeSet<&NodeName>) -> Result<(), StoreError> {
    if nodes.is_empty() {
        return Ok(());
    }
    let revision = tx.new_revision().await?;
    touch(tx, &nodes.into_iter().collect::<Vec<_>>(), revision).await
}

fn text(address: Option<IpAddr>) -> Option<String> {
    address.map(|address| address.to_string())
}

async fn insert(tx: &mut Tx, nic: &Nic) -> Result<(), StoreError> {
    let statement = "
        INSERT INTO nics (uuid, mac, name, ip, netmask, is_primary, extra, node, position)
        SELECT $1, $2, $3, $4, $5, $6, $7, $8,
               (SELECT COALESCE(MAX(position) + 1, 0) FROM nics WHERE node = $8)";
    let values = [
        nic.uuid.to_string().into(),
        nic.mac.to_string().into(),
        nic.name.clone().into(),
        text(nic.ip).into(),
        text(nic.netmask).into(),
        i64::from(nic.primary).into(),
        json(&nic.extra)?.into(),
        nic.node.as_ref().map(ToString::to_string).into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}

async fn write(tx: &mut Tx, nic: &Nic) -> Result<(), StoreError> {
    let statement = "
        UPDATE nics SET mac = $2, name = $3, ip = $4, netmask = $5, is_primary = $6, extra = $7
        WHERE uuid = $1";
    let values = [
        nic.uuid.to_string().into(),
        nic.mac.to_string().into(),
        nic.name.clone().into(),
        text(nic.ip).into(),
        text(nic.netmask).into(),
        i64::from(nic.primary).into(),
        json(&nic.extra)?.into(),
    ];
    tx.run(statement, values).await.map(|_| ())
}

async fn delete(tx: &mut Tx, uuid: Uuid) -> Result<(), StoreError> {
    let statement = "DELETE FROM nics WHERE uuid = $1";
    tx.run(statement, [uuid.to_string().into()])
        .await
        .map(|_| ())
}
