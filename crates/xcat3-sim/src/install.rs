//! The whole way with Debian's own installer, from an empty disk to ssh: the demo, and the end-to-end
//! test of the same.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::journey::{Site, Size, Traveller};
use crate::lab::acceleration::Acceleration;
use crate::lab::guest::Firmware;
use crate::lab::{Lab, outside};
use crate::media::Medium;
use crate::product::{NodeView, Product};
use crate::report::{Phases, say};

/// What shortens an install without making it another one.
const EARLY: &str = include_str!("../lab/quick-install.sh");

/// Emulated, on a machine that does other things at the same time.
const INSTALL_WITHIN: Duration = Duration::from_secs(3600);
const BOOT_WITHIN: Duration = Duration::from_secs(300);
const NEWS_EVERY: Duration = Duration::from_secs(15);

/// Titles that the installer's text frontend prints, and what we call what begins with them.
const MILESTONES: &[(&str, &str)] = &[
    ("Linux version", "firmware, loader, kernel and initrd"),
    ("Loading additional components", "installer starts, network"),
    ("Starting up the partitioner", "installer components"),
    ("Installing the base system", "partitions"),
    ("Configuring apt", "base system"),
    ("Select and install software", "apt"),
    ("Installing GRUB boot loader", "packages"),
    ("Finishing the installation", "boot loader"),
];

/// How to go about it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    /// Leave the lab up at the end.
    pub keep: bool,
    /// Kill xcat3d while the node fetches packages, and start it again.
    pub kill_server: bool,
}

/// Installs one node.
pub fn run(directory: &Path, cache: &Path, options: Options) -> Result<()> {
    let mut phases = Phases::default();
    let iso = Medium::Debian.iso(cache)?;
    let lab = Lab::start(&directory.join("lab"), &Medium::Small.iso(cache)?)?;
    say(format_args!(
        "a lab: xcat3 on {}, a hypervisor on {}, guests by {:?}",
        crate::lab::segment::SERVER,
        crate::lab::segment::HYPERVISOR,
        lab.acceleration
    ));
    let product = start_product(&directory.join("product"))?;
    let mut site = Site { lab, product };
    phases.end("lab and xcat3d");
    let idle = site.product.memory()?;
    let result = travel(&mut site, &iso, options, &mut phases);
    say(format_args!("\nHow long it took:\n{}", phases.table()));
    let most = result?;
    say(format_args!(
        "xcat3d used {} MiB before, {} MiB at most during the install",
        idle >> 10,
        most >> 10
    ));
    say("1 passed, 0 failed");
    if options.keep {
        how_to_go_on(&site);
        outside::keep(directory)?;
    }
    Ok(())
}

/// xcat3d with the few settings that make an emulated install quicker.
fn start_product(directory: &Path) -> Result<Product> {
    fs::create_dir_all(directory)?;
    let early = directory.join("early.sh");
    fs::write(&early, EARLY)?;
    let config = format!(
        "[install]\nlocale = \"C\"\nkernel_package = \"linux-image-cloud-amd64\"\n\
         base_packages = [\"openssh-server\", \"zstd\", \"busybox\"]\nearly_script = \"{}\"\n",
        early.display()
    );
    say(format_args!("\nxcat3d runs with these settings:\n{config}"));
    Product::start(directory, Some(&config)).context("starting xcat3d")
}

/// The commands of the README and what comes of them; gives the most memory that xcat3d used.
fn travel(site: &mut Site, iso: &Path, options: Options, phases: &mut Phases) -> Result<u64> {
    let image = site
        .prepare(iso)
        .inspect_err(|_| say(site.evidence(None)))?;
    phases.end("network, import of the ISO, password");
    let processors = if site.lab.acceleration == Acceleration::Kvm {
        4
    } else {
        2
    };
    let size = Size {
        firmware: Firmware::BiosIpxe,
        processors,
        memory: 1024,
        disk: 8,
    };
    let mut node = site.enrol(1, &size)?;
    site.product
        .run(&["xcat3", "deploy", &node.name, "--osimage", &image])?;
    phases.end("enrol and deploy");
    site.product.run(&["xcat3", "power", &node.name, "on"])?;
    phases.end("power on");
    let mut watch = Watch::new(phases, site.product.memory()?);
    let result = watch.install(site, &mut node, options);
    let most = watch.most;
    let result = result.and_then(|()| arrive(site, &mut node, phases));
    if result.is_err() {
        say(site.evidence(Some(&mut node)));
    }
    result.map(|()| most)
}

