//! One hypervisor and the nodes on it: look at its domains once, tell whose domain is which, then
//! have done what is to be done, many domains an ssh command.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use futures::future::join_all;
use xcat3_core::{BootDevice, MacAddr, Node, Outcome, PowerTarget};

use super::super::{ControlOperation, ControlOrder, KvmConfig, Lease, lacks};
use super::endpoint::Endpoint;
use super::failure::Failure;
use super::link::Link;
use super::report::{Asked, Report};
use super::ssh::Connection;
use super::virsh::{self, Acting, Detail, Domain, DomainUuid, Inventory, Order};

/// Into how many commands that run side by side the work on one hypervisor is split.
const SIDE_BY_SIDE: usize = 4;

/// A hypervisor, as one user of it sees it.
pub struct Hypervisor {
    link: Link,
}

/// What is to be done for a node.
enum Step {
    /// Nothing more: this is the outcome.
    Tell(Outcome),
    /// This, to this domain.
    Do(DomainUuid, Order),
}

/// Orders, and for each domain the nodes that wait for it.
type Work<'a, 'n> = Vec<(DomainUuid, Order, Vec<&'a Asked<'n>>)>;

impl Hypervisor {
    /// The hypervisor at `endpoint`. Nothing is connected yet.
    pub fn new(endpoint: Endpoint, config: KvmConfig) -> Self {
        Self {
            link: Link::new(endpoint, config),
        }
    }

    /// Whether there is, or may soon be, a connection to it.
    pub fn is_in_use(&self) -> bool {
        self.link.is_in_use()
    }

    /// Does `order` to its nodes `asked` and reports each.
    pub async fn drive(&self, order: &ControlOrder<'_>, asked: &[&Asked<'_>], report: &Report) {
        let operation = order.operation;
        let macs = |node: &Node| node.nics.iter().map(|nic| nic.mac).collect::<Vec<_>>();
        let wanted: HashSet<MacAddr> = asked.iter().flat_map(|asked| macs(asked.node)).collect();
        let (connection, inventory) = match self.look(&wanted, detail(operation)).await {
            Ok(seen) => seen,
            Err(failure) => {
                tracing::warn!(hypervisor = %self.link.endpoint(), driver = "kvm", %failure);
                return report.tell_rest(asked, &self.sentence(failure)).await;
            }
        };
        let mut work: BTreeMap<DomainUuid, (Order, Vec<&Asked<'_>>)> = BTreeMap::new();
        for &asked in asked {
            let step = find(&inventory, asked.node)
                .and_then(|domain| step(operation, domain, asked.node))
                .unwrap_or_else(|reason| Step::Tell(Outcome::failed(self.sentence(reason))));
            match step {
                Step::Tell(outcome) => report.tell(asked, outcome).await,
                Step::Do(uuid, order) => {
                    work.entry(uuid)
                        .or_insert((order, Vec::new()))
                        .1
                        .push(asked);
                }
            }
        }
        let work = work
            .into_iter()
            .map(|(uuid, (order, asked))| (uuid, order, asked))
            .collect();
        self.act(&connection, work, order.lease, report).await;
    }

    /// Looks at the domains, on a new connection if the old one turns out to be lost.
    async fn look(
        &self,
        wanted: &HashSet<MacAddr>,
        detail: Detail,
    ) -> Result<(Arc<Connection>, Inventory), Failure> {
        let mut tries = 0;
        loop {
            tries += 1;
            let connection = self.link.connection().await?;
            let user = &self.link.endpoint().user;
            match virsh::look(&connection, user, wanted, detail).await {
                Ok(inventory) => return Ok((connection, inventory)),
                Err(failure) => {
                    self.give_up(&connection, &failure);
                    if tries > 1 || !matches!(failure, Failure::Lost | Failure::Dead(_)) {
                        return Err(failure);
                    }
                }
            }
        }
    }

    async fn act(
        &self,
        connection: &Arc<Connection>,
        work: Work<'_, '_>,
        lease: &Lease,
        report: &Report,
    ) {
        // From here on the commands go their way, each to its end.
        if !lease.holds().await {
            return;
        }
        let commands = work.len().min(SIDE_BY_SIDE);
        let mut shares: Vec<Work<'_, '_>> = (0..commands).map(|_| Vec::new()).collect();
        for (place, item) in work.into_iter().enumerate() {
            shares[place % commands].push(item);
        }
        join_all(
            shares
                .into_iter()
                .map(|share| self.act_share(connection, share, report)),
        )
        .await;
    }

    /// Has one command do its share of the work, reporting each domain as it is done.
    async fn act_share(&self, connection: &Arc<Connection>, share: Work<'_, '_>, report: &Report) {
        let orders = share
            .iter()
            .map(|(uuid, order, _)| (uuid.clone(), order.clone()))
            .collect();
        let all: Vec<&Asked<'_>> = share
            .iter()
            .flat_map(|(_, _, asked)| asked.clone())
            .collect();
        let mut acting = match Acting::start(connection, orders).await {
            Ok(acting) => acting,
            Err(failure) => {
                self.give_up(connection, &failure);
                return report.tell_rest(&all, &self.sentence(failure)).await;
            }
        };
        loop {
            match acting.next().await {
                Ok(None) => return,
                Ok(Some((uuid, done))) => {
                    let outcome = match done {
                        Ok(()) => Outcome::OK,
                        Err(said) => {
                            Outcome::failed(self.sentence(format!("virsh failed: {said}")))
                        }
                    };
                    let waiting = share.iter().filter(|(of, ..)| *of == uuid);
                    for asked in waiting.flat_map(|(_, _, asked)| asked) {
                        report.tell(asked, outcome.clone()).await;
                    }
                }
                Err(failure) => {
                    self.give_up(connection, &failure);
                    let unknown = format!("{failure}; whether it was done is not known");
                    return report.tell_rest(&all, &self.sentence(unknown)).await;
                }
            }
        }
    }

    /// Takes care that nobody else uses a connection which may be dead.
    fn give_up(&self, connection: &Arc<Connection>, failure: &Failure) {
        if matches!(
            failure,
            Failure::Lost | Failure::Dead(_) | Failure::CommandSilent(_)
        ) {
            self.link.forget(connection);
        }
    }

    /// `reason`, with the hypervisor's name before it.
    fn sentence(&self, reason: impl std::fmt::Display) -> String {
        format!("hypervisor {}: {reason}", self.link.endpoint())
    }
}

