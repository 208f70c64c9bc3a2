//! The same work by the tools that operators use today, and the floor below which TLS does not go.

use std::collections::VecDeque;
use std::net::{IpAddr, Ipv4Addr};
use std::process::{Child, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::client::Resumption;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, ServerName};
use tokio_rustls::rustls::{self, ClientConfig, RootCertStore};

use super::fleet::{Fleet, PASSWORD, REDFISH_PORT, USER};
use crate::command::{command, tail};

/// Of how many BMCs one process of ipmipower asks: with many more it loses some, as its descriptors run
/// out.
const A_RUN: usize = 1_000;
/// How many processes of ipmitool run at once.
const AT_A_TIME: usize = 32;
/// How many handshakes are under way at once.
const AT_ONCE: usize = 64;

/// FreeIPMI's ipmipower, as often as `rounds`: one process at a time for [`A_RUN`] of them.
///
/// # Errors
/// It can't be started, or not all answered.
pub fn ipmipower(fleet: &Fleet, suite: u8, rounds: u32) -> Result<Vec<Duration>> {
    let addresses: Vec<Ipv4Addr> = fleet.addresses().collect();
    let round = || {
        let runs = addresses.chunks(A_RUN).map(|chunk| ask_some(chunk, suite));
        runs.sum()
    };
    (0..rounds).map(|_| round()).collect()
}

fn ask_some(addresses: &[Ipv4Addr], suite: u8) -> Result<Duration> {
    let suite = suite.to_string();
    let mut ask = command("ipmipower");
    ask.args(["--driver-type", "LAN_2_0", "--stat", "--username", USER])
        .args(["--password", PASSWORD, "--cipher-suite-id", &suite])
        .args(["--hostname", &ranges(addresses.iter().copied())]);
    let started = Instant::now();
    let output = ask.output().context("ipmipower can't be started")?;
    let time = started.elapsed();
    let text = String::from_utf8_lossy(&output.stdout);
    let is_told = |line: &&str| line.ends_with(": off") || line.ends_with(": on");
    let told = text.lines().filter(is_told).count();
    ensure!(
        told == addresses.len(),
        "ipmipower told of {told} of {} BMCs: {}{}",
        addresses.len(),
        tail(&text, 3),
        tail(&String::from_utf8_lossy(&output.stderr), 3)
    );
    Ok(time)
}

/// ipmitool, a process for each of `count` BMCs, 32 at a time.
///
/// # Errors
/// One can't be started, or fails.
pub fn ipmitool(fleet: &Fleet, suite: u8, count: u32) -> Result<Duration> {
    let started = Instant::now();
    let mut running: VecDeque<Child> = VecDeque::new();
    for address in fleet.addresses().take(count as usize) {
        if running.len() >= AT_A_TIME
            && let Some(first) = running.pop_front()
        {
            ended_well(first)?;
        }
        let mut ask = command("ipmitool");
        ask.args(["-I", "lanplus", "-H", &address.to_string(), "-U", USER])
            .args([
                "-P",
                PASSWORD,
                "-C",
                &suite.to_string(),
                "chassis",
                "power",
                "status",
            ])
            .stdout(Stdio::null());
        running.push_back(ask.spawn().context("ipmitool can't be started")?);
    }
    running.into_iter().try_for_each(ended_well)?;
    Ok(started.elapsed())
}

fn ended_well(mut child: Child) -> Result<()> {
    let status = child.wait()?;
    ensure!(status.success(), "ipmitool failed ({status})");
    Ok(())
}

/// Addresses as FreeIPMI takes them: `127.2.0.[1-254],127.2.1.[1-254]`.
fn ranges(addresses: impl Iterator<Item = Ipv4Addr>) -> String {
    let mut ranges: Vec<([u8; 3], u8, u8)> = Vec::new();
    for address in addresses {
        let [a, b, c, last] = address.octets();
        match ranges.last_mut() {
            Some((net, _, end)) if *net == [a, b, c] && *end + 1 == last => *end = last,
            _ => ranges.push(([a, b, c], last, last)),
        }
    }
    let told = ranges
        .iter()
        .map(|([a, b, c], first, last)| format!("{a}.{b}.{c}.[{first}-{last}]"));
    told.collect::<Vec<_>>().join(",")
}

/// A TLS handshake with each BMC and nothing more, [`AT_ONCE`] at once: what cannot be saved when no
/// connection stands.
///
/// # Errors
/// One fails.
pub fn handshakes(fleet: &Fleet) -> Result<Duration> {
    let authority = std::fs::read(fleet.authority()).context("the simulator's authority")?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    let connector = connector(&authority)?;
    let addresses: Vec<Ipv4Addr> = fleet.addresses().collect();
    let started = Instant::now();
    runtime.block_on(async {
        let mut under_way = tokio::task::JoinSet::new();
        for address in addresses {
            if under_way.len() >= AT_ONCE
                && let Some(done) = under_way.join_next().await
            {
                done??;
            }
            let connector = connector.clone();
            under_way.spawn(async move {
                let stream = TcpStream::connect((address, REDFISH_PORT)).await?;
                let name = ServerName::IpAddress(IpAddr::from(address).into());
                connector.connect(name, stream).await
            });
        }
        while let Some(done) = under_way.join_next().await {
            done??;
        }
        anyhow::Ok(())
    })?;
    Ok(started.elapsed())
}

fn connector(authority: &[u8]) -> Result<TlsConnector> {
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(authority) {
        roots.add(certificate?)?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.resumption = Resumption::disabled();
    Ok(TlsConnector::from(Arc::new(config)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_told_as_ranges() {
        let addresses = [
            [127, 2, 0, 254],
            [127, 2, 0, 255],
            [127, 2, 1, 0],
            [127, 2, 1, 2],
        ];
        let text = ranges(addresses.into_iter().map(Ipv4Addr::from));
        assert_eq!(text, "127.2.0.[254-255],127.2.1.[0-0],127.2.1.[2-2]");
    }
}
