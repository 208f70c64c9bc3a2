//! The bodies of the fuzz targets `deb` and `disc`, and tests that replay their corpora:
//! `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod deb;
mod disc;

use std::path::Path;

#[test]
fn corpus_deb_is_replayed() {
    replay("deb", deb::run);
}

#[test]
fn corpus_disc_is_replayed() {
    replay("disc", disc::run);
}

fn replay(target: &str, run: fn(&[u8])) {
    let path =
        Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("../../fuzz/corpus/{target}.hex"));
    let text = std::fs::read_to_string(path).unwrap();
    assert!(!text.is_empty());
    for line in text.lines() {
        run(&hex::decode(line).unwrap());
    }
}
