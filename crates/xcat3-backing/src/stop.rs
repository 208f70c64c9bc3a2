//! Processes that are made to stand still, as a host does that is paused.

use std::fs;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::Error;

/// How long a process may take to stand still.
const PATIENCE: Duration = Duration::from_secs(60);

/// Stops the process `id` (SIGSTOP) and waits until each of its threads stands still: until one of
/// them has seen the signal, the others go on.
///
/// # Errors
/// There is no such process, or it goes on for a minute.
pub fn stand_still(id: u32) -> Result<(), Error> {
    let what = || format!("stopping process {id}");
    let pid = Pid::from_raw(id.cast_signed());
    let pid = pid.ok_or_else(|| Error::failed(what(), "there is no such process"))?;
    kill_process(pid, Signal::STOP).map_err(|error| Error::system(what())(error.into()))?;
    let begun = Instant::now();
    while !stands(id).map_err(Error::system(what()))? {
        if begun.elapsed() > PATIENCE {
            return Err(Error::failed(what(), "it goes on"));
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    Ok(())
}

fn stands(id: u32) -> std::io::Result<bool> {
    for thread in fs::read_dir(format!("/proc/{id}/task"))? {
        let stat = fs::read_to_string(thread?.path().join("stat"))?;
        if !stat
            .rsplit(") ")
            .next()
            .is_some_and(|rest| rest.starts_with('T'))
        {
            return Ok(false);
        }
    }
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_stands_still() {
        let mut child = std::process::Command::new("sleep")
            .arg("100")
            .spawn()
            .unwrap();
        assert!(!stands(child.id()).unwrap());
        stand_still(child.id()).unwrap();
        assert!(stands(child.id()).unwrap());
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(stand_still(child.id()).is_err());
    }
}
