//! `xcat3-copycds`: imports an operating system from its ISO.

use std::io::Write;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser;
use xcat3_copycds::{Arguments, Bar, import, json, summary};
use xcat3_service::config::LogLevel;
use xcat3_service::state_dir::Environment;
use xcat3_service::{Config, StateDir, logging, shutdown};
use xcat3_store::Store;

#[tokio::main]
async fn main() -> ExitCode {
    match run(&Arguments::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "xcat3-copycds: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: &Arguments) -> anyhow::Result<()> {
    logging::start(&logging::Choice {
        level: LogLevel::Warn,
        ..logging::Choice::new(false)
    });
    let stop = shutdown::on_signal()?;
    let config = Config::load(arguments.config_file.as_deref())?;
    let general = config.general();
    let path = match arguments
        .state_dir
        .clone()
        .or_else(|| general.state_dir.clone())
    {
        Some(path) => path,
        None => Environment::read().default_state_dir()?,
    };
    if general.database.is_none() && !path.exists() {
        let path = path.display();
        let note = format!("note: {path} is new: xcat3d must run with the same state directory");
        writeln!(std::io::stderr(), "{note}")?;
    }
    let state = StateDir::open(&path)?;
    let database = general.database.clone();
    let store = Store::open(&database.unwrap_or_else(|| state.database())).await?;
    let progress = Arc::new(Bar::new(move || stop.is_cancelled()));
    let imported = import(&arguments.request(), &state.images(), &store, progress).await?;
    let mut out = std::io::stdout().lock();
    if arguments.json {
        writeln!(out, "{}", json(&imported))?;
    } else {
        writeln!(out, "{}", imported.image.name)?;
        writeln!(std::io::stderr(), "{}", summary(&imported))?;
    }
    Ok(())
}
