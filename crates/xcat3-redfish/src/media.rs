//! Virtual media: of the system, otherwise of its managers; by action where there is one, otherwise
//! by changing the resource.

use serde_json::{Value, json};
use xcat3_core::control::{BootDevice, BootOrder, MediaImage};
use xcat3_core::hardware::{Media, MediaSlot};

use crate::action::Action;
use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

/// Virtual drives that are looked at.
const MOST_SLOTS: usize = 32;

impl Client {
    /// The virtual drives of the system `wanted`.
    ///
    /// # Errors
    /// It has none, or they can't be read.
    pub async fn media(&mut self, wanted: Option<&str>) -> Result<Media, Error> {
        let (slots, notes) = self.slots(wanted).await?;
        Ok(Media {
            slots: slots.iter().map(slot).collect(),
            notes,
        })
    }

    /// Puts `image` into the virtual optical drive of the system `wanted`, in the place of what is
    /// in it; where the image says so the system boots from it once, next.
    ///
    /// # Errors
    /// It has no such drive, or refused.
    pub async fn insert_media(
        &mut self,
        wanted: Option<&str>,
        image: &MediaImage,
    ) -> Result<(), Error> {
        let (slots, _) = self.slots(wanted).await?;
        let optical = slots.into_iter().find(is_optical);
        let slot =
            optical.ok_or_else(|| Error::Missing("it has no virtual optical drive".to_owned()))?;
        if is_inserted(&slot) {
            self.eject(&slot).await?;
        }
        let inserted = self.insert(&slot, image).await;
        inserted.map_err(|error| without_secret(error, image))?;
        if !image.boot {
            return Ok(());
        }
        let order = BootOrder::once(BootDevice::Cdrom);
        self.set_boot_device(wanted, order, None).await
    }

    /// Empties the virtual optical drives of the system `wanted`.
    ///
    /// # Errors
    /// It has none, or refused.
    pub async fn eject_media(&mut self, wanted: Option<&str>) -> Result<(), Error> {
        let (slots, _) = self.slots(wanted).await?;
        for slot in slots.iter().filter(|slot| is_inserted(slot)) {
            self.eject(slot).await?;
        }
        Ok(())
    }

    async fn slots(&mut self, wanted: Option<&str>) -> Result<(Vec<Resource>, Vec<String>), Error> {
        let system = self.system(wanted).await?;
        let mut notes = Vec::new();
        let own = system.link("VirtualMedia");
        let mut slots = self.members_or_note(own, MOST_SLOTS, &mut notes).await?;
        if slots.is_empty() {
            for manager in self.managers(&system).await? {
                let link = manager.link("VirtualMedia");
                slots.extend(self.members_or_note(link, MOST_SLOTS, &mut notes).await?);
            }
        }
        match (slots.is_empty(), notes.first()) {
            (true, Some(note)) => Err(Error::Missing(format!(
                "its virtual media cannot be read: {note}"
            ))),
            (true, None) => Err(Error::Missing("it has no virtual media".to_owned())),
            (false, _) => Ok((slots, notes)),
        }
    }

    /// With all that is usual first, then with less, since some refuse what they don't know.
    async fn insert(&mut self, slot: &Resource, image: &MediaImage) -> Result<(), Error> {
        let (url, login) = split(&image.url);
        let mut all = json!({"Image": url, "Inserted": true, "WriteProtected": true});
        let mut least = json!({"Image": url});
        if let Some((user, password)) = login {
            for wish in [&mut all, &mut least] {
                wish["UserName"] = json!(user);
                wish["Password"] = json!(password);
            }
        }
        let mut more = least.clone();
        more["TransferProtocolType"] = json!(protocol(&url));
        more["TransferMethod"] = json!("Stream");
        let action = Action::of(slot, "VirtualMedia.InsertMedia");
        let wishes: &[Value] = match action {
            Some(_) => &[all, least, more],
            None => &[all, least],
        };
        let mut first = None;
        for wish in wishes {
            let done = match &action {
                Some(action) => self.act(action, wish).await,
                None => self.change(slot, wish).await,
            };
            match done {
                Err(error) if error.is_about_wording() => drop(first.get_or_insert(error)),
                done => return done,
            }
        }
        first.map_or(Ok(()), Err)
    }

    async fn eject(&mut self, slot: &Resource) -> Result<(), Error> {
        match Action::of(slot, "VirtualMedia.EjectMedia") {
            Some(action) => self.act(&action, &json!({})).await,
            None => {
                self.change(slot, &json!({"Image": null, "Inserted": false}))
                    .await
            }
        }
    }
}

fn slot(slot: &Resource) -> MediaSlot {
    let image = slot.words("Image").filter(|_| is_inserted(slot));
    let kinds = slot.texts("MediaTypes");
    MediaSlot {
        name: slot.words("Id").unwrap_or_else(|| slot.name()),
        kinds: kinds
            .iter()
            .take(16)
            .map(|kind| crate::error::tame(kind, 40))
            .collect(),
        image: image.map(|url| MediaImage { url, boot: false }.shown()),
        inserted: is_inserted(slot),
    }
}

fn is_inserted(slot: &Resource) -> bool {
    slot.flag("Inserted")
        .unwrap_or_else(|| slot.text("Image").is_some())
}

/// Whether it takes optical media; what doesn't say takes anything.
fn is_optical(slot: &Resource) -> bool {
    let kinds = slot.texts("MediaTypes");
    kinds.is_empty() || kinds.iter().any(|kind| matches!(*kind, "CD" | "DVD"))
}

/// `url` without user and password, and these.
fn split(url: &str) -> (String, Option<(String, String)>) {
    let none = || (url.to_owned(), None);
    let Some((scheme, rest)) = url.split_once("://") else {
        return none();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let Some((login, host)) = authority.rsplit_once('@') else {
        return none();
    };
    let (user, password) = login.split_once(':').unwrap_or((login, ""));
    let login = (user.to_owned(), password.to_owned());
    (format!("{scheme}://{host}{path}"), Some(login))
}

fn protocol(url: &str) -> &'static str {
    match url.split("://").next() {
        Some("https") => "HTTPS",
        Some("nfs") => "NFS",
        Some("cifs" | "smb") => "CIFS",
        Some("ftp") => "FTP",
        _ => "HTTP",
    }
}

/// `error` without what of `image` is secret, which BMCs like to repeat.
fn without_secret(error: Error, image: &MediaImage) -> Error {
    let (url, login) = split(&image.url);
    match error {
        Error::Refused { what, status, said } => {
            let mut said = said
                .without(&image.url, &image.shown())
                .without(&url, &image.shown());
            if let Some((_, password)) = login {
                said = said.without(&password, "********");
            }
            Error::Refused { what, status, said }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_login_in_the_address_is_told_apart() {
        let (url, login) = split("cifs://me:se:cret@host/share/a@b.iso");
        assert_eq!(url, "cifs://host/share/a@b.iso");
        assert_eq!(login, Some(("me".to_owned(), "se:cret".to_owned())));
        assert_eq!(split("http://host/a@b").1, None);
    }
}
