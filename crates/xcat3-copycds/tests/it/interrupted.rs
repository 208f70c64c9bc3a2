//! An import that is stopped or killed on its way.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::discs::Disc;
use crate::program::{Place, text};

/// Large enough to be caught at it: the volume is small, zeros follow it.
const SIZE: u64 = 6 << 30;

fn caught_at_it(place: &Place, iso: &Path) -> Child {
    let mut command = place.command(&[text(iso)]);
    let child = command
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let part = place.images().join(".import/debian13.0-x86_64.iso");
    let begun = Instant::now();
    while !fs::metadata(&part).is_ok_and(|part| part.len() > 0) {
        assert!(
            begun.elapsed() < Duration::from_secs(60),
            "the import does not begin"
        );
        thread::sleep(Duration::from_millis(2));
    }
    child
}

fn large_disc(place: &Place) -> std::path::PathBuf {
    let iso = Disc::debian_netboot(place.path()).iso();
    let file = fs::File::options().write(true).open(&iso).unwrap();
    file.set_len(SIZE).unwrap();
    iso
}

#[test]
#[ignore = "real: programs"]
fn what_was_killed_is_cleaned_up_by_the_next() {
    let place = Place::new();
    let iso = large_disc(&place);
    let mut child = caught_at_it(&place, &iso);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(place.kept(), [".import"]);
    assert!(place.registered().is_empty());
    fs::File::options()
        .write(true)
        .open(&iso)
        .unwrap()
        .set_len(4 << 20)
        .unwrap();
    assert_eq!(place.import(&[text(&iso)]), "debian13.0-x86_64");
    assert_eq!(place.kept(), ["debian13.0-x86_64.iso"]);
}

#[test]
#[ignore = "real: programs"]
fn a_stopped_one_leaves_nothing() {
    for signal in ["TERM", "INT"] {
        let place = Place::new();
        let iso = large_disc(&place);
        let mut child = caught_at_it(&place, &iso);
        let kill = format!("kill -{signal} {}", child.id());
        assert!(
            Command::new("sh")
                .args(["-c", &kill])
                .status()
                .unwrap()
                .success()
        );
        assert_eq!(child.wait().unwrap().code(), Some(1), "{signal}");
        assert!(place.kept().is_empty(), "{signal}: {:?}", place.kept());
        assert!(place.registered().is_empty());
    }
}
