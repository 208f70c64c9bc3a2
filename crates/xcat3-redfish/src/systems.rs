//! The systems behind a BMC: which one a node is, its managers and its chassis.

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

/// The most systems behind one BMC that are read.
const MAX_SYSTEMS: usize = 256;

/// The selector and path of the system that was found last.
#[derive(Debug, Default)]
pub(crate) struct SystemCache(Option<(Option<String>, String)>);

impl Client {
    /// The system whose `Id`, `UUID`, `Name`, `SerialNumber` or `HostName` is `selector`; without a
    /// selector the only system behind the BMC.
    ///
    /// # Errors
    /// No system or several systems match, or see [`Error`].
    pub async fn system(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        let known = match &self.system_cache.0 {
            Some((found_by, path)) if found_by.as_deref() == selector => Some(path.clone()),
            _ => None,
        };
        if let Some(path) = known {
            match self.get(&path).await {
                Err(error) if error.is_not_found() => self.system_cache.0 = None,
                read => return read,
            }
        }
        let system = self.find_system(selector).await?;
        self.system_cache.0 = Some((selector.map(str::to_owned), system.path.clone()));
        Ok(system)
    }

    async fn find_system(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        let root = self.root().await?;
        let path = root.link("Systems").unwrap_or("/redfish/v1/Systems");
        // Not expanded: a link that ends with the selector saves reading all systems.
        let collection = self.get(path).await?;
        let links = collection.links("Members");
        if let ([only], None) = (links.as_slice(), selector) {
            return self.get(only).await;
        }
        if let Some(selector) = selector {
            let by_path = |link: &&String| {
                link.trim_end_matches('/')
                    .ends_with(&format!("/{selector}"))
            };
            if let Some(link) = links.iter().find(by_path) {
                return self.get(link).await;
            }
        }
        let members = self.members(path, MAX_SYSTEMS).await?;
        self.choose(members.all, selector)
    }

    fn choose(
        &self,
        mut systems: Vec<Resource>,
        selector: Option<&str>,
    ) -> Result<Resource, Error> {
        let names: Vec<String> = systems.iter().take(8).map(id).collect();
        let names = names.join(", ");
        match selector {
            Some(selector) => {
                let keys = ["Id", "UUID", "Name", "SerialNumber", "HostName"];
                let is_it = |system: &Resource| {
                    let mut texts = keys.iter().filter_map(|key| system.text(key));
                    texts.any(|text| text.eq_ignore_ascii_case(selector))
                };
                let found = systems.iter().position(is_it);
                found
                    .map(|index| systems.swap_remove(index))
                    .ok_or_else(|| {
                        Error::Missing(format!("the BMC has no system '{selector}', but {names}"))
                    })
            }
            None if systems.len() > 1 => {
                // Systems of other types (a DPU, a switch) are not nodes.
                let physical: Vec<usize> = (0..systems.len())
                    .filter(|index| systems[*index].text("SystemType") == Some("Physical"))
                    .collect();
                match physical.as_slice() {
                    [only] => Ok(systems.swap_remove(*only)),
                    _ => Err(Error::Missing(format!(
                        "the BMC has several systems ({names}): select one by bmc_system"
                    ))),
                }
            }
            None => systems
                .pop()
                .ok_or_else(|| Error::Missing("the BMC has no system".to_owned())),
        }
    }

    /// The managers of `system`.
    pub(crate) async fn managers(&mut self, system: &Resource) -> Result<Vec<Resource>, Error> {
        self.linked(system, "Links/ManagedBy", "Managers").await
    }

    /// The chassis of `system`.
    pub(crate) async fn chassis(&mut self, system: &Resource) -> Result<Vec<Resource>, Error> {
        self.linked(system, "Links/Chassis", "Chassis").await
    }

    /// The resources that `system` links to at `pointer`, otherwise all members of the service's
    /// `collection`.
    async fn linked(
        &mut self,
        system: &Resource,
        pointer: &str,
        collection: &str,
    ) -> Result<Vec<Resource>, Error> {
        let mut links = system.links(pointer);
        if links.is_empty() {
            let root = self.root().await?;
            let usual = format!("/redfish/v1/{collection}");
            let path = root.link(collection).unwrap_or(&usual);
            return match self.members(path, 16).await {
                Err(error) if error.is_not_found() => Ok(Vec::new()),
                members => Ok(members?.all),
            };
        }
        links.truncate(16);
        let mut all = Vec::new();
        for link in links {
            match self.get(&link).await {
                Ok(resource) => all.push(resource),
                Err(error) if error.is_fatal() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(all)
    }
}

fn id(system: &Resource) -> String {
    system.short_text("Id").unwrap_or_else(|| system.name())
}
