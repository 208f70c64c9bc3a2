//! The identify light of the system or of its chassis, as `LocationIndicatorActive` or as the older
//! `IndicatorLED`.

use serde_json::json;

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

impl Client {
    /// Whether the identify light of the system that `selector` selects is on.
    ///
    /// # Errors
    /// The system has no identify light.
    pub async fn beacon(&mut self, selector: Option<&str>) -> Result<bool, Error> {
        let light = self.light(selector).await?;
        is_lit(&light).ok_or_else(none)
    }

    /// Switches the identify light of the system that `selector` selects.
    ///
    /// # Errors
    /// The system has no identify light, or the BMC refused.
    pub async fn set_beacon(&mut self, selector: Option<&str>, on: bool) -> Result<(), Error> {
        let light = self.light(selector).await?;
        if light.flag("LocationIndicatorActive").is_some() {
            let changed = self
                .change(&light, &json!({"LocationIndicatorActive": on}))
                .await;
            match changed {
                Err(error)
                    if error.may_accept_another_form() && light.text("IndicatorLED").is_some() => {}
                changed => return changed,
            }
        }
        let words: &[&str] = if on { &["Blinking", "Lit"] } else { &["Off"] };
        let mut last = Err(none());
        for word in words {
            last = self.change(&light, &json!({"IndicatorLED": word})).await;
            match &last {
                Err(error) if error.may_accept_another_form() => {}
                _ => return last,
            }
        }
        last
    }

    /// The resource with the light.
    async fn light(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(selector).await?;
        if is_lit(&system).is_some() {
            return Ok(system);
        }
        let chassis = self.chassis(&system).await?;
        chassis
            .into_iter()
            .find(|part| is_lit(part).is_some())
            .ok_or_else(none)
    }
}

fn none() -> Error {
    Error::Missing("the BMC has no identify light".to_owned())
}

fn is_lit(resource: &Resource) -> Option<bool> {
    resource.flag("LocationIndicatorActive").or_else(|| {
        let led = resource.text("IndicatorLED")?;
        (led != "Unknown").then_some(led != "Off")
    })
}
