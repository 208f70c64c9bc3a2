//! Power, boot device, identify light and clearing the event log.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use xcat3_core::control::{BootDevice, BootOrder, PowerState, PowerTarget};

use super::Rest;
use crate::error::{Error, sanitize};
use crate::resource::Resource;

const HOST: &str = "/state/host0";
const CHASSIS: &str = "/state/chassis0";
const BOOT: &str = "/control/host0/boot";
const ONCE: &str = "/control/host0/boot/one_time";
const LIGHT: &str = "/led/groups/enclosure_identify";

/// The interval between two reads of the power state after a change.
const POLL_INTERVAL: Duration = Duration::from_millis(500);

impl Rest {
    /// The power state of the machine.
    ///
    /// # Errors
    /// The BMC does not report it.
    pub async fn power_state(&mut self) -> Result<PowerState, Error> {
        let chassis = self.get(CHASSIS).await?;
        match enum_value(&chassis, "CurrentPowerState") {
            Some("On") => Ok(PowerState::On),
            Some("Off") => Ok(PowerState::Off),
            other => Err(Error::InvalidResponse(format!(
                "the BMC reports the unknown power state '{}'",
                sanitize(other.unwrap_or_default(), 40)
            ))),
        }
    }

    /// Changes the power and waits for the change. Does not wait after [`PowerTarget::Soft`].
    ///
    /// # Errors
    /// The change is impossible, was refused or did not happen in time.
    pub async fn set_power(&mut self, target: PowerTarget) -> Result<(), Error> {
        let is_on = self.power_state().await? == PowerState::On;
        match (target, is_on) {
            (PowerTarget::On, true) | (PowerTarget::Off | PowerTarget::Soft, false) => Ok(()),
            (PowerTarget::On | PowerTarget::Boot | PowerTarget::Cycle, false) => {
                self.host("On").await?;
                self.wait_for(PowerState::On).await
            }
            (PowerTarget::Off, true) => self.power_off().await,
            (PowerTarget::Soft, true) => self.host("Off").await,
            (PowerTarget::Boot | PowerTarget::Reset, true) => {
                match self.host("ForceWarmReboot").await {
                    // Older firmware has no such transition.
                    Err(error) if error.may_accept_another_form() => self.off_and_on().await,
                    changed => changed,
                }
            }
            (PowerTarget::Cycle, true) => self.off_and_on().await,
            (PowerTarget::Reset, false) => Err(Error::Missing(
                "the system is off: it can be switched on or booted, but not reset".to_owned(),
            )),
        }
    }

    async fn off_and_on(&mut self) -> Result<(), Error> {
        self.power_off().await?;
        self.host("On").await?;
        self.wait_for(PowerState::On).await
    }

    async fn power_off(&mut self) -> Result<(), Error> {
        let off = json!("xyz.openbmc_project.State.Chassis.Transition.Off");
        self.set(CHASSIS, "RequestedPowerTransition", &off).await?;
        self.wait_for(PowerState::Off).await
    }

    async fn host(&mut self, transition: &str) -> Result<(), Error> {
        let value = format!("xyz.openbmc_project.State.Host.Transition.{transition}");
        self.set(HOST, "RequestedHostTransition", &json!(value))
            .await
    }

    async fn wait_for(&mut self, state: PowerState) -> Result<(), Error> {
        let limit = self.http.timeouts().task;
        let deadline = Instant::now() + limit;
        while self.power_state().await? != state {
            if Instant::now() + POLL_INTERVAL > deadline {
                let seconds = limit.as_secs();
                return Err(Error::TaskFailed(format!(
                    "the BMC accepted power {state}, but has not changed it after {seconds} s"
                )));
            }
            sleep(POLL_INTERVAL).await;
        }
        Ok(())
    }

    /// The boot device; none if the machine boots in its own order.
    ///
    /// # Errors
    /// The BMC does not report it.
    pub async fn boot_device(&mut self) -> Result<Option<BootDevice>, Error> {
        let once = self.get(ONCE).await?;
        if once.flag("Enabled") != Some(false)
            && let Some(device) = device(&once)?
        {
            return Ok(Some(device));
        }
        device(&self.get(BOOT).await?)
    }

    /// Sets the boot device. The firmware chooses between UEFI and BIOS.
    ///
    /// # Errors
    /// The BMC does not offer the device, or refused.
    pub async fn set_boot_device(&mut self, order: BootOrder) -> Result<(), Error> {
        let (mode, source) = match order.device {
            BootDevice::Net => ("Regular", "Network"),
            BootDevice::Disk => ("Regular", "Disk"),
            BootDevice::Cdrom => ("Regular", "ExternalMedia"),
            BootDevice::Setup => ("Setup", "Default"),
            BootDevice::Http => {
                let cannot = "OpenBMC's REST API has no boot by HTTP";
                return Err(Error::Missing(cannot.to_owned()));
            }
        };
        let object = if order.persistent { BOOT } else { ONCE };
        let source = format!("xyz.openbmc_project.Control.Boot.Source.Sources.{source}");
        let mode = format!("xyz.openbmc_project.Control.Boot.Mode.Modes.{mode}");
        self.set(object, "BootSource", &json!(source)).await?;
        self.set(object, "BootMode", &json!(mode)).await?;
        // An enabled one-time device would hide the permanent one.
        let enabled = self.set(ONCE, "Enabled", &json!(!order.persistent)).await;
        match enabled {
            // Older firmware has no such property.
            Err(error) if error.is_not_found() => Ok(()),
            changed => changed,
        }
    }

    /// Whether the identify light is on.
    ///
    /// # Errors
    /// The BMC has none.
    pub async fn beacon(&mut self) -> Result<bool, Error> {
        let light = self.get(LIGHT).await;
        let light = light.map_err(|error| match error.is_not_found() {
            true => Error::Missing("the BMC has no identify light".to_owned()),
            false => error,
        })?;
        Ok(is_true(light.value_at("Asserted")))
    }

    /// Switches the identify light.
    ///
    /// # Errors
    /// The BMC has none, or refused.
    pub async fn set_beacon(&mut self, on: bool) -> Result<(), Error> {
        self.set(LIGHT, "Asserted", &json!(on)).await
    }

    /// Clears the event log.
    ///
    /// # Errors
    /// The BMC refused.
    pub async fn clear_event_log(&mut self) -> Result<(), Error> {
        match self.call("/logging", "DeleteAll").await {
            Err(error) if error.is_not_found() => self.call("/logging", "deleteAll").await,
            changed => changed,
        }
    }
}

/// The last component of the D-Bus enumeration value of the property `name`.
pub(super) fn enum_value<'r>(object: &'r Resource, name: &str) -> Option<&'r str> {
    object.text(name)?.rsplit('.').next()
}

/// The boolean in `value`. OpenBMC's releases differ in its type.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(is)) => *is,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        _ => false,
    }
}

fn device(boot: &Resource) -> Result<Option<BootDevice>, Error> {
    if enum_value(boot, "BootMode") == Some("Setup") {
        return Ok(Some(BootDevice::Setup));
    }
    match enum_value(boot, "BootSource") {
        None | Some("Default") => Ok(None),
        Some("Network") => Ok(Some(BootDevice::Net)),
        Some("Disk") => Ok(Some(BootDevice::Disk)),
        Some("ExternalMedia" | "RemovableMedia") => Ok(Some(BootDevice::Cdrom)),
        Some("HTTP") => Ok(Some(BootDevice::Http)),
        Some(other) => Err(Error::InvalidResponse(format!(
            "the BMC reports the unknown boot device '{}'",
            sanitize(other, 40)
        ))),
    }
}
