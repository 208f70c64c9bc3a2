//! The addresses of the dynamic ranges: which client has which address, until when.
//!
//! A pure table. The DHCP server saves the leases that it returns before it sends the replies. A client
//! is identified by its MAC, not by its client identifier (option 61) as in RFC 2131, 4.2: firmware,
//! loader and installed system of one machine send different identifiers, and copies of one disk send
//! the same.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use xcat3_core::{MacAddr, Network};
use xcat3_store::Lease;

/// How long an offered address is reserved for its client.
const OFFER_TIMEOUT_MS: i64 = 60_000;
/// How long an address is not granted after a client found it in use by another machine.
const QUARANTINE_MS: i64 = 10 * 60_000;
/// Most addresses that one search visits, so that a request takes milliseconds at worst.
const MAX_SEARCH: u32 = 65_536;
/// Most addresses that one network remembers, whatever its range and however many MACs send requests.
/// Beyond that, expired addresses are reused.
const MAX_ENTRIES: usize = 262_144;
/// Shortest time between two complete searches of the ranges.
const RESCAN_INTERVAL_MS: i64 = 1_000;

/// Why an address is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Offered,
    Leased,
    Declined,
}

#[derive(Clone, Debug)]
struct Entry {
    mac: MacAddr,
    expires_ms: i64,
    status: Status,
}

/// The addresses of one network that were granted or offered.
#[derive(Debug, Default)]
struct Pool {
    by_ip: HashMap<Ipv4Addr, Entry>,
    by_mac: HashMap<MacAddr, Ipv4Addr>,
    /// The addresses in the order in which they expire.
    by_expiry: BTreeSet<(i64, Ipv4Addr)>,
    /// How many addresses of the ranges the search for unused ones has visited.
    searched: u32,
    rescanned_ms: i64,
}

/// Which dynamic addresses of a network may be granted.
pub struct PoolRules<'a> {
    /// The network.
    pub network: &'a Network,
    /// Whether an address must not be granted: fixed to a nic, or a server's own.
    pub is_excluded: &'a dyn Fn(Ipv4Addr) -> bool,
    /// The time, in milliseconds since 1970.
    pub now_ms: i64,
}

/// All leases, of all networks.
#[derive(Debug, Default)]
pub struct LeaseTable {
    pools: HashMap<String, Pool>,
}

impl PoolRules<'_> {
    fn allows(&self, ip: Ipv4Addr) -> bool {
        let network = self.network;
        network.dynamic_range.iter().any(|range| range.contains(ip))
            && (network.subnet.prefix_len() > 30
                || (ip != network.subnet.network() && ip != network.subnet.broadcast()))
            && network.gateway != Some(ip)
            && network.dhcpserver != Some(ip)
            && !network.nameservers.contains(&ip)
            && !network.ntpservers.contains(&ip)
            && !(self.is_excluded)(ip)
    }

    /// The address at an index counted through all ranges.
    fn address_at(&self, mut index: u32) -> Option<Ipv4Addr> {
        for range in &self.network.dynamic_range {
            let (first, last) = (u32::from(range.first), u32::from(range.last));
            match index.checked_sub(last - first) {
                None | Some(0) => return Some(Ipv4Addr::from(first + index)),
                Some(rest) => index = rest - 1,
            }
        }
        None
    }
}

impl LeaseTable {
    /// A table with saved leases.
    #[must_use]
    pub fn restored(leases: Vec<Lease>) -> Self {
        let mut table = Self::default();
        for lease in leases {
            let pool = table.pools.entry(lease.network).or_default();
            pool.assign(lease.ip, lease.mac, Status::Leased, lease.expires_ms);
        }
        table
    }

    /// Chooses an address for a client and reserves it for a while: the current or former address of
    /// the client, else the requested one, else an unused one, else the one that expired first.
    pub fn offer(
        &mut self,
        rules: &PoolRules<'_>,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let pool = self.pool(rules.network);
        let ip = pool.choose(rules, mac, requested)?;
        let until = rules.now_ms + OFFER_TIMEOUT_MS;
        if !pool.is_assigned(ip, mac, until) {
            pool.assign(ip, mac, Status::Offered, until);
        }
        Some(ip)
    }

    /// Leases `ip` to a client where the address is free or the client's own. The lease must be saved
    /// before the reply is sent.
    pub fn lease(
        &mut self,
        rules: &PoolRules<'_>,
        mac: MacAddr,
        ip: Ipv4Addr,
        expires_ms: i64,
    ) -> Option<Lease> {
        let pool = self.pool(rules.network);
        if !rules.allows(ip) || !pool.is_free_for(ip, mac, rules.now_ms) {
            return None;
        }
        pool.assign(ip, mac, Status::Leased, expires_ms);
        Some(Lease {
            mac,
            ip,
            network: rules.network.name.clone(),
            expires_ms,
            hostname: None,
            client_id: None,
        })
    }

