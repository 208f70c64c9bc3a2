//! What the service must be told, out of the configuration.

use std::path::{Path, PathBuf};

use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;
use xcat3_service::{Config, Slot, StateDir, config};

/// What the service must be told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// The section of the configuration.
    pub network: config::Network,
    /// The boot programs for each firmware.
    pub loaders: Loaders,
    /// What is the same for all installs.
    pub install: InstallSettings,
    /// Where ISO images and boot files are kept.
    pub images: PathBuf,
    /// Its place among the network services.
    pub slot: Slot,
}

/// A file that the configuration names can't be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, which install.{key} names: {reason}", path.display())]
pub struct Unreadable {
    key: &'static str,
    path: PathBuf,
    reason: std::io::Error,
}

impl Settings {
    /// What the configuration says. `home` is the home directory of the daemon's user, whose public
    /// ssh keys are given to installed machines where the configuration names no others.
    ///
    /// # Errors
    /// A file that the configuration names can't be read.
    pub fn of(
        config: &Config,
        state: &StateDir,
        home: Option<&Path>,
        slot: Slot,
    ) -> Result<Self, Unreadable> {
        let install = &config.install;
        let named = install.authorized_keys.as_deref();
        let script =
            |key, path: &Option<PathBuf>| path.as_deref().map(|path| read(key, path)).transpose();
        let keys: Vec<String> = match named {
            Some(files) => files
                .iter()
                .map(|path| read("authorized_keys", path))
                .collect::<Result<_, _>>()?,
            None => default_key_files(state, home)
                .iter()
                .filter_map(|path| std::fs::read_to_string(path).ok())
                .collect(),
        };
        Ok(Self {
            network: config.network.clone(),
            loaders: Loaders {
                bios: config.network.loaders.bios.clone(),
                uefi_x64: config.network.loaders.uefi_x64.clone(),
                uefi_arm64: config.network.loaders.uefi_arm64.clone(),
            },
            install: InstallSettings {
                authorized_keys: keys_in(&keys),
                timezone: install.timezone.clone(),
                locale: install.locale.clone(),
                keyboard: install.keyboard.clone(),
                base_packages: install.base_packages.clone(),
                packages: install.packages.clone(),
                kernel_package: install.kernel_package.clone(),
                disk: install.disk.clone(),
                consoles: install.consoles.clone(),
                kernel_arguments: install.kernel_arguments.clone(),
                mirror: install.mirror.clone(),
                early_script: script("early_script", &install.early_script)?,
                post_script: script("post_script", &install.post_script)?,
                templates: state.templates(),
            },
            images: state.images(),
            slot,
        })
    }
}

fn read(key: &'static str, path: &Path) -> Result<String, Unreadable> {
    std::fs::read_to_string(path).map_err(|reason| Unreadable {
        key,
        path: path.to_owned(),
        reason,
    })
}

fn default_key_files(state: &StateDir, home: Option<&Path>) -> Vec<PathBuf> {
    let entries = home.and_then(|home| std::fs::read_dir(home.join(".ssh")).ok());
    let paths = entries
        .into_iter()
        .flatten()
        .filter_map(|entry| Some(entry.ok()?.path()));
    let mut files: Vec<PathBuf> = paths
        .filter(|path| path.extension().is_some_and(|ext| ext == "pub"))
        .collect();
    files.sort();
    files.push(state.authorized_keys());
    files
}

/// The keys in the texts of some files, each once.
fn keys_in(texts: &[String]) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let lines = texts.iter().flat_map(|text| text.lines()).map(str::trim);
    for key in lines.filter(|line| !line.is_empty() && !line.starts_with('#')) {
        if !keys.iter().any(|known| known == key) {
            keys.push(key.to_owned());
        }
    }
    keys
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_keys_of_the_user_and_of_the_state_directory_are_taken_once_each() {
        let base = tempfile::tempdir().unwrap();
        let home = base.path().join("home");
        std::fs::create_dir_all(home.join(".ssh")).unwrap();
        std::fs::write(home.join(".ssh/id_ed25519.pub"), "ssh-ed25519 A me\n").unwrap();
        std::fs::write(home.join(".ssh/id_ed25519"), "PRIVATE\n").unwrap();
        let state = StateDir::open(&base.path().join("state")).unwrap();
        std::fs::write(
            state.authorized_keys(),
            "# ours\n\nssh-ed25519 A me\nssh-rsa B you\n",
        )
        .unwrap();
        let settings =
            Settings::of(&Config::default(), &state, Some(&home), Slot::alone("h")).unwrap();
        assert_eq!(settings.loaders, Loaders::default());
        assert_eq!(
            settings.install.authorized_keys,
            ["ssh-ed25519 A me", "ssh-rsa B you"]
        );
        let mut config = Config::default();
        config.install.authorized_keys = Some(vec![state.authorized_keys()]);
        config.install.post_script = Some(base.path().join("post"));
        let refused = Settings::of(&config, &state, None, Slot::alone("h"))
            .unwrap_err()
            .to_string();
        assert!(
            refused.contains("post, which install.post_script names"),
            "{refused}"
        );
        std::fs::write(base.path().join("post"), "true\n").unwrap();
        let settings = Settings::of(&config, &state, None, Slot::alone("h")).unwrap();
        assert_eq!(settings.install.post_script.as_deref(), Some("true\n"));
        assert_eq!(settings.install.authorized_keys.len(), 2);
    }
}
