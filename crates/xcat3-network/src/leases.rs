//! Addresses of the dynamic ranges: who has which, until when, and who is given one next.
//!
//! A pure table; the DHCP server saves what it returns to the store before it promises it. A client
//! is known by its MAC address, not by its client identifier (option 61) as RFC 2131, 4.2 would have
//! it: firmware, loader and installed system of one machine send different identifiers, and copies
//! of one disk send the same.

use std::collections::{BTreeSet, HashMap};
use std::net::Ipv4Addr;

use xcat3_core::{MacAddr, Network};
use xcat3_store::Lease;

/// How long an offer is kept for its client.
const OFFER_MS: i64 = 60_000;
/// How long an address is not given out after a client found another machine using it.
const QUARANTINE_MS: i64 = 10 * 60_000;
/// The most addresses that a search looks at, so that a request costs milliseconds at worst.
const LONGEST_SEARCH: u32 = 65_536;
/// The most addresses that one network keeps in mind, whatever its range and however many strange
/// hardware addresses ask; beyond it expired ones are given out again.
const MOST_KEPT: usize = 262_144;
/// At most so often all addresses are searched again for one that became free.
const SEARCH_AGAIN_MS: i64 = 1_000;

/// Why an address is not free.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Hold {
    Offered,
    Leased,
    Declined,
}

#[derive(Clone, Debug)]
struct Entry {
    mac: MacAddr,
    expires_ms: i64,
    hold: Hold,
}

/// The addresses of one network that were ever given out.
#[derive(Debug, Default)]
struct Pool {
    by_ip: HashMap<Ipv4Addr, Entry>,
    by_mac: HashMap<MacAddr, Ipv4Addr>,
    /// The same, what expires first coming first.
    by_age: BTreeSet<(i64, Ipv4Addr)>,
    /// How many addresses of the ranges were looked at for one never given out.
    searched: u32,
    searched_again_ms: i64,
}

/// What the table must know of a network to choose an address.
pub struct Choice<'a> {
    /// The network.
    pub network: &'a Network,
    /// Whether an address must not be given out: fixed to a nic, or a server's own.
    pub taken: &'a dyn Fn(Ipv4Addr) -> bool,
    /// Now, in milliseconds since 1970.
    pub now_ms: i64,
}

/// All leases, of all networks.
#[derive(Debug, Default)]
pub struct LeaseTable {
    pools: HashMap<String, Pool>,
}

impl Choice<'_> {
    fn usable(&self, ip: Ipv4Addr) -> bool {
        let network = self.network;
        network.dynamic_range.iter().any(|range| range.contains(ip))
            && (network.subnet.prefix_len() > 30
                || (ip != network.subnet.network() && ip != network.subnet.broadcast()))
            && network.gateway != Some(ip)
            && network.dhcpserver != Some(ip)
            && !network.nameservers.contains(&ip)
            && !network.ntpservers.contains(&ip)
            && !(self.taken)(ip)
    }

    /// The address at a place counted through all ranges.
    fn address_at(&self, mut place: u32) -> Option<Ipv4Addr> {
        for range in &self.network.dynamic_range {
            let (first, last) = (u32::from(range.first), u32::from(range.last));
            match place.checked_sub(last - first) {
                None | Some(0) => return Some(Ipv4Addr::from(first + place)),
                Some(rest) => place = rest - 1,
            }
        }
        None
    }
}

impl LeaseTable {
    /// The table as it was saved.
    #[must_use]
    pub fn restored(leases: Vec<Lease>) -> Self {
        let mut table = Self::default();
        for lease in leases {
            let pool = table.pools.entry(lease.network).or_default();
            pool.hold(lease.ip, lease.mac, Hold::Leased, lease.expires_ms);
        }
        table
    }

    /// Chooses an address for a client and keeps it for a while: the one that it has or had, else
    /// the one that it asks for, else one never given out, else the one unused for longest.
    pub fn offer(
        &mut self,
        choice: &Choice<'_>,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let pool = self.pool(choice.network);
        let ip = pool.choose(choice, mac, requested)?;
        let until = choice.now_ms + OFFER_MS;
        if !pool.is_held_by(ip, mac, until) {
            pool.hold(ip, mac, Hold::Offered, until);
        }
        Some(ip)
    }

    /// Leases `ip` to a client, where it is this client's or free. The lease must be saved before the
    /// client is told.
    pub fn lease(
        &mut self,
        choice: &Choice<'_>,
        mac: MacAddr,
        ip: Ipv4Addr,
        expires_ms: i64,
    ) -> Option<Lease> {
        let pool = self.pool(choice.network);
        if !choice.usable(ip) || !pool.is_free_for(ip, mac, choice.now_ms) {
            return None;
        }
        pool.hold(ip, mac, Hold::Leased, expires_ms);
        Some(Lease {
            mac,
            ip,
            network: choice.network.name.clone(),
            expires_ms,
            hostname: None,
            client_id: None,
        })
    }

    /// Whether a lease of `ip` to this client is on record, however old.
    #[must_use]
    pub fn is_recorded(&self, network: &str, mac: MacAddr, ip: Ipv4Addr) -> bool {
        let pool = self.pools.get(network);
        pool.is_some_and(|pool| pool.by_mac.get(&mac) == Some(&ip))
    }

