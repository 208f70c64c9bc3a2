//! OS images: what was imported, and where its files are.

use xcat3_core::OsImage;

use crate::database::{Row, Tx, json};
use crate::feed::Kind;
use crate::{Revision, Store, StoreError, listed};

impl Store {
    /// Registers an OS image and gives its number, by which [`Store::osimage_by_id`] finds it.
    ///
    /// # Errors
    /// Its name is taken.
    pub async fn create_osimage(&self, image: &OsImage) -> Result<i64, StoreError> {
        let mut tx = self.write().await?;
        if by_name(&mut tx, &image.name).await?.is_some() {
            return Err(StoreError::Conflict(format!(
                "osimage {} exists already",
                image.name
            )));
        }
        let id = write(&mut tx, image).await?;
        tx.exhume(Kind::Osimage, [image.name.as_str()]).await?;
        tx.commit().await?;
        Ok(id)
    }

    /// The OS image of this name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn osimage(&self, name: &str) -> Result<Option<OsImage>, StoreError> {
        by_name(&mut self.read().await?, name).await
    }

    /// The OS image of this number.
    ///
    /// # Errors
    /// The database failed.
    pub async fn osimage_by_id(&self, id: i64) -> Result<Option<OsImage>, StoreError> {
        let row = self
            .read()
            .await?
            .row(select_osimages!("id = $1"), [id.into()])
            .await?;
        row.as_ref().map(osimage_of).transpose()
    }

    /// All OS images, by name.
    ///
    /// # Errors
    /// The database failed.
    pub async fn osimages(&self) -> Result<Vec<OsImage>, StoreError> {
        osimages_since(&mut self.read().await?, -1).await
    }

    /// Changes an OS image and gives it as it is then.
    ///
    /// # Errors
    /// There is no such image, or `change` refused it ([`StoreError::Invalid`]).
    pub async fn update_osimage(
        &self,
        name: &str,
        change: &mut (dyn FnMut(&mut OsImage) -> Result<(), String> + Send),
    ) -> Result<OsImage, StoreError> {
        let mut tx = self.write().await?;
        let old = by_name(&mut tx, name).await?.ok_or_else(|| missing(name))?;
        let mut new = old.clone();
        change(&mut new).map_err(StoreError::Invalid)?;
        if new.name != old.name {
            let why = "the name of an osimage can't be changed";
            return Err(StoreError::Invalid(why.to_owned()));
        }
        if new != old {
            write(&mut tx, &new).await?;
            tx.commit().await?;
        }
        Ok(new)
    }

    /// Removes an OS image from the store; its files are not the store's.
    ///
    /// # Errors
    /// There is no such image, or nodes are being given it, have it or failed to get it.
    pub async fn delete_osimage(&self, name: &str) -> Result<(), StoreError> {
        let mut tx = self.write().await?;
        let statement = "
            SELECT name FROM nodes
            WHERE osimage = $1 AND state IN ('deploying', 'deployed', 'failed')
            ORDER BY length(name), name";
        let rows = tx.rows(statement, [name.into()]).await?;
        let users = rows
            .iter()
            .map(|row| row.text(0))
            .collect::<Result<Vec<_>, _>>()?;
        if !users.is_empty() {
            return Err(StoreError::Conflict(format!(
                "osimage {name} is in use by {}: take their deploys back first",
                listed(&users)
            )));
        }
        if tx
            .run("DELETE FROM osimages WHERE name = $1", [name.into()])
            .await?
            == 0
        {
            return Err(missing(name));
        }
        tx.bury(Kind::Osimage, [name]).await?;
        tx.commit().await
    }
}

fn missing(name: &str) -> StoreError {
    StoreError::NotFound(format!("osimage {name} does not exist"))
}

macro_rules! select_osimages {
    ($condition:literal) => {
        concat!(
            "SELECT name, distro, ver, arch, profile, provmethod, rootfstype, orig_name, content
             FROM osimages WHERE ",
            $condition
        )
    };
}
use select_osimages;

async fn by_name(tx: &mut Tx, name: &str) -> Result<Option<OsImage>, StoreError> {
    let row = tx.row(select_osimages!("name = $1"), [name.into()]).await?;
    row.as_ref().map(osimage_of).transpose()
}

/// The OS images that changed after `revision`, by name.
pub(crate) async fn osimages_since(
    tx: &mut Tx,
    revision: Revision,
) -> Result<Vec<OsImage>, StoreError> {
    let statement = select_osimages!("revision > $1 ORDER BY name");
    let rows = tx.rows(statement, [revision.into()]).await?;
    rows.iter().map(osimage_of).collect()
}

fn osimage_of(row: &Row) -> Result<OsImage, StoreError> {
    let mut image = OsImage::new(row.text(0)?, row.text(1)?, row.text(2)?, row.text(3)?);
    image.profile = row.owned(4)?;
    image.provmethod = row.owned(5)?;
    image.rootfstype = row.owned(6)?;
    image.orig_name = row.owned(7)?;
    if row.maybe_text(8)?.is_some() {
        image.content = Some(row.json(8, "the content of an osimage")?);
    }
    Ok(image)
}

async fn write(tx: &mut Tx, image: &OsImage) -> Result<i64, StoreError> {
    let revision = tx.new_revision().await?;
    let statement = "
        INSERT INTO osimages (name, distro, ver, arch, profile, provmethod, rootfstype, orig_name,
                              content, revision)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
        ON CONFLICT (name) DO UPDATE
        SET distro = excluded.distro, ver = excluded.ver, arch = excluded.arch,
            profile = excluded.profile, provmethod = excluded.provmethod,
            rootfstype = excluded.rootfstype, orig_name = excluded.orig_name,
            content = excluded.content, revision = excluded.revision
        RETURNING id";
    let values = [
        image.name.as_str().into(),
        image.distro.as_str().into(),
        image.ver.as_str().into(),
        image.arch.as_str().into(),
        image.profile.clone().into(),
        image.provmethod.clone().into(),
        image.rootfstype.clone().into(),
        image.orig_name.clone().into(),
        image.content.as_ref().map(json).transpose()?.into(),
        revision.into(),
    ];
    let row = tx.row(statement, values).await?;
    row.ok_or_else(|| StoreError::corrupt("osimages", "a row written has no id"))?
        .int(0)
}
