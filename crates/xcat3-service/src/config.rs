//! The configuration file: TOML, one section a service, every key optional.
//!
//! `etc/xcat3.conf` documents every key with its default; a test holds it to this file. Reading
//! files is left to `main.rs` by way of [`Config::load`]; the services are given values.

mod bmc;
mod fraction;
mod seconds;
mod sections;
mod workers;

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use bmc::{Bmc, Ipmi, Redfish};
pub use fraction::Fraction;
pub use seconds::Seconds;
pub use sections::{Api, Bus, Conductor, Control, Fake, Install, Kvm, Loaders, LogLevel, Network};
pub use workers::Workers;

/// Everything that can be configured. [`Config::default`] is a system that works.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Where the daemon keeps what must survive it; absent: see [`crate::state_dir`].
    pub state_dir: Option<PathBuf>,
    /// The database, `sqlite:FILE` or `postgres://…`; absent: `xcat3.db` in the state directory.
    /// May hold a password.
    pub database: Option<String>,
    /// The name of this host among all hosts of xcat3; absent: what `uname -n` says.
    pub hostname: Option<String>,
    /// What is logged.
    pub log: LogLevel,
    /// How processes of xcat3 hand one another work.
    pub bus: Bus,
    /// The REST API.
    pub api: Api,
    /// The worker that drives hardware.
    pub conductor: Conductor,
    /// DHCP, TFTP and HTTP for nodes.
    pub network: Network,
    /// How hardware is reached, one section a control driver.
    pub control: Control,
    /// What installed machines are given.
    pub install: Install,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file can't be read.
    #[error("cannot read the configuration file {}: {reason}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        reason: std::io::Error,
    },
    /// The file says something that is not understood.
    #[error("{}, line {line}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong, naming the key.
        message: String,
    },
}

impl Config {
    /// Reads the file at `path`; without one, the defaults.
    ///
    /// # Errors
    /// The file can't be read, is no TOML, or has a key or value that is not understood.
    pub fn load(path: Option<&Path>) -> Result<Self, ConfigError> {
        let Some(path) = path else {
            return Ok(Self::default());
        };
        let text = std::fs::read_to_string(path).map_err(|reason| ConfigError::Unreadable {
            path: path.to_owned(),
            reason,
        })?;
        Self::parse(&text, path)
    }

    /// The name of this host: as configured, else as the system says.
    #[must_use]
    pub fn host(&self) -> String {
        let configured = self.hostname.clone();
        configured.unwrap_or_else(|| {
            let system = rustix::system::uname();
            system.nodename().to_string_lossy().into_owned()
        })
    }

    /// The keys, as in `api.listen`, whose values differ in `other`, in order.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let flat = |config: &Self| match toml::Table::try_from(config) {
            Ok(table) => values(&table),
            Err(_) => Vec::new(),
        };
        let (here, there) = (flat(self), flat(other));
        let missing =
            |one: &(String, toml::Value), all: &[(String, toml::Value)]| !all.contains(one);
        let mut keys: Vec<String> = here
            .iter()
            .filter(|one| missing(one, &there))
            .chain(there.iter().filter(|one| missing(one, &here)))
            .map(|(key, _)| key.clone())
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    /// Understands `text`, which stands in the file `path`.
    ///
    /// # Errors
    /// It is no TOML, or has a key or value that is not understood.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        toml::from_str(text).map_err(|error| {
            let start = error.span().map_or(0, |span| span.start);
            ConfigError::Wrong {
                path: path.to_owned(),
                line: 1 + text
                    .bytes()
                    .take(start)
                    .filter(|&byte| byte == b'\n')
                    .count(),
                message: sentence(&error),
            }
        })
    }
}

/// All keys of a table, those of inner ones included, with their values.
fn values(table: &toml::Table) -> Vec<(String, toml::Value)> {
    let each = table.iter().flat_map(|(key, value)| match value {
        toml::Value::Table(inner) => values(inner)
            .into_iter()
            .map(|(deep, value)| (format!("{key}.{deep}"), value))
            .collect(),
        _ => vec![(key.clone(), value.clone())],
    });
    each.collect()
}

/// The parser's message in the words of the file: it has keys, not fields.
fn sentence(error: &toml::de::Error) -> String {
    let message = error.message().replace('`', "'");
    let message = match message.strip_prefix("unknown field ") {
        Some(rest) => format!("unknown key {}", rest.replace("expected", "known here:")),
        None => message,
    };
    message.replace("one of ", "").replace('\n', " ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(text: &str) -> String {
        Config::parse(text, Path::new("/etc/xcat3/xcat3.conf"))
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn an_unknown_key_is_named_with_file_and_line() {
        let sentence =
            refusal("[network]\n[api]\n# a comment\nlisten = \"127.0.0.1:1\"\nlisen = 3\n");
        assert!(
            sentence.starts_with("/etc/xcat3/xcat3.conf, line 5: unknown key 'lisen'"),
            "{sentence}"
        );
        assert!(sentence.contains("'listen'"), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
    }

    #[test]
    fn an_unknown_section_is_named_with_file_and_line() {
        let sentence = refusal("\n[apy]\nlisten = 3\n");
        assert!(sentence.contains("line 2: unknown key 'apy'"), "{sentence}");
    }

    #[test]
    fn a_value_of_the_wrong_kind_is_named_with_its_line() {
        assert!(refusal("[network]\nhttp_port = \"x\"\n").contains("line 2: invalid type"));
        assert!(refusal("[network]\nhttp_port = 99999\n").contains("line 2: invalid value"));
        assert!(refusal("[conductor]\nsilence_s = 0\n").contains("line 2: 0 is not a time limit"));
        assert!(refusal("[api]\nlisten = \"here\"\n").contains("line 2"));
        assert!(refusal("[api]\nworkers = 0\n").contains("line 2: 0 is no number of workers"));
        assert!(refusal("log = \"loud\"\n").contains("line 1"));
        let rate = refusal("[control.fake]\nfailure = 1.5\n");
        assert!(rate.contains("line 2: 1.5 is not a rate"), "{rate}");
        assert!(refusal("state_dir = \n").contains("line 1"));
    }

    #[test]
    fn a_file_that_is_not_there_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/xcat3.conf"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/xcat3.conf"), "{error}");
    }

    #[test]
    fn the_documented_file_says_the_defaults() {
        let parsed = Config::parse(DOCUMENTED, Path::new("etc/xcat3.conf")).unwrap();
        assert_eq!(parsed, Config::default());
    }

    /// The documented file with its commented-out keys taken in.
    fn documented_in_full() -> String {
        let key = |line: &str| {
            line.split_once(" = ").is_some_and(|(key, _)| {
                !key.is_empty() && key.bytes().all(|b| b.is_ascii_lowercase() || b == b'_')
            })
        };
        let lines = DOCUMENTED.lines().map(|line| match line.strip_prefix('#') {
            Some(rest) if key(rest) => rest,
            _ => line,
        });
        lines.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_documented_file_has_every_key() {
        let text = documented_in_full();
        let full = Config::parse(&text, Path::new("etc/xcat3.conf")).unwrap();
        let known = toml::Table::try_from(&full).unwrap();
        let written: toml::Table = toml::from_str(&text).unwrap();
        assert_eq!(keys(&known), keys(&written));
        assert!(full.state_dir.is_some() && full.database.is_some() && full.bus.url.is_some());
    }

    fn keys(table: &toml::Table) -> Vec<String> {
        let mut found: Vec<String> = values(table).into_iter().map(|(key, _)| key).collect();
        found.sort();
        found
    }

    const DOCUMENTED: &str = include_str!("../../../etc/xcat3.conf");
}
