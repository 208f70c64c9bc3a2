//! The event log: the one for hardware among those of the system, otherwise of its managers.

use serde_json::json;
use xcat3_core::hardware::{EventLog, Health, LogEvent};

use crate::action::Action;
use crate::client::Client;
use crate::error::{Error, sanitize};
use crate::resource::Resource;

/// The most entries that are read.
const MAX_ENTRIES: usize = 2000;
/// The longest message, in characters.
const MAX_MESSAGE_CHARS: usize = 400;

impl Client {
    /// The event log of the system that `selector` selects, the oldest entry first.
    ///
    /// # Errors
    /// The system has none, or it cannot be read.
    pub async fn event_log(&mut self, selector: Option<&str>) -> Result<EventLog, Error> {
        let service = self.log_service(selector).await?;
        let path = service.path.trim_end_matches('/');
        let link = match service.link("Entries") {
            Some(link) => link.to_owned(),
            None => format!("{path}/Entries"),
        };
        let members = self.members(&link, MAX_ENTRIES).await?;
        let mut report = EventLog {
            events: members.all.iter().map(event).collect(),
            notes: members.notes,
        };
        sort(&mut report.events);
        Ok(report)
    }

    /// Clears the event log of the system that `selector` selects.
    ///
    /// # Errors
    /// The system has none, or the BMC cannot clear it.
    pub async fn clear_event_log(&mut self, selector: Option<&str>) -> Result<(), Error> {
        let service = self.log_service(selector).await?;
        let action = Action::from_resource(&service, "LogService.ClearLog");
        let none = || Error::Missing("the BMC cannot clear the event log".to_owned());
        self.invoke(&action.ok_or_else(none)?, &json!({})).await
    }

    async fn log_service(&mut self, selector: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(selector).await?;
        let mut notes = Vec::new();
        let own = system.link("LogServices");
        let mut services = self.members_or_note(own, 16, &mut notes).await?;
        if !services.iter().any(|service| rank(service) < 2) {
            for manager in self.managers(&system).await? {
                let link = manager.link("LogServices");
                services.extend(self.members_or_note(link, 16, &mut notes).await?);
            }
        }
        let best = services
            .into_iter()
            .filter(|service| rank(service) < 4)
            .min_by_key(rank);
        best.ok_or_else(|| {
            Error::Missing(match notes.first() {
                Some(note) => format!("the event log cannot be read: {note}"),
                None => "the BMC has no event log".to_owned(),
            })
        })
    }
}

/// How well a log service fits, the best first: the System Event Log of IPMI, another log of events,
/// any other log. Audits, dumps and POST codes (4) do not fit at all.
fn rank(service: &Resource) -> u8 {
    let name = service
        .text("Id")
        .map(str::to_lowercase)
        .unwrap_or_default();
    let other = [
        "audit",
        "dump",
        "postcode",
        "lclog",
        "journal",
        "fault",
        "crash",
        "hostlogger",
    ];
    match service.text("LogEntryType") {
        Some("SEL") => 0,
        _ if name == "sel" => 0,
        _ if other.iter().any(|word| name.contains(word)) => 4,
        Some("Event") => 1,
        _ if name.contains("event") || name == "iml" || name == "log" => 1,
        _ => 2,
    }
}

fn event(entry: &Resource) -> LogEvent {
    let severity = entry
        .text("Severity")
        .or_else(|| entry.text("MessageSeverity"));
    let source = entry
        .short_text("SensorType")
        .or_else(|| entry.short_text("SubsystemOfOrigin"));
    let message = entry.text("Message").or_else(|| entry.text("Name"));
    let time = entry
        .short_text("Created")
        .or_else(|| entry.short_text("EventTimestamp"));
    LogEvent {
        id: entry.short_text("Id").unwrap_or_else(|| entry.name()),
        time: time.filter(|time| time.len() >= 10 && time.is_ascii()),
        severity: match severity {
            Some("OK" | "Informational") => Health::Ok,
            Some("Warning") => Health::Warning,
            Some("Critical" | "Fatal") => Health::Critical,
            _ => Health::Unknown,
        },
        source,
        message: sanitize(message.unwrap_or_default(), MAX_MESSAGE_CHARS),
    }
}

/// Sorts by the numbers of the entries where all have one, since clocks of BMCs are set and lost;
/// otherwise by time.
fn sort(events: &mut [LogEvent]) {
    let number = |event: &LogEvent| event.id.parse::<u64>().ok();
    if events.iter().all(|event| number(event).is_some()) {
        events.sort_by_key(number);
        return;
    }
    let newest_first = |pair: &[LogEvent]| pair[0].time > pair[1].time;
    let dated = events.iter().all(|event| event.time.is_some());
    if dated && events.windows(2).any(newest_first) {
        events.sort_by(|one, other| one.time.cmp(&other.time));
    }
}
