//! The configuration of a machine of `ipmi_sim`: sensors, event log and inventory in the layouts of the
//! specification.

use std::fmt::Write as _;

/// All lines of the configuration.
pub(crate) fn lines() -> String {
    let mut lines = String::new();
    sensor(
        &mut lines,
        "0x30 0x01 0x01",
        "111111 95 90 85 0xf6 0xfb 0",
        42,
    );
    sensor(&mut lines, "0x31 0x04 0x01", "000111 0 0 0 4 6 8", 80);
    sensor(
        &mut lines,
        "0x33 0x02 0x01",
        "000111 0 0 0 150 160 170",
        197,
    );
    lines.push_str("sensor_add 0x20 0 0x50 0x08 0x6f\n");
    events(&mut lines, "0x50", "000000000001111");
    for bit in [0, 3] {
        writeln!(lines, "sensor_set_bit 0x20 0 0x50 {bit} 1 0").unwrap();
    }
    let degrees = [0x80, 0x01, 0x00];
    let limits = [95, 90, 85, 0xf6, 0xfb, 0];
    let one = [1, 0, 0, 0, 0, 0];
    sdr(
        &mut lines,
        1,
        &full([0x30, 1], degrees, one, limits, "CPU Temp"),
    );
    let fan = [75, 0, 0, 0, 0, 0];
    sdr(
        &mut lines,
        1,
        &full([0x31, 4], [0, 18, 0], fan, [0, 0, 0, 4, 6, 8], "Fan 1"),
    );
    sdr(&mut lines, 2, &compact());
    let rail = [61, 0, 0, 0, 0, 0xd0];
    let limits = [0, 0, 0, 150, 160, 170];
    sdr(
        &mut lines,
        1,
        &full([0x33, 2], [0, 4, 0], rail, limits, "P12V"),
    );
    // A sensor that has a record and is not present.
    sdr(
        &mut lines,
        1,
        &full([0x32, 2], [0, 4, 0], rail, limits, "P5V"),
    );
    let event = "sel_add 0x20 0x02 0x00 0xf1 0x53 0x65 0x20 0x00 0x04";
    writeln!(lines, "{event} 0x01 0x30 0x01 0x59 91 90").unwrap();
    writeln!(lines, "{event} 0x08 0x50 0x6f 0x03 0xff 0xff").unwrap();
    let inventory = inventory();
    let bytes = hexadecimal(&inventory);
    let size = inventory.len() + 64;
    writeln!(lines, "mc_add_fru_data 0x20 0 {size} data {bytes}").unwrap();
    lines
}

/// A sensor with thresholds.
fn sensor(lines: &mut String, key_and_type: &str, thresholds: &str, value: u8) {
    let number = key_and_type.split(' ').next().unwrap();
    writeln!(lines, "sensor_add 0x20 0 {key_and_type}").unwrap();
    writeln!(
        lines,
        "sensor_set_threshold 0x20 0 {number} settable {thresholds}"
    )
    .unwrap();
    events(lines, number, "000111111111111");
    writeln!(lines, "sensor_set_value 0x20 0 {number} {value} 0").unwrap();
}

fn events(lines: &mut String, number: &str, mask: &str) {
    let masks = [mask; 4].join(" ");
    let head = format!("sensor_set_event_support 0x20 0 {number} enable scanning per-state");
    writeln!(lines, "{head} {masks}").unwrap();
}

fn sdr(lines: &mut String, record_type: u8, content: &[u8]) {
    let length = u8::try_from(content.len()).unwrap();
    let record = [&[0, 0, 0x51, record_type, length], content].concat();
    writeln!(lines, "main_sdr_add 0x20 {}", hexadecimal(&record)).unwrap();
}

fn full(
    [number, sensor_type]: [u8; 2],
    units: [u8; 3],
    factors: [u8; 6],
    thresholds: [u8; 6],
    name: &str,
) -> Vec<u8> {
    let mut record = vec![0x20, 0, number, 3, 1, 0x7f, 0x68, sensor_type, 1];
    record.extend([0x95, 0x7a, 0x95, 0x7a, 0x3f, 0x3f]);
    record.extend(units);
    record.push(0);
    record.extend(factors);
    record.extend([7, 40, 70, 10, 127, 0x80]);
    record.extend(thresholds);
    record.extend([2, 2, 0, 0, 0]);
    record.extend(field(name));
    record
}

fn compact() -> Vec<u8> {
    let mut record = vec![0x20, 0, 0x50, 10, 1, 0x67, 0x40, 8, 0x6f];
    record.extend([0xff, 7, 0, 0, 0xff, 7, 0xc0, 0, 0, 1, 0]);
    record.extend([0; 6]);
    record.extend(field("PS1 Status"));
    record
}

fn field(text: &str) -> Vec<u8> {
    let length = u8::try_from(text.len()).unwrap();
    [&[0xc0 | length], text.as_bytes()].concat()
}

fn inventory() -> Vec<u8> {
    let texts = |texts: &[&str]| {
        texts
            .iter()
            .flat_map(|text| field(text))
            .collect::<Vec<_>>()
    };
    let chassis = [&[23], &*texts(&["CSE-829", "C829-1"])].concat();
    let date = &12_357_360_u32.to_le_bytes()[..3];
    let board = texts(&["Acme", "Board 9", "SN-B", "PN-B", "f1"]);
    let board = [&[25], date, &board].concat();
    let product = texts(&["Acme", "Server 9", "PN-P", "V1", "SN-P", "rack 7", "f2"]);
    let product = [&[25], &*product].concat();
    let areas = [chassis, board, product].map(|content| area(&content));
    let mut header = vec![1, 0];
    let mut offset = 8;
    for area in &areas {
        header.push(u8::try_from(offset / 8).unwrap());
        offset += area.len();
    }
    header.extend([0, 0]);
    header.push(checksum(&header));
    [&header, &*areas.concat()].concat()
}

fn area(content: &[u8]) -> Vec<u8> {
    let length = (content.len() + 4).next_multiple_of(8);
    let mut area = vec![1, u8::try_from(length / 8).unwrap()];
    area.extend(content);
    area.push(0xc1);
    area.resize(length - 1, 0);
    area.push(checksum(&area));
    area
}

fn checksum(bytes: &[u8]) -> u8 {
    0_u8.wrapping_sub(bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte)))
}

fn hexadecimal(bytes: &[u8]) -> String {
    let words: Vec<String> = bytes.iter().map(|byte| format!("{byte:#04x}")).collect();
    words.join(" ")
}
