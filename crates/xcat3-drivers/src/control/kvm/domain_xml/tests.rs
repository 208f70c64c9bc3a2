//! Reading and editing of domain XML.

use proptest::prelude::*;

use super::*;

const PREFERRED: &str = "<domain type='qemu'>
  <name>a&amp;b</name>
  <metadata><app:x xmlns:app='u'><boot dev='fd'/><mac address='52:54:00:00:00:99'/></app:x></metadata>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
    <boot dev=\"hd\"/>
    <boot   dev='network' ></boot>
  </os>
  <devices>
    <disk type='file' device='disk'>
      <target dev='vda' bus='virtio'/>
    </disk>
    <interface type='user'>
      <mac address='52:54:00:00:00:01'/>
    </interface>
    <interface type='user'><mac address='52:54:00:00:00:0A'/></interface>
  </devices>
  <!-- <boot dev='cdrom'/> -->
</domain>
";

const ORDERED: &str = "<domain type='kvm'>
  <name>o</name>
  <os>
    <type>hvm</type>
  </os>
  <devices>
    <disk type='file' device='disk'>
      <target dev='vda'/>
      <boot order='1' loadparm='2'/>
    </disk>
    <disk type='file' device='cdrom'>
      <target dev='sda'/>
    </disk>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:01'/>
      <boot order='3'/>
    </interface>
    <interface type='bridge'>
      <mac address='52:54:00:00:00:02'/>
      <boot order='2'/>
    </interface>
    <hostdev mode='subsystem'><boot order='4'/></hostdev>
  </devices>
</domain>
";

fn parse(text: &str) -> DomainXml {
    DomainXml::parse(text.to_owned()).unwrap()
}

fn mac(text: &str) -> MacAddr {
    text.parse().unwrap()
}

#[test]
fn the_facts_of_a_domain_are_found_and_metadata_is_not_mistaken_for_them() {
    let domain = parse(PREFERRED);
    assert_eq!(domain.boot_device(), Ok(BootDevice::Disk));
    let macs: Vec<MacAddr> = domain.macs().collect();
    assert_eq!(macs, [mac("52:54:00:00:00:01"), mac("52:54:00:00:00:0a")]);
    assert!(domain.name().starts_with('a'), "{}", domain.name());
}

#[test]
fn preferences_change_places_and_nothing_else_changes() {
    let changed = parse(PREFERRED)
        .booting_from(BootDevice::Net, None)
        .unwrap();
    let expected = PREFERRED
        .replace("dev=\"hd\"", "dev=\"NEW\"")
        .replace("  dev='network' ", "  dev='hd' ")
        .replace("NEW", "network");
    assert_eq!(changed, expected);
}

#[test]
fn a_device_that_was_not_preferred_is_put_before_the_others() {
    let changed = parse(PREFERRED)
        .booting_from(BootDevice::Cdrom, None)
        .unwrap();
    let expected = PREFERRED.replace(
        "<boot dev=\"hd\"/>",
        "<boot dev='cdrom'/>\n    <boot dev=\"hd\"/>",
    );
    assert_eq!(changed, expected);
}

#[test]
fn without_any_preference_one_is_added() {
    let text = ORDERED.replace("<boot order", "<nothing order");
    let domain = parse(&text);
    assert_eq!(domain.boot_device(), Ok(BootDevice::Disk));
    let changed = domain.booting_from(BootDevice::Net, None).unwrap();
    let expected = text.replace(
        "<type>hvm</type>\n",
        "<type>hvm</type>\n    <boot dev='network'/>\n",
    );
    assert_eq!(changed, expected);
}

#[test]
fn orders_are_numbered_anew_with_the_nic_that_is_meant_first() {
    let domain = parse(ORDERED);
    assert_eq!(domain.boot_device(), Ok(BootDevice::Disk));
    let numbers = |text: &str| -> Vec<String> {
        text.split("order='")
            .skip(1)
            .map(|rest| rest[..1].to_owned())
            .collect()
    };
    let meant = domain
        .booting_from(BootDevice::Net, Some(mac("52:54:00:00:00:01")))
        .unwrap();
    assert_eq!(numbers(&meant), ["2", "1", "3", "4"]);
    assert!(meant.contains("<boot order='2' loadparm='2'/>"), "{meant}");
    let first = domain.booting_from(BootDevice::Net, None).unwrap();
    assert_eq!(numbers(&first), ["2", "3", "1", "4"]);
}

#[test]
fn a_device_without_an_order_is_given_one() {
    let changed = parse(ORDERED)
        .booting_from(BootDevice::Cdrom, None)
        .unwrap();
    assert!(
        changed.contains("<target dev='sda'/>\n      <boot order='1'/>\n    </disk>"),
        "{changed}"
    );
    assert_eq!(parse(&changed).boot_device(), Ok(BootDevice::Cdrom));
}

