//! What machines report, for people: a line for each thing with its node, as it comes, or one line for
//! all nodes that say the same. Texts of BMCs are made plain here.

mod bios;
mod found;
mod groups;
mod inventory;
mod logs;
mod sensors;
mod table;

use serde::de::DeserializeOwned;
use serde_json::Value;
use xcat3_core::{Outcome, natural};

use crate::plain::plain;
use crate::tally::FEW;
use groups::Groups;
pub use table::Table;

/// What is reported, and what of it is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What machines are made of.
    Inventory,
    /// Sensors: all, or those of a kind.
    Sensors(Option<String>),
    /// The event log.
    EventLog,
    /// BIOS attributes: all where none is named.
    Bios(Vec<String>),
    /// Virtual drives.
    Media,
    /// BMCs at addresses.
    Found,
}

impl Kind {
    /// What a node is called in a table; a target of a search is its address.
    fn shown(&self, node: &str) -> String {
        match self {
            Self::Found => node.replace('-', "."),
            _ => node.to_owned(),
        }
    }

    /// Whether a line says no more than that nobody is there, which is counted only.
    pub fn is_counted_only(&self, result: &str) -> bool {
        *self == Self::Found && result == Outcome::SILENT.as_str()
    }

    /// The kind that an operation reports; none where it answers in a word.
    pub fn of(operation: &str) -> Option<Self> {
        match operation {
            "inventory" => Some(Self::Inventory),
            "sensors" => Some(Self::Sensors(None)),
            "eventlog" => Some(Self::EventLog),
            "bios get" => Some(Self::Bios(Vec::new())),
            "media status" => Some(Self::Media),
            _ if operation.starts_with("discover ") => Some(Self::Found),
            _ => None,
        }
    }
}

/// What one node's report comes to: rows of a table, or a text of its own.
struct Told {
    rows: Vec<Vec<String>>,
    text: String,
    /// What could not be read, or that there is nothing.
    notes: Vec<String>,
}

/// How the reports are put together.
enum Layout {
    /// Rows or texts, each node's when it comes.
    AsTheyCome,
    /// The same at the end, in the order of names: elsewhere than on a terminal, where they are few.
    InOrder(Vec<(String, Told)>),
    /// A row for all nodes that say the same.
    Grouped(Groups),
}

/// Reports as they are gathered and printed. What is held is a row for each different one, or what few
/// nodes say.
pub struct Reports {
    kind: Kind,
    verbose: bool,
    layout: Layout,
    table: Table,
    notes: Groups,
}

impl Reports {
    /// For reports of `kind` on `total` nodes: `verbose` tells all of each node; `terminal` is whether
    /// they are printed on one.
    pub fn new(kind: Kind, total: usize, verbose: bool, terminal: bool) -> Self {
        let grouped = !verbose
            && match kind {
                Kind::Inventory | Kind::Media => total > FEW,
                Kind::Bios(_) => total > 1,
                Kind::Sensors(_) | Kind::EventLog | Kind::Found => false,
            };
        let layout = match (grouped, terminal) {
            (true, _) => Layout::Grouped(Groups::default()),
            (false, false) if total <= FEW => Layout::InOrder(Vec::new()),
            (false, _) => Layout::AsTheyCome,
        };
        let headers: &[&str] = match (&kind, grouped) {
            (Kind::Inventory, true) => &inventory::SHARED,
            (Kind::Inventory, false) => &inventory::HEADERS,
            (Kind::Sensors(_), _) => &sensors::HEADERS,
            (Kind::EventLog, _) => &logs::HEADERS,
            (Kind::Bios(_), true) => &bios::HEADERS[1..],
            (Kind::Bios(_), false) => &bios::HEADERS,
            (Kind::Found, _) => &found::HEADERS,
            (Kind::Media, true) => &logs::MEDIA_HEADERS[1..],
            (Kind::Media, false) => &logs::MEDIA_HEADERS,
        };
        let more = grouped.then_some("NODES");
        Self {
            kind,
            verbose,
            layout,
            table: Table::new(headers.iter().copied().chain(more)),
            notes: Groups::default(),
        }
    }

