//! The boot device of a system: the boot source override, for one boot or permanently.

use serde_json::{Map, Value, json};
use xcat3_core::control::{BootDevice, BootOrder};

use crate::client::Client;
use crate::error::{Error, sanitize};
use crate::resource::{Resource, SETTINGS};

impl Client {
    /// The boot device of the system that `selector` selects; none if nothing is overridden.
    ///
    /// # Errors
    /// The BMC does not report it, or reports an unknown one.
    pub async fn boot_device(
        &mut self,
        selector: Option<&str>,
    ) -> Result<Option<BootDevice>, Error> {
        let system = self.system_state(selector).await?;
        if system.value_at("Boot").is_none() {
            return Err(Error::Missing(
                "the BMC does not report the boot device".to_owned(),
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
                    let target = sanitize(target, 40);
                    Err(Error::InvalidResponse(format!(
                        "the BMC reports the unknown boot device '{target}'"
                    )))
                }
            },
        }
    }

    /// Sets the boot device of the system that `selector` selects. `uri` is the file for UEFI HTTP
    /// boot; without one the firmware asks by DHCP.
    ///
    /// # Errors
    /// The BMC does not offer the device, or refused.
    pub async fn set_boot_device(
        &mut self,
        selector: Option<&str>,
        order: BootOrder,
        uri: Option<&str>,
    ) -> Result<(), Error> {
        let system = self.system(selector).await?;
        let target = target(&system, order.device)?;
        let mut boot = Map::new();
        boot.insert("BootSourceOverrideTarget".to_owned(), json!(target));
        let enabled = if order.persistent {
            "Continuous"
        } else {
            "Once"
        };
        let offered = system.allowable_values("Boot/BootSourceOverrideEnabled");
        if let Some(offered) = offered.filter(|offered| !offered.contains(&enabled)) {
            let offered = sanitize(&offered.join(", "), 100);
            return Err(Error::Missing(format!(
                "the BMC sets the boot device {offered}, not {enabled}"
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

    /// Changes the boot override in each form that BMCs demand: some refuse a mode equal to the
    /// present one, some demand it, some have a settings resource for the next boot.
    async fn set_boot(&mut self, system: &Resource, boot: Map<String, Value>) -> Result<(), Error> {
        let first = match self.change(system, &json!({"Boot": boot})).await {
            Err(error) if error.may_accept_another_form() => error,
            changed => return changed,
        };
        let present = system.short_text("Boot/BootSourceOverrideMode");
        let mut other = boot.clone();
        match (boot.contains_key("BootSourceOverrideMode"), present) {
            (true, _) => drop(other.remove("BootSourceOverrideMode")),
            (false, Some(mode)) => {
                drop(other.insert("BootSourceOverrideMode".to_owned(), json!(mode)));
            }
            (false, None) => {}
        }
        // An order for UEFI must never become one for another mode.
        let mode = boot.get("BootSourceOverrideMode").and_then(Value::as_str);
        let keeps_mode = mode.is_none() || mode == system.text("Boot/BootSourceOverrideMode");
        if other != boot && keeps_mode {
            match self.change(system, &json!({"Boot": other})).await {
                Err(error) if error.may_accept_another_form() => {}
                changed => return changed,
            }
        }
        let Some(link) = system.link(SETTINGS) else {
            return Err(first);
        };
        let settings = self.get(link).await?;
        match self.change(&settings, &json!({"Boot": boot})).await {
            Err(error) if error.may_accept_another_form() => Err(first),
            changed => changed,
        }
    }
}

/// The BMC's name of `device`.
fn target(system: &Resource, device: BootDevice) -> Result<&'static str, Error> {
    let words: &[&'static str] = match device {
        BootDevice::Net => &["Pxe"],
        BootDevice::Disk => &["Hdd"],
        BootDevice::Cdrom => &["Cd", "UsbCd", "RemoteDrive"],
        BootDevice::Setup => &["BiosSetup"],
        BootDevice::Http => &["UefiHttp"],
    };
    let Some(offered) = system.allowable_values("Boot/BootSourceOverrideTarget") else {
        return Ok(words[0]);
    };
    let word = words.iter().find(|word| offered.contains(word));
    word.copied().ok_or_else(|| {
        let offered = sanitize(&offered.join(", "), 200);
        Error::Missing(format!(
            "the BMC can boot from {offered}, not from {} ({})",
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
