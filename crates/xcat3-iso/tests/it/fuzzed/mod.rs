//! The body of the fuzz target `iso`, and tests that replay its corpus: `fuzz/corpus/iso.hex` has one
//! input a line, in hexadecimal digits.

pub mod iso;

use std::path::Path;

use proptest::prelude::*;

fn corpus() -> Vec<Vec<u8>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/iso.hex");
    let text = std::fs::read_to_string(path).unwrap();
    let inputs = text.lines().map(|line| hex::decode(line).unwrap());
    inputs.collect()
}

#[test]
fn corpus_iso_is_replayed() {
    let inputs = corpus();
    assert!(!inputs.is_empty());
    for input in &inputs {
        iso::run(input);
    }
}

proptest! {
    #[test]
    fn image_corrupted_ends_in_sound_tree_or_error(
        input in prop::sample::select(corpus()),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..20),
    ) {
        let mut input = input;
        for (index, byte) in changes {
            if !input.is_empty() {
                let index = index.index(input.len());
                input[index] = byte;
            }
        }
        iso::run(&input);
    }
}
