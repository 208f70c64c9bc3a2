//! Virtual media of the system, otherwise of its managers: inserted and ejected by actions if the BMC
//! has them, otherwise by changing the resource.

use serde_json::{Value, json};
use xcat3_core::control::{BootDevice, BootOrder, MediaImage};
use xcat3_core::hardware::{Media, MediaSlot};

use crate::action::Action;
use crate::client::{Client, MASK};
use crate::error::{Error, sanitize};
use crate::resource::Resource;

/// The most virtual drives that are read.
const MAX_SLOTS: usize = 32;

impl Client {
    /// The virtual drives of the system that `selector` selects.
    ///
    /// # Errors
    /// The system has none, or they cannot be read.
    pub async fn media(&mut self, selector: Option<&str>) -> Result<Media, Error> {
        let (slots, notes) = self.slots(selector).await?;
        Ok(Media {
            slots: slots.iter().map(slot).collect(),
            notes,
        })
    }

    /// Inserts `image` into the virtual optical drive of the system that `selector` selects, and
    /// ejects the present image. The system then boots from the drive once if the image says so.
    ///
    /// # Errors
    /// The system has no such drive, or the BMC refused.
    pub async fn insert_media(
        &mut self,
        selector: Option<&str>,
        image: &MediaImage,
    ) -> Result<(), Error> {
        let (slots, _) = self.slots(selector).await?;
        let optical = slots.into_iter().find(is_optical);
        let slot = optical
            .ok_or_else(|| Error::Missing("the BMC has no virtual optical drive".to_owned()))?;
        if is_inserted(&slot) {
            self.eject(&slot).await?;
        }
        let inserted = self.insert(&slot, image).await;
        inserted.map_err(|error| without_secret(error, image))?;
        if !image.boot {
            return Ok(());
        }
        let order = BootOrder::once(BootDevice::Cdrom);
        self.set_boot_device(selector, order, None).await
    }

    /// Ejects the images of the system that `selector` selects.
    ///
    /// # Errors
    /// The system has no virtual drives, or the BMC refused.
    pub async fn eject_media(&mut self, selector: Option<&str>) -> Result<(), Error> {
        let (slots, _) = self.slots(selector).await?;
        for slot in slots.iter().filter(|slot| is_inserted(slot)) {
            self.eject(slot).await?;
        }
        Ok(())
    }

    async fn slots(
        &mut self,
        selector: Option<&str>,
    ) -> Result<(Vec<Resource>, Vec<String>), Error> {
        let system = self.system(selector).await?;
        let mut notes = Vec::new();
        let own = system.link("VirtualMedia");
        let mut slots = self.members_or_note(own, MAX_SLOTS, &mut notes).await?;
        if slots.is_empty() {
            for manager in self.managers(&system).await? {
                let link = manager.link("VirtualMedia");
                slots.extend(self.members_or_note(link, MAX_SLOTS, &mut notes).await?);
            }
        }
        match (slots.is_empty(), notes.first()) {
            (true, Some(note)) => Err(Error::Missing(format!(
                "the virtual media cannot be read: {note}"
            ))),
            (true, None) => Err(Error::Missing("the BMC has no virtual media".to_owned())),
            (false, _) => Ok((slots, notes)),
        }
    }

    /// Tries all usual parameters first and fewer then: some BMCs refuse unknown parameters.
    async fn insert(&mut self, slot: &Resource, image: &MediaImage) -> Result<(), Error> {
        let (url, login) = split(&image.url);
        let mut all = json!({"Image": url, "Inserted": true, "WriteProtected": true});
        let mut least = json!({"Image": url});
        if let Some((user, password)) = login {
            for form in [&mut all, &mut least] {
                form["UserName"] = json!(user);
                form["Password"] = json!(password);
            }
        }
        let mut more = least.clone();
        more["TransferProtocolType"] = json!(protocol(&url));
        more["TransferMethod"] = json!("Stream");
        let action = Action::from_resource(slot, "VirtualMedia.InsertMedia");
        let forms: &[Value] = match action {
            Some(_) => &[all, least, more],
            None => &[all, least],
        };
        let mut first = None;
        for form in forms {
            let changed = match &action {
                Some(action) => self.invoke(action, form).await,
                None => self.change(slot, form).await,
            };
            match changed {
                Err(error) if error.may_accept_another_form() => drop(first.get_or_insert(error)),
                changed => return changed,
            }
        }
        first.map_or(Ok(()), Err)
    }

    async fn eject(&mut self, slot: &Resource) -> Result<(), Error> {
        match Action::from_resource(slot, "VirtualMedia.EjectMedia") {
            Some(action) => self.invoke(&action, &json!({})).await,
            None => {
                self.change(slot, &json!({"Image": null, "Inserted": false}))
                    .await
            }
        }
    }
}

fn slot(slot: &Resource) -> MediaSlot {
    let image = slot.short_text("Image").filter(|_| is_inserted(slot));
    let kinds = slot.texts("MediaTypes");
    MediaSlot {
        name: slot.short_text("Id").unwrap_or_else(|| slot.name()),
        kinds: kinds
            .iter()
            .take(16)
            .map(|kind| sanitize(kind, 40))
            .collect(),
        image: image.map(|url| MediaImage { url, boot: false }.shown()),
        inserted: is_inserted(slot),
    }
}

fn is_inserted(slot: &Resource) -> bool {
    slot.flag("Inserted")
        .unwrap_or_else(|| slot.text("Image").is_some())
}

/// Whether the drive takes optical media. A drive that lists no media takes any.
fn is_optical(slot: &Resource) -> bool {
    let kinds = slot.texts("MediaTypes");
    kinds.is_empty() || kinds.iter().any(|kind| matches!(*kind, "CD" | "DVD"))
}

/// `url` without user and password, and user and password.
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

/// `error` without the secrets of `image`, which BMCs tend to repeat.
fn without_secret(error: Error, image: &MediaImage) -> Error {
    let (url, login) = split(&image.url);
    match error {
        Error::Refused {
            request,
            status,
            message,
        } => {
            let mut message = message
                .without(&image.url, &image.shown())
                .without(&url, &image.shown());
            if let Some((_, password)) = login {
                message = message.without(&password, MASK);
            }
            Error::Refused {
                request,
                status,
                message,
            }
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_with_login_is_split() {
        let (url, login) = split("cifs://me:se:cret@host/share/a@b.iso");
        assert_eq!(url, "cifs://host/share/a@b.iso");
        assert_eq!(login, Some(("me".to_owned(), "se:cret".to_owned())));
        assert_eq!(split("http://host/a@b").1, None);
    }
}
