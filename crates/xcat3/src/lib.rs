//! The command line of xcat3: a pure client of the REST API.
//!
//! [`args`] says what may be typed, [`commands`] what each command asks of the API, [`client`] how it is
//! asked, [`stream`] and [`follow`] how outcomes are heard as they happen, [`tally`], [`report`],
//! [`progress`] and [`output`] how answers look. Exit codes: 0 all done, 1 something was not done, 2 the command line was
//! wrong, 130 interrupted while a job goes on.

#![allow(
    clippy::print_stdout,
    reason = "printing is what a command line is for"
)]

mod alike;
pub mod args;
mod attributes;
mod client;
mod commands;
mod error;
mod follow;
mod output;
mod pattern;
mod plain;
mod progress;
mod report;
mod stream;
mod tally;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use args::Cli;

/// Runs the command line and says how it ended.
pub async fn run(arguments: impl IntoIterator<Item = OsString>) -> ExitCode {
    let cli = match Cli::try_parse_from(args::join_words(arguments)) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are errors to the parser, but not to whoever asked for them.
            let code = u8::try_from(error.exit_code()).unwrap_or(2);
            let _ = error.print();
            return ExitCode::from(code);
        }
    };
    match commands::execute(cli).await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("xcat3: {}", plain::lines(&error.to_string()));
            ExitCode::FAILURE
        }
    }
}
