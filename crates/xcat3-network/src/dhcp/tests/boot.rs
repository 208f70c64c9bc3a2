//! What each firmware is told to load.

use super::*;

#[test]
fn a_node_without_an_address_is_leased_one_and_boots_nothing() {
    let (reply, _) = World::new().reply(&with(
        with(
            request(Kind::Discover, "52:54:00:00:00:0e"),
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
fn each_firmware_is_sent_to_its_loader() {
    for (architecture, file) in [
        (0, "undionly.kpxe"),
        (7, "snponly.efi"),
        (9, "snponly.efi"),
        (11, "snponly-arm64.efi"),
    ] {
        let asks = with(
            firmware(architecture, "PXEClient:Arch:00000"),
            code::MACHINE_ID,
            [0; 17],
        );
        let (reply, _) = World::new().reply(&asks);
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
fn ipxe_is_sent_to_its_script_and_need_not_wait() {
    let (reply, _) = World::new().reply(&with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE"));
    assert_eq!(
        text(&reply, code::BOOT_FILE),
        "http://11.0.0.101:3011/boot/52-54-00-00-00-01.ipxe"
    );
    assert_eq!(reply.options[&code::IPXE], [176, 1, 1]);
    assert!(!reply.options.contains_key(&code::VENDOR_CLASS));
    // The iPXE of an unknown machine need not wait either, but has nothing to load.
    let machine = Request {
        mac: mac(STRANGER),
        ..with(firmware(7, "PXEClient"), code::USER_CLASS, "iPXE")
    };
    let (reply, _) = World::new().reply(&machine);
    assert!(
        reply.options.contains_key(&code::IPXE) && !reply.options.contains_key(&code::BOOT_FILE)
    );
}

#[test]
fn only_the_boot_nic_boots() {
    let second = Request {
        mac: mac("52:54:00:00:00:02"),
        ..firmware(7, "PXEClient")
    };
    let (reply, _) = World::new().reply(&second);
    assert_eq!(reply.yiaddr, ip("11.5.102.61"));
    assert!(!reply.options.contains_key(&code::BOOT_FILE) && reply.siaddr.is_unspecified());
}

#[test]
fn a_machine_that_boots_and_is_no_node_is_noted_with_what_it_says_of_itself() {
    let mut world = World::new();
    let asks = Request {
        mac: mac(STRANGER),
        ..firmware(7, "PXEClient:Arch:00007:UNDI:003016")
    };
    let id: Vec<u8> = (0..17).collect();
    let asks = with(asks, code::MACHINE_ID, id);
    let machine = world.ask(&asks).machine.unwrap();
    assert_eq!(
        (machine.mac, machine.network.as_str()),
        (mac(STRANGER), "c920")
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
    // Where there is no address for it, too.
    world.change(|network| network.dynamic_range.clear());
    let answer = world.ask(&Request {
        mac: mac("52:54:00:00:00:98"),
        ..asks.clone()
    });
    assert!(answer.reply.is_none());
    assert_eq!(answer.machine.unwrap().ip, None);
    // Nodes are known, and a system that runs does not boot.
    assert_eq!(world.ask(&firmware(7, "PXEClient")).machine, None);
    let system = with(
        request(Kind::Discover, STRANGER),
        code::VENDOR_CLASS,
        "systemd-network",
    );
    assert_eq!(world.ask(&system).machine, None);
    let released = Request {
        options: request(Kind::Release, STRANGER).options,
        ..asks
    };
    assert_eq!(world.ask(&released).machine, None);
}
