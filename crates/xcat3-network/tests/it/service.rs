//! The whole service in network namespaces, with real DHCP clients, curl and TFTP.

use std::future::Future;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use xcat3_core::boot::Phase;
use xcat3_core::{Operation, Outcome, State};
use xcat3_store::Store;

use crate::lab::{IMAGE, Lab, NODE_IP, NODE_MAC, SERVER, TOKEN, loader, package, provision, sh};

const UNKNOWN_MACS: [&str; 3] = [
    "52:54:00:00:00:91",
    "52:54:00:00:00:92",
    "52:54:00:00:00:93",
];

fn line<'a>(given: &'a str, name: &str) -> &'a str {
    let mut lines = given.lines().filter_map(|line| line.split_once('='));
    lines
        .find(|(key, _)| *key == name)
        .map_or("", |(_, value)| value)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn node_gets_its_address_with_udhcpc_and_dhclient() {
    let mut lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    let pxe = [
        "-V",
        "PXEClient:Arch:00000:UNDI:002001",
        "-O",
        "bootfile",
        "-O",
        "domain",
    ];
    let given = lab.udhcpc("node", NODE_MAC, &pxe).expect("a lease");
    for (name, value) in [
        ("ip", NODE_IP),
        ("subnet", "255.0.0.0"),
        ("router", "11.0.0.254"),
        ("dns", "11.0.0.53"),
        ("domain", "lab.test"),
        ("serverid", SERVER),
        ("siaddr", SERVER),
        ("boot_file", "undionly.kpxe"),
        ("lease", "43200"),
    ] {
        assert_eq!(line(&given, name), value, "{name} in {given}");
    }
    let dir = lab.base.path().display().to_string();
    let (leases, pid) = (format!("{dir}/leases"), format!("{dir}/pid"));
    let arguments = [
        "-1",
        "-sf",
        "/bin/true",
        "-cf",
        "/dev/null",
        "-lf",
        &leases,
        "-pf",
        &pid,
        "c1",
    ];
    let silent = format!(
        "exec dhclient {} > {dir}/dhclient 2>&1",
        arguments.join(" ")
    );
    let output = lab.on("node", "isc-dhcp-client", "sh", &["-c", &silent]);
    assert!(output.status.success(), "{output:?}");
    // dhclient continues in the background and writes the file after the foreground has ended.
    let wait = format!("until [ -s {pid} ]; do sleep 0.05; done");
    sh(&format!("timeout 60 sh -c '{wait}' && kill $(cat {pid})"));
    let leases = std::fs::read_to_string(leases).unwrap_or_default();
    assert!(
        leases.contains(&format!("fixed-address {NODE_IP};")),
        "{leases}"
    );
    assert!(leases.contains("option host-name \"node1\";"), "{leases}");
    lab.stop();
    assert!(lab.note().await.is_empty(), "the service signed off");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn interface_without_network_gets_no_service() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    assert_eq!(lab.udhcpc("outside", NODE_MAC, &[]), None);
    lab.outside_address();
    for address in ["192.168.77.1", SERVER] {
        let url = format!("http://{address}:3011/loaders/undionly.kpxe");
        assert_eq!(lab.curl("outside", &["-m", "3", &url]).0, "000", "{url}");
        let url = format!("tftp://{address}/undionly.kpxe");
        assert_eq!(lab.curl("outside", &["-m", "3", &url]).1, b"", "{url}");
    }
    assert_eq!(
        lab.lease(NODE_MAC).as_deref(),
        Some(NODE_IP),
        "the served interface still works"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn boot_files_are_served_by_http_and_tftp() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    lab.address(&[NODE_IP, "11.5.102.99"]);
    let tftp = |path: &str| lab.curl("node", &[&format!("tftp://{SERVER}/{path}")]).1;
    assert_eq!(tftp("undionly.kpxe"), loader());
    assert_eq!(lab.get("loaders/undionly.kpxe"), loader());
    let script = lab.get_text("boot/52-54-00-00-00-01.ipxe");
    let kernel = format!("http://{SERVER}:3011/images/{IMAGE}/install.amd/vmlinuz");
    assert!(script.starts_with("#!ipxe") && script.contains(&kernel) && script.contains(TOKEN));
    assert_eq!(lab.get_text("boot.ipxe?mac=52%3a54:00:00:00:01"), script);
    let config = String::from_utf8(tftp("pxelinux.cfg/01-52-54-00-00-00-01")).unwrap();
    assert!(
        config.contains("KERNEL") && config.contains(TOKEN),
        "{config}"
    );
    assert_eq!(tftp("pxelinux.cfg/0B05663C"), config.as_bytes());
    assert_eq!(tftp("pxelinux.cfg/default"), config.as_bytes());
    assert_eq!(tftp("pxelinux.cfg/0B0566"), b"");
    assert_eq!(
        lab.get_text(&format!("images/{IMAGE}/install.amd/vmlinuz")),
        "the kernel"
    );
    assert_eq!(
        tftp(&format!("images/{IMAGE}/install.amd/vmlinuz")),
        b"the kernel"
    );
    assert_eq!(lab.get_text(&format!("kept/{IMAGE}/initrd")), "the initrd");
    assert_eq!(
        lab.get_text(&format!("images/{IMAGE}/dists/stable/Release")),
        "Suite: stable\n"
    );
    let deb = format!("images/{IMAGE}/pool/main/b/bash/bash_5.2+really~1-2_amd64.deb");
    assert_eq!(lab.get(&deb), package());
    let url = format!("http://{SERVER}:3011/{deb}");
    let (status, part) = lab.curl("node", &["-r", "1000-1999", &url]);
    assert_eq!(
        (status.as_str(), &part[..]),
        ("206", &package()[1000..2000])
    );
    for path in [
        "loaders/../secret",
        "..%2fsecret",
        "loaders/deeper",
        "nothing",
        "images/none/x",
        "kept/none/kernel",
        "pxelinux.cfg/01-52-54-00-00-00-07",
        "boot/52-54-00-00-00-07.ipxe",
        "node/x/answer",
        "boot.ipxe",
    ] {
        let status = lab.status(path);
        assert!(
            ["404", "400"].contains(&status.as_str()),
            "{path}: {status}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn documents_are_served_to_their_node_only() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    lab.address(&[NODE_IP, "11.5.102.99"]);
    let answer = lab.get_text(&format!("node/{TOKEN}/answer"));
    assert!(
        answer.contains("$6$") && !answer.contains("sesame"),
        "{answer}"
    );
    assert!(
        lab.get_text(&format!("node/{TOKEN}/late"))
            .contains("callback")
    );
    for path in [
        "boot/52-54-00-00-00-01.ipxe",
        &format!("node/{TOKEN}/answer"),
    ] {
        let url = format!("http://{SERVER}:3011/{path}");
        let (status, body) = lab.curl("node", &["--interface", "11.5.102.99", &url]);
        assert_eq!(status, "403", "{path}");
        assert!(!String::from_utf8_lossy(&body).contains(TOKEN));
    }
    assert_eq!(
        lab.status("node/0123456789abcdef0123456789abcdee/answer"),
        "404"
    );
    let url = format!("tftp://{SERVER}/pxelinux.cfg/0B05663C");
    assert_eq!(
        lab.curl("node", &["--interface", "11.5.102.99", &url]).1,
        b""
    );
    // After the deployment the token is invalid.
    lab.provision(State::Deployed, None).await;
    lab.served().await;
    assert_eq!(lab.status(&format!("node/{TOKEN}/answer")), "404");
    assert!(
        !lab.get_text("boot/52-54-00-00-00-01.ipxe")
            .contains("kernel")
    );
    let log = lab.log();
    assert!(
        !log.contains(TOKEN) && !log.contains("sesame"),
        "a secret is in the log"
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn callback_ends_deployment_and_boot_events_are_recorded() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    lab.udhcpc("node", NODE_MAC, &["-V", "PXEClient:Arch:00000"])
        .expect("a lease");
    seen(&lab, Phase::Dhcp, NODE_IP).await;
    lab.address(&[NODE_IP]);
    lab.get("boot/52-54-00-00-00-01.ipxe");
    seen(&lab, Phase::BootScript, "GET /boot/52-54").await;
    lab.get(&format!("images/{IMAGE}/install.amd/vmlinuz"));
    seen(&lab, Phase::Kernel, "vmlinuz").await;
    lab.get(&format!("node/{TOKEN}/answer"));
    seen(&lab, Phase::Installer, "GET /node/…/answer").await;
    lab.get(&format!("images/{IMAGE}/dists/trixie/Release"));
    seen(&lab, Phase::Packages, "dists/trixie/Release").await;
    lab.get(&format!(
        "node/{TOKEN}/progress?at=partitioning+%2fdev%2fvda"
    ));
    seen(&lab, Phase::Packages, "installer: partitioning /dev/vda").await;
    let conductor = tokio::spawn(conduct(lab.store.clone()));
    assert_eq!(lab.status(&format!("node/{TOKEN}/callback")), "200");
    assert_eq!(conductor.await.unwrap(), Operation::Callback);
    lab.served().await;
    let node = lab.store.all_nodes().await.unwrap().remove(0);
    assert_eq!(node.deployment.state, State::Deployed);
    // The response may have been lost: a repeated callback gets the same.
    assert_eq!(lab.status(&format!("node/{TOKEN}/callback")), "200");
    assert!(lab.store.unfinished_batches().await.unwrap().is_empty());
}

/// Carries out the next job like a conductor, and returns its operation.
async fn conduct(store: Store) -> Operation {
    loop {
        if let Some(&(job, number, _)) = store.unfinished_batches().await.unwrap().first() {
            let batch = store.begin_batch(job, number).await.unwrap().unwrap();
            provision(&store, State::Deployed, None).await;
            let outcomes = [(batch.names[0].clone(), Outcome::OK)];
            store.settle(job, None, &outcomes).await.unwrap();
            store.finish_batch(job, number, None).await.unwrap();
            return batch.operation;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

async fn seen(lab: &Lab, phase: Phase, detail: &str) {
    for _ in 0..100 {
        let node = lab.store.all_nodes().await.unwrap().remove(0);
        let progress = node.deployment.progress.expect("progress");
        if progress.phase == phase && progress.detail.contains(detail) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    let node = lab.store.all_nodes().await.unwrap().remove(0);
    panic!(
        "{phase} with '{detail}' was not seen: {:?}",
        node.deployment.progress
    );
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn lease_survives_kill_of_the_service() {
    let mut lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    let first = lab.lease(UNKNOWN_MACS[0]).expect("a lease");
    assert!(first.starts_with("11.4.40.11"), "{first}");
    let saved = lab.store.leases().await.unwrap();
    assert_eq!(saved.len(), 1, "the lease was saved before the reply");
    assert_eq!(
        (saved[0].ip.to_string(), saved[0].network.as_str()),
        (first.clone(), "c920")
    );
    lab.restart();
    lab.served().await;
    let second = lab.lease(UNKNOWN_MACS[1]).expect("a lease");
    assert_ne!(second, first);
    assert_eq!(
        lab.lease(UNKNOWN_MACS[2]),
        None,
        "the range has no free address"
    );
    assert_eq!(lab.lease(UNKNOWN_MACS[0]), Some(first));
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn nodes_and_discovered_machines_are_served_while_the_store_is_away() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    let blocker = lab.block_store();
    let given = lab.udhcpc("node", UNKNOWN_MACS[0], &[]).expect("a lease");
    let first = line(&given, "ip").to_owned();
    assert_eq!(
        line(&given, "lease"),
        "300",
        "unsaved lease is for minutes only: {given}"
    );
    assert_ne!(lab.lease(UNKNOWN_MACS[1]).expect("a lease"), first);
    assert_eq!(lab.lease(NODE_MAC).as_deref(), Some(NODE_IP));
    assert!(lab.store.leases().await.unwrap().is_empty());
    drop(blocker);
    for _ in 0..100 {
        if lab.store.leases().await.unwrap().len() == 2 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the leases were not saved later");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn router_solicitation_gets_advertisement_without_router() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    // A message of 16 bytes, type 134, with router lifetime 0 and nothing to configure.
    let program = "
import socket, time
s = socket.socket(socket.AF_INET6, socket.SOCK_RAW, socket.IPPROTO_ICMPV6)
s.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, b'INTERFACE')
s.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, 255)
s.settimeout(0.5)
for n in range(10):
    try:
        s.sendto(bytes([133, 0, 0, 0, 0, 0, 0, 0]), ('ff02::2', 0, 0, socket.if_nametoindex('INTERFACE')))
        while True:
            message = s.recvfrom(2048)[0]
            if message[0] == 134:
                print(message[:2].hex(), message[4:].hex())
                raise SystemExit
    except OSError:  # no reply, or the address is not ready yet
        time.sleep(0.3)
";
    let solicit = |side, interface: &str| {
        let program = program.replace("INTERFACE", interface);
        let output = lab.on(side, "python3", "python3", &["-c", &program]);
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(solicit("node", "c1"), "8600 000000000000000000000000");
    assert_eq!(solicit("outside", "c2"), "");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn servers_follow_networks_and_interfaces() {
    let lab = Lab::start(None).await;
    lab.served().await;
    assert_eq!(lab.note().await.lines().count(), 1);
    assert_eq!(
        lab.status("loaders/undionly.kpxe"),
        "000",
        "without a network nothing is bound"
    );
    lab.declare().await;
    lab.served().await;
    lab.address(&[NODE_IP]);
    assert_eq!(lab.status("loaders/undionly.kpxe"), "200");
    lab.ip_on_server(&format!("addr del {SERVER}/8 dev s1"));
    has_note(&lab, "network c920: no interface").await;
    lab.ip_on_server(&format!("addr add {SERVER}/8 dev s1"));
    for _ in 0..100 {
        if !lab.note().await.contains("c920") {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(lab.status("loaders/undionly.kpxe"), "200");
    lab.store.delete_network("c920").await.unwrap();
    lab.served().await;
    assert_eq!(lab.status("loaders/undionly.kpxe"), "000");
}

async fn has_note(lab: &Lab, sentence: &str) {
    for _ in 0..100 {
        if lab.note().await.contains(sentence) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("'{sentence}' is not in: {}", lab.note().await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn missing_permission_is_reported_and_files_are_served() {
    let lab = Lab::start(Some("nobody")).await;
    lab.declare().await;
    lab.served().await;
    let sentence = "network c920: cannot serve DHCP on s1: permission denied binding UDP port 67 — \
                    run as root or grant CAP_NET_BIND_SERVICE, CAP_NET_RAW";
    has_note(&lab, sentence).await;
    lab.address(&[NODE_IP]);
    assert_eq!(lab.status("loaders/undionly.kpxe"), "200");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn port_in_use_is_reported_and_bound_once_free() {
    let lab = Lab::start(None).await;
    let blocker = lab.block_tftp();
    lab.declare().await;
    lab.served().await;
    has_note(
        &lab,
        "network c920: cannot serve TFTP on s1: UDP port 69 is in use",
    )
    .await;
    drop(blocker);
    for _ in 0..100 {
        if !lab.note().await.contains("TFTP") {
            lab.address(&[NODE_IP]);
            let got = lab
                .curl("node", &[&format!("tftp://{SERVER}/undionly.kpxe")])
                .1;
            assert_eq!(got, loader());
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the free port was not bound: {}", lab.note().await);
}

/// Waits until `condition` holds.
async fn eventually<Trying>(what: &str, mut condition: impl FnMut() -> Trying)
where
    Trying: Future<Output = bool>,
{
    let deadline = Instant::now() + Duration::from_secs(60);
    while !condition().await {
        assert!(Instant::now() < deadline, "not in time: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

fn signal(pid: u32, signal: Signal) {
    let pid = Pid::from_raw(pid.cast_signed()).expect("a process");
    kill_process(pid, signal).expect("it is there");
}

async fn workers_online(store: &Store) -> u32 {
    let services = store.services().await.expect("services");
    let online = services.iter().filter(|service| service.online);
    online.map(|service| service.workers).sum()
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn all_workers_serve_files_and_the_first_serves_dhcp() {
    let mut lab = Lab::start(None).await;
    lab.restart_with(2);
    lab.declare().await;
    eventually("two workers", || async {
        workers_online(&lab.store).await == 2
    })
    .await;
    lab.served().await;
    // TFTP and HTTP at the server's address and for the host itself, DHCP once.
    eventually("all ports", || async {
        (lab.sockets(3011), lab.sockets(69), lab.sockets(67)) == (4, 4, 1)
    })
    .await;
    assert_eq!(lab.lease(NODE_MAC).as_deref(), Some(NODE_IP));
    lab.address(&[NODE_IP]);
    // The client's port selects the worker.
    for _ in 0..16 {
        assert_eq!(lab.get("loaders/undionly.kpxe"), loader());
        let url = format!("tftp://{SERVER}/undionly.kpxe");
        assert_eq!(lab.curl("node", &[&url]).1, loader());
        lab.get(&format!("images/{IMAGE}/install.amd/vmlinuz"));
    }
    let names = ["node1".parse().unwrap()];
    eventually("the kernel is its last phase", || async {
        let progress = lab.store.progress(&names).await.expect("progress");
        progress[&names[0]].phase == Phase::Kernel
    })
    .await;
    let log = lab.log();
    for number in [0, 1] {
        let label = format!(" worker {number} ");
        let lines = log.lines().filter(|line| line.contains(&label));
        let dhcp = lines.filter(|line| line.contains("DHCP reply")).count();
        assert_eq!(dhcp > 0, number == 0, "worker {number}: {log}");
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn revision_counts_as_served_once_all_workers_serve_it() {
    let mut lab = Lab::start(None).await;
    lab.restart_with(2);
    lab.declare().await;
    eventually("two workers", || async {
        workers_online(&lab.store).await == 2
    })
    .await;
    lab.served().await;
    let (first, second) = (lab.workers()[0], lab.workers()[1]);
    for stopped in [first, second] {
        xcat3_backing::stand_still(stopped).unwrap();
        provision(&lab.store, State::Deployed, None).await;
        let revision = lab.store.revision().await.expect("a revision");
        tokio::time::sleep(Duration::from_secs(1)).await;
        let lagging = lab
            .store
            .lagging_networks(revision)
            .await
            .expect("services");
        assert_eq!(lagging.len(), 1, "{lagging:?}");
        signal(stopped, Signal::CONT);
        lab.served().await;
        provision(&lab.store, State::Deploying, Some(TOKEN)).await;
        lab.served().await;
    }
    signal(first, Signal::KILL);
    eventually("another worker replaces it", || async {
        !lab.workers().contains(&first) && lab.workers().len() == 2
    })
    .await;
    eventually("all ports", || async { lab.sockets(3011) == 4 }).await;
    lab.served().await;
    lab.stop();
    assert_eq!(workers_online(&lab.store).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "real: root, programs"]
async fn booting_machine_that_is_no_node_is_discovered() {
    let lab = Lab::start(None).await;
    lab.declare().await;
    lab.served().await;
    let unknown = "52:54:00:00:00:99";
    let pxe = [
        "-V",
        "PXEClient:Arch:00007:UNDI:003016",
        "-x",
        "0x5d:0007",
        "-x",
        "0x61:00332211005544776608090a0b0c0d0e0f",
    ];
    let given = lab.udhcpc("node", unknown, &pxe).expect("a lease");
    lab.udhcpc("node", NODE_MAC, &pxe).expect("a lease");
    let started = Instant::now();
    let found = loop {
        let found = lab.store.discovered_machines().await.unwrap();
        if !found.is_empty() {
            break found;
        }
        assert!(
            started.elapsed() < Duration::from_secs(60),
            "the machine is not recorded"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
    assert_eq!(found.len(), 1, "{found:?}");
    let machine = &found[0];
    assert_eq!(machine.mac.to_string(), unknown);
    assert_eq!(machine.ip.unwrap().to_string(), line(&given, "ip"));
    let class = machine.vendor_class.as_deref();
    assert_eq!(class, Some("PXEClient:Arch:00007:UNDI:003016"));
    assert_eq!(machine.architecture, Some(7));
    let uuid = machine.uuid.unwrap().to_string();
    assert_eq!(uuid, "00112233-4455-6677-0809-0a0b0c0d0e0f");
    assert!(machine.last_ms >= machine.first_ms);
}
