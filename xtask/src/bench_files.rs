//! Throughput of the HTTP and TFTP file servers beside nginx and tftpd-hpa: the same files, the same
//! clients, in turns within one run, on loopback.

#![allow(clippy::print_stdout, reason = "figures are printed")]

use std::fs;
use std::io::Write;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::{Value, json};

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;

const ROUNDS: usize = 5;
const LARGE: u64 = 1 << 30;
const MIDDLE: u64 = 64 << 20;
const SMALL: u64 = 4096;
const STREAMS: u64 = 8;

/// A server that runs until it is dropped.
struct Server {
    child: Child,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let pid = self.child.id().to_string();
        if let Ok(mut kill) = as_root("kill") {
            let _ = kill.arg(pid).status();
        }
        let _ = self.child.wait();
    }
}

/// What one measure gave, round by round.
struct Figures {
    name: &'static str,
    unit: &'static str,
    peer: &'static str,
    ours: Vec<f64>,
    theirs: Vec<f64>,
}

/// Measures both servers, prints a table and answers it as JSON, which is also left in the target
/// directory as `bench-files.json`.
pub fn files() -> Result<Value> {
    packages::install_these(&["curl", "atftp", "wrk", "libwrap0", "libpcre2-8-0"])?;
    run(&mut cargo(&[
        "build",
        "--release",
        "--locked",
        "--quiet",
        "-p",
        "xcat3-network",
        "--example",
        "serve",
    ]))?;
    let scratch = target_dir().join("bench-files");
    fs::create_dir_all(&scratch)?;
    for (name, len) in [("large", LARGE), ("middle", MIDDLE), ("small", SMALL)] {
        fill(&scratch.join(name), len)?;
    }
    let figures = measure(&scratch)?;
    let table = json!(figures.iter().map(Figures::json).collect::<Vec<_>>());
    fs::write(
        target_dir().join("bench-files.json"),
        format!("{table:#}\n"),
    )?;
    fs::remove_dir_all(&scratch)?;
    Ok(table)
}

fn measure(scratch: &Path) -> Result<Vec<Figures>> {
    let (http, tftp) = (free_port()?, free_port()?);
    let ours_http = start_ours(scratch, http, tftp)?;
    let nginx = start_nginx(scratch)?;
    let tftpd = start_tftpd(scratch)?;
    println!(
        "{:<34} {:>9} {:>9}   {:<10} {:>9} {:>9}   {:>5}",
        "best and median of 5 rounds", "xcat3", "", "peer", "", "", "ratio"
    );
    let pair = |ours, peer: &Server| [ours, peer.port];
    let at_nginx = pair(http, &nginx);
    let at_tftpd = pair(tftp, &tftpd);
    let mut figures = vec![
        Figures::take(
            ("HTTP 1 GiB, 1 stream", "MB/s", "nginx"),
            at_nginx,
            one_stream,
        )?,
        Figures::take(
            ("HTTP 1 GiB, 8 streams", "MB/s", "nginx"),
            at_nginx,
            streams,
        )?,
    ];
    figures.push(Figures::take(
        ("HTTP 1 GiB, 8 streams, server CPU", "ms/GiB", "nginx"),
        at_nginx,
        |port| {
            let server = if port == nginx.port {
                &nginx
            } else {
                &ours_http
            };
            let before = cpu(server.child.id())?;
            streams(port)?;
            Ok((cpu(server.child.id())? - before) * 1000.0 / STREAMS as f64)
        },
    )?);
    figures.push(Figures::take(
        ("HTTP 4 KiB, 64 connections", "req/s", "nginx"),
        at_nginx,
        small_files,
    )?);
    for (name, window) in [
        ("TFTP 64 MiB, blksize 1468, window 1", 1),
        ("TFTP 64 MiB, blksize 1468, window 16", 16),
    ] {
        figures.push(Figures::take(
            (name, "MB/s", "tftpd-hpa"),
            at_tftpd,
            |port| atftp(scratch, port, window),
        )?);
    }
    Ok(figures)
}

