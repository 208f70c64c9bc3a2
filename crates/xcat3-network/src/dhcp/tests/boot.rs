//! The loader of each firmware.

use super::*;

#[test]
fn node_without_fixed_address_gets_lease_and_no_loader() {
    let (reply, _) = World::new().reply(&with(
        with(
            request(MessageType::Discover, "52:54:00:00:00:0e"),
            code::VENDOR_CLASS,
            "PXEClient",
        ),
        code::ARCHITECTURE,
        [0, 0],
    ));
    assert_eq!(reply.yiaddr, ip("11.4.40.111"));
    assert!(!reply.options.contains_key(&code::BOOT_FILE));
}

#[test]
fn firmware_gets_its_loader() {
    for (architecture, file) in [
        (0, "undionly.kpxe"),
        (7, "snponly.efi"),
        (9, "snponly.efi"),
        (11, "snponly-arm64.efi"),
    ] {
        let booting = with(
            firmware(architecture, "PXEClient:Arch:00000"),
            code::MACHINE_ID,
            [0; 17],
        );
        let (reply, _) = World::new().reply(&booting);
        assert_eq!(
            (reply.file.as_str(), reply.siaddr),
            (file, ip("11.0.0.101"))
        );
        assert_eq!(text(&reply, code::BOOT_FILE), file);
        assert_eq!(text(&reply, code::TFTP_SERVER), "11.0.0.101");
        assert_eq!(text(&reply, code::VENDOR_CLASS), "PXEClient");
        assert_eq!(reply.options[&code::VENDOR], [6, 1, 8, 255]);
        assert_eq!(reply.options[&code::MACHINE_ID], [0; 17]);
    }
    for (architecture, file) in [(16, "snponly.efi"), (19, "snponly-arm64.efi")] {
        let (reply, _) = World::new().reply(&firmware(architecture, "HTTPClient:Arch:00016"));
        assert_eq!(text(&reply, code::VENDOR_CLASS), "HTTPClient");
        assert_eq!(
            text(&reply, code::BOOT_FILE),
            format!("http://11.0.0.101:3011/loaders/{file}")
        );
        assert!(!reply.options.contains_key(&code::VENDOR));
    }
}

#[test]
fn ipxe_gets_its_script_and_no_proxydhcp_wait() {
    let (reply, _) = World::new().reply(&with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE"));
    assert_eq!(
        text(&reply, code::BOOT_FILE),
        "http://11.0.0.101:3011/boot/52-54-00-00-00-01.ipxe"
    );
    assert_eq!(reply.options[&code::IPXE], [176, 1, 1]);
    assert!(!reply.options.contains_key(&code::VENDOR_CLASS));
    // The iPXE of a machine that is no node does not wait either, but has nothing to load.
    let machine = Request {
        mac: mac(UNKNOWN),
        ..with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE")
    };
    let (reply, _) = World::new().reply(&machine);
    assert!(
        reply.options.contains_key(&code::IPXE) && !reply.options.contains_key(&code::BOOT_FILE)
    );
}

#[test]
fn nic_other_than_boot_nic_gets_no_loader() {
    let second = Request {
        mac: mac("52:54:00:00:00:02"),
        ..firmware(7, "PXEClient")
    };
    let (reply, _) = World::new().reply(&second);
    assert_eq!(reply.yiaddr, ip("11.5.102.61"));
    assert!(!reply.options.contains_key(&code::BOOT_FILE) && reply.siaddr.is_unspecified());
}

#[test]
fn booting_machine_that_is_no_node_is_discovered() {
    let mut world = World::new();
    let booting = Request {
        mac: mac(UNKNOWN),
        ..firmware(7, "PXEClient:Arch:00007:UNDI:003016")
    };
    let id: Vec<u8> = (0..17).collect();
    let booting = with(booting, code::MACHINE_ID, id);
    let machine = world.decide(&booting).discovered.unwrap();
    assert_eq!(
        (machine.mac, machine.network.as_str()),
        (mac(UNKNOWN), "c920")
    );
    assert_eq!(machine.ip, Some(ip("11.4.40.111")));
    assert_eq!(
        machine.vendor_class.as_deref(),
        Some("PXEClient:Arch:00007:UNDI:003016")
    );
    assert_eq!(machine.architecture, Some(7));
    let uuid = machine.uuid.unwrap().to_string();
    assert_eq!(uuid, "04030201-0605-0807-090a-0b0c0d0e0f10");
    assert_eq!(
        (machine.first_ms, machine.last_ms),
        (world.now_ms, world.now_ms)
    );
    // Also where the network has no address for the machine.
    world.change(|network| network.dynamic_range.clear());
    let decision = world.decide(&Request {
        mac: mac("52:54:00:00:00:98"),
        ..booting.clone()
    });
    assert!(decision.reply.is_none());
    assert_eq!(decision.discovered.unwrap().ip, None);
    // Nodes are known, and a running system does not boot.
    assert_eq!(world.decide(&firmware(7, "PXEClient")).discovered, None);
    let system = with(
        request(MessageType::Discover, UNKNOWN),
        code::VENDOR_CLASS,
        "systemd-network",
    );
    assert_eq!(world.decide(&system).discovered, None);
    let released = Request {
        options: request(MessageType::Release, UNKNOWN).options,
        ..booting
    };
    assert_eq!(world.decide(&released).discovered, None);
}
