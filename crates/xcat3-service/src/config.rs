//! The configuration file: TOML, one section a service, every key optional.
//!
//! A section is declared by the crate that it configures, as a struct with serde defaults, and read from here by
//! its name ([`Config::section`]). Every daemon reads the same file and refuses a key that is documented in
//! `etc/xcat3.conf` nowhere, whosesoever section it is in; the values of a section are checked by the daemons
//! that use it. Reading files is left to `main.rs` by way of [`Config::load`]; the services are given values.

mod bmc;
mod documented;
mod sections;
mod workers;

use std::fmt;
use std::ops::Range;
use std::path::{Path, PathBuf};

use serde::de::{DeserializeOwned, IntoDeserializer};
use serde::{Deserialize, Serialize};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

pub use bmc::{Bmc, Ipmi, Redfish};
pub use documented::{DOCUMENTED, documented_in_full};
pub use sections::{Control, Fake, Install, Kvm};
pub use workers::Workers;

/// A configuration file as it was read. [`Config::default`] is an empty one: a system that works.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Source", into = "Source")]
pub struct Config {
    source: Source,
    general: General,
}

/// What stands in the file outside any section: what concerns all daemons.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct General {
    /// Where the daemon keeps what must survive it; absent: see [`crate::state_dir`].
    pub state_dir: Option<PathBuf>,
    /// The database, `sqlite:FILE` or `postgres://…`; absent: `xcat3.db` in the state directory.
    /// May hold a password.
    pub database: Option<String>,
    /// The name of this host among all hosts of xcat3; absent: what `uname -n` says.
    pub hostname: Option<String>,
    /// What is logged.
    pub log: LogLevel,
}

/// How much is logged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogLevel {
    /// Only what failed for good.
    Error,
    /// What an operator should look at.
    Warn,
    /// What happened.
    #[default]
    Info,
    /// What goes on in detail.
    Debug,
    /// Everything.
    Trace,
}

/// What a configuration is made of, which a parent hands to its workers.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Source {
    path: PathBuf,
    text: String,
    /// Values that arguments of the daemon set: section, key, value.
    overrides: Vec<(String, String, String)>,
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
    /// The file has a key or a value that is not understood.
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
    /// Reads the file at `path`; without one, everything has its default.
    ///
    /// # Errors
    /// The file can't be read, is no TOML, or has a key that no daemon knows.
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

    /// Parses `text`, which stands in the file `path`.
    ///
    /// # Errors
    /// It is no TOML, or has a key that no daemon knows.
    pub fn parse(text: &str, path: &Path) -> Result<Self, ConfigError> {
        Self::try_from(Source {
            path: path.to_owned(),
            text: text.to_owned(),
            overrides: Vec::new(),
        })
    }

    /// What stands in the file outside any section.
    #[must_use]
    pub fn general(&self) -> &General {
        &self.general
    }

    /// The section `name` (`api`, `control.kvm`), absent keys by their defaults.
    ///
    /// # Errors
    /// A value is not understood: the line and the reason.
    pub fn section<T: DeserializeOwned>(&self, name: &str) -> Result<T, ConfigError> {
        let source = &self.source;
        let mut table = source.document()?;
        for (section, key, value) in source.overrides.iter().filter(|(to, ..)| to == name) {
            set(&mut table, section, key, value);
        }
        let mut value = no_keys(table);
        for part in name.split('.') {
            value = match value.into_inner() {
                DeValue::Table(mut table) => match table.remove(part) {
                    Some(inner) => inner,
                    None => no_keys(DeTable::new()),
                },
                other => Spanned::new(0..0, other),
            };
        }
        T::deserialize(value.into_deserializer()).map_err(|error| source.wrong(&error))
    }

    /// Gives `key` of a section a value, as an argument of the daemon does.
    pub fn set(&mut self, section: &str, key: &str, value: impl fmt::Display) {
        let text = value.to_string();
        let all = &mut self.source.overrides;
        all.push((section.to_owned(), key.to_owned(), text));
    }

    /// The name of this host: as configured, else as the system says.
    #[must_use]
    pub fn host(&self) -> String {
        self.general.hostname.clone().unwrap_or_else(|| {
            let system = rustix::system::uname();
            system.nodename().to_string_lossy().into_owned()
        })
    }

    /// The keys, as in `api.listen`, whose values differ in `other`, in order. An absent key has its documented
    /// default.
    #[must_use]
    pub fn differences(&self, other: &Self) -> Vec<String> {
        let (here, there) = (self.effective(), other.effective());
        let keys = here.keys().chain(there.keys());
        let mut keys: Vec<String> = keys
            .filter(|key| here.get(*key) != there.get(*key))
            .cloned()
            .collect();
        keys.sort();
        keys.dedup();
        keys
    }

    fn effective(&self) -> documented::Values {
        let mut values = documented::defaults();
        // It was parsed before.
        let given: toml::Table = toml::from_str(&self.source.text).unwrap_or_default();
        values.extend(documented::values(&given));
        let set = self.source.overrides.iter();
        values.extend(set.map(|(section, key, value)| {
            let value = toml::Value::String(value.clone());
            (format!("{section}.{key}"), value)
        }));
        values
    }
}

