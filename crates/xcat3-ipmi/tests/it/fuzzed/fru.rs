//! Fuzz target: inventories of replaceable units, as a memory and as read from a BMC.

use xcat3_ipmi::command::fru::{self, Fru};

use super::responses::{Responses, now};

/// Takes `bytes` as a memory, as a memory with a valid header, and as the responses of a BMC.
pub fn run(bytes: &[u8]) {
    check(bytes);
    let mut headed = bytes.to_vec();
    if let Some(header) = headed.first_chunk_mut::<8>() {
        header[0] = 1;
        let sum = header[..7]
            .iter()
            .fold(0_u8, |sum, byte| sum.wrapping_add(*byte));
        header[7] = 0_u8.wrapping_sub(sum);
        check(&headed);
    }
    let _ = now(fru::read(&mut Responses(bytes), 0));
}

fn check(memory: &[u8]) {
    let Ok(fru) = Fru::parse(memory) else {
        return;
    };
    if let Some(chassis) = &fru.chassis {
        let _ = chassis.type_name();
        assert!(!chassis.serial.contains(char::is_control));
    }
}
