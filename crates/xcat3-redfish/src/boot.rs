//! What a system boots from: the boot source override, once or until it is changed.

use serde_json::{Map, Value, json};
use xcat3_core::control::{BootDevice, BootOrder};

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

impl Client {
    /// What the system `wanted` boots from; none where nothing is overridden.
    ///
    /// # Errors
    /// It doesn't say, or something for which there is no word.
    pub async fn boot_device(&mut self, wanted: Option<&str>) -> Result<Option<BootDevice>, Error> {
        let system = self.glance(wanted).await?;
        if system.at("Boot").is_none() {
            return Err(Error::Missing(
                "it does not tell what it boots from".to_owned(),
            ));
        }
        if system.text("Boot/BootSourceOverrideEnabled") == Some("Disabled") {
            return Ok(None);
        }
        match system.text("Boot/BootSourceOverrideTarget") {
            None | Some("None") => Ok(None),
            Some(target) => match device(target) {
                Some(device) => Ok(Some(device)),
                None => {
                    let target = crate::error::tame(target, 40);
                    Err(Error::Nonsense(format!(
                        "it boots from '{target}', for which there is no word here"
                    )))
                }
            },
        }
    }

    /// Has the system `wanted` boot as `order` says. `uri` is what UEFI HTTP boot fetches; without
    /// one the firmware asks by DHCP.
    ///
    /// # Errors
    /// It can't, or refused.
    pub async fn set_boot_device(
        &mut self,
        wanted: Option<&str>,
        order: BootOrder,
        uri: Option<&str>,
    ) -> Result<(), Error> {
        let system = self.system(wanted).await?;
        let target = target(&system, order.device)?;
        let mut boot = Map::new();
        boot.insert("BootSourceOverrideTarget".to_owned(), json!(target));
        let enabled = if order.persistent {
            "Continuous"
        } else {
            "Once"
        };
        let offered = system.allowable("Boot/BootSourceOverrideEnabled");
        if let Some(offered) = offered.filter(|offered| !offered.contains(&enabled)) {
            let offered = crate::error::tame(&offered.join(", "), 100);
            return Err(Error::Missing(format!(
                "its boot device can be set {offered}, not {enabled}"
            )));
        }
        boot.insert("BootSourceOverrideEnabled".to_owned(), json!(enabled));
        if order.uefi || order.device == BootDevice::Http {
            boot.insert("BootSourceOverrideMode".to_owned(), json!("UEFI"));
        }
        if let Some(uri) = uri {
            boot.insert("HttpBootUri".to_owned(), json!(uri));
        }
        self.set_boot(&system, boot).await
    }

    /// Has the system `wanted` boot by its own order again.
    ///
    /// # Errors
    /// It can't, or refused.
    pub async fn clear_boot_device(&mut self, wanted: Option<&str>) -> Result<(), Error> {
        let system = self.system(wanted).await?;
        let mut boot = Map::new();
        boot.insert("BootSourceOverrideEnabled".to_owned(), json!("Disabled"));
        self.set_boot(&system, boot).await
    }

    /// Changes the boot override, in the forms that BMCs want: some refuse the mode where it is the
    /// one that they have, some demand it; some keep the settings for the next boot at a resource of
    /// their own.
    async fn set_boot(&mut self, system: &Resource, boot: Map<String, Value>) -> Result<(), Error> {
        let first = match self.change(system, &json!({"Boot": boot})).await {
            Err(error) if error.is_about_wording() => error,
            done => return done,
        };
        let told = system.words("Boot/BootSourceOverrideMode");
        let mut other = boot.clone();
        match (boot.contains_key("BootSourceOverrideMode"), told) {
            (true, _) => drop(other.remove("BootSourceOverrideMode")),
            (false, Some(mode)) => {
                drop(other.insert("BootSourceOverrideMode".to_owned(), json!(mode)));
            }
            (false, None) => {}
        }
        // Who wants UEFI gets it or a refusal.
        let asked = boot.get("BootSourceOverrideMode").and_then(Value::as_str);
        let is_told = asked.is_none() || asked == system.text("Boot/BootSourceOverrideMode");
        if other != boot && is_told {
            match self.change(system, &json!({"Boot": other})).await {
                Err(error) if error.is_about_wording() => {}
                done => return done,
            }
        }
        let settings = system
            .link("@Redfish.Settings/SettingsObject")
            .map(str::to_owned);
        let Some(settings) = settings else {
            return Err(first);
        };
        let settings = self.get(&settings).await?;
        match self.change(&settings, &json!({"Boot": boot})).await {
            Err(error) if error.is_about_wording() => Err(first),
            done => done,
        }
    }
}

/// The BMC's word for `device`.
fn target(system: &Resource, device: BootDevice) -> Result<&'static str, Error> {
    let words: &[&'static str] = match device {
        BootDevice::Net => &["Pxe"],
        BootDevice::Disk => &["Hdd"],
        BootDevice::Cdrom => &["Cd", "UsbCd", "RemoteDrive"],
        BootDevice::Setup => &["BiosSetup"],
        BootDevice::Http => &["UefiHttp"],
    };
    let Some(offered) = system.allowable("Boot/BootSourceOverrideTarget") else {
        return Ok(words[0]);
    };
    let word = words.iter().find(|word| offered.contains(word));
    word.copied().ok_or_else(|| {
        let offered = crate::error::tame(&offered.join(", "), 200);
        Error::Missing(format!(
            "it can boot from {offered}, not from {} ({})",
            words[0], device
        ))
    })
}

fn device(target: &str) -> Option<BootDevice> {
    match target {
        "Pxe" => Some(BootDevice::Net),
        "Hdd" => Some(BootDevice::Disk),
        "Cd" | "UsbCd" | "RemoteDrive" => Some(BootDevice::Cdrom),
        "BiosSetup" => Some(BootDevice::Setup),
        "UefiHttp" => Some(BootDevice::Http),
        _ => None,
    }
}