    /// Ends a client's lease, which is kept in mind for the same client. What is returned must be
    /// saved.
    pub fn release(
        &mut self,
        network: &str,
        mac: MacAddr,
        ip: Ipv4Addr,
        now_ms: i64,
    ) -> Option<Lease> {
        let pool = self.pools.get_mut(network)?;
        let entry = pool.by_ip.get(&ip)?;
        if entry.mac != mac || entry.hold != Hold::Leased {
            return None;
        }
        pool.hold(ip, mac, Hold::Leased, now_ms);
        Some(Lease {
            mac,
            ip,
            network: network.to_owned(),
            expires_ms: now_ms,
            hostname: None,
            client_id: None,
        })
    }

    /// Takes an offer back: the client chose another server.
    pub fn withdraw(&mut self, network: &str, mac: MacAddr) {
        if let Some(pool) = self.pools.get_mut(network)
            && let Some(&ip) = pool.by_mac.get(&mac)
            && pool
                .by_ip
                .get(&ip)
                .is_some_and(|entry| entry.hold == Hold::Offered)
        {
            pool.forget(ip);
        }
    }

    /// Sets an address aside for a while: its client found another machine using it.
    pub fn decline(&mut self, network: &str, mac: MacAddr, ip: Ipv4Addr, now_ms: i64) -> bool {
        let Some(pool) = self.pools.get_mut(network) else {
            return false;
        };
        if pool.by_ip.get(&ip).is_none_or(|entry| entry.mac != mac) {
            return false;
        }
        pool.by_mac.remove(&mac);
        pool.hold(ip, mac, Hold::Declined, now_ms + QUARANTINE_MS);
        true
    }

    fn pool(&mut self, network: &Network) -> &mut Pool {
        self.pools.entry(network.name.clone()).or_default()
    }
}

impl Pool {
    /// Puts an address into a client's hands, out of whoever's it was.
    fn hold(&mut self, ip: Ipv4Addr, mac: MacAddr, hold: Hold, expires_ms: i64) {
        self.forget(ip);
        if hold != Hold::Declined
            && let Some(other) = self.by_mac.insert(mac, ip)
            && other != ip
        {
            // A client has one address of a network; its former one is free at once.
            self.drop_entry(other);
        }
        self.by_age.insert((expires_ms, ip));
        self.by_ip.insert(
            ip,
            Entry {
                mac,
                expires_ms,
                hold,
            },
        );
    }

    fn drop_entry(&mut self, ip: Ipv4Addr) -> Option<Entry> {
        let entry = self.by_ip.remove(&ip)?;
        self.by_age.remove(&(entry.expires_ms, ip));
        Some(entry)
    }

    fn forget(&mut self, ip: Ipv4Addr) {
        if let Some(entry) = self.drop_entry(ip)
            && self.by_mac.get(&entry.mac) == Some(&ip)
        {
            self.by_mac.remove(&entry.mac);
        }
    }

    /// Whether the client holds `ip` until then or longer.
    fn is_held_by(&self, ip: Ipv4Addr, mac: MacAddr, until_ms: i64) -> bool {
        self.by_ip.get(&ip).is_some_and(|entry| {
            entry.mac == mac && entry.hold != Hold::Declined && entry.expires_ms >= until_ms
        })
    }

    fn is_free_for(&self, ip: Ipv4Addr, mac: MacAddr, now_ms: i64) -> bool {
        self.by_ip.get(&ip).is_none_or(|entry| {
            entry.expires_ms <= now_ms || (entry.mac == mac && entry.hold != Hold::Declined)
        })
    }

    fn choose(
        &mut self,
        choice: &Choice<'_>,
        mac: MacAddr,
        requested: Option<Ipv4Addr>,
    ) -> Option<Ipv4Addr> {
        let free = |pool: &Self, ip: &Ipv4Addr| {
            choice.usable(*ip) && pool.is_free_for(*ip, mac, choice.now_ms)
        };
        let had = self.by_mac.get(&mac).copied().filter(|ip| free(self, ip));
        had.or_else(|| requested.filter(|ip| free(self, ip)))
            .or_else(|| self.never_given(choice))
            .or_else(|| self.unused_longest(choice))
            .or_else(|| self.search_again(choice))
    }

    fn never_given(&mut self, choice: &Choice<'_>) -> Option<Ipv4Addr> {
        if self.by_ip.len() >= MOST_KEPT {
            return None;
        }
        for _ in 0..LONGEST_SEARCH {
            let ip = choice.address_at(self.searched)?;
            self.searched += 1;
            if !self.by_ip.contains_key(&ip) && choice.usable(ip) {
                return Some(ip);
            }
        }
        None
    }

    fn unused_longest(&mut self, choice: &Choice<'_>) -> Option<Ipv4Addr> {
        let mut outside = Vec::new();
        let mut found = None;
        for &(expires_ms, ip) in self.by_age.iter().take(LONGEST_SEARCH as usize) {
            if expires_ms > choice.now_ms {
                break;
            }
            if choice.usable(ip) {
                found = Some(ip);
                break;
            }
            outside.push(ip);
        }
        // Expired and not to be given out any more, since the range or a nic changed.
        for ip in outside {
            self.forget(ip);
        }
        found
    }

    /// Ranges grow and nics go: looks from the start, but not for every request.
    fn search_again(&mut self, choice: &Choice<'_>) -> Option<Ipv4Addr> {
        if choice.now_ms < self.searched_again_ms + SEARCH_AGAIN_MS {
            return None;
        }
        self.searched_again_ms = choice.now_ms;
        self.searched = 0;
        self.never_given(choice)
    }
}
