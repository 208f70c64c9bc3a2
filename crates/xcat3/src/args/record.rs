//! Arguments of the commands that write and show records: nodes, networks and the like.

use clap::{Args, ValueEnum};

use super::job::OperationArgs;

/// Arguments of `create`.
#[derive(Debug, Args)]
pub struct CreateArgs {
    /// Which nodes.
    pub nodes: String,
    /// Attributes: mgt, netboot, arch, type, control/KEY, console/KEY.
    #[arg(value_name = "KEY=VALUE")]
    pub attributes: Vec<String>,
    /// Control driver, like kvm or ipmi.
    #[arg(long)]
    pub mgt: Option<String>,
    /// Boot driver, like pxe.
    #[arg(long)]
    pub netboot: Option<String>,
    /// Architecture, like x86_64.
    #[arg(long)]
    pub arch: Option<String>,
    /// The operator's own classification.
    #[arg(long = "type")]
    pub kind: Option<String>,
    /// How the control driver reaches the node.
    #[arg(long, short, value_name = "KEY=VALUE,…")]
    pub control: Vec<String>,
    /// A nic of the node; repeat it for more.
    #[arg(long, short = 'i', value_name = "mac=…,ip=…")]
    pub nic: Vec<String>,
}

/// Arguments of `update`.
#[derive(Debug, Args)]
pub struct UpdateArgs {
    /// Which nodes.
    pub nodes: String,
    /// What to change: mgt, netboot, arch, type, control/KEY, console/KEY.
    #[arg(value_name = "KEY=VALUE", required_unless_present_any = ["control", "nic"])]
    pub attributes: Vec<String>,
    /// What to change of how the control driver reaches the node.
    #[arg(long, short, value_name = "KEY=VALUE,…")]
    pub control: Vec<String>,
    /// A nic to add, or to change where the node has one with this mac.
    #[arg(long, short = 'i', value_name = "mac=…,ip=…")]
    pub nic: Vec<String>,
}

/// Arguments of `deploy`.
#[derive(Debug, Args)]
pub struct DeployArgs {
    /// Which nodes.
    pub nodes: String,
    /// The OS image; each node's last one where absent.
    #[arg(long)]
    pub osimage: Option<String>,
    /// The network to install over; the one around each node's address where absent.
    #[arg(long, alias = "network")]
    pub subnet: Option<String>,
    /// nodeset installs, dhcp only serves the address.
    #[arg(long, default_value = "nodeset")]
    pub state: DeployWord,
    /// Take back what deploy has set up.
    #[arg(long, short, conflicts_with_all = ["osimage", "wait", "force"])]
    pub delete: bool,
    /// Restart an install that is under way.
    #[arg(long)]
    pub force: bool,
    /// Show the progress of each node until it is deployed or has failed.
    #[arg(long, short, conflicts_with = "later")]
    pub wait: bool,
    /// How.
    #[command(flatten)]
    pub operation: OperationArgs,
}

/// A name and attributes.
#[derive(Debug, Args)]
pub struct NamedAttributes {
    /// Its name.
    pub name: String,
    /// Attributes.
    #[arg(required = true, value_name = "KEY=VALUE")]
    pub attributes: Vec<String>,
}

/// A name and the fields to show.
#[derive(Debug, Args)]
pub struct ShowArgs {
    /// Its name.
    pub name: String,
    /// Only these fields, separated by commas.
    #[arg(long)]
    pub fields: Option<String>,
}

/// A name.
#[derive(Debug, Args)]
pub struct NameArg {
    /// Its name.
    pub name: String,
}

/// What `deploy --state` takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum DeployWord {
    /// Install.
    Nodeset,
    /// Only serve the address.
    Dhcp,
}
