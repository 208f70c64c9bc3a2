//! The sections of the configuration of all services.

use xcat3_service::config::{self, Config, ConfigError};

/// The sections of the configuration of all services.
#[derive(Clone, Debug)]
pub struct Settings {
    /// `[api]`.
    pub api: xcat3_api::Settings,
    /// `[conductor]`.
    pub conductor: xcat3_conductor::Settings,
    /// `[control]`.
    pub control: config::Control,
    /// `[network]`.
    pub network: xcat3_network::Settings,
    /// `[install]`.
    pub install: config::Install,
}

impl Settings {
    /// Reads them.
    ///
    /// # Errors
    /// A value is not understood.
    pub fn read(config: &Config) -> Result<Self, ConfigError> {
        Ok(Self {
            api: config.section("api")?,
            conductor: config.section("conductor")?,
            control: config.section("control")?,
            network: config.section("network")?,
            install: config.section("install")?,
        })
    }
}