/// What must be seen of the domains for `operation`.
fn detail(operation: &ControlOperation) -> Detail {
    use ControlOperation::{Power, SetBootDevice};
    Detail {
        secrets: matches!(operation, SetBootDevice(_)),
        running: matches!(operation, Power(PowerTarget::Boot | PowerTarget::Reset)),
    }
}

/// The one domain that has an address of `node`.
fn find<'i>(inventory: &'i Inventory, node: &Node) -> Result<&'i Domain, String> {
    let macs: Vec<MacAddr> = node.nics.iter().map(|nic| nic.mac).collect();
    if macs.is_empty() {
        return Err(
            "the node has no nic, by whose MAC address its domain could be found".to_owned(),
        );
    }
    let names = macs
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(" or ");
    let has = |domain: &&Domain| domain.defined.macs().any(|mac| macs.contains(&mac));
    let found: Vec<&Domain> = inventory.domains.iter().filter(has).collect();
    match found[..] {
        [domain] => Ok(domain),
        [] if inventory.unreadable.is_empty() => {
            Err(format!("no domain has the MAC address {names}"))
        }
        [] => Err(format!(
            "no domain has the MAC address {names}, but {} could not be read: {}",
            inventory.unreadable.len(),
            inventory.unreadable[0],
        )),
        _ => {
            let shown = found
                .iter()
                .take(4)
                .map(|domain| named(domain))
                .collect::<Vec<_>>();
            Err(format!(
                "{} domains have the MAC address {names}: {}",
                found.len(),
                shown.join(", ")
            ))
        }
    }
}

/// A domain's name, for sentences.
fn named(domain: &Domain) -> String {
    let name: String = domain
        .defined
        .name()
        .chars()
        .filter(|c| !c.is_control())
        .take(64)
        .collect();
    format!("'{name}'")
}

/// What `operation` takes for `node`, given its domain.
fn step(operation: &ControlOperation, domain: &Domain, node: &Node) -> Result<Step, String> {
    use ControlOperation::{BootDeviceStatus, Power, PowerStatus, SetBootDevice};
    let of_domain = |reason: super::domain_xml::XmlError| {
        format!("the domain {} cannot be used: {reason}", named(domain))
    };
    match operation {
        PowerStatus => Ok(Step::Tell(Outcome::Done(if domain.is_on {
            "on"
        } else {
            "off"
        }))),
        BootDeviceStatus => {
            let device = domain.defined.boot_device().map_err(of_domain)?;
            Ok(Step::Tell(Outcome::Done(device.as_str())))
        }
        SetBootDevice(order) => boot_from(domain, order.device, node).map_err(of_domain),
        Power(target) => power(*target, domain),
        other => Err(lacks("kvm", other)),
    }
}

fn boot_from(
    domain: &Domain,
    device: BootDevice,
    node: &Node,
) -> Result<Step, super::domain_xml::XmlError> {
    let nic = node.boot_nic().map(|nic| nic.mac);
    let changed = domain.defined.booting_from(device, nic)?;
    if changed == domain.defined.text() {
        return Ok(Step::Tell(Outcome::OK));
    }
    Ok(Step::Do(domain.uuid.clone(), Order::Define(changed)))
}

fn power(target: PowerTarget, domain: &Domain) -> Result<Step, String> {
    let order = match (target, domain.is_on) {
        (PowerTarget::On, true) | (PowerTarget::Off, false) => return Ok(Step::Tell(Outcome::OK)),
        (PowerTarget::On | PowerTarget::Cycle, false) => Order::Start,
        (PowerTarget::Off, true) => Order::Destroy,
        (PowerTarget::Soft, false) => return Ok(Step::Tell(Outcome::OK)),
        (PowerTarget::Soft, true) => Order::Shutdown,
        (PowerTarget::Boot, false) => Order::Boot,
        (PowerTarget::Boot | PowerTarget::Reset, true) => reset(domain),
        (PowerTarget::Cycle, true) => Order::Cycle,
        (PowerTarget::Reset, false) => {
            return Err(format!(
                "the domain {} is off: it can be switched on or booted, but not reset",
                named(domain)
            ));
        }
    };
    Ok(Step::Do(domain.uuid.clone(), order))
}

/// What resets a running domain so that it boots what it is defined to boot. libvirt's own reset
/// keeps the boot order with which the domain was started, unlike any machine.
fn reset(domain: &Domain) -> Order {
    match &domain.running {
        Some(running) if domain.defined.boots_like(running) => Order::Reset,
        _ => Order::Cycle,
    }
}
