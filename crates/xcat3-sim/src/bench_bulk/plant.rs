//! What is measured: the daemons with their database and their message broker, each start with an
//! empty database, an image to deploy, and a network whose address this host owns.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};

use super::http::{Answer, Request, send};
use crate::command::{command, run};
use crate::lab::process::Process;
use crate::media::iso;

/// Where the API listens.
pub const API: &str = "127.0.0.1:3010";
/// The network that the nodes are in: 10.64.0.0 to 10.127.255.255.
pub const SUBNET: &str = "10.64.0.0";
const NETMASK: &str = "255.192.0.0";
const SERVER: &str = "10.64.0.1";
/// The OS image that is deployed.
pub const IMAGE: &str = "bench";
const READY_WITHIN: Duration = Duration::from_secs(30);

/// How the product runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// `xcat3d` with what is built in: SQLite and a bus in memory.
    Embedded,
    /// A daemon for each service over PostgreSQL and NATS, with so many conductor processes.
    Many(u32),
}

impl FromStr for Part {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("'{text}' is neither 'embedded' nor 'many:CONDUCTORS'");
        match text {
            "embedded" => Ok(Self::Embedded),
            _ => {
                let count = text.strip_prefix("many:").ok_or_else(unknown)?;
                let count = count.parse().map_err(|_| unknown())?;
                if count == 0 {
                    Err(unknown())
                } else {
                    Ok(Self::Many(count))
                }
            }
        }
    }
}

impl std::fmt::Display for Part {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Embedded => f.write_str("embedded"),
            Self::Many(count) => write!(f, "many:{count}"),
        }
    }
}

/// The network namespace that all of it runs in: an interface that owns the server's address.
///
/// # Errors
/// The namespace is not ours to change.
pub fn network() -> Result<()> {
    let ip = |words: &str| run(command("ip").args(words.split(' ')));
    ip("link set lo up")?;
    ip("link add bench0 type bridge")?;
    ip(&format!("address add {SERVER}/10 dev bench0"))?;
    ip("link set bench0 up")
}

/// The running product.
pub struct Plant {
    /// The directory of the programs.
    pub programs: PathBuf,
    // The daemons end before what they stand on.
    daemons: Vec<Process>,
    _servers: Option<(xcat3_backing::Postgres, xcat3_backing::Nats)>,
    directory: PathBuf,
}

impl Plant {
    /// Starts the product with empty databases and declares what a deploy needs.
    ///
    /// # Errors
    /// A part does not come up, or refuses what is declared; the error has the end of its log.
    pub fn start(part: Part, directory: &Path) -> Result<Self> {
        if directory.exists() {
            fs::remove_dir_all(directory)?;
        }
        fs::create_dir_all(directory)?;
        let own = std::env::current_exe()?;
        let programs = own.parent().context("this program is in no directory")?;
        let servers = match part {
            Part::Embedded => None,
            Part::Many(_) => Some((
                xcat3_backing::Postgres::start()?,
                xcat3_backing::Nats::start()?,
            )),
        };
        let config = config(part, directory, servers.as_ref())?;
        let file = directory.join("xcat3.conf");
        fs::write(&file, config)?;
        let mut plant = Self {
            programs: programs.to_owned(),
            daemons: Vec::new(),
            _servers: servers,
            directory: directory.to_owned(),
        };
        plant.import(&file)?;
        let daemons: &[&str] = match part {
            Part::Embedded => &["xcat3d"],
            Part::Many(_) => &["xcat3-network", "xcat3-conductor", "xcat3-api"],
        };
        for daemon in daemons {
            let mut start = command(plant.programs.join(daemon));
            start.arg("--config-file").arg(&file);
            start.env("HOME", directory).env("RUST_LOG", "warn");
            let log = directory.join(format!("{daemon}.log"));
            plant.daemons.push(Process::start(&mut start, &log)?);
        }
        let api = plant.daemons.last_mut().context("no daemon")?;
        api.wait_until(READY_WITHIN, || answer("GET", "/v1", &[]).is_ok())?;
        plant.declare()?;
        Ok(plant)
    }

