//! Fuzz target: inventories of replaceable units, as a memory and as read from a BMC.

use xcat3_ipmi::command::fru::{self, Fru};

use super::answers::{Answers, outcome};

/// Takes `bytes` as a memory, as one whose header is right, and as the answers of a BMC.
pub fn run(bytes: &[u8]) {
    look(bytes);
    let mut headed = bytes.to_vec();
    if let Some(header) = headed.first_chunk_mut::<8>() {
        header[0] = 1;
        let sum = header[..7]
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        header[7] = 0_u8.wrapping_sub(sum);
        look(&headed);
    }
    let _ = outcome(fru::read(&mut Answers(bytes), 0));
}

fn look(memory: &[u8]) {
    let Ok(fru) = Fru::parse(memory) else {
        return;
    };
    assert!(fru.records.len() <= 64);
    for record in &fru.records {
        assert!(record.watts().is_none_or(|watts| watts < 4_096));
        let _ = record.management_access();
    }
    if let Some(chassis) = &fru.chassis {
        let _ = chassis.kind_name();
        assert!(!chassis.serial.contains(char::is_control));
    }
}
