//! Which system behind a BMC is meant, its managers and its chassis.

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

/// Systems behind one BMC that are looked at.
const MOST_SYSTEMS: usize = 256;

/// Where systems were found, by what they were asked for.
#[derive(Debug, Default)]
pub(crate) struct Found {
    /// What was asked for, and the path.
    system: Option<(Option<String>, String)>,
}

impl Client {
    /// The system behind the BMC: the one whose `Id`, `UUID`, `Name` or `SerialNumber` is `wanted`,
    /// otherwise the only one.
    ///
    /// # Errors
    /// There is none such, or several, or see [`Error`].
    pub async fn system(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        let known = match &self.found.system {
            Some((for_whom, path)) if for_whom.as_deref() == wanted => Some(path.clone()),
            _ => None,
        };
        if let Some(path) = known {
            match self.get(&path).await {
                Err(error) if error.is_absent() => self.found.system = None,
                answered => return answered,
            }
        }
        let system = self.find_system(wanted).await?;
        self.found.system = Some((wanted.map(str::to_owned), system.path.clone()));
        Ok(system)
    }

    async fn find_system(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        let root = self.root().await?;
        let path = root.link("Systems").unwrap_or("/redfish/v1/Systems");
        // Whole, where it says all of them; a system of many is then one request away.
        let collection = self.get(path).await?;
        let links = collection.links("Members");
        if let ([only], None) = (links.as_slice(), wanted) {
            return self.get(only).await;
        }
        if let Some(wanted) = wanted {
            let by_path =
                |link: &&String| link.trim_end_matches('/').ends_with(&format!("/{wanted}"));
            if let Some(link) = links.iter().find(by_path) {
                return self.get(link).await;
            }
        }
        let members = self.members(path, MOST_SYSTEMS).await?;
        self.choose(members.all, wanted)
    }

    fn choose(&self, mut systems: Vec<Resource>, wanted: Option<&str>) -> Result<Resource, Error> {
        let names: Vec<String> = systems.iter().take(8).map(id).collect();
        let names = names.join(", ");
        match wanted {
            Some(wanted) => {
                let keys = ["Id", "UUID", "Name", "SerialNumber", "HostName"];
                let is_it = |system: &Resource| {
                    let mut texts = keys.iter().filter_map(|key| system.text(key));
                    texts.any(|text| text.eq_ignore_ascii_case(wanted))
                };
                let found = systems.iter().position(is_it);
                found
                    .map(|place| systems.swap_remove(place))
                    .ok_or_else(|| {
                        Error::Missing(format!("it has no system '{wanted}', but {names}"))
                    })
            }
            None if systems.len() > 1 => {
                // What has no power state (a DPU, a switch) is not what is meant.
                let physical: Vec<usize> = (0..systems.len())
                    .filter(|place| systems[*place].text("SystemType") == Some("Physical"))
                    .collect();
                match physical.as_slice() {
                    [only] => Ok(systems.swap_remove(*only)),
                    _ => Err(Error::Missing(format!(
                        "it has several systems ({names}): name one by bmc_system"
                    ))),
                }
            }
            None => systems
                .pop()
                .ok_or_else(|| Error::Missing("it has no system".to_owned())),
        }
    }

    /// The managers of `system`, its BMC first.
    pub(crate) async fn managers(&mut self, system: &Resource) -> Result<Vec<Resource>, Error> {
        self.linked(system, "Links/ManagedBy", "Managers").await
    }

    /// The chassis of `system`.
    pub(crate) async fn chassis(&mut self, system: &Resource) -> Result<Vec<Resource>, Error> {
        self.linked(system, "Links/Chassis", "Chassis").await
    }

    /// What `system` links to at `place`, otherwise all members of the service's `collection`.
    async fn linked(
        &mut self,
        system: &Resource,
        place: &str,
        collection: &str,
    ) -> Result<Vec<Resource>, Error> {
        let mut links = system.links(place);
        if links.is_empty() {
            let root = self.root().await?;
            let usual = format!("/redfish/v1/{collection}");
            let path = root.link(collection).unwrap_or(&usual);
            return match self.members(path, 16).await {
                Err(error) if error.is_absent() => Ok(Vec::new()),
                members => Ok(members?.all),
            };
        }
        links.truncate(16);
        let mut all = Vec::new();
        for link in links {
            match self.get(&link).await {
                Ok(resource) => all.push(resource),
                Err(error) if error.is_final() => return Err(error),
                Err(_) => {}
            }
        }
        Ok(all)
    }
}

fn id(system: &Resource) -> String {
    system.words("Id").unwrap_or_else(|| system.name())
}
