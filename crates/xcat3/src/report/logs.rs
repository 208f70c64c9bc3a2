//! Event logs and virtual drives as rows.

use xcat3_core::hardware::{EventLog, LogEvent, Media, MediaSlot};

use super::sensors::health;
use super::{Told, or_dash};

pub const HEADERS: [&str; 6] = ["NODE", "ID", "TIME", "SEVERITY", "SOURCE", "MESSAGE"];
pub const MEDIA_HEADERS: [&str; 4] = ["NODE", "DRIVE", "TAKES", "IMAGE"];

/// A row an event, the oldest first.
pub fn events(log: &EventLog) -> Told {
    let row = |event: &LogEvent| {
        vec![
            event.id.clone(),
            or_dash(event.time.as_deref()),
            health(event.severity).to_owned(),
            or_dash(event.source.as_deref()),
            event.message.clone(),
        ]
    };
    Told::rows(log.events.iter().map(row).collect(), &log.notes).or("no events")
}

/// A row a drive.
pub fn media(media: &Media) -> Told {
    let image = |slot: &MediaSlot| match (slot.inserted, slot.image.as_deref()) {
        (true, None) => "(unknown)".to_owned(),
        (true, image) => or_dash(image),
        (false, _) => "-".to_owned(),
    };
    let row = |slot: &MediaSlot| {
        let kinds = slot.kinds.join(",");
        vec![slot.name.clone(), or_dash(Some(&kinds)), image(slot)]
    };
    Told::rows(media.slots.iter().map(row).collect(), &media.notes).or("no virtual drives")
}
