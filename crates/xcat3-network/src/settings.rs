//! The section `[network]` of the configuration, and what the service starts with.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use xcat3_core::setting::Seconds;
use xcat3_drivers::boot::Loaders;
use xcat3_drivers::install::InstallSettings;
use xcat3_service::config::{self, Workers};
use xcat3_service::{Slot, StateDir};

/// DHCP, TFTP and HTTP for nodes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Interfaces that may be served; empty: each that owns an address in a defined network.
    pub interfaces: Vec<String>,
    /// TCP port of the boot files.
    pub http_port: u16,
    /// Directories of boot loaders, in the order of their search.
    pub loader_dirs: Vec<PathBuf>,
    /// The boot loader for each firmware.
    pub loaders: Loaders,
    /// Lease time.
    pub lease_s: Seconds,
    /// Whether router solicitations get an advertisement without router, which saves iPXE a wait.
    pub router_advertisements: bool,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long responses in progress may continue after a shutdown.
    pub drain_s: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        let dirs = [
            "/usr/lib/ipxe",
            "/usr/lib/PXELINUX",
            "/usr/lib/syslinux/modules/bios",
        ];
        Self {
            interfaces: Vec::new(),
            http_port: 3011,
            loader_dirs: dirs.map(PathBuf::from).to_vec(),
            loaders: Loaders::default(),
            lease_s: Seconds::new(43_200),
            router_advertisements: true,
            workers: Workers::ONE,
            drain_s: Seconds::new(5),
        }
    }
}

/// What the service starts with.
#[derive(Clone, Debug)]
pub struct Startup {
    /// The section `[network]`.
    pub settings: Settings,
    /// The settings of installs.
    pub install: InstallSettings,
    /// The directory of ISO files and boot files.
    pub images: PathBuf,
    /// This worker.
    pub slot: Slot,
}

/// A file that the configuration names cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read {}, which install.{key} names: {reason}", path.display())]
pub struct Unreadable {
    key: &'static str,
    path: PathBuf,
    reason: std::io::Error,
}

impl Startup {
    /// Reads the files that the section `[install]` names. `home` is the home directory of the daemon's
    /// user, whose public ssh keys installed machines get where the configuration names no others.
    ///
    /// # Errors
    /// A file that the configuration names cannot be read.
    pub fn new(
        settings: Settings,
        install: &config::Install,
        state: &StateDir,
        home: Option<&Path>,
        slot: Slot,
    ) -> Result<Self, Unreadable> {
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
            settings,
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

/// The keys in the texts of files, without duplicates.
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
    fn keys_of_user_and_state_directory_are_read_once_each() {
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
        let start = |install: &config::Install, home: Option<&Path>| {
            Startup::new(Settings::default(), install, &state, home, Slot::alone("h"))
        };
        let mut install = config::Install::default();
        let startup = start(&install, Some(&home)).unwrap();
        assert_eq!(
            startup.install.authorized_keys,
            ["ssh-ed25519 A me", "ssh-rsa B you"]
        );
        install.authorized_keys = Some(vec![state.authorized_keys()]);
        install.post_script = Some(base.path().join("post"));
        let refused = start(&install, None).unwrap_err().to_string();
        assert!(
            refused.contains("post, which install.post_script names"),
            "{refused}"
        );
        std::fs::write(base.path().join("post"), "true\n").unwrap();
        let startup = start(&install, None).unwrap();
        assert_eq!(startup.install.post_script.as_deref(), Some("true\n"));
        assert_eq!(startup.install.authorized_keys.len(), 2);
    }
}