impl Figures {
    /// Measures ours and the peer in turns, and prints the line of the table.
    fn take(
        (name, unit, peer): (&'static str, &'static str, &'static str),
        ports: [u16; 2],
        measure: impl Fn(u16) -> Result<f64>,
    ) -> Result<Self> {
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            ours.push(measure(ports[0]).with_context(|| format!("{name}, xcat3"))?);
            theirs.push(measure(ports[1]).with_context(|| format!("{name}, {peer}"))?);
        }
        let figures = Self {
            name,
            unit,
            peer,
            ours,
            theirs,
        };
        let (ours, theirs) = (
            figures.summary(&figures.ours),
            figures.summary(&figures.theirs),
        );
        println!(
            "{name:<36} {:>8.0} {:>8.0} {unit:<6} {peer:<10} {:>8.0} {:>8.0} {unit:<6} {:>5.2}",
            ours.0,
            ours.1,
            theirs.0,
            theirs.1,
            ours.0 / theirs.0
        );
        Ok(figures)
    }

    /// Best and median. Of CPU less is better.
    fn summary(&self, rounds: &[f64]) -> (f64, f64) {
        let mut sorted = rounds.to_vec();
        sorted.sort_by(f64::total_cmp);
        if !self.unit.starts_with("ms") {
            sorted.reverse();
        }
        (sorted[0], sorted[sorted.len() / 2])
    }

    fn json(&self) -> Value {
        let (best, median) = self.summary(&self.ours);
        let (peer_best, peer_median) = self.summary(&self.theirs);
        json!({
            "measure": self.name, "unit": self.unit, "rounds": ROUNDS,
            "xcat3": { "best": best, "median": median },
            "peer": { "name": self.peer, "best": peer_best, "median": peer_median },
        })
    }
}

fn one_stream(port: u16) -> Result<f64> {
    let started = Instant::now();
    finish(&mut curl(port))?;
    Ok(rate(LARGE, started))
}

fn streams(port: u16) -> Result<f64> {
    let started = Instant::now();
    let clients = (0..STREAMS).map(|_| curl(port).spawn().context("curl"));
    let clients: Vec<Child> = clients.collect::<Result<_>>()?;
    for mut client in clients {
        ensure!(client.wait()?.success(), "a curl failed");
    }
    Ok(rate(LARGE * STREAMS, started))
}

fn curl(port: u16) -> Command {
    let mut curl = Command::new("curl");
    curl.args(["--silent", "--fail", "--output", "/dev/null"]);
    curl.arg(format!("http://127.0.0.1:{port}/large"));
    curl
}

fn small_files(port: u16) -> Result<f64> {
    let mut wrk = Command::new("wrk");
    wrk.args([
        "-t1",
        "-c64",
        "-d3s",
        &format!("http://127.0.0.1:{port}/small"),
    ]);
    let told = finish(&mut wrk)?;
    ensure!(!told.contains("Non-2xx"), "wrk got errors: {told}");
    let line = told
        .lines()
        .find_map(|line| line.strip_prefix("Requests/sec:"));
    let figure = line.context("wrk told no figure")?;
    Ok(figure.trim().parse()?)
}

fn atftp(scratch: &Path, port: u16, window: u16) -> Result<f64> {
    let fetched = scratch.join("fetched");
    let _ = fs::remove_file(&fetched);
    let mut atftp = Command::new("atftp");
    atftp.args(["--option", "blksize 1468"]);
    atftp.args(["--option", &format!("windowsize {window}")]);
    atftp.args(["--get", "-r", "middle", "-l"]).arg(&fetched);
    atftp.args(["127.0.0.1", &port.to_string()]);
    let started = Instant::now();
    finish(&mut atftp)?;
    let rate = rate(MIDDLE, started);
    let whole = fs::read(&fetched)? == fs::read(scratch.join("middle"))?;
    ensure!(whole, "atftp got other bytes than were sent");
    Ok(rate)
}

#[allow(clippy::cast_precision_loss, reason = "a figure for people")]
fn rate(bytes: u64, started: Instant) -> f64 {
    bytes as f64 / 1e6 / started.elapsed().as_secs_f64()
}

fn start_ours(scratch: &Path, http: u16, tftp: u16) -> Result<Server> {
    let mut serve = Command::new(target_dir().join("release/examples/serve"));
    serve.args([format!("127.0.0.1:{http}"), format!("127.0.0.1:{tftp}")]);
    serve.args(["large", "middle", "small"].map(|name| scratch.join(name)));
    let child = serve.stderr(Stdio::null()).spawn().context("serve")?;
    let server = Server { child, port: http };
    listening(http)?;
    Ok(server)
}

