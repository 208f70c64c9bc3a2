//! Any body of a response, read as a resource in each way, at each of its keys.

use xcat3_redfish::{BmcMessage, Resource};

/// Reads `bytes` as the body of a response.
pub fn run(bytes: &[u8]) {
    let message = BmcMessage::new(&String::from_utf8_lossy(bytes)).to_string();
    assert!(message.chars().count() < 400 && !message.contains(char::is_control));
    let Ok(resource) = Resource::parse("/redfish/v1/Systems/1", bytes) else {
        return;
    };
    assert!(resource.value().is_object());
    let keys = resource.value().as_object().into_iter().flatten();
    let keys: Vec<String> = keys.map(|(key, _)| key.clone()).take(32).collect();
    for key in &keys {
        read(&resource, key);
        for part in resource.objects(key) {
            read(&part, key);
        }
    }
    assert!(!resource.name().contains(char::is_control));
    let _ = resource.is_absent();
}

fn read(resource: &Resource, pointer: &str) {
    if let Some(words) = resource.short_text(pointer) {
        assert!(words.chars().count() <= 201 && !words.contains(char::is_control));
    }
    assert!(resource.number(pointer).is_none_or(f64::is_finite));
    if let Some(count) = resource.count(pointer) {
        assert!(count <= 9_000_000_000_000_000);
    }
    let _ = (resource.count_u32(pointer), resource.flag(pointer));
    let _ = (resource.texts(pointer), resource.links(pointer));
    let _ = (resource.link(pointer), resource.allowable_values(pointer));
}
