//! Whatever text a BMC answers with, as a resource: each way to read it, at each place that is there.

use xcat3_redfish::{Resource, Said};

/// Takes `bytes` as the body of an answer.
pub fn run(bytes: &[u8]) {
    let said = Said::new(&String::from_utf8_lossy(bytes)).to_string();
    assert!(said.chars().count() < 400 && !said.contains(char::is_control));
    let Ok(resource) = Resource::parse("/redfish/v1/Systems/1", bytes) else {
        return;
    };
    assert!(resource.value().is_object());
    let keys = resource.value().as_object().into_iter().flatten();
    let keys: Vec<String> = keys.map(|(key, _)| key.clone()).take(32).collect();
    for key in &keys {
        read(&resource, key);
        for part in resource.parts(key) {
            read(&part, key);
        }
    }
    assert!(!resource.name().contains(char::is_control));
    let _ = resource.is_absent();
}

fn read(resource: &Resource, place: &str) {
    if let Some(words) = resource.words(place) {
        assert!(words.chars().count() <= 201 && !words.contains(char::is_control));
    }
    assert!(resource.number(place).is_none_or(f64::is_finite));
    if let Some(count) = resource.count(place) {
        assert!(count <= 9_000_000_000_000_000);
    }
    let _ = (resource.small(place), resource.flag(place));
    let _ = (resource.texts(place), resource.links(place));
    let _ = (resource.link(place), resource.allowable(place));
}
