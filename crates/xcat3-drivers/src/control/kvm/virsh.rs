//! The two programs that run on a hypervisor (`look.sh`, `act.sh`), what is told to them and what
//! they answer.
//!
//! Their text is fixed and what varies comes by standard input, as data: UUIDs that a hypervisor
//! printed and [`DomainUuid`] checked, and XML in base64. Lines of theirs begin with a random
//! mark, so that nothing in a domain's XML can pass for one.

use std::collections::HashSet;
use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use xcat3_core::MacAddr;

use super::domain_xml::DomainXml;
use super::failure::{Failure, said};
use super::ssh::{Connection, Running};

const LOOK: &str = concat!("sh -c '", include_str!("look.sh"), "'");
const ACT: &str = concat!("sh -c '", include_str!("act.sh"), "'");
/// Longer XML is no domain.
const MAX_XML: usize = 4 << 20;
/// How much of what virsh said is kept.
const MAX_SAID: usize = 16 << 10;

/// A domain's UUID: 36 characters, hexadecimal and hyphens, nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct DomainUuid(String);

impl DomainUuid {
    /// The UUID that `text` is.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fits = |(place, byte): (usize, u8)| match place {
            8 | 13 | 18 | 23 => byte == b'-',
            _ => byte.is_ascii_hexdigit(),
        };
        let valid = text.len() == 36 && text.bytes().enumerate().all(fits);
        valid.then(|| Self(text.to_ascii_lowercase()))
    }
}

impl fmt::Display for DomainUuid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A domain that has one of the addresses that were looked for.
#[derive(Clone, Debug)]
pub struct Domain {
    /// What it is called in commands.
    pub uuid: DomainUuid,
    /// Whether it runs in any sense, as opposed to being shut off.
    pub is_on: bool,
    /// As it will be when started next.
    pub defined: DomainXml,
    /// As it runs, where that was asked for.
    pub running: Option<DomainXml>,
}

/// What is to be seen of domains.
#[derive(Clone, Copy, Debug, Default)]
pub struct Detail {
    /// Passwords in the XML, without which it can't be defined again.
    pub secrets: bool,
    /// What runs, besides what is defined.
    pub running: bool,
}

/// What a hypervisor has.
#[derive(Debug, Default)]
pub struct Inventory {
    /// The domains with an address that was looked for.
    pub domains: Vec<Domain>,
    /// What was wrong with domains that can't be read, UUID first.
    pub unreadable: Vec<String>,
}

/// Looks for domains that have any of the addresses `wanted`.
///
/// # Errors
/// The connection or virsh fails.
pub async fn look(
    connection: &Connection,
    user: &str,
    wanted: &HashSet<MacAddr>,
    detail: Detail,
) -> Result<Inventory, Failure> {
    let mark = new_mark();
    let secrets = if detail.secrets { "secrets" } else { "-" };
    let live = if detail.running { "live" } else { "-" };
    let mut running = connection
        .run(LOOK, format!("{mark} {secrets} {live}\n"))
        .await?;
    let mut listing = Listing::new(&mark, user, wanted);
    while let Some(line) = running.line().await? {
        if listing.line(&line)? {
            running.end().await;
            return Ok(listing.inventory);
        }
    }
    Err(ended_early(&listing.said, &running))
}

/// What is being read of a hypervisor's answer.
struct Listing<'w> {
    mark: &'w str,
    user: &'w str,
    wanted: &'w HashSet<MacAddr>,
    inventory: Inventory,
    current: Option<Current>,
    /// What was said outside of domains.
    said: String,
}

/// The domain that is being read.
struct Current {
    uuid: DomainUuid,
    section: Section,
    state: String,
    defined: String,
    running: String,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Section {
    State,
    Defined,
    Running,
}

impl<'w> Listing<'w> {
    fn new(mark: &'w str, user: &'w str, wanted: &'w HashSet<MacAddr>) -> Self {
        Self {
            mark,
            user,
            wanted,
            inventory: Inventory::default(),
            current: None,
            said: String::new(),
        }
    }

    /// Takes the next line; whether it was the last.
    fn line(&mut self, line: &str) -> Result<bool, Failure> {
        let Some(ours) = line.strip_prefix(self.mark) else {
            self.content(line);
            return Ok(false);
        };
        match ours
            .trim_start()
            .split_once(' ')
            .unwrap_or((ours.trim(), ""))
        {
            ("domain", uuid) => {
                self.finish_domain();
                self.current = DomainUuid::parse(uuid.trim()).map(|uuid| Current {
                    uuid,
                    section: Section::State,
                    state: String::new(),
                    defined: String::new(),
                    running: String::new(),
                });
            }
            ("defined", _) => self.turn_to(Section::Defined),
            ("running", _) => self.turn_to(Section::Running),
            ("missing", _) => return Err(Failure::VirshMissing(self.user.to_owned())),
            ("unreachable", _) => return Err(unreachable(&self.said, self.user)),
            ("end", _) => {
                self.finish_domain();
                return Ok(true);
            }
            _ => {}
        }
        Ok(false)
    }

    fn turn_to(&mut self, section: Section) {
        if let Some(current) = &mut self.current {
            current.section = section;
        }
    }

    fn content(&mut self, line: &str) {
        let (text, limit) = match &mut self.current {
            None => (&mut self.said, MAX_SAID),
            Some(current) => match current.section {
                Section::State => (&mut current.state, MAX_SAID),
                Section::Defined => (&mut current.defined, MAX_XML),
                Section::Running => (&mut current.running, MAX_XML),
            },
        };
        if text.len() + line.len() < limit {
            text.push_str(line);
            text.push('\n');
        }
    }

