//! What may be typed: the one definition that help, completions and man pages are made of.

pub mod discovery;
pub mod hardware;
pub mod job;
pub mod record;

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;

use discovery::{DiscoverArgs, DiscoveredArgs};
use hardware::{
    BeaconArgs, BiosArgs, BootWord, BootdevArgs, EventlogArgs, InventoryArgs, MediaArgs, PowerWord,
    SensorsArgs,
};
use job::{JobArgs, OperationArgs, positive};
use record::{CreateArgs, DeployArgs, NameArg, NamedAttributes, ShowArgs, UpdateArgs};

/// Provisions bare metal: enrol nodes, deploy operating systems, control power and boot device.
#[derive(Debug, Parser)]
#[command(name = "xcat3", version, arg_required_else_help = true, max_term_width = 100,
    after_help = EXAMPLES)]
pub struct Cli {
    /// Address of the xcat3 API.
    #[arg(
        long,
        global = true,
        env = "XCAT3_URL",
        default_value = "http://localhost:3010",
        value_name = "URL"
    )]
    pub xcat3_url: String,
    /// Print JSON for programs.
    #[arg(long, global = true)]
    pub json: bool,
    /// A line for each node, however many there are.
    #[arg(long, short, global = true)]
    pub verbose: bool,
    /// For how long to try again when the connection to the API breaks, in seconds.
    #[arg(
        long,
        global = true,
        env = "XCAT3_RECONNECT_FOR",
        default_value_t = 60,
        value_name = "SECONDS",
        hide_short_help = true
    )]
    pub reconnect_for: u64,
    /// Show each request and how long it took, on standard error.
    #[arg(long, global = true, env = "XCAT3CLIENT_DEBUG", value_parser = clap::builder::FalseyValueParser::new())]
    pub debug: bool,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXAMPLES: &str = "\
NODES is a node range: a,b  node[1-25]  node[01-10,15]  rack[1-2]-u[1-40]  node1-node9  node[1-9],-node3

Examples:
  xcat3 network-create c920 subnet=11.0.0.0 netmask=255.0.0.0 gateway=11.0.0.101 dynamic_range=11.4.40.111-11.4.40.113
  xcat3 create node1 --control ssh_address=11.5.102.1,ssh_username=root,ssh_virt_type=virsh,ssh_key_filename=/root/.ssh/id_rsa \\
        --nic mac=52:54:00:36:ac:b1,ip=11.5.102.60,primary=True mgt=kvm netboot=pxe arch=x86_64
  xcat3 deploy node1 --osimage debian13.0-x86_64 --wait
  xcat3 power node[1-25] on
  xcat3 power node[1-65536] on --batch 500 --max-failures 2%
  xcat3 inventory node[1-65536]
  xcat3 jobs

What is asked of nodes is a job of the server. Ctrl-C leaves it running: 'xcat3 job ID --follow' follows
it again, 'xcat3 job ID --cancel' leaves alone what has not begun.

Exit codes: 0 all done, 1 something was not done, 2 the command line was wrong, 130 interrupted while a
job goes on.";