/// Without the text, which may hold passwords.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("path", &self.source.path)
            .finish_non_exhaustive()
    }
}

impl From<Config> for Source {
    fn from(config: Config) -> Self {
        config.source
    }
}

impl TryFrom<Source> for Config {
    type Error = ConfigError;

    fn try_from(source: Source) -> Result<Self, ConfigError> {
        let table = source.document()?;
        documented::check(&table).map_err(|error| source.at(error.span, error.message))?;
        let is_key = |value: &Spanned<DeValue<'_>>| !value.get_ref().is_table();
        let table = table
            .into_iter()
            .filter(|(_, value)| is_key(value))
            .collect();
        let general = General::deserialize(no_keys(table).into_deserializer());
        let general = general.map_err(|error| source.wrong(&error))?;
        Ok(Self { source, general })
    }
}

impl Source {
    fn document(&self) -> Result<DeTable<'_>, ConfigError> {
        let parsed = DeTable::parse(&self.text).map_err(|error| self.wrong(&error))?;
        Ok(parsed.into_inner())
    }

    fn wrong(&self, error: &toml::de::Error) -> ConfigError {
        self.at(error.span().unwrap_or_default(), sentence(error))
    }

    fn at(&self, span: Range<usize>, message: String) -> ConfigError {
        let before = self.text.bytes().take(span.start);
        ConfigError::Wrong {
            path: self.path.clone(),
            line: 1 + before.filter(|&byte| byte == b'\n').count(),
            message,
        }
    }
}

