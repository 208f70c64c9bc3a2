//! The event log: that of the system, otherwise of its managers, and of several the one that is for
//! hardware.

use serde_json::json;
use xcat3_core::hardware::{EventLog, Health, LogEvent};

use crate::action::Action;
use crate::client::Client;
use crate::error::{Error, tame};
use crate::resource::Resource;

/// Entries that are read.
const MOST: usize = 2000;
/// The longest message, in characters.
const LONGEST: usize = 400;

impl Client {
    /// The event log of the system `wanted`, the oldest entry first.
    ///
    /// # Errors
    /// It has none, or it can't be read.
    pub async fn event_log(&mut self, wanted: Option<&str>) -> Result<EventLog, Error> {
        let service = self.log_service(wanted).await?;
        let link = service.link("Entries").map(str::to_owned);
        let link =
            link.unwrap_or_else(|| format!("{}/Entries", service.path.trim_end_matches('/')));
        let members = self.members(&link, MOST).await?;
        let mut report = EventLog {
            events: members.all.iter().map(event).collect(),
            notes: members.notes,
        };
        sort(&mut report.events);
        Ok(report)
    }

    /// Empties it.
    ///
    /// # Errors
    /// It has none, or can't empty it.
    pub async fn clear_event_log(&mut self, wanted: Option<&str>) -> Result<(), Error> {
        let service = self.log_service(wanted).await?;
        let action = Action::of(&service, "LogService.ClearLog");
        let none = || Error::Missing("its event log cannot be emptied".to_owned());
        self.act(&action.ok_or_else(none)?, &json!({})).await
    }

    async fn log_service(&mut self, wanted: Option<&str>) -> Result<Resource, Error> {
        let system = self.system(wanted).await?;
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
                Some(note) => format!("its event log cannot be read: {note}"),
                None => "it has no event log".to_owned(),
            })
        })
    }
}

/// How well a log service fits: the System Event Log of IPMI, another log of events, whatever else;
/// not audits, dumps and POST codes.
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
        .words("SensorType")
        .or_else(|| entry.words("SubsystemOfOrigin"));
    let message = entry.text("Message").or_else(|| entry.text("Name"));
    let time = entry
        .words("Created")
        .or_else(|| entry.words("EventTimestamp"));
    LogEvent {
        id: entry.words("Id").unwrap_or_else(|| entry.name()),
        time: time.filter(|time| time.len() >= 10 && time.is_ascii()),
        severity: match severity {
            Some("OK" | "Informational") => Health::Ok,
            Some("Warning") => Health::Warning,
            Some("Critical" | "Fatal") => Health::Critical,
            _ => Health::Unknown,
        },
        source,
        message: tame(message.unwrap_or_default(), LONGEST),
    }
}

/// The oldest first: by the numbers that entries have, since clocks of BMCs are set and lost.
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
