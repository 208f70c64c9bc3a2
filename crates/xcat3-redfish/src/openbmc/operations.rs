//! Power, boot device, identify light and the emptying of the log.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use xcat3_core::control::{BootDevice, BootOrder, PowerState, PowerTarget};

use super::Rest;
use crate::error::{Error, tame};
use crate::resource::Resource;

const HOST: &str = "/state/host0";
const CHASSIS: &str = "/state/chassis0";
const BOOT: &str = "/control/host0/boot";
const ONCE: &str = "/control/host0/boot/one_time";
const LIGHT: &str = "/led/groups/enclosure_identify";

/// How long is waited before the power state is looked at again.
const LOOK: Duration = Duration::from_millis(500);

impl Rest {
    /// Whether the machine is on.
    ///
    /// # Errors
    /// It does not say.
    pub async fn power_state(&mut self) -> Result<PowerState, Error> {
        let chassis = self.get(CHASSIS).await?;
        match word(&chassis, "CurrentPowerState") {
            Some("On") => Ok(PowerState::On),
            Some("Off") => Ok(PowerState::Off),
            other => Err(Error::Nonsense(format!(
                "its power state is '{}', which means nothing here",
                tame(other.unwrap_or_default(), 40)
            ))),
        }
    }

    /// Changes its power, and waits until it has changed; not so for [`PowerTarget::Soft`].
    ///
    /// # Errors
    /// It cannot be done, was refused or is not done in time.
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
                    // Older than that transition.
                    Err(error) if error.is_about_wording() => self.off_and_on().await,
                    done => done,
                }
            }
            (PowerTarget::Cycle, true) => self.off_and_on().await,
            (PowerTarget::Reset, false) => Err(Error::Missing(
                "it is off: it can be switched on or booted, but not reset".to_owned(),
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
        let word = format!("xyz.openbmc_project.State.Host.Transition.{transition}");
        self.set(HOST, "RequestedHostTransition", &json!(word))
            .await
    }

    async fn wait_for(&mut self, state: PowerState) -> Result<(), Error> {
        let patience = self.link.patience().task;
        let end = Instant::now() + patience;
        while self.power_state().await? != state {
            if Instant::now() + LOOK > end {
                let seconds = patience.as_secs();
                return Err(Error::Undone(format!(
                    "it was told to power {state} and has not done so after {seconds} s"
                )));
            }
            sleep(LOOK).await;
        }
        Ok(())
    }

    /// What it boots from; none where its own order counts.
    ///
    /// # Errors
    /// It does not say.
    pub async fn boot_device(&mut self) -> Result<Option<BootDevice>, Error> {
        let once = self.get(ONCE).await?;
        if once.flag("Enabled") != Some(false)
            && let Some(device) = device(&once)?
        {
            return Ok(Some(device));
        }
        device(&self.get(BOOT).await?)
    }

    /// Has it boot as `order` says. It chooses itself whether by UEFI.
    ///
    /// # Errors
    /// It can't, or refused.
    pub async fn set_boot_device(&mut self, order: BootOrder) -> Result<(), Error> {
        let (mode, source) = match order.device {
            BootDevice::Net => ("Regular", "Network"),
            BootDevice::Disk => ("Regular", "Disk"),
            BootDevice::Cdrom => ("Regular", "ExternalMedia"),
            BootDevice::Setup => ("Setup", "Default"),
            BootDevice::Http => {
                let cannot = "OpenBMC's REST has no boot by HTTP";
                return Err(Error::Missing(cannot.to_owned()));
            }
        };
        let place = if order.persistent { BOOT } else { ONCE };
        let source = format!("xyz.openbmc_project.Control.Boot.Source.Sources.{source}");
        let mode = format!("xyz.openbmc_project.Control.Boot.Mode.Modes.{mode}");
        self.set(place, "BootSource", &json!(source)).await?;
        self.set(place, "BootMode", &json!(mode)).await?;
        // What is to be once comes first; what lasts must not be hidden by it.
        let enabled = self.set(ONCE, "Enabled", &json!(!order.persistent)).await;
        match enabled {
            // Older than that property.
            Err(error) if error.is_absent() => Ok(()),
            done => done,
        }
    }

    /// Whether its identify light is on.
    ///
    /// # Errors
    /// It has none.
    pub async fn beacon(&mut self) -> Result<bool, Error> {
        let light = self.get(LIGHT).await;
        let light = light.map_err(|error| match error.is_absent() {
            true => Error::Missing("it has no identify light".to_owned()),
            false => error,
        })?;
        Ok(is_true(light.at("Asserted")))
    }

    /// Switches it.
    ///
    /// # Errors
    /// It has none, or refused.
    pub async fn set_beacon(&mut self, on: bool) -> Result<(), Error> {
        self.set(LIGHT, "Asserted", &json!(on)).await
    }

    /// Empties its event log.
    ///
    /// # Errors
    /// It refused.
    pub async fn clear_event_log(&mut self) -> Result<(), Error> {
        match self.call("/logging", "DeleteAll").await {
            Err(error) if error.is_absent() => self.call("/logging", "deleteAll").await,
            done => done,
        }
    }
}

/// The last part of the word of D-Bus at `name`.
pub(super) fn word<'r>(object: &'r Resource, name: &str) -> Option<&'r str> {
    object.text(name)?.rsplit('.').next()
}

/// OpenBMC has been of two minds about the type.
pub(super) fn is_true(value: Option<&Value>) -> bool {
    match value {
        Some(Value::Bool(is)) => *is,
        Some(Value::Number(number)) => number.as_f64().is_some_and(|number| number != 0.0),
        _ => false,
    }
}

fn device(boot: &Resource) -> Result<Option<BootDevice>, Error> {
    if word(boot, "BootMode") == Some("Setup") {
        return Ok(Some(BootDevice::Setup));
    }
    match word(boot, "BootSource") {
        None | Some("Default") => Ok(None),
        Some("Network") => Ok(Some(BootDevice::Net)),
        Some("Disk") => Ok(Some(BootDevice::Disk)),
        Some("ExternalMedia" | "RemovableMedia") => Ok(Some(BootDevice::Cdrom)),
        Some("HTTP") => Ok(Some(BootDevice::Http)),
        Some(other) => Err(Error::Nonsense(format!(
            "it boots from '{}', for which there is no word here",
            tame(other, 40)
        ))),
    }
}
