//! Power: the state of a system and its resets, by those that the BMC offers.

use std::time::Duration;

use serde_json::json;
use tokio::time::{Instant, sleep};
use xcat3_core::control::{PowerState, PowerTarget};

use crate::action::Action;
use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

/// The pause of a power cycle between off and on.
const PAUSE: Duration = Duration::from_secs(2);
/// How long is waited at first before the power state is looked at again.
const FIRST_LOOK: Duration = Duration::from_millis(100);
/// And later at most.
const LATER_LOOK: Duration = Duration::from_secs(2);

/// What a change of power may be called, the best first.
const ON: &[&str] = &["On", "ForceOn", "PushPowerButton"];
const OFF: &[&str] = &["ForceOff", "PowerOff"];
const RESET: &[&str] = &["ForceRestart", "PowerCycle", "FullPowerCycle"];
const CYCLE: &[&str] = &["PowerCycle", "FullPowerCycle"];
const SOFT: &[&str] = &["GracefulShutdown", "PushPowerButton"];

impl Client {
    /// Whether the system `wanted` ([`Client::system`]) is on.
    ///
    /// # Errors
    /// It does not say.
    pub async fn power_state(&mut self, wanted: Option<&str>) -> Result<PowerState, Error> {
        state(&self.glance(wanted).await?)
    }

    /// Changes the power of the system `wanted`, and waits until it has changed; not so for
    /// [`PowerTarget::Soft`], which the operating system may take its time for.
    ///
    /// # Errors
    /// It cannot be done, was refused or is not done in time.
    pub async fn set_power(
        &mut self,
        wanted: Option<&str>,
        target: PowerTarget,
    ) -> Result<(), Error> {
        let system = self.system(wanted).await?;
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
                "it is off: it can be switched on or booted, but not reset".to_owned(),
            )),
        }
    }

    /// Off and on again: by the BMC itself where it can, otherwise in steps.
    async fn cycle(&mut self, system: &Resource) -> Result<(), Error> {
        if let Ok(word) = self.word(system, CYCLE, true).await? {
            let action = action(system)?;
            return self.act(&action, &json!({"ResetType": word})).await;
        }
        self.switch(system, OFF, PowerState::Off).await?;
        sleep(PAUSE).await;
        self.switch(system, ON, PowerState::On).await
    }

    async fn switch(
        &mut self,
        system: &Resource,
        words: &[&str],
        to: PowerState,
    ) -> Result<(), Error> {
        self.reset(system, words).await?;
        let end = Instant::now() + self.patience().task;
        let mut pause = FIRST_LOOK;
        loop {
            let now = self.get(&system.path).await;
            match now.as_ref().map(|now| now.text("PowerState")) {
                Ok(Some(_)) if now.as_ref().is_ok_and(|now| state(now) == Ok(to)) => return Ok(()),
                Ok(_) => {}
                // Some don't answer for a moment while the power changes.
                Err(Error::Busy(_) | Error::Refused { .. }) => {}
                Err(error) => return Err(error.clone()),
            }
            if Instant::now() + pause > end {
                let seconds = self.patience().task.as_secs();
                let is = now
                    .ok()
                    .and_then(|now| now.words("PowerState"))
                    .unwrap_or_default();
                return Err(Error::Undone(format!(
                    "it was told to power {to}, but its power state is '{is}' after {seconds} s"
                )));
            }
            sleep(pause).await;
            pause = (pause * 2).min(LATER_LOOK);
        }
    }

    async fn reset(&mut self, system: &Resource, words: &[&str]) -> Result<(), Error> {
        let word = self.word(system, words, false).await?;
        let word = word.map_err(|offered| {
            Error::Missing(format!(
                "its resets are {offered}: none of them is {}",
                words.join(" or ")
            ))
        })?;
        let action = action(system)?;
        self.act(&action, &json!({"ResetType": word})).await
    }

    /// The first of `words` that the BMC allows, otherwise those that it does. Where it doesn't say
    /// what it allows the first is as good as any, unless it must be `sure`.
    async fn word(
        &mut self,
        system: &Resource,
        words: &[&str],
        sure: bool,
    ) -> Result<Result<String, String>, Error> {
        let allowed = self.allowed(&action(system)?, "ResetType").await?;
        let Some(allowed) = allowed else {
            return Ok(match sure {
                true => Err("not said".to_owned()),
                false => Ok(words[0].to_owned()),
            });
        };
        let word = words
            .iter()
            .find(|word| allowed.iter().any(|allowed| allowed == *word));
        Ok(word
            .map(|word| (*word).to_owned())
            .ok_or_else(|| crate::error::tame(&allowed.join(", "), 200)))
    }
}

fn action(system: &Resource) -> Result<Action, Error> {
    let action = Action::of(system, "ComputerSystem.Reset");
    action.ok_or_else(|| Error::Missing("it offers no way to change its power".to_owned()))
}

/// The power state that `system` tells.
fn state(system: &Resource) -> Result<PowerState, Error> {
    match system.text("PowerState") {
        Some("On" | "PoweringOff" | "Paused") => Ok(PowerState::On),
        Some("Off" | "PoweringOn") => Ok(PowerState::Off),
        Some(other) => {
            let other = crate::error::tame(other, 40);
            Err(Error::Nonsense(format!(
                "its power state is '{other}', which means nothing here"
            )))
        }
        None => Err(Error::Missing(
            "it does not tell its power state".to_owned(),
        )),
    }
}
