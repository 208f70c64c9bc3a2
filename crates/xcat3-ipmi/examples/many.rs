//! Measures how many sessions one thread drives. In one terminal
//! `cargo run --release -p xcat3-ipmi --example many serve 127.0.0.1:6230` is the BMC side; in another
//! `cargo run --release -p xcat3-ipmi --example many drive 127.0.0.1:6230 10000 256 17` opens 10,000 sessions, 256 at
//! a time, with cipher suite 17. `hold` in place of `drive` keeps all sessions open and prints their memory.
//!
//! There is one BMC with slots for all sessions; to the console side each session is with a BMC of its own.

#![expect(clippy::print_stdout, reason = "prints to a terminal")]

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use xcat3_ipmi::bmc::{Incoming, Sessions, Setup, User};
use xcat3_ipmi::{
    CipherSuite, Command, Completion, Connection, Credentials, Privilege, RetryPolicy, Secret,
    Sockets,
};

const STATUS: Command = Command::new(0x00, 0x01);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        ["serve", address] => serve(address),
        [mode @ ("drive" | "hold"), address, count, at_once, suite] => {
            let suite = CipherSuite::from_id(suite.parse()?).context("suite: 3 or 17")?;
            let load = Load {
                address: address.parse()?,
                count: count.parse()?,
                at_once: at_once.parse()?,
                suite,
            };
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build()?;
            runtime.block_on(async {
                match mode {
                    "drive" => drive(load).await,
                    _ => hold(load).await,
                }
            })
        }
        _ => bail!("serve ADDRESS | drive|hold ADDRESS COUNT AT_ONCE SUITE"),
    }
}

fn secret() -> Result<Secret> {
    Secret::new(b"secret").context("the password is too long")
}

fn serve(address: &str) -> Result<()> {
    let socket = UdpSocket::bind(address)?;
    socket2::SockRef::from(&socket).set_recv_buffer_size(4 << 20)?;
    let user = User {
        name: b"admin".to_vec(),
        password: secret()?,
        level: 4,
    };
    let setup = Setup {
        users: vec![user],
        bmc_key: None,
        guid: [7; 16],
        suites: CipherSuite::ALL.to_vec(),
        slots: 100_000,
    };
    let mut sessions = Sessions::new(setup, rand::random);
    let mut buffer = [0; 2_048];
    loop {
        let (length, from) = socket.recv_from(&mut buffer)?;
        let reply = match sessions.receive(&buffer[..length], Instant::now()) {
            Ok(Incoming::Reply(reply)) => Some(reply),
            Ok(Incoming::Request {
                session, request, ..
            }) => {
                let status = vec![0x21, 0x10, 0x40];
                sessions.respond(session, &request.response(Completion::OK, status))
            }
            Ok(Incoming::Sol { .. }) | Err(_) => None,
        };
        if let Some(reply) = reply {
            socket.send_to(&reply, from)?;
        }
    }
}

#[derive(Clone, Copy)]
struct Load {
    address: SocketAddr,
    count: usize,
    at_once: usize,
    suite: CipherSuite,
}

impl Load {
    async fn connect(self, sockets: &Sockets) -> Result<Connection> {
        let credentials = Credentials {
            user: b"admin".to_vec(),
            password: secret()?,
            bmc_key: None,
            privilege: Privilege::Administrator,
        };
        let retry = RetryPolicy::default();
        Ok(sockets
            .connect(self.address, credentials, &[self.suite], retry)
            .await?)
    }
}

/// Opens each session, reads the chassis status and closes the session.
async fn drive(load: Load) -> Result<()> {
    let sockets = Arc::new(Sockets::new());
    let remaining = Arc::new(AtomicUsize::new(load.count));
    let (start, cpu) = (Instant::now(), cpu()?);
    let lanes = (0..load.at_once).map(|_| {
        let (sockets, remaining) = (sockets.clone(), remaining.clone());
        tokio::spawn(async move {
            let decrement = |remaining: usize| remaining.checked_sub(1);
            while remaining
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, decrement)
                .is_ok()
            {
                let mut connection = load.connect(&sockets).await?;
                connection.request(STATUS, &[]).await?;
                connection.close().await;
            }
            anyhow::Ok(())
        })
    });
    for lane in lanes.collect::<Vec<_>>() {
        lane.await??;
    }
    report("session, chassis status, close", load.count, start, cpu)
}

/// Opens all sessions and reads the chassis status in each.
async fn hold(load: Load) -> Result<()> {
    let sockets = Arc::new(Sockets::new());
    let before = resident()?;
    let (start, used) = (Instant::now(), cpu()?);
    let mut connections = Vec::with_capacity(load.count);
    while connections.len() < load.count {
        let count = load.at_once.min(load.count - connections.len());
        let tasks = (0..count).map(|_| {
            let sockets = sockets.clone();
            tokio::spawn(async move { load.connect(&sockets).await })
        });
        for task in tasks.collect::<Vec<_>>() {
            connections.push(task.await??);
        }
    }
    report("session", load.count, start, used)?;
    let each = (resident()? - before) / load.count;
    println!("{} sessions are open: {each} bytes each", connections.len());
    let (start, used) = (Instant::now(), cpu()?);
    let tasks = connections.chunks_mut(load.count.div_ceil(load.at_once));
    let requests = futures::future::join_all(tasks.map(|chunk| async move {
        for connection in chunk {
            connection.request(STATUS, &[]).await?;
        }
        anyhow::Ok(())
    }));
    for result in requests.await {
        result?;
    }
    report("chassis status", load.count, start, used)
}

fn report(operation: &str, count: usize, start: Instant, used: Duration) -> Result<()> {
    let (took, used) = (start.elapsed(), cpu()? - used);
    #[expect(clippy::cast_precision_loss, reason = "the rate is approximate")]
    let per_second = |time: Duration| count as f64 / time.as_secs_f64();
    println!(
        "{operation}: {count} in {took:.2?}, {:.0}/s; {used:.2?} of CPU time, {:.0}/s per core",
        per_second(took),
        per_second(used)
    );
    Ok(())
}

/// The CPU time of this process.
fn cpu() -> Result<Duration> {
    let stat = std::fs::read_to_string("/proc/self/stat")?;
    let fields = stat.rsplit(')').next().unwrap_or_default();
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.filter_map(|field| field.parse::<u64>().ok()).sum();
    Ok(Duration::from_millis(ticks * 10))
}

/// The memory of this process, in bytes.
fn resident() -> Result<usize> {
    let statm = std::fs::read_to_string("/proc/self/statm")?;
    let pages = statm.split(' ').nth(1).context("/proc/self/statm")?;
    Ok(pages.parse::<usize>()? * 4_096)
}
