//! What a DHCP request is answered with: a pure decision from the request, the facts and the lease
//! table.
//!
//! RFC 2131, 4.3 (what a server does). A node's address comes from its nic and needs no lease;
//! unknown machines are leased one of the dynamic range. Whatever is not ours to answer is met with silence
//! and a reason for the log.

use std::net::{Ipv4Addr, SocketAddrV4};

use xcat3_core::DiscoveredMachine;
use xcat3_store::Lease;

use super::answer::{Answer, CLIENT_PORT};
use super::client::{Client, Desk};
use super::packet::{Kind, Request, code};
use crate::discovered;
use crate::leases::LeaseTable;

/// Decides about a request.
#[must_use]
pub fn respond(request: &Request, desk: &Desk<'_>, leases: &mut LeaseTable) -> Answer {
    let client = match Client::of(request, desk) {
        Ok(client) => client,
        Err(note) => return Answer::silence(note),
    };
    let mut answer = match request.kind() {
        None => bootp(&client, desk),
        Some(Kind::Discover) => discover(&client, desk, leases),
        Some(Kind::Request) => request_address(&client, desk, leases),
        Some(Kind::Release) => release(&client, desk, leases),
        Some(Kind::Decline) => decline(&client, desk, leases),
        Some(Kind::Inform) => inform(&client, desk),
        Some(other) => Answer::silence(format!("{other:?} is not for servers")),
    };
    if let Some((node, _)) = client.node {
        answer.seen = Some((node.name.clone(), client.firmware));
    } else {
        let ip = answer.reply.as_ref().map(|(reply, _)| reply.yiaddr);
        let machine = discovered::of(request, &client.served.network.name, desk.now_ms);
        answer.machine = machine.map(|machine| DiscoveredMachine {
            ip: ip.filter(|ip| !ip.is_unspecified()),
            ..machine
        });
    }
    answer
}

fn discover(client: &Client<'_>, desk: &Desk<'_>, leases: &mut LeaseTable) -> Answer {
    let requested = client.request.address(code::REQUESTED_IP);
    let offered = client.fixed.or_else(|| {
        client.choosing(desk, |choice| {
            leases.offer(choice, client.request.mac, requested)
        })
    });
    match offered {
        Some(ip) => client.grant(desk, Kind::Offer, ip),
        None => Answer::silence(client.nothing_free()),
    }
}

/// RFC 2131, 4.3.2: the client takes our offer, another server's, asks after a restart whether it may
/// keep what it had, or extends its lease.
fn request_address(client: &Client<'_>, desk: &Desk<'_>, leases: &mut LeaseTable) -> Answer {
    let request = client.request;
    let requested = request.address(code::REQUESTED_IP);
    let chosen = request.address(code::SERVER_ID);
    let ours = |server| desk.link.iter().any(|served| served.server == server);
    if let Some(server) = chosen.filter(|&server| !ours(server)) {
        leases.withdraw(&client.served.network.name, request.mac);
        return Answer::silence(format!("the client chose the server {server}"));
    }
    let holds = (!request.ciaddr.is_unspecified()).then_some(request.ciaddr);
    let Some(ip) = requested.or(holds) else {
        return Answer::silence("the request names no address");
    };
    match client.fixed {
        Some(fixed) if fixed == ip => client.grant(desk, Kind::Ack, ip),
        Some(fixed) => client.refuse(&format!("{ip} is not your address, {fixed} is")),
        None => request_dynamic(client, desk, leases, ip),
    }
}

fn request_dynamic(
    client: &Client<'_>,
    desk: &Desk<'_>,
    leases: &mut LeaseTable,
    ip: Ipv4Addr,
) -> Answer {
    let (mac, network) = (client.request.mac, &client.served.network);
    let promised = client.request.options.contains_key(&code::SERVER_ID);
    if network.dynamic_range.is_empty() && !promised && network.subnet.contains(&ip) {
        return Answer::silence(client.nothing_free());
    }
    let expires_ms = desk.now_ms + i64::from(client.lease_s(desk)) * 1000;
    let lease = client.choosing(desk, |choice| leases.lease(choice, mac, ip, expires_ms));
    match lease {
        Some(lease) => {
            let save = Lease {
                hostname: client.request.hostname(),
                client_id: client.request.option(code::CLIENT_ID).map(<[u8]>::to_vec),
                ..lease
            };
            Answer {
                save: Some(save),
                ..client.grant(desk, Kind::Ack, ip)
            }
        }
        None => client.refuse(&format!("{ip} is not free for you")),
    }
}

fn release(client: &Client<'_>, desk: &Desk<'_>, leases: &mut LeaseTable) -> Answer {
    let (mac, ip) = (client.request.mac, client.request.ciaddr);
    let save = leases.release(&client.served.network.name, mac, ip, desk.now_ms);
    Answer {
        save,
        ..Answer::silence(format!("{ip} was released"))
    }
}

fn decline(client: &Client<'_>, desk: &Desk<'_>, leases: &mut LeaseTable) -> Answer {
    let Some(ip) = client.request.address(code::REQUESTED_IP) else {
        return Answer::silence("a declined address is missing");
    };
    leases.decline(
        &client.served.network.name,
        client.request.mac,
        ip,
        desk.now_ms,
    );
    Answer::silence(format!("the client found {ip} in use by another machine"))
}

/// A client that has its address from elsewhere asks for the rest.
fn inform(client: &Client<'_>, desk: &Desk<'_>) -> Answer {
    let ip = client.request.ciaddr;
    if !client.served.network.subnet.contains(&ip) {
        return Answer::silence(format!(
            "{ip} is not in network {}",
            client.served.network.name
        ));
    }
    let mut answer = client.grant(desk, Kind::Ack, ip);
    if let Some((reply, to)) = &mut answer.reply {
        reply.yiaddr = Ipv4Addr::UNSPECIFIED;
        for code in [code::LEASE_TIME, code::RENEWAL, code::REBINDING] {
            reply.options.remove(&code);
        }
        *to = SocketAddrV4::new(ip, CLIENT_PORT);
    }
    answer
}

/// Plain BOOTP: addresses that are fixed only, since it knows no leases that end.
fn bootp(client: &Client<'_>, desk: &Desk<'_>) -> Answer {
    let Some(ip) = client.fixed else {
        return Answer::silence("BOOTP from a machine that is no node");
    };
    let mut answer = client.grant(desk, Kind::Ack, ip);
    if let Some((reply, _)) = &mut answer.reply {
        reply.kind = None;
        for code in [
            code::LEASE_TIME,
            code::RENEWAL,
            code::REBINDING,
            code::SERVER_ID,
        ] {
            reply.options.remove(&code);
        }
    }
    answer
}
