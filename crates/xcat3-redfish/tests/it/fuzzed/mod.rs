//! The bodies of the fuzz targets of Redfish, and a test that plays what fuzzing has found worth
//! keeping: `fuzz/corpus/TARGET.hex` has one input a line, in hexadecimal digits.

mod json;

use std::path::Path;

#[test]
fn bodies() {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let text = std::fs::read_to_string(workspace.join("fuzz/corpus/redfish_json.hex")).unwrap();
    let inputs = text.lines().map(|line| hex::decode(line).unwrap());
    assert!(inputs.map(|input| json::run(&input)).count() > 0);
}
