//! The programs for hypervisors and their answers.

use std::process::{Command, Stdio};

use super::*;

const MARK: &str = "0123456789abcdef0123456789abcdef";
const ONE: &str = "2a46c223-3bda-4f1d-9a4b-600d2c7b0f0d";
const TWO: &str = "2a46c223-3bda-4f1d-9a4b-600d2c7b0f0e";

fn listing(answer: &str) -> Result<Inventory, Failure> {
    let wanted = HashSet::from(["52:54:00:00:00:01".parse().unwrap()]);
    let mut listing = Listing::new(MARK, "root", &wanted);
    for line in answer.replace("MARK", MARK).lines() {
        if listing.line(line)? {
            return Ok(listing.inventory);
        }
    }
    panic!("no end: {}", listing.said)
}

fn domain(uuid: &str, state: &str, mac: &str) -> String {
    format!(
        "MARK domain {uuid}\n\n{state}\n\nMARK defined\n\n<domain><name>x</name>\
         <devices><interface><mac address='{mac}'/></interface></devices></domain>\n\n"
    )
}

#[test]
fn domains_are_found_by_address_and_those_without_it_are_passed_over() {
    let text = domain(ONE, "running", "52:54:00:00:00:01")
        + &domain(TWO, "shut off", "52:54:00:00:00:02")
        + "MARK end\n";
    let found = listing(&text).unwrap();
    assert_eq!(found.domains.len(), 1);
    assert_eq!(found.domains[0].uuid.to_string(), ONE);
    assert!(found.domains[0].is_on && found.unreadable.is_empty());
}

#[test]
fn what_cannot_be_read_does_not_hide_the_rest() {
    let text = format!(
        "MARK domain {TWO}\nerror: failed to get domain\n\nMARK defined\nerror: no domain\n\
         MARK domain x; destroy y\nrunning\nMARK domain {TWO}\nrunning\nMARK defined\n<dom\n{}MARK end",
        domain(ONE, "shut off", "52:54:00:00:00:01")
    );
    let found = listing(&text).unwrap();
    assert_eq!(found.domains.len(), 1);
    assert!(!found.domains[0].is_on);
    assert_eq!(found.unreadable.len(), 2, "{:?}", found.unreadable);
    assert!(
        found.unreadable[0].contains("failed to get domain"),
        "{:?}",
        found.unreadable
    );
}

#[test]
fn every_way_of_not_answering_has_its_sentence() {
    let sentence = |answer: &str| listing(answer).unwrap_err().to_string();
    assert!(sentence("MARK missing").contains("virsh is not installed"));
    let socket = "error: failed to connect to the hypervisor\nerror: Failed to connect socket to \
                  '/var/run/libvirt/libvirt-sock': ";
    let down = sentence(&format!(
        "{socket}No such file or directory\nMARK unreachable"
    ));
    assert!(down.contains("libvirtd does not run"), "{down}");
    let refused = sentence(&format!("{socket}Connection refused\nMARK unreachable"));
    assert!(refused.contains("libvirtd does not run"), "{refused}");
    let denied = sentence(&format!("{socket}Permission denied\nMARK unreachable"));
    assert!(denied.contains("root may not use libvirt"), "{denied}");
    let polkit = "error: authentication unavailable: no polkit agent available to authenticate \
                  action 'org.libvirt.unix.manage'\nMARK unreachable";
    assert!(sentence(polkit).contains("root may not use libvirt"));
    assert!(sentence("error: odd\nMARK unreachable").contains("virsh failed: odd"));
}

#[test]
fn a_uuid_is_a_uuid() {
    assert!(DomainUuid::parse(ONE).is_some());
    assert_eq!(
        DomainUuid::parse(&ONE.to_uppercase()).unwrap().to_string(),
        ONE
    );
    let wrong = [
        "",
        "a; reboot",
        &ONE[1..],
        &ONE.replace('-', "0"),
        &ONE.replace('2', "$"),
    ];
    for text in wrong {
        assert!(DomainUuid::parse(text).is_none(), "{text}");
    }
}

#[test]
fn having_been_done_before_is_no_failure() {
    let active = "error: Domain is already active\n";
    let off = "error: Failed to destroy domain 'a'\nerror: Requested operation is not valid: domain \
               is not running\n";
    assert_eq!(Order::Start.judge("1", active), Ok(()));
    assert_eq!(Order::Destroy.judge("1", off), Ok(()));
    assert!(
        Order::Reset
            .judge("1", off)
            .unwrap_err()
            .contains("domain is not running")
    );
    assert!(Order::Destroy.judge("1", active).is_err());
    assert!(Order::Start.judge("1", "error: no space left").is_err());
}

/// Runs one of the programs with a stand-in for virsh that prints its arguments.
fn run(program: &str, input: &str, virsh: &str) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("virsh");
    std::fs::write(&path, format!("#!/bin/sh\n{virsh}\n")).unwrap();
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&path, mode).unwrap();
    let mut child = Command::new("sh")
        .args(["-c", program])
        .env("PATH", format!("{}:/usr/bin:/bin", folder.path().display()))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut child.stdin.take().unwrap(), input.as_bytes()).unwrap();
    String::from_utf8(child.wait_with_output().unwrap().stdout).unwrap()
}

#[test]
fn what_is_looked_at_is_asked_for_in_one_virsh() {
    let virsh =
        format!("case \"$*\" in *list*) echo {ONE}; echo {TWO};; *) echo \"$#: $*\";; esac");
    let answer = run(LOOK, &format!("{MARK} secrets live\n"), &virsh);
    let dumps = answer
        .lines()
        .filter(|line| line.starts_with("3: "))
        .count();
    assert_eq!(dumps, 1, "{answer}");
    for uuid in [ONE, TWO] {
        assert!(
            answer.contains(&format!("dumpxml --inactive --security-info {uuid}")),
            "{answer}"
        );
    }
    assert!(answer.ends_with(&format!("{MARK} end\n")), "{answer}");
    let plain = run(LOOK, &format!("{MARK} - -\n"), &virsh);
    assert!(
        !plain.contains("security-info") && !plain.contains("running"),
        "{plain}"
    );
}

#[test]
fn nothing_in_an_order_is_run_by_the_shell() {
    let virsh = "echo \"args: $*\"; [ \"$3\" = define ] && cat $4; exit 3";
    let hostile = "<domain>$(touch /nowhere/x)'`id`\n\u{e9}\\n%s</domain>";
    let orders = [Order::Define(hostile.to_owned()), Order::Reset];
    let uuid = DomainUuid::parse(ONE).unwrap();
    let lines: String = orders.iter().map(|order| order.line(&uuid)).collect();
    let answer = run(ACT, &format!("{MARK}\n{lines}"), virsh);
    assert_eq!(
        answer,
        format!(
            "args: -c qemu:///system define /dev/stdin\n{hostile}\n{MARK} {ONE} 3\n\
             args: -c qemu:///system reset {ONE}\n{MARK} {ONE} 3\n{MARK} end\n"
        )
    );
}

#[test]
fn the_programs_survive_every_login_shell_that_quotes_with_single_quotes() {
    for program in [include_str!("../look.sh"), include_str!("../act.sh")] {
        assert!(!program.contains('\'') && !program.contains('!') && !program.contains("\\\\"));
    }
}
