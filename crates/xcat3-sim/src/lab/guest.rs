//! Guests: empty virtual machines as libvirt domains of the lab's hypervisor.

use std::fs::{self, File};
use std::path::Path;

use anyhow::Result;

use super::Lab;
use super::console::Console;
use super::segment::{BRIDGE, SERVER};
use crate::command::{command, output, run};

/// How a guest's firmware comes to our boot loaders.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Firmware {
    /// BIOS whose network card has iPXE in its ROM: straight to the iPXE script.
    BiosIpxe,
    /// BIOS that fetches undionly.kpxe over TFTP.
    BiosUndionly,
    /// BIOS that fetches pxelinux.0 over TFTP, which asks for its configuration by path.
    BiosPxelinux,
    /// UEFI with its own PXE, which fetches snponly.efi over TFTP.
    UefiSnponly,
}

impl Firmware {
    /// All of them.
    pub const ALL: [Self; 4] = [
        Self::BiosIpxe,
        Self::BiosUndionly,
        Self::BiosPxelinux,
        Self::UefiSnponly,
    ];

    /// Its name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::BiosIpxe => "bios-ipxe",
            Self::BiosUndionly => "bios-undionly",
            Self::BiosPxelinux => "bios-pxelinux",
            Self::UefiSnponly => "uefi-snponly",
        }
    }

    /// The iPXE script that stands for a PXE firmware in a BIOS, for which QEMU has none but iPXE.
    /// With another user class than its own our DHCP takes it for what it stands for.
    fn stand_in(self) -> Option<String> {
        let load = match self {
            Self::BiosUndionly => "tftp://${next-server}/${filename}".to_owned(),
            Self::BiosPxelinux => format!("tftp://{SERVER}/pxelinux.0"),
            Self::BiosIpxe | Self::UefiSnponly => return None,
        };
        Some(format!(
            "#!ipxe\nset user-class lab\ndhcp || reboot\nchain {load} || reboot\n"
        ))
    }
}

/// What a guest is to be.
pub struct Machine<'a> {
    /// Its name.
    pub name: &'a str,
    /// The hardware address of its only network card.
    pub mac: &'a str,
    /// How it boots.
    pub firmware: Firmware,
    /// How many processors.
    pub processors: u8,
    /// Memory in MiB.
    pub memory: u32,
    /// Size of its empty disk in GiB.
    pub disk: u64,
}

/// A defined guest, not powered.
pub struct Guest {
    /// What it writes to its serial line.
    pub console: Console,
    name: String,
}

impl Guest {
    /// Defines the domain, with an empty disk.
    pub fn define(lab: &Lab, machine: &Machine) -> Result<Self> {
        let directory = lab.directory.join("guests").join(machine.name);
        fs::create_dir_all(&directory)?;
        File::create(directory.join("disk.raw"))?.set_len(machine.disk << 30)?;
        let console = directory.join("console.log");
        let file = directory.join("domain.xml");
        fs::write(&file, domain(lab, machine, &directory, &console)?)?;
        run(command("virsh").args(["--quiet", "define"]).arg(file))?;
        Ok(Self {
            console: Console::new(console),
            name: machine.name.to_owned(),
        })
    }

    /// What has become of it, in libvirt's words, where it does not run any more: `shut off
    /// (crashed)` says that the emulator itself died.
    #[must_use]
    pub fn gone(&self) -> Option<String> {
        let state = output(command("virsh").args(["domstate", "--reason", &self.name])).ok()?;
        state
            .starts_with("shut off")
            .then(|| state.trim().to_owned())
    }
}

fn domain(lab: &Lab, machine: &Machine, directory: &Path, console: &Path) -> Result<String> {
    let uefi = machine.firmware == Firmware::UefiSnponly;
    // An empty ROM leaves UEFI with its own PXE instead of the iPXE of the card's ROM.
    let rom = if uefi { "<rom file=''/>" } else { "" };
    Ok(format!(
        "<domain type='{kind}'>
  <name>{name}</name>
  <memory unit='MiB'>{memory}</memory>
  <vcpu>{processors}</vcpu>
  <os>
    <type arch='x86_64' machine='q35'>hvm</type>{firmware}
    <bios useserial='yes'/>
  </os>
  <features><acpi/></features>
  {cpu}
  <devices>
    <disk type='file' device='disk'>
      <driver name='qemu' type='raw' cache='unsafe' discard='unmap'/>
      <source file='{disk}'/><target dev='vda' bus='virtio'/><boot order='2'/>
    </disk>
    <interface type='bridge'>
      <mac address='{mac}'/><source bridge='{BRIDGE}'/><model type='virtio'/>{rom}<boot order='1'/>
    </interface>
    <serial type='pty'><log file='{console}' append='on'/><target port='0'/></serial>
    <console type='pty'><target type='serial' port='0'/></console>
    <rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
  </devices>
</domain>
",
        kind = lab.acceleration.domain_type(),
        name = machine.name,
        processors = machine.processors,
        memory = machine.memory,
        firmware = firmware(machine.firmware, directory)?,
        cpu = lab.acceleration.cpu(),
        disk = directory.join("disk.raw").display(),
        mac = machine.mac,
        console = console.display(),
    ))
}

/// The part of the domain that says what starts the machine.
fn firmware(firmware: Firmware, directory: &Path) -> Result<String> {
    if firmware == Firmware::UefiSnponly {
        let variables = directory.join("variables.fd");
        fs::copy("/usr/share/OVMF/OVMF_VARS_4M.fd", &variables)?;
        return Ok(format!(
            "<loader readonly='yes' type='pflash'>/usr/share/OVMF/OVMF_CODE_4M.fd</loader>\
             <nvram>{}</nvram>",
            variables.display()
        ));
    }
    let Some(text) = firmware.stand_in() else {
        return Ok(String::new());
    };
    let script = directory.join("firmware.ipxe");
    fs::write(&script, text)?;
    Ok(format!(
        "<kernel>/boot/ipxe.lkrn</kernel><initrd>{}</initrd>",
        script.display()
    ))
}
