//! `etc/xcat3.conf` and the structs of all sections say the same.

use std::path::Path;

use serde::Serialize;
use serde::de::DeserializeOwned;
use toml::{Table, Value};
use xcat3_service::Config;
use xcat3_service::bus::BusSettings;
use xcat3_service::config::{self, DOCUMENTED, General, documented_in_full};

/// A section: its name, its keys as the struct writes them, and whether the documented file says the defaults.
struct Section {
    name: &'static str,
    keys: Vec<String>,
    has_defaults: bool,
}

fn section<T>(name: &'static str) -> Section
where
    T: DeserializeOwned + Serialize + Default + PartialEq,
{
    let parse = |text: &str| Config::parse(text, Path::new("etc/xcat3.conf")).unwrap();
    let full: T = parse(&documented_in_full()).section(name).unwrap();
    let documented: T = parse(DOCUMENTED).section(name).unwrap();
    Section {
        name,
        keys: keys(&Table::try_from(&full).unwrap()),
        has_defaults: documented == T::default(),
    }
}

fn sections() -> Vec<Section> {
    vec![
        section::<BusSettings>("bus"),
        section::<xcat3_api::Settings>("api"),
        section::<xcat3_conductor::Settings>("conductor"),
        section::<xcat3_network::Settings>("network"),
        section::<config::Control>("control"),
        section::<config::Install>("install"),
    ]
}

/// All keys, those of inner tables included, in order.
fn keys(table: &Table) -> Vec<String> {
    let each = table.iter().flat_map(|(key, value)| match value {
        Value::Table(inner) => keys(inner)
            .iter()
            .map(|deep| format!("{key}.{deep}"))
            .collect(),
        _ => vec![key.clone()],
    });
    let mut all: Vec<String> = each.collect();
    all.sort();
    all
}

#[test]
fn documented_file_has_every_key_of_every_section() {
    let written: Table = toml::from_str(&documented_in_full()).unwrap();
    let mut names: Vec<&str> = Vec::new();
    for section in sections() {
        let documented = written[section.name].as_table().unwrap();
        assert_eq!(section.keys, keys(documented), "[{}]", section.name);
        names.push(section.name);
    }
    let mut general = written.clone();
    general.retain(|_, value| !value.is_table());
    let parsed: General = general.clone().try_into().unwrap();
    assert_eq!(keys(&Table::try_from(&parsed).unwrap()), keys(&general));
    let tables = written.iter().filter(|(_, value)| value.is_table());
    let unknown: Vec<&String> = tables
        .map(|(name, _)| name)
        .filter(|name| !names.contains(&name.as_str()))
        .collect();
    assert!(unknown.is_empty(), "sections of no crate: {unknown:?}");
}

#[test]
fn documented_file_has_the_defaults() {
    for section in sections() {
        assert!(section.has_defaults, "[{}]", section.name);
    }
    let config = Config::parse(DOCUMENTED, Path::new("etc/xcat3.conf")).unwrap();
    assert!(*config.general() == General::default());
}