/// After the callback: the reboot, and a login on the installed system.
fn arrive(site: &Site, node: &mut Traveller, phases: &mut Phases) -> Result<()> {
    say(format_args!(
        "\n{} is deployed; it starts from its disk",
        node.name
    ));
    let within = BOOT_WITHIN;
    site.hear(node, "boots its disk", within)?;
    phases.end("reboot to the boot loader");
    let prompt = format!("{} login:", node.name);
    site.hear(node, &prompt, within)?;
    phases.end("boot from disk to the login prompt");
    let script = "hostname; cat /etc/os-release; uptime";
    say(format_args!("\n$ ssh root@{} '{script}'", node.ip));
    let answer = site.ssh(node, script, within)?;
    say(answer.trim_end());
    phases.end("ssh");
    let name = answer.lines().next() == Some(node.name.as_str());
    ensure!(name, "the machine that answers is not {}", node.name);
    ensure!(answer.contains("\nID=debian\n"), "it does not run Debian");
    ensure!(
        site.product.node(&node.name)?.is("deployed"),
        "the node did not stay deployed"
    );
    let stale = "cat /etc/apt/apt.conf.d/99xcat3-install 2>/dev/null; true";
    let left = site.ssh(node, stale, within)?;
    ensure!(
        left.is_empty(),
        "the installer's trust in unsigned packages was left behind"
    );
    Ok(())
}

/// What is told of an install while it runs.
struct Watch<'a> {
    phases: &'a mut Phases,
    milestones: &'a [(&'a str, &'a str)],
    started: Instant,
    told: Option<(Instant, String)>,
    most: u64,
}

impl<'a> Watch<'a> {
    fn new(phases: &'a mut Phases, most: u64) -> Self {
        Self {
            phases,
            milestones: MILESTONES,
            started: Instant::now(),
            told: None,
            most,
        }
    }

    fn install(&mut self, site: &mut Site, node: &mut Traveller, options: Options) -> Result<()> {
        if options.kill_server {
            site.follow(node, INSTALL_WITHIN, |node, view| {
                self.note(&site.product, node, view);
                node.guest.console.has("Installing the base system")
            })?;
            say("\nxcat3d is killed in the middle of the install, and started again");
            site.product.kill_daemon()?;
            site.product.start_daemon()?;
        }
        site.follow(node, INSTALL_WITHIN, |node, view| {
            self.note(&site.product, node, view);
            view.is("deployed")
        })?;
        self.phases.end("finishing, callback");
        Ok(())
    }

    fn note(&mut self, product: &Product, node: &mut Traveller, view: &NodeView) {
        self.most = self.most.max(product.memory().unwrap_or(0));
        while let Some((title, ended)) = self.milestones.first()
            && node.guest.console.has(title)
        {
            self.phases.end(*ended);
            self.milestones = &self.milestones[1..];
        }
        let phase = view.phase.clone().unwrap_or_default();
        let due = |(at, told): &(Instant, String)| *told != phase || at.elapsed() > NEWS_EVERY;
        let due = self.told.as_ref().is_none_or(due);
        let console = node.guest.console.last_lines(1);
        if due {
            let detail = shortened(view.detail.as_deref().unwrap_or_default(), 48);
            let seconds = self.started.elapsed().as_secs();
            say(format_args!(
                "{seconds:>5} s  {phase:<11} {detail:<48} | {}",
                shortened(&console, 60)
            ));
            self.told = Some((Instant::now(), phase));
        }
    }
}

/// The end of a text that is too long.
fn shortened(text: &str, most: usize) -> String {
    let text = text.trim();
    let count = text.chars().count();
    if count <= most {
        return text.to_owned();
    }
    format!(
        "…{}",
        text.chars().skip(count + 1 - most).collect::<String>()
    )
}

fn how_to_go_on(site: &Site) {
    let ip = crate::lab::segment::guest(1);
    let key = site.product.operators_key();
    let known = site.lab.directory.join("known_hosts");
    say(format_args!(
        "\nThe lab stays up. To go on:\n  \
         cargo xtask lab enter ssh -i {} -o UserKnownHostsFile={} root@{ip}\n  \
         cargo xtask lab enter virsh list --all\n  \
         cargo xtask lab enter curl -s http://127.0.0.1:3010/v1/nodes/node1\n  \
         cargo xtask lab stop",
        key.display(),
        known.display(),
    ));
}