    /// Notes what `node` reported. What is to be printed now.
    pub fn take(&mut self, node: &str, report: &Value) -> String {
        let told = self.told(node, report);
        for note in &told.notes {
            self.notes.note(&self.kind.shown(node), vec![note.clone()]);
        }
        match &mut self.layout {
            Layout::AsTheyCome => self.table.print(&told.rows) + &told.text,
            Layout::InOrder(held) => {
                held.push((node.to_owned(), told));
                String::new()
            }
            Layout::Grouped(groups) => {
                for row in told.rows {
                    groups.note(node, row);
                }
                String::new()
            }
        }
    }

    fn told(&self, node: &str, report: &Value) -> Told {
        let grouped = matches!(self.layout, Layout::Grouped(_));
        let told = match &self.kind {
            Kind::Inventory if self.verbose => read(report).map(|all| inventory::all(node, &all)),
            Kind::Inventory if grouped => read(report).map(|all| inventory::shared(&all)),
            Kind::Inventory => read(report).map(|all| inventory::row(&all)),
            Kind::Sensors(kind) => read(report).map(|all| sensors::rows(&all, kind.as_deref())),
            Kind::EventLog => read(report).map(|all| logs::events(&all)),
            Kind::Bios(names) => read(report).map(|all| bios::rows(&all, names)),
            Kind::Media => read(report).map(|all| logs::media(&all)),
            Kind::Found => read(report).map(|all| found::row(&all)),
        };
        let mut told = told.unwrap_or_else(|| Told::nothing("its report can't be understood"));
        for row in &mut told.rows {
            for cell in row.iter_mut() {
                *cell = plain(cell).into_owned();
            }
            if !grouped {
                row.insert(0, self.kind.shown(node));
            }
        }
        for note in &mut told.notes {
            *note = plain(note).into_owned();
        }
        told
    }

    /// What is left to be printed when all have reported.
    pub fn end(&mut self) -> String {
        let mut text = String::new();
        match &mut self.layout {
            Layout::AsTheyCome => {}
            Layout::InOrder(held) => {
                held.sort_by(|a, b| natural::compare(&a.0, &b.0));
                let rows: Vec<_> = held
                    .iter_mut()
                    .flat_map(|(_, told)| told.rows.drain(..))
                    .collect();
                text.push_str(&self.table.print(&rows));
                text.extend(held.drain(..).map(|(_, told)| told.text));
            }
            Layout::Grouped(groups) => {
                let by_name = matches!(self.kind, Kind::Bios(_));
                text.push_str(&self.table.print(&groups.rows(by_name)));
            }
        }
        let notes = self.notes.rows(false);
        if !notes.is_empty() && !text.is_empty() {
            text.push('\n');
        }
        for note in notes {
            if let [what, nodes] = note.as_slice() {
                text.push_str(&format!("{nodes}: {what}\n"));
            }
        }
        text
    }
}

impl Told {
    fn rows(rows: Vec<Vec<String>>, notes: &[String]) -> Self {
        Self {
            rows,
            text: String::new(),
            notes: notes.iter().map(|note| format!("note: {note}")).collect(),
        }
    }

    fn nothing(note: &str) -> Self {
        Self {
            rows: Vec::new(),
            text: String::new(),
            notes: vec![note.to_owned()],
        }
    }

    /// With a note where there are no rows.
    fn or(mut self, nothing: &str) -> Self {
        if self.rows.is_empty() && self.notes.is_empty() {
            self.notes.push(nothing.to_owned());
        }
        self
    }
}

fn read<T: DeserializeOwned>(report: &Value) -> Option<T> {
    serde_json::from_value(report.clone()).ok()
}

/// A text, or the sign for none.
fn or_dash(text: Option<&str>) -> String {
    text.filter(|text| !text.is_empty())
        .unwrap_or("-")
        .to_owned()
}

/// Parts that are known, one after the other.
fn together(parts: &[Option<&str>]) -> String {
    let known: Vec<&str> = parts
        .iter()
        .copied()
        .flatten()
        .filter(|text| !text.is_empty())
        .collect();
    or_dash(Some(&known.join(" ")))
}

#[cfg(test)]
mod tests;
