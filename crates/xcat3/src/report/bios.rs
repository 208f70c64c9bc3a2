//! BIOS attributes as rows.

use serde_json::Value;
use xcat3_core::hardware::Bios;

use super::Told;

pub const HEADERS: [&str; 4] = ["NODE", "ATTRIBUTE", "VALUE", "NEXT BOOT"];

/// A row an attribute of those that are wanted; of all where none is named.
pub fn rows(bios: &Bios, names: &[String]) -> Told {
    let row = |name: &String| {
        let (now, next) = (bios.attributes.get(name), bios.pending.get(name));
        (now.is_some() || next.is_some()).then(|| vec![name.clone(), value(now), value(next)])
    };
    if names.is_empty() {
        let mut all: Vec<&String> = bios.attributes.keys().chain(bios.pending.keys()).collect();
        all.sort();
        all.dedup();
        let rows = all.into_iter().filter_map(row).collect();
        return Told::rows(rows, &bios.notes).or("no BIOS attributes");
    }
    let mut told = Told::rows(names.iter().filter_map(row).collect(), &bios.notes);
    for name in names.iter().filter(|name| row(name).is_none()) {
        told.notes.push(format!("no BIOS attribute '{name}'"));
    }
    told
}

fn value(value: Option<&Value>) -> String {
    match value {
        None => "-".to_owned(),
        Some(Value::Null) => "(unknown)".to_owned(),
        Some(Value::String(text)) if text.is_empty() => "\"\"".to_owned(),
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
    }
}
