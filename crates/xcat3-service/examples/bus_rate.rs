//! How fast the buses are: batches published, taken, acknowledged, and nudges from one connection to
//! another. `cargo run --release -p xcat3-service --example bus_rate [BATCHES]`
//!
//! Starts a NATS server of its own on loopback and ends it.

#![allow(clippy::print_stdout)]

use std::sync::Arc;
use std::time::{Duration, Instant};

use uuid::Uuid;
use xcat3_backing::Nats as Server;
use xcat3_core::Lane;
use xcat3_service::Bus;
use xcat3_service::bus::{BusSettings, InProcess, Nats, NatsSettings, Topic, Work};
use xcat3_store::JobId;

const NUDGES: u32 = 2_000;

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let batches: i64 = match std::env::args().nth(1) {
        Some(text) => text.parse()?,
        None => 10_000,
    };
    let server = Server::start()?;
    let settings = NatsSettings::of(&BusSettings {
        url: Some(server.url()),
        ..BusSettings::default()
    });
    let memory: Arc<dyn Bus> = Arc::new(InProcess::default());
    measure("in memory", &memory, &memory, batches).await?;
    let here: Arc<dyn Bus> = Arc::new(Nats::connect(settings.clone()).await?);
    let there: Arc<dyn Bus> = Arc::new(Nats::connect(settings).await?);
    for bus in [&here, &there] {
        while bus.nudge(Topic::Changes).await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    measure("over NATS", &here, &there, batches).await?;
    Ok(())
}

async fn measure(
    name: &str,
    here: &Arc<dyn Bus>,
    there: &Arc<dyn Bus>,
    batches: i64,
) -> anyhow::Result<()> {
    let (job, lane) = (JobId(Uuid::new_v4()), Lane::Hardware);
    let works = (0..batches).map(|batch| Work { job, batch, lane });
    let works: Vec<Work> = works.collect();
    for workers in [1, 64] {
        let start = Instant::now();
        here.publish(&works).await?;
        let published = start.elapsed();
        let start = Instant::now();
        here.publish(&works).await?;
        let again = start.elapsed();
        let start = Instant::now();
        consume(there, batches, workers).await?;
        let consumed = start.elapsed();
        println!(
            "{name}: {batches} batches published in {published:.3?}, again in {again:.3?}, taken and \
             acknowledged by {workers} at once in {consumed:.3?}"
        );
    }
    let topic = Topic::Job(job);
    let mut nudges = there.listen(topic).await?;
    let start = Instant::now();
    for _ in 0..NUDGES {
        here.nudge(topic).await?;
        nudges.next().await;
    }
    println!(
        "{name}: a nudge arrives after {:.3?}",
        start.elapsed() / NUDGES
    );
    Ok(())
}

async fn consume(bus: &Arc<dyn Bus>, batches: i64, workers: i64) -> anyhow::Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    for worker in 0..workers {
        let bus = bus.clone();
        let share = batches / workers + i64::from(worker < batches % workers);
        tasks.spawn(async move {
            for _ in 0..share {
                bus.next_work(Lane::Hardware).await?.acknowledge().await?;
            }
            anyhow::Ok(())
        });
    }
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
