//! Namespaces around a lab: network, mounts and processes of its own.
//!
//! The program starts itself again in a new process namespace. When the first process of that ends, in whatever way, the
//! kernel ends all others in it and takes down its network and mounts. The program ends itself when its
//! standard input does, which is a pipe from the process outside: so a lab is gone when its maker is
//! gone, Ctrl-C and kill -9 included, unless it is to be kept.

use std::fs::{self, File};
use std::io::{self, Read, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::command::{command, output, run};
use crate::report::say;

/// Tells the program that it runs inside, and which directory is the lab's.
const DIRECTORY: &str = "XCAT3_LAB_DIRECTORY";
/// In the lab's directory: locked while the lab is up.
const LOCK: &str = "lock";
/// In the lab's directory: there when the lab is to outlive its maker.
const KEPT: &str = "kept";
/// In the lab's directory: the process id, outside, of the lab's first process.
const PID: &str = "pid";

/// Where ISOs and running labs are: `lab` in cargo's target directory, or `XCAT3_LAB_CACHE`.
pub fn cache() -> Result<PathBuf> {
    if let Some(given) = std::env::var_os("XCAT3_LAB_CACHE") {
        return Ok(given.into());
    }
    let own = std::env::current_exe()?;
    let target = own
        .ancestors()
        .nth(2)
        .context("this program is in no target directory")?;
    Ok(target.join("lab"))
}

/// The lab's directory, where we are inside its namespaces.
#[must_use]
pub fn inside() -> Option<PathBuf> {
    std::env::var_os(DIRECTORY).map(PathBuf::from)
}

/// Runs this program again, with the same arguments, inside new namespaces.
pub fn run_inside() -> Result<ExitCode> {
    if !rustix::process::geteuid().is_root() {
        bail!("a lab needs root, for its network: start it by cargo xtask, or with sudo");
    }
    let labs = cache()?.join("labs");
    fs::create_dir_all(&labs).with_context(|| labs.display().to_string())?;
    remove_stale(&labs)?;
    let directory = labs.join(std::process::id().to_string());
    fs::create_dir_all(&directory)?;
    let mut child = start(&directory)?;
    let copies = copy_output(&mut child);
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if directory.join(KEPT).exists() {
            fs::write(directory.join(PID), first_process(&child)?)?;
            return Ok(ExitCode::SUCCESS);
        }
        thread::sleep(Duration::from_millis(50));
    };
    for copy in copies {
        let _ = copy.join();
    }
    if !status.success() {
        keep_logs(&directory)?;
    }
    let _ = fs::remove_dir_all(&directory);
    give_back(&cache()?);
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// The first process of the lab: it starts us and collects whatever else ends. libvirt's guests become
/// its children, and libvirt waits for one that ended until somebody has collected it.
const FIRST_PROCESS: &str = r#"exec 3<&0; "$@" <&3 3<&- & exec 3<&-; wait $!"#;

fn start(directory: &Path) -> Result<Child> {
    // A session of its own: a terminal that closes does not end a lab that is kept.
    let mut start = Command::new("setsid");
    start.args([
        "unshare",
        "--net",
        "--mount",
        "--pid",
        "--fork",
        "--kill-child",
        "--mount-proc",
    ]);
    start
        .args(["--", "sh", "-c", FIRST_PROCESS, "sh"])
        .arg(std::env::current_exe()?)
        .args(std::env::args_os().skip(1));
    start.env(DIRECTORY, directory);
    start
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    start.spawn().context("can't start `unshare`")
}

/// The lab writes into pipes, not to our own output: who waits for that to end need not wait for a
/// lab that is kept.
fn copy_output(child: &mut Child) -> Vec<thread::JoinHandle<()>> {
    let mut copies = Vec::new();
    if let Some(mut from) = child.stdout.take() {
        copies.push(thread::spawn(move || {
            let _ = io::copy(&mut from, &mut io::stdout());
        }));
    }
    if let Some(mut from) = child.stderr.take() {
        copies.push(thread::spawn(move || {
            let _ = io::copy(&mut from, &mut io::stderr());
        }));
    }
    copies
}

/// The child of `unshare`, by its id in our namespace.
fn first_process(unshare: &Child) -> Result<String> {
    let id = unshare.id();
    let children = fs::read_to_string(format!("/proc/{id}/task/{id}/children"))?;
    Ok(children
        .split_whitespace()
        .next()
        .context("the lab has no process")?
        .to_owned())
}

/// Called first inside: locks the lab's directory and ends with the process outside. What it gives
/// must be kept until the end.
pub fn stay_tied(directory: &Path) -> Result<File> {
    let lock = File::create(directory.join(LOCK))?;
    lock.lock()?;
    let directory = directory.to_owned();
    thread::spawn(move || {
        let _ = io::stdin().read_to_end(&mut Vec::new());
        if !directory.join(KEPT).exists() {
            let _ = fs::remove_dir_all(&directory);
            std::process::exit(1);
        }
    });
    Ok(lock)
}

/// Leaves the lab up when the process outside ends, and never returns.
pub fn keep(directory: &Path) -> Result<()> {
    io::stdout().flush()?;
    File::create(directory.join(KEPT))?;
    loop {
        thread::park();
    }
}

/// The directory and the first process of the lab that was kept.
fn kept() -> Result<Option<(PathBuf, String)>> {
    let Ok(labs) = fs::read_dir(cache()?.join("labs")) else {
        return Ok(None);
    };
    for lab in labs.filter_map(Result::ok).map(|entry| entry.path()) {
        if let Ok(pid) = fs::read_to_string(lab.join(PID))
            && is_up(&lab)
        {
            return Ok(Some((lab, pid)));
        }
    }
    Ok(None)
}

/// Whether the lab's first process still holds its lock.
fn is_up(lab: &Path) -> bool {
    File::open(lab.join(LOCK)).is_ok_and(|lock| lock.try_lock().is_err())
}

/// Runs a command, or a shell, in the lab that was kept.
pub fn enter(words: &[String]) -> Result<ExitCode> {
    let Some((_, pid)) = kept()? else {
        bail!("no lab was kept: cargo xtask demo --keep makes one")
    };
    let mut enter = Command::new("nsenter");
    enter.args(["--target", &pid, "--net", "--mount", "--pid", "--"]);
    match words {
        [] => enter.arg("bash"),
        words => enter.args(words),
    };
    let status = enter.status().context("can't start `nsenter`")?;
    Ok(if status.success() {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

/// Ends the lab that was kept.
pub fn stop() -> Result<()> {
    let Some((lab, pid)) = kept()? else {
        say("no lab is up");
        return Ok(());
    };
    run(command("kill").args(["-KILL", &pid]))?;
    while is_up(&lab) {
        thread::sleep(Duration::from_millis(50));
    }
    fs::remove_dir_all(&lab)?;
    give_back(&cache()?);
    say("the lab is gone");
    Ok(())
}

/// Removes what labs left behind that ended without a chance to do it.
fn remove_stale(labs: &Path) -> Result<()> {
    for lab in fs::read_dir(labs)?
        .filter_map(Result::ok)
        .map(|entry| entry.path())
    {
        if lab.join(LOCK).exists() && !is_up(&lab) {
            let _ = fs::remove_dir_all(&lab);
        }
    }
    Ok(())
}

/// Moves the logs of a lab that failed to where they can be read.
fn keep_logs(directory: &Path) -> Result<()> {
    let failed = cache()?.join("failed");
    let _ = fs::remove_dir_all(&failed);
    for disk in output(
        command("find")
            .arg(directory)
            .args(["-name", "*.raw", "-o", "-name", "*.iso"]),
    )?
    .lines()
    {
        fs::remove_file(disk)?;
    }
    if fs::rename(directory, &failed).is_ok() {
        say(format_args!("the logs are in {}", failed.display()));
    }
    Ok(())
}

/// Gives what root made in a user's target directory to the user, so that `cargo clean` works.
fn give_back(cache: &Path) {
    let owner = cache.parent().and_then(|target| fs::metadata(target).ok());
    if let Some(owner) = owner.filter(|owner| owner.uid() != 0) {
        let owner = format!("{}:{}", owner.uid(), owner.gid());
        let _ = run(command("chown")
            .args(["--recursive", "--no-dereference", &owner])
            .arg(cache));
    }
}
