//! A daemon that is one process: `xcat3d`.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{Arguments, Foundation, open, raise_descriptor_limit, state_dir};
use crate::config::ConfigError;
use crate::slot::{Condition, Slot};
use crate::systemd::Systemd;
use crate::{Config, StateDir, feed, logging, shutdown};

/// Runs the daemon `name` until `service` ends.
///
/// `adjust` changes the configuration by the daemon's own arguments; `check` refuses values that the services
/// don't understand, and gives the time in which they drain. What `claim` returns, which only
/// one process may have, is held until the end.
pub fn alone<Claim, Run, Running>(
    name: &str,
    arguments: &Arguments,
    adjust: impl Fn(&mut Config),
    check: impl Fn(&Config) -> Result<Duration, ConfigError>,
    claim: impl FnOnce(&StateDir) -> anyhow::Result<Claim>,
    service: Run,
) -> ExitCode
where
    Run: FnOnce(Foundation) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    logging::start(&logging::Choice::new(arguments.debug));
    raise_descriptor_limit();
    let read = || {
        let mut config = Config::load(arguments.config_file.as_deref())?;
        adjust(&mut config);
        let drain = check(&config)?;
        anyhow::Ok((config, drain))
    };
    let started = || {
        anyhow::ensure!(
            arguments.worker.is_none(),
            "there are no workers: it is one process"
        );
        let (config, drain) = read()?;
        logging::set_level(config.general().log);
        let state = state_dir(arguments, &config)?;
        let _claim = claim(&state)?;
        run(config, drain, state, &read, service)
    };
    match started() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{name}: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run<Run, Running>(
    config: Config,
    drain: Duration,
    state: StateDir,
    read: &impl Fn() -> anyhow::Result<(Config, Duration)>,
    service: Run,
) -> anyhow::Result<()>
where
    Run: FnOnce(Foundation) -> Running,
    Running: Future<Output = anyhow::Result<()>>,
{
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("cannot start the asynchronous runtime")?;
    runtime.block_on(async {
        let shutdown = shutdown::on_signal().context("cannot listen for signals")?;
        let hangup = signal(SignalKind::hangup()).context("cannot listen for signals")?;
        let slot = Slot::alone(&config.host());
        let first = config.clone();
        let telling = tokio::spawn(tell_systemd(slot.clone(), shutdown.clone(), drain));
        let served = async {
            let opened = open::patiently(&config, &state, &slot, &shutdown).await?;
            let Some((store, bus)) = opened else {
                return Ok(());
            };
            let _telling = feed::tell(&store, bus.clone());
            let foundation = Foundation {
                config,
                state,
                store,
                bus: bus.clone(),
                slot,
                socket: None,
                shutdown,
            };
            let ended = service(foundation).await;
            bus.close().await;
            ended
        };
        let ended = tokio::select! {
            ended = served => ended,
            () = reread(hangup, first, read) => Ok(()),
        };
        telling.abort();
        ended
    })
}

/// Tells systemd when all serves, what is waited for, and that this process lives. It is a task among
/// those of the services, so that it falls silent when they no longer get their turn.
async fn tell_systemd(slot: Slot, shutdown: tokio_util::sync::CancellationToken, drain: Duration) {
    let mut systemd = Systemd::of_environment();
    let mut condition = slot.condition();
    let mut beats = tokio::time::interval(systemd.beat().unwrap_or(Duration::from_secs(3600)));
    let mut stopping = false;
    condition.mark_changed();
    loop {
        tokio::select! {
            _ = beats.tick() => systemd.alive(),
            _ = condition.changed() => match &*condition.borrow_and_update() {
                Condition::Serving => systemd.ready("all services serve"),
                Condition::Waiting(sentence) => systemd.status(sentence),
                Condition::Starting => systemd.status("starting"),
            },
            () = shutdown.cancelled(), if !stopping => {
                stopping = true;
                // Each of the services may drain.
                systemd.stopping(drain * 3 + Duration::from_secs(30));
                systemd.status("stopping");
            }
        }
    }
}

/// Reads the configuration again at each SIGHUP, takes over what can change in a running process and
/// names the rest. Never ends.
async fn reread(
    mut hangup: Signal,
    first: Config,
    read: &impl Fn() -> anyhow::Result<(Config, Duration)>,
) {
    while hangup.recv().await.is_some() {
        match read() {
            Ok((config, _)) => {
                logging::set_level(config.general().log);
                let later = takes_a_restart(&first, &config);
                if later.is_empty() {
                    tracing::info!("the configuration was read again");
                } else {
                    let keys = later.join(", ");
                    tracing::warn!(
                        "the configuration was read again; it takes a restart for {keys}"
                    );
                }
            }
            Err(error) => tracing::error!("the configuration stays as it was: {error:#}"),
        }
    }
    std::future::pending::<()>().await;
}

/// The keys that differ and that a running process does not take over.
fn takes_a_restart(first: &Config, now: &Config) -> Vec<String> {
    let mut keys = first.differences(now);
    keys.retain(|key| key != "log");
    keys
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::path::Path;

    #[test]
    fn what_takes_a_restart_is_named_and_the_log_level_is_not() {
        let text = "log = \"debug\"\ndatabase = \"sqlite:/x\"\n[api]\nlisten = \"[::1]:1\"\n";
        let config = Config::parse(text, Path::new("f")).unwrap();
        let keys = takes_a_restart(&Config::default(), &config);
        assert_eq!(keys, ["api.listen", "database"]);
        assert!(takes_a_restart(&config, &config).is_empty());
    }
}
