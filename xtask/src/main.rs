//! The project's chores as `cargo xtask …`: the demo, every test, end-to-end runs, benchmarks.
//!
//! Small on purpose: it is compiled before anything else. What needs the product's code (the lab with
//! its virtual machines) lives in `xcat3-sim`; this builds it and starts it as root.

mod bench;
mod bench_bmc;
mod bench_bulk;
mod bench_files;
mod checks;
mod command;
mod dependencies;
mod fuzz;
mod lab;
mod packages;
mod python;
mod sources;
mod tiers;
mod unused;
mod words;

use clap::{Parser, Subcommand};

/// The project's chores.
#[derive(Parser)]
#[command(name = "cargo xtask")]
enum Chore {
    /// Install the system packages, then run every check and test and the quicker end-to-end tests.
    Test {
        /// Leave out the end-to-end tests: boots of virtual machines, faults of a cluster.
        #[arg(long)]
        no_e2e: bool,
    },
    /// Check dependencies, words and formatting, and run clippy.
    Lint {
        /// Only lower the counts of words that are still allowed to those of today.
        #[arg(long)]
        tighten_words: bool,
    },
    /// Install the system packages that the tests and the lab need, and nothing else.
    Packages,
    /// Take an empty virtual machine to a login over ssh, with every step shown.
    Demo {
        /// Leave the lab up at the end, to go on by hand.
        #[arg(long)]
        keep: bool,
        /// Build optimised programs: slower to start, quicker to run.
        #[arg(long)]
        release: bool,
    },
    /// Run one end-to-end test.
    #[command(subcommand)]
    E2e(EndToEnd),
    /// Measure, beside a peer in the same run.
    #[command(subcommand)]
    Bench(Bench),
    /// Fuzz a parser of untrusted bytes and keep what was learned; docs/fuzzing.md lists the targets.
    Fuzz {
        /// A file of `fuzz/fuzz_targets/`, without its ending.
        target: String,
        /// For how long.
        #[arg(long, default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..))]
        minutes: u64,
    },
    /// Look after the lab itself: make its ISO, enter one that was kept, stop it.
    Lab {
        /// What `xcat3-sim lab` is to do, for example `enter`, `stop`, `iso`.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        arguments: Vec<String>,
    },
}

/// End-to-end tests in a lab of real virtual machines.
#[derive(Subcommand)]
enum EndToEnd {
    /// Debian's installer, whole, onto an empty disk: ten minutes and more without KVM.
    Install {
        /// End xcat3d the hard way during the install and start it again.
        #[arg(long)]
        kill_server: bool,
    },
    /// A small system through DHCP, TFTP and HTTP to a login, with each firmware: seconds.
    Boot {
        /// Only these firmwares, separated by commas.
        #[arg(long)]
        firmware: Option<String>,
    },
    /// A cluster over NATS and PostgreSQL whose processes are killed, stopped and cut off: minutes.
    Faults {
        /// Only these faults, separated by commas.
        #[arg(long)]
        only: Option<String>,
    },
}

/// Benchmarks; docs/benchmarks.md has their figures.
#[derive(Subcommand)]
enum Bench {
    /// A release build from nothing, and the size of the programs.
    Build,
    /// One request on thousands of BMCs, beside ipmipower and ipmitool: a quarter of an hour.
    Bmc(bench_bmc::Bmc),
    /// One request on many nodes: time, memory, and how both grow.
    Bulk(bench_bulk::Bulk),
    /// HTTP beside nginx and TFTP beside tftpd-hpa.
    Files,
    /// The import of an ISO beside xorriso unpacking it.
    Import,
}

fn main() -> anyhow::Result<()> {
    match Chore::parse() {
        Chore::Test { no_e2e } => checks::test(!no_e2e),
        Chore::Lint {
            tighten_words: true,
        } => words::tighten(),
        Chore::Lint {
            tighten_words: false,
        } => checks::lint(),
        Chore::Packages => packages::install(),
        Chore::Demo { keep, release } => lab::demo(keep, release),
        Chore::E2e(EndToEnd::Install { kill_server }) => lab::install(kill_server),
        Chore::E2e(EndToEnd::Boot { firmware }) => lab::boot(firmware.as_deref()),
        Chore::E2e(EndToEnd::Faults { only }) => lab::faults(only.as_deref()),
        Chore::Bench(Bench::Build) => bench::build(),
        Chore::Bench(Bench::Bmc(bmc)) => bench_bmc::bmc(&bmc),
        Chore::Bench(Bench::Bulk(bulk)) => bench_bulk::bulk(&bulk),
        Chore::Bench(Bench::Files) => bench_files::files().map(drop),
        Chore::Bench(Bench::Import) => bench::import(),
        Chore::Fuzz { target, minutes } => fuzz::fuzz(&target, minutes),
        Chore::Lab { arguments } => lab::lab(&arguments),
    }
}
