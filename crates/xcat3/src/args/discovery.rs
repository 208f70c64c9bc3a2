//! Arguments of the commands that look for BMCs and list machines that nobody has enrolled.

use std::net::Ipv4Addr;

use clap::{Args, ValueEnum};
use xcat3_core::MacAddr;

use super::job::OperationArgs;

/// Arguments of `discover`.
#[derive(Debug, Args)]
pub struct DiscoverArgs {
    /// Where to look: 10.0.0.0/24, 10.0.0.1-10.0.0.99, 10.0.[0-3].[1-254].
    pub addresses: String,
    /// Attributes of the nodes to be enrolled: netboot, arch, type, control/KEY, console/KEY.
    #[arg(value_name = "KEY=VALUE")]
    pub attributes: Vec<String>,
    /// What to ask them in, and the control driver of the nodes.
    #[arg(long)]
    pub mgt: SearchWord,
    /// The port to ask, where it is not the usual one.
    #[arg(long, value_parser = clap::value_parser!(u16).range(1..))]
    pub port: Option<u16>,
    /// Whose certificates are trusted before anyone logs in to a BMC, and what its node trusts then.
    #[arg(long, default_value = "verify")]
    pub tls: TlsWord,
    /// Enrol what is found by these names: a range, or a name with %d or %03d in it, which counts from 1.
    #[arg(long, value_name = "NAMES")]
    pub create: Option<String>,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// Arguments of `discovered`.
#[derive(Debug, Args)]
pub struct DiscoveredArgs {
    /// Attributes of the nodes to be enrolled: mgt, netboot, arch, type, control/KEY, console/KEY.
    #[arg(value_name = "KEY=VALUE")]
    pub attributes: Vec<String>,
    /// Enrol them by these names: a range, or a name with %d or %03d in it, which counts from 1.
    #[arg(long, value_name = "NAMES", conflicts_with = "forget")]
    pub create: Option<String>,
    /// Address of the first node, the next one's for the second, and so on. Without it nodes have none.
    #[arg(long, value_name = "FIRST")]
    pub ip: Option<Ipv4Addr>,
    /// Only machines with these MAC addresses.
    #[arg(long, value_name = "MAC,…", value_delimiter = ',')]
    pub mac: Vec<MacAddr>,
    /// Only machines in this network.
    #[arg(long, value_name = "NAME")]
    pub network: Option<String>,
    /// Forget them. Those that ask again are listed again.
    #[arg(long)]
    pub forget: bool,
}

/// What `discover --mgt` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum SearchWord {
    /// IPMI v2.0 over LAN.
    Ipmi,
    /// Redfish over HTTPS.
    Redfish,
}

impl SearchWord {
    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Self::Ipmi => "ipmi",
            Self::Redfish => "redfish",
        }
    }
}

/// What `discover --tls` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TlsWord {
    /// Certificates by an authority that the conductor trusts; nobody else is told the password.
    Verify,
    /// The certificate that each BMC shows now: its node trusts that one and no other.
    FirstUse,
    /// Anybody's.
    Insecure,
}
