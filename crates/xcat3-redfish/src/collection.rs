//! Collections: their members over all pages, in one request if the BMC can expand them.

use std::collections::HashSet;

use crate::client::Client;
use crate::error::{Error, or_note};
use crate::resource::Resource;

/// The most pages of a collection that are read.
const MAX_PAGES: usize = 200;

/// The members of a collection.
#[derive(Debug, Default)]
pub struct Members {
    /// The members that were read, in the BMC's order.
    pub all: Vec<Resource>,
    /// The members that could not be read, and why.
    pub notes: Vec<String>,
}

impl Client {
    /// The first `most` members of the collection at `path`. Unreadable members become notes.
    ///
    /// # Errors
    /// The first page is unreadable, or further requests would fail too.
    pub async fn members(&mut self, path: &str, most: usize) -> Result<Members, Error> {
        let mut members = Members::default();
        let mut seen = HashSet::new();
        let mut page = self.first_page(path).await?;
        loop {
            seen.insert(page.path.clone());
            self.read_members(&page, most, &mut members).await?;
            let Some(next) = page.text("Members@odata.nextLink").map(str::to_owned) else {
                return Ok(members);
            };
            if members.all.len() >= most {
                members
                    .notes
                    .push(format!("{path}: only the first {most} members were read"));
                return Ok(members);
            }
            let next = self.local_path(&next)?;
            if seen.contains(&next) || seen.len() >= MAX_PAGES {
                members.notes.push(format!("{path}: its pages form a loop"));
                return Ok(members);
            }
            match self.get(&next).await {
                Ok(next_page) => page = next_page.with_path(&next),
                Err(error) if error.is_fatal() => return Err(error),
                Err(error) => {
                    members
                        .notes
                        .push(format!("{path}: the other pages cannot be read: {error}"));
                    return Ok(members);
                }
            }
        }
    }

    /// The first page, with expanded members if the BMC says that it expands.
    async fn first_page(&mut self, path: &str) -> Result<Resource, Error> {
        let root = self.root().await?;
        let expands = "ProtocolFeaturesSupported/ExpandQuery/NoLinks";
        if root.flag(expands) == Some(true) && !path.contains('?') {
            let query = match root.flag("ProtocolFeaturesSupported/ExpandQuery/Levels") {
                Some(true) => "$expand=.($levels=1)",
                _ => "$expand=.",
            };
            match self.get(&format!("{path}?{query}")).await {
                Ok(page) => return Ok(page),
                Err(error) if error.is_fatal() => return Err(error),
                // The BMC does not expand after all.
                Err(_) => {}
            }
        }
        self.get(path).await
    }

    async fn read_members(
        &mut self,
        page: &Resource,
        most: usize,
        members: &mut Members,
    ) -> Result<(), Error> {
        let mut read = HashSet::new();
        for member in page.objects("Members") {
            if members.all.len() >= most {
                break;
            }
            let link = member.text("@odata.id").map(str::to_owned);
            let is_reference = member.value().as_object().is_some_and(|all| all.len() <= 1);
            match link {
                Some(link) if is_reference => {
                    if !read.insert(link.clone()) {
                        continue;
                    }
                    let member = or_note(self.get(&link).await, &mut members.notes)?;
                    members.all.extend(member);
                }
                Some(link) => members.all.push(member.with_path(&link)),
                None if is_reference => {}
                None => members.all.push(member),
            }
        }
        Ok(())
    }

    /// The resource at `link`; none, and a note, if it is unreadable.
    ///
    /// # Errors
    /// Further requests would fail too.
    pub async fn get_or_note(
        &mut self,
        link: Option<&str>,
        notes: &mut Vec<String>,
    ) -> Result<Option<Resource>, Error> {
        let Some(link) = link else {
            return Ok(None);
        };
        or_note(self.get(link).await, notes)
    }

    /// The members of the collection at `link`. Unreadable members become notes.
    ///
    /// # Errors
    /// Further requests would fail too.
    pub async fn members_or_note(
        &mut self,
        link: Option<&str>,
        most: usize,
        notes: &mut Vec<String>,
    ) -> Result<Vec<Resource>, Error> {
        let Some(link) = link else {
            return Ok(Vec::new());
        };
        let members = or_note(self.members(link, most).await, notes)?;
        let mut members = members.unwrap_or_default();
        notes.append(&mut members.notes);
        Ok(members.all)
    }
}
