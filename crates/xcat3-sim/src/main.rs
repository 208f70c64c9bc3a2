//! `xcat3-sim`: see the library.

use std::path::Path;
use std::process::ExitCode;

use clap::{Parser, Subcommand};
use xcat3_sim::e2e_boot;
use xcat3_sim::lab::guest::Firmware;
use xcat3_sim::lab::outside;
use xcat3_sim::media::Medium;
use xcat3_sim::report::say;

/// The lab, the demo and the end-to-end tests.
#[derive(Parser)]
#[command(name = "xcat3-sim")]
enum Program {
    /// Run one end-to-end test.
    #[command(subcommand)]
    E2e(EndToEnd),
    /// Look after the lab itself.
    #[command(subcommand)]
    Lab(LabCommand),
}

/// End-to-end tests.
#[derive(Subcommand)]
enum EndToEnd {
    /// A small system through DHCP, TFTP and HTTP to a login.
    Boot {
        /// Only these firmwares.
        #[arg(long, value_delimiter = ',', value_parser = firmware)]
        firmware: Vec<Firmware>,
    },
}

/// Commands of the lab.
#[derive(Subcommand)]
enum LabCommand {
    /// Make the ISOs, where they are not there yet, and print where they are.
    Iso,
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
            for medium in [Medium::Small, Medium::Debian] {
                say(medium.iso(&outside::cache()?)?.display());
            }
            Ok(ExitCode::SUCCESS)
        }
        Program::Lab(LabCommand::Enter { words }) => outside::enter(&words),
        Program::Lab(LabCommand::Stop) => outside::stop().map(|()| ExitCode::SUCCESS),
        Program::E2e(test) => match outside::inside() {
            None => {
                // The lab itself has no way to Debian's packages.
                Medium::Small.iso(&outside::cache()?)?;
                outside::run_inside()
            }
            Some(directory) => {
                let _lock = outside::stay_tied(&directory)?;
                test.run(&directory).map(|()| ExitCode::SUCCESS)
            }
        },
    }
}

impl EndToEnd {
    fn run(self, directory: &Path) -> anyhow::Result<()> {
        match self {
            Self::Boot { firmware } => {
                let chosen = if firmware.is_empty() {
                    Firmware::ALL.to_vec()
                } else {
                    firmware
                };
                e2e_boot::run(directory, &outside::cache()?, &chosen)
            }
        }
    }
}