    /// Ends a client's lease. The table remembers the address for the same client. The returned lease
    /// must be saved.
    pub fn release(
        &mut self,
        network: &str,
        mac: MacAddr,
        ip: Ipv4Addr,
        now_ms: i64,
    ) -> Option<Lease> {
        let pool = self.pools.get_mut(network)?;
        let entry = pool.by_ip.get(&ip)?;
        if entry.mac != mac || entry.status != Status::Leased {
            return None;
        }
        pool.assign(ip, mac, Status::Leased, now_ms);
        Some(Lease {
            mac,
            ip,
            network: network.to_owned(),
            expires_ms: now_ms,
            hostname: None,
            client_id: None,
        })
    }

    /// Withdraws an offer: the client selected another server.
    pub fn withdraw(&mut self, network: &str, mac: MacAddr) {
        if let Some(pool) = self.pools.get_mut(network)
            && let Some(&ip) = pool.by_mac.get(&mac)
            && pool
                .by_ip
                .get(&ip)
                .is_some_and(|entry| entry.status == Status::Offered)
        {
            pool.forget(ip);
        }
    }

    /// Quarantines an address: its client found it in use by another machine.
    pub fn decline(&mut self, network: &str, mac: MacAddr, ip: Ipv4Addr, now_ms: i64) -> bool {
        let Some(pool) = self.pools.get_mut(network) else {
            return false;
        };
        if pool.by_ip.get(&ip).is_none_or(|entry| entry.mac != mac) {
            return false;
        }
        pool.by_mac.remove(&mac);
        pool.assign(ip, mac, Status::Declined, now_ms + QUARANTINE_MS);
        true
    }

    fn pool(&mut self, network: &Network) -> &mut Pool {
        self.pools.entry(network.name.clone()).or_default()
    }
}

impl Pool {
    /// Assigns an address to a client, and removes any previous assignment of the address.
    fn assign(&mut self, ip: Ipv4Addr, mac: MacAddr, status: Status, expires_ms: i64) {
        self.forget(ip);
        if status != Status::Declined
            && let Some(other) = self.by_mac.insert(mac, ip)
            && other != ip
        {
            // A client has one address of a network; the former one is free at once.
            self.remove_entry(other);
        }
        self.by_expiry.insert((expires_ms, ip));
        self.by_ip.insert(
            ip,
            Entry {
                mac,
                expires_ms,
                status,
            },
        );
    }

    fn remove_entry(&mut self, ip: Ipv4Addr) -> Option<Entry> {
        let entry = self.by_ip.remove(&ip)?;
        self.by_expiry.remove(&(entry.expires_ms, ip));
        Some(entry)
    }

    fn forget(&mut self, ip: Ipv4Addr) {
        if let Some(entry) = self.remove_entry(ip)
            && self.by_mac.get(&entry.mac) == Some(&ip)
        {
            self.by_mac.remove(&entry.mac);
        }
    }

    /// Whether `ip` is assigned to the client at least until `until_ms`.
    fn is_assigned(&self, ip: Ipv4Addr, mac: MacAddr, until_ms: i64) -> bool {
        self.by_ip.get(&ip).is_some_and(|entry| {
            entry.mac == mac && entry.status != Status::Declined && entry.expires_ms >= until_ms
        })
    }

    fn is_free_for(&self, ip: Ipv4Addr, mac: MacAddr, now_ms: i64) -> bool {
        self.by_ip.get(&ip).is_none_or(|entry| {
            entry.expires_ms <= now_ms || (entry.mac == mac && entry.status != Status::Declined)
        })
    }

    fn choose(
        &mut self,
        rules: &PoolRules<'_>,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let free = |pool: &Self, ip: &Ipv4Addr| {
            rules.allows(*ip) && pool.is_free_for(*ip, mac, rules.now_ms)
        };
        let former = self.by_mac.get(&mac).copied().filter(|ip| free(self, ip));
        former
            .or_else(|| requested.filter(|ip| free(self, ip)))
            .or_else(|| self.next_unused(rules))
            .or_else(|| self.oldest_expired(rules))
            .or_else(|| self.rescan(rules))
    }

    fn next_unused(&mut self, rules: &PoolRules<'_>) -> Option<Ipv4Addr> {
        if self.by_ip.len() >= MAX_ENTRIES {
            return None;
        }
        for _ in 0..MAX_SEARCH {
            let ip = rules.address_at(self.searched)?;
            self.searched += 1;
            if !self.by_ip.contains_key(&ip) && rules.allows(ip) {
                return Some(ip);
            }
        }
        None
    }

    fn oldest_expired(&mut self, rules: &PoolRules<'_>) -> Option<Ipv4Addr> {
        let mut stale = Vec::new();
        let mut found = None;
        for &(expires_ms, ip) in self.by_expiry.iter().take(MAX_SEARCH as usize) {
            if expires_ms > rules.now_ms {
                break;
            }
            if rules.allows(ip) {
                found = Some(ip);
                break;
            }
            stale.push(ip);
        }
        // Expired and excluded, since the range or a nic changed.
        for ip in stale {
            self.forget(ip);
        }
        found
    }

    /// Searches the ranges from the start, since ranges grow and nics go; not for every request.
    fn rescan(&mut self, rules: &PoolRules<'_>) -> Option<Ipv4Addr> {
        if rules.now_ms < self.rescanned_ms + RESCAN_INTERVAL_MS {
            return None;
        }
        self.rescanned_ms = rules.now_ms;
        self.searched = 0;
        self.next_unused(rules)
    }
}
