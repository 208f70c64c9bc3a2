//! The lab: a network segment, a hypervisor on it, and guests that the hypervisor runs.
//!
//! It exists only inside namespaces of its own (see [`outside`]): whatever ends the process that made
//! it ends all of it, and nothing of the machine's own network, libvirt or processes is touched.

pub mod acceleration;
pub mod console;
pub mod guest;
pub mod hypervisor;
mod mounts;
pub mod outside;
pub mod process;
pub mod segment;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use acceleration::Acceleration;
use hypervisor::Hypervisor;

/// A running lab.
pub struct Lab {
    /// Where all its files are.
    pub directory: PathBuf,
    /// Its hypervisor.
    pub hypervisor: Hypervisor,
    /// How its guests run.
    pub acceleration: Acceleration,
}

impl Lab {
    /// Makes the segment, starts the hypervisor and finds out how guests run. Must run inside the
    /// namespaces.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn start(directory: &Path, small_iso: &Path) -> Result<Self> {
        let hypervisor = Self::start_hypervisor(directory)?;
        let acceleration = acceleration::probe(&directory.join("probe"), small_iso)?;
        Ok(Self {
            directory: directory.to_owned(),
            hypervisor,
            acceleration,
        })
    }

    /// Makes the segment and starts the hypervisor.
    ///
    /// # Errors
    /// A part does not come up.
    pub fn start_hypervisor(directory: &Path) -> Result<Hypervisor> {
        fs::create_dir_all(directory).with_context(|| directory.display().to_string())?;
        mounts::hide_the_machine(&directory.join("mounts"))?;
        segment::make().context("making the lab's network segment")?;
        Hypervisor::start(&directory.join("hypervisor"))
    }
}
