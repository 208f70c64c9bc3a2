//! The identify light, in its newer form (`LocationIndicatorActive`) and its older one
//! (`IndicatorLED`), of the system or of its chassis.

use serde_json::json;

use crate::client::Client;
use crate::error::Error;
use crate::resource::Resource;

impl Client {
    /// Whether the identify light of the system `wanted` is on.
    ///
    /// # Errors
    /// It doesn't have one.
    pub async fn beacon(&mut self, wanted: Option<&str>) -> Result<bool, Error> {
        let light = self.light(wanted).await?;
        is_lit(&light).ok_or_else(none)
    }

    /// Switches the identify light of the system `wanted`.
    ///
    /// # Errors
    /// It doesn't have one, or refused.
    pub async fn set_beacon(&mut self, wanted: Option<&str>, on: bool) -> Result<(), Error> {
        let light = self.light(wanted).await?;
        if light.flag("LocationIndicatorActive").is_some() {
            let changed = self
                .change(&light, &json!({"LocationIndicatorActive": on}))
                .await;
            match changed {
                Err(error) if error.is_about_wording() && light.text("IndicatorLED").is_some() => {}
                done => return done,
            }
        }
        let words: &[&str] = if on { &["Blinking", "Lit"] } else { &["Off"] };
        let mut last = Err(none());
        for word in words {
            last = self.change(&light, &json!({"IndicatorLED": word})).await;
            match &last {
                Err(error) if error.is_about_wording() => {}
                _ => return last,
            }
        }
        last
    }

    /// The resource that has the light.
    async fn light(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(wanted).await?;
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
    Error::Missing("it has no identify light".to_owned())
}

fn is_lit(resource: &Resource) -> Option<bool> {
    resource.flag("LocationIndicatorActive").or_else(|| {
        let led = resource.text("IndicatorLED")?;
        (led != "Unknown").then_some(led != "Off")
    })
}