/// A command.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = false)]
pub enum Command {
    /// Enrol nodes.
    #[command(
        after_help = "Example:\n  xcat3 create node[1-25] --control bmc_address=10.0.0.1,bmc_username=admin,bmc_password=… \
        mgt=ipmi netboot=pxe arch=x86_64"
    )]
    Create(CreateArgs),
    /// List the nodes.
    #[command(after_help = "Example:\n  xcat3 list node[1-5]")]
    List {
        /// Only these.
        nodes: Option<String>,
    },
    /// Show nodes in detail. Secrets are masked.
    #[command(after_help = "Example:\n  xcat3 show node[1-2] --fields control,mgt")]
    Show {
        /// Which nodes.
        nodes: String,
        /// Only these fields, separated by commas.
        #[arg(long, short = 'i', value_name = "mgt,nics")]
        fields: Option<String>,
    },
    /// Change attributes of nodes: key=value sets, key= removes.
    #[command(
        after_help = "Example:\n  xcat3 update node[1-16] control/bmc_username=admin control/bmc_password= mgt=ipmi"
    )]
    Update(UpdateArgs),
    /// Forget nodes.
    Delete {
        /// Which nodes.
        nodes: String,
    },
    /// Write nodes to a JSON file that 'import' reads.
    #[command(after_help = "Example:\n  xcat3 export node[1-2] -o nodes.json")]
    Export {
        /// Which nodes.
        nodes: String,
        /// The file; standard output where absent.
        #[arg(long, short)]
        output: Option<PathBuf>,
        /// Write passwords and keys in clear. Without it they are masked and 'import' leaves them out.
        #[arg(long)]
        secrets: bool,
    },
    /// Enrol nodes from a JSON file that 'export' wrote.
    Import {
        /// The file.
        input: PathBuf,
    },
    /// Ask for the power state, or change it.
    #[command(
        after_help = "Examples:\n  xcat3 power node[1-25]\n  xcat3 power node1 on\n  \
        xcat3 power node[1-65536] on --batch 500 --max-failures 2%\n  xcat3 power node[1-65536] off --async\n  \
        xcat3 power node1 soft"
    )]
    Power {
        /// Which nodes.
        nodes: String,
        /// What to do: boot resets what is on and powers on what is off.
        #[arg(default_value = "status")]
        target: PowerWord,
        /// How.
        #[command(flatten)]
        operation: OperationArgs,
    },
    /// Ask what nodes boot from next, or set it: for the next boot only unless --persistent.
    #[command(
        after_help = "Examples:\n  xcat3 bootdev node1\n  xcat3 bootdev node[1-25] net --uefi\n  \
        xcat3 bootdev node[1-25] disk --persistent"
    )]
    Bootdev(BootdevArgs),
    /// Show what nodes are made of: a line for each, or for all that are alike; --verbose for all of it.
    #[command(
        after_help = "Examples:\n  xcat3 inventory node[1-1000]\n  xcat3 -v inventory node1\n  \
        xcat3 --json inventory node[1-1000] | jq -r 'select(.report) | [.node, .report.serial] | @tsv'"
    )]
    Inventory(InventoryArgs),
    /// Show the sensors of nodes.
    #[command(
        after_help = "Examples:\n  xcat3 sensors node1\n  xcat3 sensors node[1-1000] --kind temperature"
    )]
    Sensors(SensorsArgs),
    /// Show the event logs of nodes, or empty them.
    #[command(
        after_help = "Examples:\n  xcat3 eventlog node[1-25]\n  xcat3 eventlog node[1-25] clear"
    )]
    Eventlog(EventlogArgs),
    /// Ask whether nodes' identify lights are on, or switch them.
    #[command(after_help = "Examples:\n  xcat3 beacon node7 on\n  xcat3 beacon node[1-25]")]
    Beacon(BeaconArgs),
    /// Show BIOS attributes of nodes, those that share a value in one line, or set them.
    #[command(after_help = "Examples:\n  xcat3 bios node[1-1000] get BootMode\n  \
        xcat3 bios node[1-25] set BootMode=Uefi LogicalProc=Enabled\n\n\
        Names and values are the vendor's. They count from the next boot on.")]
    Bios(BiosArgs),
    /// Look for BMCs by asking addresses, and enrol the machines that they belong to.
    #[command(after_help = "Examples:\n  xcat3 discover 10.0.0.0/24 --mgt ipmi\n  \
        xcat3 discover 10.0.[0-3].[1-254],-10.0.0.7 --mgt redfish\n  \
        xcat3 discover 10.0.0.1-10.0.0.40 --mgt ipmi --create rack1-n[01-40]\n  \
        xcat3 discover 10.0.0.0/24 --mgt redfish --tls first-use --create n%03d\n\n\
        ADDRESSES are subnets, ranges and addresses with commas between them, those after a '-' left out; at most\n\
        65,536. A conductor asks them, who logs in as the passwd entry 'bmc' says; without one only what a BMC tells\n\
        anyone is shown. --create gives the names that no node has yet in their order to the BMCs in the order of\n\
        their addresses, and leaves out those that a node has already. A machine that was discovered booting (see\n\
        'discovered') and has the same UUID lends its MAC address.")]
    Discover(DiscoverArgs),
    /// List machines that boot over the network without being known, enrol them or forget them.
    #[command(after_help = "Examples:\n  xcat3 discovered\n  \
        xcat3 discovered --create rack1-n[01-40] --ip 10.0.1.1 mgt=ipmi\n  \
        xcat3 discovered --mac 52:54:00:36:ac:b1 --create node7\n  \
        xcat3 discovered --network lab --create n%03d\n  xcat3 discovered --forget\n\n\
        The names that no node has yet are given in their order to the machines in the order in which they\n\
        were first seen: power on one after the other, and the names are in the order of the rack.")]
    Discovered(DiscoveredArgs),
    /// Show what is in the virtual drives of nodes, put an image in, or take it out.
    #[command(after_help = "Examples:\n  xcat3 media node[1-25]\n  \
        xcat3 media node[1-25] insert http://10.0.0.1/rescue.iso --boot\n  xcat3 media node[1-25] eject")]
    Media(MediaArgs),
    /// Install an operating system at the next network boot, or take that back.
    #[command(
        after_help = "Examples:\n  xcat3 deploy node1 --osimage debian13.0-x86_64\n  \
        xcat3 deploy node[1-25] --osimage debian13.0-x86_64 --wait\n  xcat3 deploy node1 --delete"
    )]
    Deploy(DeployArgs),
    /// Ask for the power state.
    #[command(hide = true)]
    GetPower {
        /// Which nodes.
        nodes: String,
        /// How.
        #[command(flatten)]
        operation: OperationArgs,
    },
    /// Change the power state.
    #[command(hide = true)]
    SetPower {
        /// Which nodes.
        nodes: String,
        /// What to do.
        target: PowerWord,
        /// How.
        #[command(flatten)]
        operation: OperationArgs,
    },
    /// Ask what nodes boot from next.
    #[command(hide = true)]
    GetBootDevice {
        /// Which nodes.
        nodes: String,
        /// How.
        #[command(flatten)]
        operation: OperationArgs,
    },
    /// Set what nodes boot from next.
    #[command(hide = true)]
    SetBootDevice {
        /// Which nodes.
        nodes: String,
        /// What to boot from.
        device: BootWord,
        /// How.
        #[command(flatten)]
        operation: OperationArgs,
    },
    /// Define a subnet to serve.
    #[command(
        after_help = "Example:\n  xcat3 network-create c920 subnet=11.0.0.0 netmask=255.0.0.0 gateway=11.0.0.101 \
        dynamic_range=11.4.40.111-11.4.40.113 nameservers=11.0.0.101"
    )]
    NetworkCreate(NamedAttributes),
    /// List the networks.
    NetworkList,
    /// Show a network.
    NetworkShow(ShowArgs),
    /// Change attributes of a network: key=value sets, key= removes.
    NetworkUpdate(NamedAttributes),
    /// Stop serving a subnet.
    NetworkDelete(NameArg),
    /// Add a nic to a node.
    #[command(
        after_help = "Example:\n  xcat3 nic-create mac=52:54:00:36:ac:b2 node=node1 ip=11.5.102.61 name=eth1"
    )]
    NicCreate {
        /// Attributes: mac, node, ip, netmask, name, primary.
        #[arg(required = true, value_name = "KEY=VALUE")]
        attributes: Vec<String>,
    },
    /// List the nics.
    NicList,
    /// Show a nic, by its UUID or MAC address.
    NicShow {
        /// Its UUID.
        #[arg(required_unless_present = "mac")]
        uuid: Option<String>,
        /// Its MAC address.
        #[arg(long, conflicts_with = "uuid")]
        mac: Option<String>,
        /// Only these fields, separated by commas.
        #[arg(long)]
        fields: Option<String>,
    },
    /// Change attributes of a nic: key=value sets, key= removes.
    NicUpdate {
        /// Its UUID.
        uuid: String,
        /// What to change.
        #[arg(required = true, value_name = "KEY=VALUE")]
        attributes: Vec<String>,
    },
    /// Remove a nic.
    NicDelete {
        /// Its UUID.
        uuid: String,
    },
    /// Declare an OS image. To import one from its ISO use xcat3-copycds.
    #[command(
        after_help = "Example:\n  xcat3 osimage-create my-image distro=debian ver=13 arch=x86_64"
    )]
    OsimageCreate(NamedAttributes),
    /// List the OS images.
    OsimageList,
    /// Show an OS image.
    OsimageShow(ShowArgs),
    /// Change attributes of an OS image: key=value sets, key= removes.
    OsimageUpdate(NamedAttributes),
    /// Remove an OS image that no node uses.
    OsimageDelete(NameArg),
    /// Set a password for installed machines. The key 'system' is their root password.
    #[command(
        after_help = "Examples:\n  xcat3 passwd-create system username=root password=- < file\n  \
        xcat3 passwd-create system username=root password=… crypt_method=yescrypt"
    )]
    PasswdCreate(NamedAttributes),
    /// List the passwords' keys.
    PasswdList,
    /// Show a password entry. The password is masked.
    PasswdShow(ShowArgs),
    /// Change a password entry.
    PasswdUpdate(NamedAttributes),
    /// Remove a password entry.
    PasswdDelete(NameArg),
    /// List the jobs: operations on nodes, the newest first.
    #[command(after_help = "Example:\n  xcat3 jobs --limit 5")]
    Jobs {
        /// At most so many.
        #[arg(long, default_value = "20", value_name = "N", value_parser = positive)]
        limit: usize,
    },
    /// Show a job, follow it or cancel it.
    #[command(
        after_help = "Examples:\n  xcat3 job 0c4d9a3e\n  xcat3 job 0c4d9a3e --follow\n  \
        xcat3 job 0c4d9a3e --cancel\n  xcat3 power \"$(xcat3 job 0c4d9a3e --failed)\" on"
    )]
    Job(JobArgs),
    /// List the services and whether they are online.
    ServiceList,
    /// Show the services of a host.
    ServiceShow {
        /// The host's name.
        name: String,
    },
    /// Print shell completions.
    #[command(after_help = "Example:\n  xcat3 completion bash > /etc/bash_completion.d/xcat3")]
    Completion {
        /// For this shell.
        shell: Shell,
    },
    /// Write man pages into a directory.
    Man {
        /// The directory.
        directory: PathBuf,
    },
}