fn no_keys(table: DeTable<'_>) -> Spanned<DeValue<'_>> {
    Spanned::new(0..0, DeValue::Table(table))
}

fn set<'a>(table: &mut DeTable<'a>, section: &'a str, key: &'a str, value: &'a str) {
    let mut inner = table;
    for part in section.split('.') {
        let next = inner
            .entry(Spanned::new(0..0, part.into()))
            .or_insert_with(|| no_keys(DeTable::new()));
        match next.get_mut() {
            DeValue::Table(next) => inner = next,
            // Reading the section says what is wrong.
            _ => return,
        }
    }
    let value = Spanned::new(0..0, DeValue::String(value.into()));
    inner.insert(Spanned::new(0..0, key.into()), value);
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

    fn parse(text: &str) -> Result<Config, ConfigError> {
        Config::parse(text, Path::new("/etc/xcat3/xcat3.conf"))
    }

    fn refusal(text: &str) -> String {
        parse(text).unwrap_err().to_string()
    }

    #[test]
    fn unknown_key_is_named_with_file_and_line() {
        let text = "[network]\n[api]\n# a comment\nlisten = \"127.0.0.1:1\"\nlisen = 3\n";
        let sentence = refusal(text);
        assert!(
            sentence.starts_with("/etc/xcat3/xcat3.conf, line 5: unknown key 'lisen'"),
            "{sentence}"
        );
        assert!(sentence.contains("'listen'"), "{sentence}");
        assert!(!sentence.contains('\n'), "{sentence}");
        let sentence = refusal("[control.kvm]\nknown = 3\n");
        assert!(
            sentence.contains("line 2: unknown key 'known'"),
            "{sentence}"
        );
        assert!(sentence.contains("'known_hosts'"), "{sentence}");
    }

    #[test]
    fn unknown_section_is_named_with_file_and_line() {
        let sentence = refusal("\n[apy]\nlisten = 3\n");
        assert!(sentence.contains("line 2: unknown key 'apy'"), "{sentence}");
        let sentence = refusal("\n[control.drac]\n");
        assert!(
            sentence.contains("line 2: unknown key 'drac'"),
            "{sentence}"
        );
    }

    #[test]
    fn broken_text_is_refused_with_its_line() {
        assert!(refusal("\nbus = 3\n").contains("line 2: 'bus' is a section"));
        assert!(refusal("log = \"loud\"\n").contains("line 1"));
        assert!(refusal("\nstate_dir = \n").contains("line 2"));
        assert!(refusal("\nstate_dir = 3\n").contains("line 2: invalid type"));
    }

    #[test]
    fn value_of_the_wrong_type_is_refused_by_the_section() {
        fn refused<T: DeserializeOwned>(section: &str, text: &str) -> String {
            let config = parse(text).unwrap();
            let refused = config.section::<T>(section).map(|_| ()).unwrap_err();
            refused.to_string()
        }
        let bus = |text| refused::<crate::bus::BusSettings>("bus", text);
        assert!(bus("[bus]\nprefix = 3\n").contains("line 2: invalid type"));
        assert!(bus("\n[bus]\nreplicas = 0\n").contains("line 3: invalid value"));
        let kvm = |text| refused::<Kvm>("control.kvm", text);
        let sentence = kvm("[control.kvm]\nconnect_deadline_s = 0\n");
        assert!(
            sentence.contains("line 2: 0 is not a time limit"),
            "{sentence}"
        );
        let sentence = refused::<Fake>("control.fake", "[control.fake]\nfailure = 1.5\n");
        assert!(sentence.contains("line 2: 1.5 is not a rate"), "{sentence}");
        #[derive(Debug, Deserialize)]
        struct Api {
            #[expect(dead_code, reason = "only read")]
            workers: Workers,
        }
        let sentence = refused::<Api>("api", "[api]\nworkers = 0\n");
        assert!(
            sentence.contains("line 2: 0 is no number of workers"),
            "{sentence}"
        );
    }

    #[test]
    fn section_absent_has_its_defaults() {
        let config = parse("[control.kvm]\ntrust_on_first_use = false\n").unwrap();
        let control: Control = config.section("control").unwrap();
        assert!(!control.kvm.trust_on_first_use);
        assert_eq!(config.section::<Kvm>("control.kvm").unwrap(), control.kvm);
        assert_eq!(
            config.section::<Bmc>("control.bmc").unwrap(),
            Bmc::default()
        );
        assert_eq!(
            config.section::<Install>("install").unwrap(),
            Install::default()
        );
        assert_eq!(
            Config::default().section::<Bmc>("control.bmc").unwrap(),
            Bmc::default()
        );
    }

    #[test]
    fn key_set_by_an_argument_wins_over_the_file() {
        let mut config = parse("[install]\ntimezone = \"A\"\nlocale = \"B\"\n").unwrap();
        let before = config.clone();
        config.set("install", "timezone", "C");
        let install: Install = config.section("install").unwrap();
        assert_eq!(
            (install.timezone.as_str(), install.locale.as_str()),
            ("C", "B")
        );
        assert_eq!(config.differences(&before), ["install.timezone"]);
        let text = toml::to_string(&config).unwrap();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config);
    }

    #[test]
    fn default_written_out_is_no_difference() {
        let config = parse("[bus]\nprefix = \"xcat3\"\n[api]\ndrain_s = 11\n").unwrap();
        assert_eq!(config.differences(&Config::default()), ["api.drain_s"]);
    }

    #[test]
    fn missing_file_is_named() {
        let error = Config::load(Some(Path::new("/nowhere/xcat3.conf"))).unwrap_err();
        assert!(error.to_string().contains("/nowhere/xcat3.conf"), "{error}");
    }

    #[test]
    fn debug_output_has_no_password() {
        let config = parse("database = \"postgres://u:secret@h/d\"\n").unwrap();
        assert!(!format!("{config:?}").contains("secret"));
    }
}
