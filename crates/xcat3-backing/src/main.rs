//! `xcat3-backing run -- COMMAND…`: runs a command with servers of its own to test against.

use std::process::{Command, ExitCode};

use xcat3_backing::{NATS_VARIABLE, Nats, POSTGRES_VARIABLE, Postgres};

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let line: Vec<String> = match (arguments.next().as_deref(), arguments.next().as_deref()) {
        (Some("run"), Some("--")) => arguments.collect(),
        _ => Vec::new(),
    };
    let Some((program, arguments)) = line.split_first() else {
        eprintln!(
            "usage: xcat3-backing run -- COMMAND [ARGUMENT…]\n\
             Starts PostgreSQL and NATS, runs the command with their URLs in {POSTGRES_VARIABLE} and\n\
             {NATS_VARIABLE}, and ends them."
        );
        return ExitCode::from(2);
    };
    match run(program, arguments) {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("xcat3-backing: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(program: &str, arguments: &[String]) -> Result<u8, xcat3_backing::Error> {
    let postgres = Postgres::start_quick()?;
    let nats = Nats::start()?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .env(POSTGRES_VARIABLE, postgres.url())
        .env(NATS_VARIABLE, nats.url());
    let status = command
        .status()
        .map_err(|why| xcat3_backing::Error::System {
            what: format!("starting {program}"),
            why,
        })?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .unwrap_or(1))
}
