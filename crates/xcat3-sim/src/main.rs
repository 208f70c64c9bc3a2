//! `xcat3-sim`: see the library.

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xcat3_sim::bench_bmc;
use xcat3_sim::bench_bulk;
use xcat3_sim::bmc::command as bmc;
use xcat3_sim::command::command;
use xcat3_sim::e2e_boot;
use xcat3_sim::faults;
use xcat3_sim::install::{self, Options};
use xcat3_sim::lab::guest::Firmware;
use xcat3_sim::lab::{Lab, outside};
use xcat3_sim::media::Medium;
use xcat3_sim::report::say;

/// That of the daemons, for the same reason: thousands of BMCs' connections, served by several threads.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The lab, the demo and the end-to-end tests.
#[derive(Parser)]
#[command(name = "xcat3-sim")]
enum Program {
    /// Take an empty virtual machine to a login over ssh, with every step shown.
    Demo {
        /// Leave the lab up at the end.
        #[arg(long)]
        keep: bool,
    },
    /// Run one end-to-end test.
    #[command(subcommand)]
    E2e(EndToEnd),
    /// Look after the lab itself.
    #[command(subcommand)]
    Lab(LabCommand),
    /// Measure.
    #[command(subcommand)]
    Bench(Bench),
    /// Be the BMCs of thousands of machines, at addresses of 127/8.
    Bmc(Box<bmc::Arguments>),
}

/// Benchmarks of the whole product.
#[derive(Subcommand)]
enum Bench {
    /// One request on many BMCs, beside the tools of today.
    Bmc(bench_bmc::Options),
    /// One request on many nodes.
    Bulk(bench_bulk::Options),
}

/// End-to-end tests.
#[derive(Subcommand)]
enum EndToEnd {
    /// Debian's installer, whole, onto an empty disk.
    Install {
        /// Kill xcat3d during the install and start it again.
        #[arg(long)]
        kill_server: bool,
    },
    /// A small system through DHCP, TFTP and HTTP to a login.
    Boot {
        /// Only these firmwares.
        #[arg(long, value_delimiter = ',', value_parser = firmware)]
        firmware: Vec<Firmware>,
    },
    /// A cluster over NATS and PostgreSQL whose processes are killed, stopped and cut off.
    Faults {
        /// Only these faults.
        #[arg(long, value_delimiter = ',')]
        only: Vec<String>,
    },
}

/// Commands of the lab.
#[derive(Subcommand)]
enum LabCommand {
    /// Make the ISOs, where they are not there yet, and print where they are.
    Iso,
    /// Make a lab with a hypervisor and nothing else, run a command in it, and take it down.
    Run {
        /// The command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true, required = true)]
        words: Vec<String>,
    },
    /// Run a command, or a shell, in the lab that was kept.
    Enter {
        /// The command.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// End the lab that was kept.
    Stop,
}

fn firmware(name: &str) -> Result<Firmware, String> {
    let found = Firmware::ALL
        .into_iter()
        .find(|firmware| firmware.name() == name);
    found.ok_or_else(|| {
        let names = Firmware::ALL.map(Firmware::name).join(", ");
        format!("'{name}' is no firmware: use one of {names}")
    })
}

fn main() -> ExitCode {
    run(Program::parse()).unwrap_or_else(|error| {
        eprintln!("xcat3-sim: {error:#}");
        ExitCode::FAILURE
    })
}

fn run(program: Program) -> anyhow::Result<ExitCode> {
    match program {
        Program::Lab(LabCommand::Iso) => {
            for medium in Medium::ALL {
                say(medium.iso(&outside::cache()?)?.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Program::Lab(LabCommand::Run { words }) => in_a_lab(&[], |directory, _| {
            let _hypervisor = Lab::start_hypervisor(directory)?;
            let status = command(&words[0]).args(&words[1..]).status()?;
            anyhow::ensure!(
                status.success(),
                "`{}` ended with {status}",
                words.join(" ")
            );
            Ok(())
        }),
        Program::Bench(Bench::Bmc(options)) => {
            in_a_lab(&[], |directory, _| bench_bmc::run(directory, &options))
        }
        Program::Bench(Bench::Bulk(options)) => {
            in_a_lab(&[], |directory, _| bench_bulk::run(directory, &options))
        }
        Program::Bmc(arguments) => bmc::run(*arguments).map(|()| ExitCode::SUCCESS),
        Program::Lab(LabCommand::Enter { words }) => outside::enter(&words),
        Program::Lab(LabCommand::Stop) => outside::stop().map(|()| ExitCode::SUCCESS),
        Program::Demo { keep } => {
            let options = Options {
                keep,
                ..Options::default()
            };
            in_a_lab(&Medium::ALL, |directory, cache| {
                install::run(directory, cache, options)
            })
        }
        Program::E2e(EndToEnd::Install { kill_server }) => {
            let options = Options {
                kill_server,
                ..Options::default()
            };
            in_a_lab(&Medium::ALL, |directory, cache| {
                install::run(directory, cache, options)
            })
        }
        Program::E2e(EndToEnd::Boot { firmware }) => {
            let chosen = if firmware.is_empty() {
                Firmware::ALL.to_vec()
            } else {
                firmware
            };
            in_a_lab(&[Medium::Small], |directory, cache| {
                e2e_boot::run(directory, cache, &chosen)
            })
        }
        Program::E2e(EndToEnd::Faults { only }) => {
            in_a_lab(&[], |directory, _| faults::run(directory, &only))
        }
    }
}

/// Does the work inside a lab's namespaces: this program is started again in them. The media are
/// made before, for the lab has no way to Debian's packages.
fn in_a_lab(
    media: &[Medium],
    work: impl FnOnce(&Path, &Path) -> anyhow::Result<()>,
) -> anyhow::Result<ExitCode> {
    let cache = outside::cache()?;
    let Some(directory) = outside::inside() else {
        for medium in media {
            medium.iso(&cache)?;
        }
        return outside::run_inside();
    };
    let _lock = outside::stay_tied(&directory)?;
    work(&directory, &cache).map(|()| ExitCode::SUCCESS)
}
