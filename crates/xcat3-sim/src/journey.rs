//! The way of a node from an empty disk to ssh, by the commands of the README.

use std::fmt::Write as _;
use std::net::Ipv4Addr;
use std::path::Path;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::command::{command, finished, words};
use crate::lab::guest::{Firmware, Guest, Machine};
use crate::lab::{Lab, segment};
use crate::product::{NodeView, Product};
use crate::report::say;

/// A lab with the product in it.
pub struct Site {
    /// The hypervisor and the guests.
    pub lab: Lab,
    /// xcat3d and its clients.
    pub product: Product,
}

/// What kind of machine a node is.
pub struct Size {
    /// How it boots.
    pub firmware: Firmware,
    /// How many processors.
    pub processors: u8,
    /// Memory in MiB.
    pub memory: u32,
    /// Its disk in GiB.
    pub disk: u64,
}

/// One node on its way.
pub struct Traveller {
    /// Its name.
    pub name: String,
    /// Its address.
    pub ip: Ipv4Addr,
    /// Its hardware address.
    pub mac: String,
    /// The machine itself.
    pub guest: Guest,
    /// How often QEMU crashed under it.
    crashes: u8,
}

impl Site {
    /// Tells xcat3 of the lab's network, root password and ISO; gives the image's name.
    pub fn prepare(&self, iso: &Path) -> Result<String> {
        self.product.run(&[
            "xcat3",
            "network-create",
            "lab",
            &format!("subnet={}", segment::SUBNET),
            &format!("netmask={}", segment::NETMASK),
            &format!("gateway={}", segment::SERVER),
            &format!("dynamic_range={}", segment::DYNAMIC),
            &format!("nameservers={}", segment::SERVER),
        ])?;
        self.product
            .run(&["xcat3-copycds", &iso.display().to_string()])?;
        self.product.run(&["xcat3", "osimage-list"])?;
        let password = [
            "xcat3",
            "passwd-create",
            "system",
            "username=root",
            "password=not-a-secret-in-the-lab",
        ];
        self.product.run(&password)?;
        let images = self.product.get("/v1/osimages")?;
        let name = images["images"][0]["name"].as_str();
        Ok(name.context("the import registered no osimage")?.to_owned())
    }

    /// Makes the n-th guest, from 1, and enrols it as a node.
    pub fn enrol(&self, number: u8, size: &Size) -> Result<Traveller> {
        let (name, mac) = (format!("node{number}"), segment::guest_mac(number));
        let machine = Machine {
            name: &name,
            mac: &mac,
            firmware: size.firmware,
            processors: size.processors,
            memory: size.memory,
            disk: size.disk,
        };
        let guest = Guest::define(&self.lab, &machine).context("defining the virtual machine")?;
        let ip = segment::guest(number);
        let key = self.lab.hypervisor.key();
        self.product.run(&[
            "xcat3",
            "create",
            &name,
            "--control",
            &format!(
                "ssh_username=root,ssh_virt_type=virsh,ssh_address={},ssh_key_filename={}",
                segment::HYPERVISOR,
                key.display()
            ),
            "--nic",
            &format!("mac={mac},ip={ip},name=eth0,primary=True"),
            "mgt=kvm",
            "netboot=pxe",
            "arch=x86_64",
        ])?;
        Ok(Traveller {
            name,
            ip,
            mac,
            guest,
            crashes: 0,
        })
    }