#[test]
fn what_cannot_be_booted_is_said() {
    let no_cdrom = ORDERED.replace("device='cdrom'", "device='floppy'");
    assert_eq!(
        parse(&no_cdrom).booting_from(BootDevice::Cdrom, None),
        Err(XmlError::NoSuchDevice("cdrom drive"))
    );
    let kernel = PREFERRED.replace("<boot dev=\"hd\"/>", "<kernel>/vmlinuz</kernel>");
    assert_eq!(parse(&kernel).boot_device(), Err(XmlError::DirectKernel));
    assert_eq!(
        parse(&kernel).booting_from(BootDevice::Disk, None),
        Err(XmlError::DirectKernel)
    );
    let floppy = PREFERRED.replace("dev=\"hd\"", "dev='fd'");
    let sentence = parse(&floppy).boot_device().unwrap_err().to_string();
    assert!(sentence.contains("'fd'"), "{sentence}");
    let passed = ORDERED.replace("order='4'", "order='0'");
    assert!(matches!(
        parse(&passed).boot_device(),
        Err(XmlError::OtherDevice(_))
    ));
}

#[test]
fn a_running_domain_is_compared_by_what_it_boots() {
    let resting = parse(PREFERRED);
    let running = parse(&PREFERRED.replace("</interface>", "<target dev='vnet0'/></interface>"));
    assert!(resting.boots_like(&running));
    assert!(!resting.boots_like(&parse(
        &resting.booting_from(BootDevice::Net, None).unwrap()
    )));
    let ordered = parse(ORDERED);
    let tap = ORDERED.replace(
        "<boot order='3'/>",
        "<boot order='3'/><target dev='vnet0'/>",
    );
    assert!(ordered.boots_like(&parse(&tap)));
    assert!(!ordered.boots_like(&parse(&ORDERED.replace("order='3'", "order='9'"))));
}

#[test]
fn what_is_no_domain_is_refused() {
    let deep = format!("<domain>{}", "<a>".repeat(100));
    let texts = [
        "",
        "error: failed",
        "<domain>",
        "<domain><os></domain>",
        "<!DOCTYPE x><domain/>",
        &deep,
    ];
    for text in texts {
        assert!(DomainXml::parse(text.to_owned()).is_err(), "{text}");
    }
}

fn device() -> impl Strategy<Value = BootDevice> {
    prop_oneof![
        Just(BootDevice::Net),
        Just(BootDevice::Disk),
        Just(BootDevice::Cdrom)
    ]
}

/// A domain of either style with some boot entries, in some formatting.
fn domain() -> impl Strategy<Value = String> {
    let words =
        proptest::sample::subsequence(vec!["hd", "network", "cdrom", "fd"], 0..=4).prop_shuffle();
    let gap = prop_oneof![Just("\n    "), Just(""), Just(" ")];
    let preferred = (words, gap.clone()).prop_map(|(words, gap)| {
        let boots: String = words
            .iter()
            .map(|word| format!("{gap}<boot dev='{word}'/>"))
            .collect();
        format!(
            "<domain><name>x</name><os><type>hvm</type>{boots}{gap}</os><devices>{gap}<emulator/>\
             </devices></domain>"
        )
    });
    let numbers = Just(vec![1u32, 2, 5, 9]).prop_shuffle();
    let ordered = (numbers, proptest::collection::vec(any::<bool>(), 4), gap).prop_filter_map(
        "no order at all is the other style",
        |(numbers, present, gap)| {
            let boot = |place: usize| {
                if present[place] {
                    format!("{gap}<boot order=\"{}\"/>", numbers[place])
                } else {
                    String::new()
                }
            };
            present.contains(&true).then(|| {
                format!(
                    "<domain><name>x</name><os><type>hvm</type></os><devices>\
                     <disk device='disk'><source/>{}{gap}</disk><disk device='cdrom'>{}</disk>\
                     <interface><mac address='52:54:00:00:00:01'/>{}</interface>\
                     <interface><mac address='52:54:00:00:00:02'/>{}{gap}</interface>\
                     </devices></domain>",
                    boot(0),
                    boot(1),
                    boot(2),
                    boot(3)
                )
            })
        },
    );
    prop_oneof![preferred, ordered]
}

/// The XML without what says the boot order, and without white space.
fn without_boot(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some(start) = rest.find("<boot") {
        kept.push_str(&rest[..start]);
        let after = &rest[start..];
        rest = &after[after.find("/>").unwrap() + 2..];
    }
    kept.push_str(rest);
    kept.retain(|c| !c.is_whitespace());
    kept
}

proptest! {
    #[test]
    fn what_is_set_is_what_is_got(text in domain(), wanted in device(), again in device()) {
        let once = parse(&text).booting_from(wanted, None).unwrap();
        prop_assert_eq!(parse(&once).boot_device(), Ok(wanted));
        prop_assert_eq!(without_boot(&once), without_boot(&text));
        let same = parse(&once).booting_from(wanted, None).unwrap();
        prop_assert!(parse(&same).boots_like(&parse(&once)));
        let twice = parse(&once).booting_from(again, None).unwrap();
        prop_assert_eq!(parse(&twice).boot_device(), Ok(again));
    }

    #[test]
    fn no_text_makes_it_panic(text in "[<>/a-z='\" \n&;!\\[\\]-]{0,200}") {
        let _ = DomainXml::parse(text.clone());
        if let Ok(domain) = DomainXml::parse(format!("<domain>{text}</domain>")) {
            let _ = domain.booting_from(BootDevice::Net, None);
        }
    }
}