    /// An ISO that looks like a distribution's to the import. Nothing of it is ever booted.
    fn import(&self, config: &Path) -> Result<()> {
        let disc = self.directory.join("disc");
        let netboot = disc.join("install/netboot/debian-installer/amd64");
        fs::create_dir_all(&netboot)?;
        fs::create_dir_all(disc.join(".disk"))?;
        fs::write(
            disc.join(".disk/info"),
            "Debian GNU/Linux 13.0.0 \"Trixie\" - bench amd64 NETINST 20260101-00:00\n",
        )?;
        fs::create_dir_all(disc.join("dists/trixie"))?;
        fs::write(disc.join("dists/trixie/Release"), "Codename: trixie\n")?;
        let mut kernel = vec![0; 0x1000];
        kernel[0x202..0x206].copy_from_slice(b"HdrS");
        fs::write(netboot.join("linux"), kernel)?;
        fs::write(netboot.join("initrd.gz"), b"\x1f\x8b\x08\0nothing")?;
        let file = self.directory.join("bench.iso");
        iso::write(&disc, &file)?;
        let mut import = command(self.programs.join("xcat3-copycds"));
        import.args(["--name", IMAGE, "--config-file"]).arg(config);
        run(import.arg(&file))
    }

    fn declare(&self) -> Result<()> {
        let network = json!({
            "name": "bench", "subnet": SUBNET, "netmask": NETMASK, "dhcpserver": SERVER,
        });
        let password = json!({"key": "system", "username": "root", "password": "not-a-secret"});
        for (path, document) in [("/v1/networks", network), ("/v1/passwds", password)] {
            let answer = answer("POST", path, document.to_string().as_bytes())?;
            let text = String::from_utf8_lossy(&answer.body).into_owned();
            ensure!(answer.status < 300, "POST {path}: {text}");
        }
        Ok(())
    }

    /// The last lines that each daemon logged.
    #[must_use]
    pub fn logs(&self) -> String {
        let last = self.daemons.iter().map(|daemon| daemon.last_lines(8));
        last.filter(|text| !text.is_empty())
            .collect::<Vec<_>>()
            .join("\n")
    }
}

/// Asks a server that is not ours.
///
/// # Errors
/// It can't be reached.
pub fn ask(address: &str, path: &str) -> Result<Answer> {
    let request = Request {
        method: "GET",
        path,
        accept: "application/json",
        body: &[],
    };
    send(address, request)
}

/// A request that wants JSON.
///
/// # Errors
/// The API can't be reached.
fn answer(method: &str, path: &str, body: &[u8]) -> Result<Answer> {
    let accept = "application/json";
    let request = Request {
        method,
        path,
        accept,
        body,
    };
    send(API, request)
}

fn config(
    part: Part,
    directory: &Path,
    servers: Option<&(xcat3_backing::Postgres, xcat3_backing::Nats)>,
) -> Result<String> {
    let state = directory.join("state");
    let state = state.to_str().context("the directory's name is no text")?;
    let mut text = format!("state_dir = {}\n", Value::from(state));
    if let (Part::Many(conductors), Some((postgres, nats))) = (part, servers) {
        let (database, bus) = (Value::from(postgres.url()), Value::from(nats.url()));
        text += &format!("database = {database}\n[bus]\nurl = {bus}\n");
        text += &format!("[conductor]\nworkers = {conductors}\n");
    }
    // Whole answers of the largest requests are waited for.
    Ok(text + "[api]\nanswer_within_s = 900\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_read_as_they_are_written() {
        for part in [Part::Embedded, Part::Many(4)] {
            assert_eq!(part.to_string().parse(), Ok(part));
        }
        for wrong in ["", "many", "many:", "many:0", "embedded:1"] {
            assert!(wrong.parse::<Part>().is_err(), "{wrong}");
        }
    }
}
