use std::path::PathBuf;

use xcat3_core::BootOrder;

use super::*;

const ON: &ControlOperation = &ControlOperation::Power(PowerTarget::On);
const OFF: &ControlOperation = &ControlOperation::Power(PowerTarget::Off);
const RESET: &ControlOperation = &ControlOperation::Power(PowerTarget::Reset);
const NET: &ControlOperation = &ControlOperation::SetBootDevice(BootOrder::once(BootDevice::Net));

fn names(count: usize) -> Vec<NodeName> {
    (0..count)
        .map(|n| format!("n{n}").parse().unwrap())
        .collect()
}

fn act(journal: &mut Journal, operation: &ControlOperation, names: &[NodeName]) -> Vec<Answer> {
    let names: Vec<&NodeName> = names.iter().collect();
    journal.act(operation, &names).unwrap()
}

struct Place {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("fake.journal");
        Self {
            _folder: folder,
            path,
        }
    }

    fn lines(&self) -> Vec<String> {
        let text = std::fs::read(&self.path).unwrap();
        String::from_utf8_lossy(&text)
            .lines()
            .map(str::to_owned)
            .collect()
    }
}

#[test]
fn machines_are_off_at_first_and_keep_what_was_done_to_them() {
    let place = Place::new();
    let names = names(2);
    let mut journal = Journal::open(&place.path).unwrap();
    let status = &ControlOperation::PowerStatus;
    assert_eq!(act(&mut journal, status, &names), [Ok("off"), Ok("off")]);
    assert_eq!(
        act(&mut journal, RESET, &names[..1])[0]
            .as_ref()
            .unwrap_err()
            .split(':')
            .next(),
        Some("the fake machine is off")
    );
    assert_eq!(place.lines().len(), 0, "nothing was done yet");
    assert_eq!(act(&mut journal, ON, &names), [Ok("ok"), Ok("ok")]);
    act(&mut journal, NET, &names[..1]);
    act(&mut journal, RESET, &names[..1]);
    act(&mut journal, OFF, &names[1..]);
    drop(journal);
    let mut journal = Journal::open(&place.path).unwrap();
    assert_eq!(act(&mut journal, status, &names), [Ok("on"), Ok("off")]);
    let device = &ControlOperation::BootDeviceStatus;
    assert_eq!(act(&mut journal, device, &names), [Ok("net"), Ok("disk")]);
    let lines = place.lines();
    let said: Vec<&str> = lines
        .iter()
        .map(|line| line.splitn(3, ' ').nth(2).unwrap())
        .collect();
    assert_eq!(said, ["n0 on", "n1 on", "n0 net", "n0 reset", "n1 off"]);
    let process = std::process::id().to_string();
    assert!(
        lines
            .iter()
            .all(|line| line.split(' ').nth(1) == Some(&process))
    );
}

#[test]
fn each_sees_at_once_what_others_did() {
    let place = Place::new();
    let names = names(1_000);
    let mut one = Journal::open(&place.path).unwrap();
    let mut other = Journal::open(&place.path).unwrap();
    for round in 0..4 {
        let (order, word) = if round % 2 == 0 {
            (ON, "on")
        } else {
            (OFF, "off")
        };
        act(&mut one, order, &names[..500]);
        act(&mut other, order, &names[500..]);
        for journal in [&mut one, &mut other] {
            let states = act(journal, &ControlOperation::PowerStatus, &names);
            assert!(
                states.iter().all(|state| *state == Ok(word)),
                "round {round}"
            );
        }
    }
    assert_eq!(place.lines().len(), 4_000);
}

#[test]
fn a_line_that_is_torn_or_odd_says_nothing_and_harms_no_other() {
    let place = Place::new();
    let names = names(3);
    let mut journal = Journal::open(&place.path).unwrap();
    act(&mut journal, ON, &names[..1]);
    let mut file = OpenOptions::new().append(true).open(&place.path).unwrap();
    file.write_all(&[b'x'; 3 * LONGEST_LINE]).unwrap();
    file.write_all(b" n1 on\n1 2 n2 explode\n1 2 n2\n\xff \xff \xff \xff\n")
        .unwrap();
    file.write_all(b"5 7 n2 o").unwrap();
    act(&mut journal, ON, &names[1..2]);
    for journal in [&mut journal, &mut Journal::open(&place.path).unwrap()] {
        let states = act(journal, &ControlOperation::PowerStatus, &names);
        assert_eq!(states, [Ok("on"), Ok("on"), Ok("off")]);
    }
    assert!(place.lines().last().unwrap().ends_with("n1 on"));
}

#[test]
fn a_line_that_comes_in_two_pieces_is_read_whole() {
    let place = Place::new();
    let names = names(2);
    let mut journal = Journal::open(&place.path).unwrap();
    let mut file = OpenOptions::new().append(true).open(&place.path).unwrap();
    file.write_all(b"5 7 n0 o").unwrap();
    let status = &ControlOperation::PowerStatus;
    assert_eq!(act(&mut journal, status, &names[..1]), [Ok("off")]);
    file.write_all(b"n\n").unwrap();
    assert_eq!(act(&mut journal, status, &names[..1]), [Ok("on")]);
}

#[test]
fn a_large_journal_is_compacted_unless_another_has_it_open() {
    let place = Place::new();
    let names = names(50);
    let mut journal = Journal::open(&place.path).unwrap();
    for _ in 0..20 {
        act(&mut journal, ON, &names);
        act(&mut journal, RESET, &names);
    }
    act(&mut journal, NET, &names[..1]);
    let before = place.lines().len();
    let second = Journal::open_compacting(&place.path, 1).unwrap();
    assert_eq!(place.lines().len(), before, "it is in use");
    drop((journal, second));
    let mut journal = Journal::open_compacting(&place.path, 1).unwrap();
    assert_eq!(place.lines().len(), 100, "power and boot device of each");
    let states = act(&mut journal, &ControlOperation::PowerStatus, &names);
    assert!(states.iter().all(|state| *state == Ok("on")));
    let devices = act(&mut journal, &ControlOperation::BootDeviceStatus, &names);
    assert_eq!(devices[..2], [Ok("net"), Ok("disk")]);
    act(&mut journal, OFF, &names[..1]);
    assert_eq!(place.lines().len(), 101, "it goes on in the new file");
}

#[test]
fn what_cannot_be_written_was_not_done() {
    let place = Place::new();
    let names = names(1);
    act(&mut Journal::open(&place.path).unwrap(), ON, &names);
    let mut journal = Journal::of(File::open(&place.path).unwrap());
    assert!(journal.act(OFF, &[&names[0]]).is_err());
    let states = act(&mut journal, &ControlOperation::PowerStatus, &names);
    assert_eq!(states, [Ok("on")]);
}
