//! `xcat3d`: all services in one process.

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    xcat3d::run(&xcat3d::Arguments::parse())
}
