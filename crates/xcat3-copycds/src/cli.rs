//! The command line.

use std::path::PathBuf;

/// Imports an operating system from its ISO.
#[derive(Clone, Debug, clap::Parser)]
#[command(name = "xcat3-copycds", version)]
pub struct Arguments {
    /// The ISO of the distribution.
    #[arg(value_name = "FILE.iso")]
    pub iso: PathBuf,
    /// Name of the OS image, instead of <distro><version>-<arch>.
    #[arg(short = 'n', long, value_name = "NAME")]
    pub name: Option<String>,
    /// Where the netboot variant of the installer is, for discs that don't carry it: a directory with
    /// linux and initrd.gz, or Debian's package debian-installer-VERSION-netboot-ARCH.
    #[arg(long, value_name = "DIR|FILE.deb")]
    pub netboot: Option<PathBuf>,
    /// Keep the ISO as a hard link. Nobody may write to the original from then on.
    #[arg(long)]
    pub link: bool,
    /// Configuration file.
    #[arg(long, value_name = "FILE")]
    pub config_file: Option<PathBuf>,
    /// Directory of the database and the kept files.
    #[arg(long, value_name = "DIR", env = "XCAT3_STATE_DIR")]
    pub state_dir: Option<PathBuf>,
    /// Print the OS image as JSON.
    #[arg(long)]
    pub json: bool,
}

impl Arguments {
    /// What they ask to import.
    #[must_use]
    pub fn request(&self) -> crate::Request {
        crate::Request {
            iso: self.iso.clone(),
            name: self.name.clone(),
            netboot: self.netboot.clone(),
            link: self.link,
        }
    }
}