fn start_nginx(scratch: &Path) -> Result<Server> {
    let port = free_port()?;
    let folder = scratch.display();
    let bodies: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .map(|name| format!("{name}_temp_path {folder}/{name};\n"))
        .concat();
    let configuration = format!(
        "user root; daemon off; worker_processes 2; pid {folder}/nginx.pid;\n\
         events {{ worker_connections 512; }}\n\
         http {{ {bodies} sendfile on; tcp_nopush on; access_log off;\n\
         open_file_cache max=100; keepalive_requests 100000000;\n\
         server {{ listen 127.0.0.1:{port}; root {folder}; }} }}\n"
    );
    let path = scratch.join("nginx.conf");
    fs::write(&path, configuration)?;
    let mut nginx = Command::new(program(scratch, "nginx", "nginx")?);
    nginx.arg("-c").arg(&path);
    nginx.arg("-e").arg(scratch.join("nginx.log"));
    let child = nginx.stderr(Stdio::null()).spawn().context("nginx")?;
    let server = Server { child, port };
    listening(port)?;
    Ok(server)
}

fn start_tftpd(scratch: &Path) -> Result<Server> {
    let port = free_port()?;
    let mut tftpd = as_root(program(scratch, "tftpd-hpa", "in.tftpd")?)?;
    tftpd.args(["--listen", "--foreground", "--user", "nobody"]);
    tftpd
        .args(["--address", &format!("127.0.0.1:{port}"), "--secure"])
        .arg(scratch);
    let child = tftpd.spawn().context("in.tftpd")?;
    std::thread::sleep(Duration::from_millis(500));
    Ok(Server { child, port })
}

/// A daemon's program: the installed one, or taken out of its package without installing it, for an
/// installation would start it.
fn program(scratch: &Path, package: &str, name: &str) -> Result<PathBuf> {
    let installed = PathBuf::from("/usr/sbin").join(name);
    if installed.exists() {
        return Ok(installed);
    }
    let folder = scratch.join("packages").join(package);
    fs::create_dir_all(&folder)?;
    run(Command::new("apt-get")
        .args(["--quiet=2", "download", package])
        .current_dir(&folder))?;
    let archive = fs::read_dir(&folder)?
        .filter_map(|entry| Some(entry.ok()?.path()))
        .find(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .with_context(|| format!("apt-get download {package} left no package"))?;
    run(Command::new("dpkg-deb")
        .arg("--extract")
        .arg(archive)
        .arg(&folder))?;
    Ok(folder.join("usr/sbin").join(name))
}

/// A port that was free a moment ago, for TCP and UDP.
fn free_port() -> Result<u16> {
    for _ in 0..50 {
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        if UdpSocket::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free on loopback");
}

fn listening(port: u16) -> Result<()> {
    let until = Instant::now() + Duration::from_secs(10);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        ensure!(Instant::now() < until, "nothing listens on port {port}");
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}

/// Seconds of CPU that a process and its children used so far.
fn cpu(pid: u32) -> Result<f64> {
    let own = fs::read_to_string(format!("/proc/{pid}/task/{pid}/children"))?;
    let children = own.split_ascii_whitespace().map(str::parse::<u32>);
    let mut ticks = 0u64;
    for pid in children.chain([Ok(pid)]) {
        let stat = fs::read_to_string(format!("/proc/{}/stat", pid?))?;
        let after_name = stat.rsplit(')').next().unwrap_or_default();
        // From the state on, which is field 3: utime is field 14, stime 15.
        let fields = after_name.split_ascii_whitespace().skip(11).take(2);
        for field in fields {
            ticks += field.parse::<u64>()?;
        }
    }
    // Linux tells these in hundredths of a second, whatever its clock's rate.
    Ok(ticks as f64 / 100.0)
}

/// A file of bytes in which no two pages are alike.
fn fill(path: &Path, len: u64) -> Result<()> {
    let mut file = std::io::BufWriter::new(fs::File::create(path)?);
    let mut state = 0x9E37_79B9_7F4A_7C15u64;
    for _ in 0..len / 8 {
        state = state
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        file.write_all(&state.to_le_bytes())?;
    }
    file.flush()?;
    Ok(())
}

fn finish(command: &mut Command) -> Result<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .with_context(|| format!("can't start {command:?}"))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{command:?}: {errors}");
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}
