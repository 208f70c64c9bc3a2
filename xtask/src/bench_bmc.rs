//! `bench bmc`: builds what is measured and starts the benchmark, which is in `xcat3-sim`.

use std::path::PathBuf;

use anyhow::Result;

use crate::command::{as_root, cargo, run, target_dir};
use crate::packages;

/// What is measured.
#[derive(clap::Args)]
pub struct Bmc {
    /// How many IPMI BMCs.
    #[arg(long, default_value_t = 10_000)]
    ipmi: u32,
    /// How many Redfish BMCs.
    #[arg(long, default_value_t = 1_000)]
    redfish: u32,
    /// How often each request is measured.
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// Only these parts: `ipmi`, `faults`, `redfish`.
    #[arg(long, default_value = "ipmi,faults,redfish")]
    parts: String,
    /// Also write all figures to this file.
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
}

/// Builds and measures.
pub fn bmc(bmc: &Bmc) -> Result<()> {
    packages::install()?;
    let build = ["build", "--release", "--locked", "--quiet", "--bins"];
    run(cargo(&build).args(["-p", "xcat3d", "-p", "xcat3-sim"]))?;
    let mut measure = as_root(target_dir().join("release/xcat3-sim"))?;
    measure.args(["bench", "bmc", "--parts", &bmc.parts]);
    for (name, value) in [
        ("--ipmi", bmc.ipmi),
        ("--redfish", bmc.redfish),
        ("--rounds", bmc.rounds),
    ] {
        measure.args([name, &value.to_string()]);
    }
    if let Some(file) = &bmc.json {
        measure.arg("--json").arg(std::path::absolute(file)?);
    }
    run(&mut measure)
}
