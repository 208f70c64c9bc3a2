//! What each command asks of the API.

mod deploy;
mod discover;
mod discovered;
mod documents;
mod hardware;
mod jobs;
mod nics;
mod nodes;
mod operation;
mod services;

use std::process::ExitCode;
use std::time::Duration;

use clap::CommandFactory;

use crate::args::hardware::{BootWord, BootdevArgs, PowerWord};
use crate::args::{Cli, Command};
use crate::client::Client;
use crate::error::Error;
use crate::output::Style;
use documents::{NETWORK, OSIMAGE, PASSWD};

/// What every command needs.
struct Context {
    client: Client,
    style: Style,
    /// For how long a connection that broke is tried again.
    patience: Duration,
}

/// Carries out a command.
pub async fn execute(cli: Cli) -> Result<ExitCode, Error> {
    let client = Client::new(&cli.xcat3_url, cli.debug)?;
    let context = Context {
        client,
        style: Style {
            json: cli.json,
            verbose: cli.verbose,
        },
        patience: Duration::from_secs(cli.reconnect_for),
    };
    let done = |()| ExitCode::SUCCESS;
    match cli.command {
        Command::Create(args) => nodes::create(&context, &args).await,
        Command::List { nodes } => nodes::list(&context, nodes.as_deref()).await,
        Command::Show { nodes, fields } => nodes::show(&context, &nodes, fields.as_deref()).await,
        Command::Update(args) => nodes::update(&context, &args).await,
        Command::Delete { nodes } => nodes::delete(&context, &nodes).await,
        Command::Export {
            nodes,
            output,
            secrets,
        } => nodes::export(&context, &nodes, output.as_deref(), secrets).await,
        Command::Import { input } => nodes::import(&context, &input).await,
        Command::Power {
            nodes,
            target,
            operation,
        }
        | Command::SetPower {
            nodes,
            target,
            operation,
        } => hardware::power(&context, &nodes, target, &operation).await,
        Command::GetPower { nodes, operation } => {
            hardware::power(&context, &nodes, PowerWord::Status, &operation).await
        }
        Command::Bootdev(args) => hardware::boot_device(&context, &args).await,
        Command::SetBootDevice {
            nodes,
            device,
            operation,
        } => hardware::boot_device(&context, &BootdevArgs::of(nodes, device, operation)).await,
        Command::GetBootDevice { nodes, operation } => {
            let args = BootdevArgs::of(nodes, BootWord::Status, operation);
            hardware::boot_device(&context, &args).await
        }
        Command::Inventory(args) => hardware::inventory(&context, &args).await,
        Command::Sensors(args) => hardware::sensors(&context, &args).await,
        Command::Eventlog(args) => hardware::event_log(&context, &args).await,
        Command::Beacon(args) => hardware::beacon(&context, &args).await,
        Command::Bios(args) => hardware::bios(&context, &args).await,
        Command::Media(args) => hardware::media(&context, &args).await,
        Command::Discover(args) => discover::discover(&context, &args).await,
        Command::Discovered(args) => discovered::discovered(&context, &args).await,
        Command::Jobs { limit } => jobs::list(&context, limit).await.map(done),
        Command::Job(args) => jobs::job(&context, &args).await,
        Command::Deploy(args) => deploy::deploy(&context, &args).await,
        Command::NetworkCreate(args) => documents::create(&context, &NETWORK, &args).await,
        Command::NetworkList => documents::list(&context, &NETWORK).await.map(done),
        Command::NetworkShow(args) => documents::show(&context, &NETWORK, &args).await.map(done),
        Command::NetworkUpdate(args) => {
            documents::update(&context, &NETWORK, &args).await.map(done)
        }
        Command::NetworkDelete(args) => documents::delete(&context, &NETWORK, &args.name)
            .await
            .map(done),
        Command::OsimageCreate(args) => documents::create(&context, &OSIMAGE, &args).await,
        Command::OsimageList => documents::list(&context, &OSIMAGE).await.map(done),
        Command::OsimageShow(args) => documents::show(&context, &OSIMAGE, &args).await.map(done),
        Command::OsimageUpdate(args) => {
            documents::update(&context, &OSIMAGE, &args).await.map(done)
        }
        Command::OsimageDelete(args) => documents::delete(&context, &OSIMAGE, &args.name)
            .await
            .map(done),
        Command::PasswdCreate(args) => documents::create(&context, &PASSWD, &args).await,
        Command::PasswdList => documents::list(&context, &PASSWD).await.map(done),
        Command::PasswdShow(args) => documents::show(&context, &PASSWD, &args).await.map(done),
        Command::PasswdUpdate(args) => documents::update(&context, &PASSWD, &args).await.map(done),
        Command::PasswdDelete(args) => documents::delete(&context, &PASSWD, &args.name)
            .await
            .map(done),
        Command::NicCreate { attributes } => nics::create(&context, &attributes).await,
        Command::NicList => nics::list(&context).await.map(done),
        Command::NicShow { uuid, mac, fields } => {
            nics::show(&context, uuid.as_deref(), mac.as_deref(), fields.as_deref())
                .await
                .map(done)
        }
        Command::NicUpdate { uuid, attributes } => {
            nics::update(&context, &uuid, &attributes).await.map(done)
        }
        Command::NicDelete { uuid } => nics::delete(&context, &uuid).await.map(done),
        Command::ServiceList => services::list(&context).await.map(done),
        Command::ServiceShow { name } => services::show(&context, &name).await.map(done),
        Command::Completion { shell } => {
            clap_complete::generate(shell, &mut Cli::command(), "xcat3", &mut std::io::stdout());
            Ok(ExitCode::SUCCESS)
        }
        Command::Man { directory } => {
            let failed = |error: std::io::Error| Error::File {
                path: directory.display().to_string(),
                reason: error.to_string(),
            };
            std::fs::create_dir_all(&directory).map_err(failed)?;
            clap_mangen::generate_to(Cli::command(), &directory)
                .map_err(failed)
                .map(done)
        }
    }
}