    /// Looks at the node again and again until `arrived` says that it is where it should be.
    ///
    /// # Errors
    /// It takes too long, the deploy failed, or the guest died or asks a question.
    pub fn follow(
        &self,
        node: &mut Traveller,
        within: Duration,
        mut arrived: impl FnMut(&mut Traveller, &NodeView) -> bool,
    ) -> Result<()> {
        let started = Instant::now();
        loop {
            let view = self.product.node(&node.name).unwrap_or_default();
            if arrived(node, &view) {
                return Ok(());
            }
            let phase = view.phase.as_deref().unwrap_or("none");
            if let Some(trouble) = node.guest.console.trouble() {
                bail!("{} stopped in phase {phase}: {trouble}", node.name);
            }
            let alive = self.keep_alive(node);
            alive.with_context(|| format!("{} stopped in phase {phase}", node.name))?;
            if view.is("failed") {
                let why = view.failure.as_deref().unwrap_or("no reason is given");
                bail!("the deploy of {} failed in phase {phase}: {why}", node.name);
            }
            if started.elapsed() > within {
                bail!(
                    "{} got no further than phase {phase} in {within:?}",
                    node.name
                );
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Runs a command on the node over ssh, with the operator's key, as soon as its sshd answers.
    pub fn ssh(&self, node: &Traveller, script: &str, within: Duration) -> Result<String> {
        let started = Instant::now();
        loop {
            let mut ssh = command("ssh");
            let known = format!(
                "UserKnownHostsFile={}",
                self.lab.directory.join("known_hosts").display()
            );
            ssh.arg("-i")
                .arg(self.product.operators_key())
                .args(["-o", &known]);
            ssh.args([
                "-o",
                "StrictHostKeyChecking=accept-new",
                "-o",
                "BatchMode=yes",
            ]);
            ssh.args(["-o", "ConnectTimeout=5", "-o", "IdentitiesOnly=yes"]);
            ssh.arg(format!("root@{}", node.ip)).arg(script);
            let result = finished(&mut ssh)?;
            if result.status.success() {
                return Ok(String::from_utf8_lossy(&result.stdout).into_owned());
            }
            if started.elapsed() > within {
                let why = String::from_utf8_lossy(&result.stderr).trim().to_owned();
                bail!("`{}` failed for {within:?}: {why}", words(&ssh));
            }
            thread::sleep(Duration::from_millis(500));
        }
    }

    /// Waits until the guest writes this to its serial line.
    pub fn hear(&self, node: &mut Traveller, says: &str, within: Duration) -> Result<()> {
        let started = Instant::now();
        while !node.guest.console.has(says) {
            self.keep_alive(node)?;
            ensure!(
                started.elapsed() < within,
                "{} did not say '{says}' in {within:?}",
                node.name
            );
            thread::sleep(Duration::from_millis(200));
        }
        Ok(())
    }

    /// Powers the guest on again where QEMU crashed under it: its emulation does now and then, and
    /// no guest should be able to bring that about.
    fn keep_alive(&self, node: &mut Traveller) -> Result<()> {
        let Some(state) = node.guest.gone() else {
            return Ok(());
        };
        ensure!(state.contains("crashed"), "its machine is {state}");
        node.crashes += 1;
        ensure!(node.crashes < 3, "QEMU crashed under it for the third time");
        say("QEMU itself crashed: once more");
        self.product.run(&["xcat3", "power", &node.name, "on"])?;
        Ok(())
    }

    /// The last of DHCP, HTTP and console, for someone who has to find out what went wrong.
    #[must_use]
    pub fn evidence(&self, node: Option<&mut Traveller>) -> String {
        let mut text = String::new();
        let mut part = |title: &str, lines: String| {
            let _ = writeln!(text, "\n--- {title} ---\n{lines}");
        };
        let (dhcp, files) = ("xcat3_network::dhcp", "xcat3_network::handlers");
        let log = |count, about: &dyn Fn(&str) -> bool| self.product.log_lines(count, about);
        part("xcat3d: DHCP", log(8, &|line| line.contains(dhcp)));
        part(
            "xcat3d: TFTP and HTTP",
            log(12, &|line| line.contains(files)),
        );
        let rest = |line: &str| !line.contains(dhcp) && !line.contains(files);
        part("xcat3d: all else", log(15, &rest));
        if let Some(node) = node {
            part(
                &format!("console of {}", node.name),
                node.guest.console.last_lines(25),
            );
        }
        text
    }
}
