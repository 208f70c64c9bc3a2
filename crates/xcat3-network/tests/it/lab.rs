//! Network namespaces: the network service as a program in one, machines in the others.
//!
//! ```text
//!   server:  s1 11.0.0.101/8 ─────── c1 :node      (the defined network)
//!            s2 192.168.77.1/24 ──── c2 :outside   (no network: not served)
//! ```

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use xcat3_core::osimage::{BootFile, ImageContent};
use xcat3_core::{Network, Nic, Node, OsImage, Passwd, State};
use xcat3_store::{Provision, Store};

use crate::clients::run;

pub const SERVER: &str = "11.0.0.101";
pub const NODE_MAC: &str = "52:54:00:00:00:01";
pub const NODE_IP: &str = "11.5.102.60";
pub const TOKEN: &str = "0123456789abcdef0123456789abcdef";
pub const IMAGE: &str = "debian13.0-x86_64";

static COUNT: AtomicU32 = AtomicU32::new(0);

pub struct Lab {
    name: String,
    pub base: tempfile::TempDir,
    service: Option<Child>,
    broker: Option<Child>,
    pub store: Store,
    user: Option<&'static str>,
}

/// Runs a command line to its end; panics with its error output where it fails.
pub fn sh(line: &str) -> String {
    let output = run("bash", "bash", &["-c", line]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{line}: {errors}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

impl Lab {
    /// Makes the namespaces and starts the service, as `user` where that is not root.
    pub async fn start(user: Option<&'static str>) -> Self {
        assert!(
            rustix::process::geteuid().is_root(),
            "these tests make network namespaces: run them as root"
        );
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let name = format!("x3n{}-{number}", std::process::id());
        let base = tempfile::tempdir().expect("a temporary directory");
        fill(base.path());
        let state = base.path().join("state");
        fs::create_dir_all(state.join("images")).expect("created");
        make_iso(
            base.path(),
            &state.join("images").join(format!("{IMAGE}.iso")),
        );
        sh(&format!(
            "for side in server node outside; do
                 ip netns add {name}-$side && ip -n {name}-$side link set lo up || exit 1
             done
             ip link add s1 netns {name}-server address 52:54:00:aa:00:01 type veth peer name c1 netns {name}-node &&
             ip link add s2 netns {name}-server type veth peer name c2 netns {name}-outside &&
             ip -n {name}-server addr add {SERVER}/8 dev s1 && ip -n {name}-server link set s1 up &&
             ip -n {name}-server addr add 192.168.77.1/24 dev s2 && ip -n {name}-server link set s2 up &&
             ip -n {name}-node link set c1 address {NODE_MAC} && ip -n {name}-node link set c1 up &&
             ip -n {name}-outside link set c2 address {NODE_MAC} && ip -n {name}-outside link set c2 up"
        ));
        let database = format!("sqlite:{}", state.join("xcat3.db").display());
        let store = Store::open(&database).await.expect("a store");
        if let Some(user) = user {
            sh(&format!(
                "chown -R {user} {0} && chmod 755 {0}",
                base.path().display()
            ));
        }
        let mut lab = Self {
            name,
            base,
            service: None,
            broker: None,
            store,
            user,
        };
        lab.start_broker();
        lab.restart();
        lab
    }

    /// Starts the message broker that a daemon of its own needs.
    fn start_broker(&mut self) {
        let mut command = Command::new("ip");
        command
            .args(["netns", "exec", &format!("{}-server", self.name)])
            .args(["nats-server", "-a", "127.0.0.1", "-p", "4222", "-js", "-sd"])
            .arg(self.base.path().join("broker"))
            .args(["-l", "/dev/null"])
            .stdin(Stdio::null());
        let started = command.spawn();
        self.broker = Some(started.expect("ip of the package iproute2 is installed"));
    }

    /// Starts the service, killing (-9) the one that runs.
    pub fn restart(&mut self) {
        self.kill();
        let log = fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.base.path().join("log"))
            .expect("a log file");
        let mut command = Command::new("ip");
        command.args(["netns", "exec", &format!("{}-server", self.name)]);
        if let Some(user) = self.user {
            command.args([
                "setpriv",
                "--clear-groups",
                "--bounding-set=-all",
                "--inh-caps=-all",
            ]);
            command.arg(format!("--reuid={user}"));
        }
        command
            .arg(env!("CARGO_BIN_EXE_xcat3-network"))
            .args(["--debug", "--config-file"])
            .arg(self.base.path().join("xcat3.conf"))
            .arg("--state-dir")
            .arg(self.base.path().join("state"))
            .env("HOME", self.base.path())
            .stdin(Stdio::null())
            .stderr(log);
        self.service = Some(
            command
                .spawn()
                .expect("ip of the package iproute2 is installed"),
        );
    }

    /// Restarts the service with this number of workers.
    pub fn restart_with(&mut self, workers: u32) {
        let config = config(self.base.path(), workers);
        fs::write(self.base.path().join("xcat3.conf"), config).expect("written");
        self.restart();
    }

    /// The processes of workers, in no order.
    pub fn workers(&self) -> Vec<u32> {
        let parent = self.service.as_ref().expect("it runs").id();
        let path = format!("/proc/{parent}/task/{parent}/children");
        let text = fs::read_to_string(path).expect("a process");
        let pids = text.split_whitespace();
        pids.map(|pid| pid.parse().expect("a number")).collect()
    }

    /// How many sockets the service has at a port, as `ss` lists them.
    pub fn sockets(&self, port: u16) -> usize {
        let list = self.on(
            "server",
            "iproute2",
            "ss",
            &["-Htulpn", "sport", &format!("= :{port}")],
        );
        let list = String::from_utf8_lossy(&list.stdout).into_owned();
        let ours = |line: &&str| line.contains("xcat3-network");
        list.lines().filter(ours).count()
    }

    /// Kills the service (SIGKILL).
    pub fn kill(&mut self) {
        if let Some(mut service) = self.service.take() {
            let _ = service.kill();
            let _ = service.wait();
        }
    }

    /// Stops the service (SIGTERM), which must exit with status 0.
    pub fn stop(&mut self) {
        let mut service = self.service.take().expect("it runs");
        sh(&format!("kill {}", service.id()));
        let deadline = Instant::now() + Duration::from_secs(10);
        let status = loop {
            if let Some(status) = service.try_wait().expect("its status") {
                break status;
            }
            assert!(Instant::now() < deadline, "it did not stop: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        };
        assert!(status.success(), "{status}: {}", self.log());
    }

    /// The log of the service.
    pub fn log(&self) -> String {
        fs::read_to_string(self.base.path().join("log")).unwrap_or_default()
    }

    /// Runs a program of a package on a machine.
    pub fn on(&self, side: &str, package: &str, program: &str, arguments: &[&str]) -> Output {
        let space = format!("{}-{side}", self.name);
        let inside = ["netns", "exec", &space, program];
        run(package, "ip", &[&inside, arguments].concat())
    }

    /// The status and the body of the response to curl on a machine.
    pub fn curl(&self, side: &str, arguments: &[&str]) -> (String, Vec<u8>) {
        let with = ["-s", "-m", "20", "-w", "%{stderr}%{http_code}"];
        let output = self.on(side, "curl", "curl", &[&with, arguments].concat());
        (
            String::from_utf8_lossy(&output.stderr).into_owned(),
            output.stdout,
        )
    }

    /// The body of a path, which must exist.
    pub fn get(&self, path: &str) -> Vec<u8> {
        let url = format!("http://{SERVER}:3011/{path}");
        let (status, body) = self.curl("node", &[&url]);
        assert_eq!(status, "200", "{path}: {}", String::from_utf8_lossy(&body));
        body
    }

    pub fn get_text(&self, path: &str) -> String {
        String::from_utf8(self.get(path)).expect("text")
    }

    /// The status of the response for a path.
    pub fn status(&self, path: &str) -> String {
        self.curl("node", &[&format!("http://{SERVER}:3011/{path}")])
            .0
    }

    /// What udhcpc on a machine gets: `ip`, `serverid`, … as `name=value` lines; `None` without a reply.
    pub fn udhcpc(&self, side: &str, mac: &str, more: &[&str]) -> Option<String> {
        let interface = if side == "node" { "c1" } else { "c2" };
        let space = format!("{}-{side}", self.name);
        sh(&format!("ip -n {space} link set {interface} address {mac}"));
        let script = self.base.path().join("udhcpc.sh");
        let script = script.to_str().expect("text");
        let wait = [
            "-i", interface, "-f", "-n", "-q", "-t", "4", "-T", "1", "-s", script,
        ];
        let output = self.on(side, "udhcpc", "udhcpc", &[&wait, more].concat());
        output
            .status
            .success()
            .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
    }

    /// The address that [`Lab::udhcpc`] gets.
    pub fn lease(&self, mac: &str) -> Option<String> {
        let given = self.udhcpc("node", mac, &[])?;
        given
            .lines()
            .find_map(|line| line.strip_prefix("ip=").map(str::to_owned))
    }

    /// Gives the node's interface addresses.
    pub fn address(&self, addresses: &[&str]) {
        let space = format!("{}-node", self.name);
        sh(&format!("ip -n {space} addr flush dev c1"));
        for address in addresses {
            sh(&format!("ip -n {space} addr add {address}/8 dev c1"));
        }
    }

    /// Gives the machine outside an address, and routes to all that the server owns.
    pub fn outside_address(&self) {
        let space = format!("{}-outside", self.name);
        sh(&format!(
            "ip -n {space} addr add 192.168.77.2/24 dev c2 && ip -n {space} route add 11.0.0.0/8 via 192.168.77.1"
        ));
    }

    /// Blocks writes to the store until the returned value is dropped.
    pub fn block_store(&self) -> Blocker {
        let database = self.base.path().join("state/xcat3.db");
        let program = format!(
            "import sqlite3, time; c = sqlite3.connect('{}', timeout=10, isolation_level=None)\n\
             c.execute('BEGIN IMMEDIATE'); print('bound', flush=True); time.sleep(60)",
            database.display()
        );
        let mut command = Command::new("python3");
        Blocker::start(command.args(["-c", &program]))
    }

    /// Binds the TFTP port at the server's address until the returned value is dropped.
    pub fn block_tftp(&self) -> Blocker {
        let program = format!(
            "import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n\
             s.bind(('{SERVER}', 69)); print('bound', flush=True)\n\
             import time; time.sleep(60)"
        );
        let mut command = Command::new("ip");
        command.args([
            "netns",
            "exec",
            &format!("{}-server", self.name),
            "python3",
            "-c",
            &program,
        ]);
        Blocker::start(&mut command)
    }

    /// Runs `ip` in the server's namespace.
    pub fn ip_on_server(&self, arguments: &str) {
        sh(&format!("ip -n {}-server {arguments}", self.name));
    }

    /// Waits until the current revision is served.
    pub async fn served(&self) {
        let revision = self.store.revision().await.expect("a revision");
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            // An absent service does not lag, so one must be online.
            let online = self.store.services().await.expect("services");
            let lagging = self
                .store
                .lagging_networks(revision)
                .await
                .expect("services");
            if online.iter().any(|service| service.online) && lagging.is_empty() {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "not served: {lagging:?} {}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// The note in the heartbeat of the service.
    pub async fn note(&self) -> String {
        let lagging = self
            .store
            .lagging_networks(i64::MAX)
            .await
            .expect("services");
        lagging.join("\n")
    }

    /// The network, a node that is being deployed, its image and the root password.
    pub async fn declare(&self) {
        let mut network = Network::new("c920", "11.0.0.0/8".parse().unwrap());
        network.gateway = Some("11.0.0.254".parse().unwrap());
        network.nameservers = vec!["11.0.0.53".parse().unwrap()];
        network.domain = Some("lab.test".into());
        network.dynamic_range = vec!["11.4.40.111-11.4.40.112".parse().unwrap()];
        self.store
            .create_network(&network)
            .await
            .expect("a network");
        let iso = self.base.path().join(format!("state/images/{IMAGE}.iso"));
        let mut image = OsImage::new(IMAGE, "debian", "13.0", "x86_64");
        image.content = Some(ImageContent {
            iso: format!("{IMAGE}.iso"),
            iso_size: fs::metadata(&iso).expect("the ISO").len(),
            iso_sha256: String::new(),
            codename: Some("trixie".into()),
            kernel: Some(BootFile::Iso("install.amd/vmlinuz".into())),
            initrd: Some(BootFile::Kept(format!("{IMAGE}.initrd.gz"))),
        });
        self.store.create_osimage(&image).await.expect("an image");
        let system = Passwd {
            key: xcat3_core::passwd::SYSTEM.into(),
            username: Some("root".into()),
            password: Some("sesame".into()),
            crypt_method: Some("sha512".into()),
        };
        self.store.create_passwd(&system).await.expect("a password");
        let mut node = Node::new("node1".parse().unwrap());
        node.declared.netboot = Some("pxe".into());
        node.declared.arch = Some("x86_64".into());
        node.nics = vec![Nic {
            uuid: uuid::Uuid::new_v4(),
            mac: NODE_MAC.parse().unwrap(),
            name: None,
            ip: NODE_IP.parse().ok(),
            netmask: None,
            primary: true,
            extra: serde_json::Map::new(),
            node: None,
        }];
        let made = self.store.create_nodes(&[node]).await.expect("a node");
        assert!(made[0].1.is_done(), "{made:?}");
        self.provision(State::Deploying, Some(TOKEN)).await;
    }

    /// Writes a state like a conductor.
    pub async fn provision(&self, state: State, token: Option<&str>) {
        provision(&self.store, state, token).await;
    }
}

/// Writes a state like a conductor.
pub async fn provision(store: &Store, state: State, token: Option<&str>) {
    let names = ["node1".parse().unwrap()];
    let reservation = store
        .reserve(&names, "test", "test", Duration::from_secs(30))
        .await;
    let fence = reservation.expect("a reservation").fence;
    let change = Provision {
        name: names[0].clone(),
        state,
        osimage: Some(IMAGE.into()),
        deploy_token: token.map(Into::into),
        failure: None,
    };
    store
        .provision(fence, &[change])
        .await
        .expect("provisioned");
    store.release(fence).await.expect("released");
}

/// A program that blocks a port or the store until this is dropped.
pub struct Blocker(Child);

impl Blocker {
    /// Runs a program that prints `bound` once it blocks.
    fn start(command: &mut Command) -> Self {
        let child = command.stdout(Stdio::piped()).spawn();
        let mut child = child.expect("python3 and ip are installed");
        let mut ready = [0; 6];
        let output = child.stdout.as_mut().expect("its output");
        std::io::Read::read_exact(output, &mut ready).expect("the program blocks");
        Self(child)
    }
}

impl Drop for Blocker {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.kill();
        if let Some(mut broker) = self.broker.take() {
            let _ = broker.kill();
            let _ = broker.wait();
        }
        for side in ["server", "node", "outside"] {
            let space = format!("{}-{side}", self.name);
            let _ = Command::new("ip").args(["netns", "del", &space]).status();
        }
        if std::thread::panicking() {
            eprintln!("--- log of the service:\n{}", self.log());
        }
    }
}

/// The configuration of a service with this number of workers.
fn config(base: &Path, workers: u32) -> String {
    let loaders = base.join("loaders");
    format!(
        "[bus]\nurl = \"nats://127.0.0.1:4222\"\n\
         [network]\nloader_dirs = [{loaders:?}]\nworkers = {workers}\n"
    )
}

/// Writes the files of the service and the clients.
fn fill(base: &Path) {
    let loaders = base.join("loaders");
    fs::create_dir_all(loaders.join("deeper")).expect("created");
    fs::write(loaders.join("undionly.kpxe"), loader()).expect("written");
    fs::write(base.join("secret"), "not to be served").expect("written");
    fs::write(base.join("xcat3.conf"), config(base, 1)).expect("written");
    let script = "#!/bin/sh\n[ \"$1\" = deconfig ] || env\n";
    fs::write(base.join("udhcpc.sh"), script).expect("written");
    sh(&format!("chmod 755 {}", base.join("udhcpc.sh").display()));
}

/// A loader of several blocks.
pub fn loader() -> Vec<u8> {
    (0..70_000u32).map(|byte| (byte % 251) as u8).collect()
}

/// A file of the image whose name needs Rock Ridge.
pub fn package() -> Vec<u8> {
    (0..300_000u32).map(|byte| (byte * 7 % 253) as u8).collect()
}

fn make_iso(base: &Path, iso: &Path) {
    let tree = base.join("tree");
    fs::create_dir_all(tree.join("pool/main/b/bash")).expect("created");
    fs::create_dir_all(tree.join("install.amd")).expect("created");
    fs::create_dir_all(tree.join("dists/trixie")).expect("created");
    fs::write(tree.join("install.amd/vmlinuz"), "the kernel").expect("written");
    fs::write(tree.join("dists/trixie/Release"), "Suite: stable\n").expect("written");
    fs::write(
        tree.join("pool/main/b/bash/bash_5.2+really~1-2_amd64.deb"),
        package(),
    )
    .expect("written");
    std::os::unix::fs::symlink("trixie", tree.join("dists/stable")).expect("a link");
    let initrd = iso.with_file_name(format!("{IMAGE}.initrd.gz"));
    fs::write(initrd, "the initrd").expect("written");
    let output = run(
        "xorriso",
        "xorriso",
        &[
            "-as",
            "mkisofs",
            "-quiet",
            "-R",
            "-J",
            "-o",
            iso.to_str().expect("text"),
            tree.to_str().expect("text"),
        ],
    );
    assert!(output.status.success(), "{output:?}");
}