/// Turns the two-word form (`network create`) into the one-word form (`network-create`).
pub fn join_words(arguments: impl IntoIterator<Item = OsString>) -> Vec<OsString> {
    let mut words: Vec<OsString> = arguments.into_iter().collect();
    let mut position = 1;
    while let Some(word) = words.get(position).and_then(|word| word.to_str()) {
        match word {
            "--xcat3-url" => position += 2,
            option if option.starts_with('-') => position += 1,
            "help" => position += 1,
            _ => break,
        }
    }
    let text = |at: usize| {
        words
            .get(at)
            .and_then(|word| word.to_str())
            .unwrap_or_default()
    };
    let joins = ["network", "nic", "osimage", "passwd", "service"].contains(&text(position))
        && ["create", "list", "show", "update", "delete"].contains(&text(position + 1));
    if joins {
        let joined = format!("{}-{}", text(position), text(position + 1));
        words.splice(position..=position + 1, [OsString::from(joined)]);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    fn joined(line: &str) -> String {
        let words = join_words(line.split(' ').map(OsString::from));
        words
            .iter()
            .map(|w| w.to_str().unwrap())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn two_words_become_one_where_they_are_a_command() {
        assert_eq!(
            joined("xcat3 network create a b=c"),
            "xcat3 network-create a b=c"
        );
        assert_eq!(
            joined("xcat3 --xcat3-url u --json nic list"),
            "xcat3 --xcat3-url u --json nic-list"
        );
        assert_eq!(joined("xcat3 show network list"), "xcat3 show network list");
        assert_eq!(
            joined("xcat3 help passwd create"),
            "xcat3 help passwd-create"
        );
    }

    #[test]
    fn the_definition_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_lines_of_the_prototype_parse() {
        for line in [
            "xcat3 network-create c920 subnet=11.0.0.0 netmask=255.0.0.0 gateway=11.0.0.101 dynamic_range=11.4.40.111-11.4.40.113 nameservers=11.0.0.101",
            "xcat3 create xcat3test1 --control ssh_username=root,ssh_virt_type=virsh,ssh_address=11.5.102.1,ssh_key_filename=/root/.ssh/id_rsa --nic mac=52:54:00:36:ac:b1,ip=11.5.102.60,name=eth0,primary=True mgt=kvm netboot=pxe arch=x86_64",
            "xcat3 create --mgt ipmi --netboot pxe --arch x86_64 --nic mac=43:87:0a:05:00:00,ip=12.0.0.1,name=eth0 --nic mac=43:87:0a:05:00:01 -c bmc_address=11.0.0.0 node0",
            "xcat3 osimage-list",
            "xcat3 deploy xcat3test1 --osimage rhels7.3-x86_64",
            "xcat3 deploy xcat3test1 --state dhcp -d",
            "xcat3 power xcat3test1 on",
            "xcat3 get-power node0,xcat3test1",
            "xcat3 set-power node0 reboot",
            "xcat3 show node1 --fields mgt,nics",
            "xcat3 update node2,node1 type=node control/bmc_address=admin control/bmc_password= mgt=ipmi",
            "xcat3 update node1 -c bmc_address=h mgt=ipmi",
            "xcat3 --json list",
        ] {
            let parsed = Cli::try_parse_from(join_words(line.split(' ').map(OsString::from)));
            assert!(parsed.is_ok(), "{line}: {}", parsed.unwrap_err());
        }
    }
}