    fn finish_domain(&mut self) {
        let Some(current) = self.current.take() else {
            return;
        };
        let state = current.state.trim();
        if state.is_empty() || state.starts_with("error:") {
            self.give_up(&current.uuid, state);
            return;
        }
        // virsh ends each command of several with an empty line, and so the XML, too.
        let text = current.defined.trim_end().to_owned() + "\n";
        match DomainXml::parse(text) {
            Ok(defined) if defined.macs().any(|mac| self.wanted.contains(&mac)) => {
                self.inventory.domains.push(Domain {
                    uuid: current.uuid,
                    is_on: state != "shut off",
                    defined,
                    running: DomainXml::parse(current.running).ok(),
                });
            }
            Ok(_) => {}
            Err(error) => self.give_up(&current.uuid, &error.to_string()),
        }
    }

    fn give_up(&mut self, uuid: &DomainUuid, why: &str) {
        self.inventory
            .unreadable
            .push(format!("{uuid}: {}", said(why)));
    }
}

/// What is to be done to a domain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Order {
    /// Start it, from where it was saved if it was.
    Start,
    /// Start it afresh.
    Boot,
    /// Switch it off.
    Destroy,
    /// Ask its operating system to shut down.
    Shutdown,
    /// Press its reset button.
    Reset,
    /// Off and on again, so that it runs as it is defined now.
    Cycle,
    /// Define it by this XML.
    Define(String),
}

impl Order {
    /// The line for `act.sh`.
    fn line(&self, uuid: &DomainUuid) -> String {
        match self {
            Self::Start => format!("{uuid} start\n"),
            Self::Boot => format!("{uuid} boot\n"),
            Self::Destroy => format!("{uuid} destroy\n"),
            Self::Shutdown => format!("{uuid} shutdown\n"),
            Self::Reset => format!("{uuid} reset\n"),
            Self::Cycle => format!("{uuid} cycle\n"),
            Self::Define(xml) => format!("{uuid} define {}\n", STANDARD.encode(xml)),
        }
    }

    /// Whether it came to what was wanted, given how virsh ended and what it said. That somebody
    /// else was faster is no failure.
    fn judge(&self, status: &str, output: &str) -> Result<(), String> {
        let already = match self {
            Self::Start | Self::Boot | Self::Cycle => {
                output.contains("already active") || output.contains("already running")
            }
            Self::Destroy | Self::Shutdown => output.contains("domain is not running"),
            Self::Reset | Self::Define(_) => false,
        };
        if status == "0" || already {
            return Ok(());
        }
        Err(said(output))
    }
}

/// Orders under way on one hypervisor.
pub struct Acting<'c> {
    running: Running<'c>,
    mark: String,
    orders: std::vec::IntoIter<(DomainUuid, Order)>,
    said: String,
}

impl<'c> Acting<'c> {
    /// Has `orders` done, one after the other.
    ///
    /// # Errors
    /// The connection fails.
    pub async fn start(
        connection: &'c Connection,
        orders: Vec<(DomainUuid, Order)>,
    ) -> Result<Self, Failure> {
        let mark = new_mark();
        let mut input = format!("{mark}\n");
        for (uuid, order) in &orders {
            input.push_str(&order.line(uuid));
        }
        let running = connection.run(ACT, input).await?;
        Ok(Self {
            running,
            mark,
            orders: orders.into_iter(),
            said: String::new(),
        })
    }

    /// The next domain that is done with, and how; none after the last.
    ///
    /// # Errors
    /// The connection or virsh fails; the orders that were not answered may or may not be done.
    pub async fn next(&mut self) -> Result<Option<(DomainUuid, Result<(), String>)>, Failure> {
        let Some((uuid, order)) = self.orders.next() else {
            self.running.end().await;
            return Ok(None);
        };
        self.said.clear();
        while let Some(line) = self.running.line().await? {
            if let Some(ours) = line.strip_prefix(&self.mark) {
                return match ours.trim().split_once(' ') {
                    Some((of, status)) if of == uuid.0 => {
                        let done = order.judge(status, &self.said);
                        Ok(Some((uuid, done)))
                    }
                    _ => Err(ended_early(&self.said, &self.running)),
                };
            }
            if self.said.len() + line.len() < MAX_SAID {
                self.said.push_str(&line);
                self.said.push('\n');
            }
        }
        Err(ended_early(&self.said, &self.running))
    }
}

fn new_mark() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Why virsh could not list the domains.
fn unreachable(output: &str, user: &str) -> Failure {
    let has = |words: &[&str]| words.iter().any(|word| output.contains(word));
    let denied = [
        "Permission denied",
        "authentication unavailable",
        "access denied",
        "authentication fail",
    ];
    let down = [
        "Failed to connect socket",
        "Connection refused",
        "Cannot recv data",
        "Unable to connect",
    ];
    let said = said(output);
    if has(&denied) {
        Failure::LibvirtDenied {
            user: user.to_owned(),
            said,
        }
    } else if has(&down) {
        Failure::LibvirtDown(said)
    } else {
        Failure::Virsh(said)
    }
}

/// The far end did not run our program to its end.
fn ended_early(output: &str, running: &Running<'_>) -> Failure {
    let said = match (said(output), running.stderr()) {
        (out, err) if out.is_empty() && err.is_empty() => "nothing was said".to_owned(),
        (out, err) if out.is_empty() || err.is_empty() => out + &err,
        (out, err) => format!("{out}; {err}"),
    };
    Failure::NoCommand(said)
}

#[cfg(test)]
mod tests;
