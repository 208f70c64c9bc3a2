//! Power: the state of a system, and its change by the resets that the BMC offers.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use xcat3_core::control::{PowerState, PowerTarget};

use crate::action::Action;
use crate::client::Client;
use crate::error::{Error, sanitize};
use crate::resource::Resource;

/// How long a system stays off in a power cycle.
const CYCLE_OFF_TIME: Duration = Duration::from_secs(2);
/// The interval before the power state is read first after a change. It doubles each time.
const FIRST_POLL_INTERVAL: Duration = Duration::from_millis(100);
/// The longest interval between two reads of the power state.
const MAX_POLL_INTERVAL: Duration = Duration::from_secs(2);

/// Names of resets (`ResetType`), the best first.
const ON: &[&str] = &["On", "ForceOn", "PushPowerButton"];
const OFF: &[&str] = &["ForceOff", "PowerOff"];
const RESET: &[&str] = &["ForceRestart", "PowerCycle", "FullPowerCycle"];
const CYCLE: &[&str] = &["PowerCycle", "FullPowerCycle"];
const SOFT: &[&str] = &["GracefulShutdown", "PushPowerButton"];

impl Client {
    /// The power state of the system that `selector` selects ([`Client::system`]).
    ///
    /// # Errors
    /// The BMC does not report it.
    pub async fn power_state(&mut self, selector: Option<&str>) -> Result<PowerState, Error> {
        state(&self.system_state(selector).await?)
    }

    /// Changes the power of the system that `selector` selects, and waits for the change. Does not
    /// wait after [`PowerTarget::Soft`], which the operating system carries out in its own time.
    ///
    /// # Errors
    /// The change is impossible, was refused or did not happen in time.
    pub async fn set_power(
        &mut self,
        selector: Option<&str>,
        target: PowerTarget,
    ) -> Result<(), Error> {
        let system = self.system(selector).await?;
        let is_on = state(&system)? == PowerState::On;
        match (target, is_on) {
            (PowerTarget::On, true) | (PowerTarget::Off | PowerTarget::Soft, false) => Ok(()),
            (PowerTarget::On | PowerTarget::Boot | PowerTarget::Cycle, false) => {
                self.switch(&system, ON, PowerState::On).await
            }
            (PowerTarget::Off, true) => self.switch(&system, OFF, PowerState::Off).await,
            (PowerTarget::Boot | PowerTarget::Reset, true) => self.reset(&system, RESET).await,
            (PowerTarget::Soft, true) => self.reset(&system, SOFT).await,
            (PowerTarget::Cycle, true) => self.cycle(&system).await,
            (PowerTarget::Reset, false) => Err(Error::Missing(
                "the system is off: it can be switched on or booted, but not reset".to_owned(),
            )),
        }
    }

    /// Switches the system off and on: in one reset if the BMC has such a reset, otherwise in steps.
    async fn cycle(&mut self, system: &Resource) -> Result<(), Error> {
        let allowed = self.allowed_values(&action(system)?, "ResetType").await?;
        if let Some(kind) = allowed.and_then(|allowed| first_allowed(CYCLE, &allowed)) {
            return self.invoke_reset(system, kind).await;
        }
        self.switch(system, OFF, PowerState::Off).await?;
        sleep(CYCLE_OFF_TIME).await;
        self.switch(system, ON, PowerState::On).await
    }

    /// Resets the system by one of `kinds` and waits until its power state is `target`.
    async fn switch(
        &mut self,
        system: &Resource,
        kinds: &[&'static str],
        target: PowerState,
    ) -> Result<(), Error> {
        self.reset(system, kinds).await?;
        let limit = self.timeouts().task;
        let deadline = Instant::now() + limit;
        let mut interval = FIRST_POLL_INTERVAL;
        loop {
            let reported = match self.get(&system.path).await {
                Ok(now) if state(&now) == Ok(target) => return Ok(()),
                Ok(now) => now.short_text("PowerState").unwrap_or_default(),
                // Some BMCs answer no requests for a moment while the power changes.
                Err(Error::Busy(_) | Error::Refused { .. }) => String::new(),
                Err(error) => return Err(error),
            };
            if Instant::now() + interval > deadline {
                let seconds = limit.as_secs();
                return Err(Error::TaskFailed(format!(
                    "the BMC accepted power {target}, but reports the power state '{reported}' after {seconds} s"
                )));
            }
            sleep(interval).await;
            interval = (interval * 2).min(MAX_POLL_INTERVAL);
        }
    }

    /// Resets the system by the first of `kinds` that the BMC allows. If the BMC lists no allowed
    /// kinds, the first is tried.
    async fn reset(&mut self, system: &Resource, kinds: &[&'static str]) -> Result<(), Error> {
        let kind = match self.allowed_values(&action(system)?, "ResetType").await? {
            None => kinds[0],
            Some(allowed) => first_allowed(kinds, &allowed).ok_or_else(|| {
                let allowed = sanitize(&allowed.join(", "), 200);
                let kinds = kinds.join(" or ");
                Error::Missing(format!(
                    "the BMC offers the resets {allowed}, but not {kinds}"
                ))
            })?,
        };
        self.invoke_reset(system, kind).await
    }

    async fn invoke_reset(&mut self, system: &Resource, kind: &str) -> Result<(), Error> {
        let action = action(system)?;
        self.invoke(&action, &json!({"ResetType": kind})).await
    }
}

fn first_allowed(kinds: &[&'static str], allowed: &[String]) -> Option<&'static str> {
    let is_allowed = |kind: &&&str| allowed.iter().any(|allowed| allowed == **kind);
    kinds.iter().find(is_allowed).copied()
}

fn action(system: &Resource) -> Result<Action, Error> {
    let action = Action::from_resource(system, "ComputerSystem.Reset");
    action.ok_or_else(|| Error::Missing("the BMC offers no way to change the power".to_owned()))
}

/// The power state in `system`.
fn state(system: &Resource) -> Result<PowerState, Error> {
    match system.text("PowerState") {
        Some("On" | "PoweringOff" | "Paused") => Ok(PowerState::On),
        Some("Off" | "PoweringOn") => Ok(PowerState::Off),
        Some(other) => {
            let other = sanitize(other, 40);
            Err(Error::InvalidResponse(format!(
                "the BMC reports the unknown power state '{other}'"
            )))
        }
        None => Err(Error::Missing(
            "the BMC does not report the power state".to_owned(),
        )),
    }
}
