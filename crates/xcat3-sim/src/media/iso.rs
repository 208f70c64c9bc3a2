//! Writes a directory as an ISO 9660 image with Rock Ridge names.

use std::path::Path;

use anyhow::Result;

use crate::command::{command, run};

/// Writes `disc` to `file`.
pub fn write(disc: &Path, file: &Path) -> Result<()> {
    let mut xorriso = command("xorriso");
    xorriso.args([
        "-as",
        "mkisofs",
        "-quiet",
        "-iso-level",
        "3",
        "-R",
        "-J",
        "-joliet-long",
    ]);
    run(xorriso.args(["-V", "XCAT3_LAB", "-o"]).arg(file).arg(disc))
}
