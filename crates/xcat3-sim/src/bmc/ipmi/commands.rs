//! Which command does what, and who may give it (Appendix G of the specification).

use xcat3_ipmi::{Completion, Request};

use super::bmc::{Asker, Keeps};
use super::{boot, chassis, device, fru, lan, sdr, sel, sol};
use crate::bmc::machine::Machines;

/// The data of a response, or why there is none.
pub(super) type Answer = Result<Vec<u8>, Completion>;

/// A field of the request is out of range.
pub(super) const OUT_OF_RANGE: Completion = Completion(0xc9);
/// The request can't be carried out in the present state.
pub(super) const PRESENT_STATE: Completion = Completion(0xd5);

const USER: u8 = 2;
pub(super) const OPERATOR: u8 = 3;
const ADMINISTRATOR: u8 = 4;

/// What a command is given.
pub(super) struct Ask<'a> {
    pub(super) keeps: &'a mut Keeps,
    pub(super) machines: &'a Machines,
    pub(super) asker: &'a Asker,
    pub(super) data: &'a [u8],
}

type Handler = fn(&mut Ask<'_>) -> Answer;

/// The command of this network function and number, and the level that it needs.
fn command(function: u8, number: u8) -> Option<(u8, Handler)> {
    Some(match (function, number) {
        (0x00, 0x00) => (USER, chassis::capabilities),
        (0x00, 0x01) => (USER, chassis::status),
        (0x00, 0x02) => (OPERATOR, chassis::control),
        (0x00, 0x04) => (OPERATOR, chassis::identify),
        (0x00, 0x06) => (OPERATOR, chassis::set_policy),
        (0x00, 0x07) => (USER, chassis::restart_cause),
        (0x00, 0x0f) => (USER, chassis::hours_on),
        (0x00, 0x08) => (OPERATOR, boot::set),
        (0x00, 0x09) => (OPERATOR, boot::get),
        (0x04, 0x27) => (USER, sdr::thresholds),
        (0x04, 0x2d) => (USER, sdr::reading),
        (0x06, 0x01) => (USER, device::id),
        (0x06, 0x02 | 0x03) => (ADMINISTRATOR, device::restart),
        (0x06, 0x04) => (USER, device::self_test),
        (0x06, 0x08) => (USER, device::own_guid),
        (0x06, 0x3d) => (USER, device::session),
        (0x06, 0x48) => (USER, sol::activate),
        (0x06, 0x49) => (OPERATOR, sol::deactivate),
        (0x06, 0x4a) => (USER, sol::status),
        (0x06, 0x4b) => (USER, sol::instance),
        (0x06, 0x4d) => (OPERATOR, sol::user_access),
        (0x06, 0x4e) => (USER, sol::support),
        (0x06, 0x4f) => (USER, sol::version),
        (0x06, 0x41) => (USER, device::channel_access),
        (0x06, 0x42) => (USER, device::channel),
        (0x06, 0x44) => (OPERATOR, device::user_access),
        (0x06, 0x46) => (OPERATOR, device::user_name),
        (0x0a, 0x10) => (USER, fru::area),
        (0x0a, 0x11) => (USER, fru::read),
        (0x0a, 0x20) => (USER, sdr::repository),
        (0x0a, 0x22) => (USER, sdr::reserve),
        (0x0a, 0x23) => (USER, sdr::record),
        (0x0a, 0x40) => (USER, sel::log),
        (0x0a, 0x42) => (USER, sel::reserve),
        (0x0a, 0x43) => (USER, sel::entry),
        (0x0a, 0x46) => (OPERATOR, sel::delete),
        (0x0a, 0x47) => (OPERATOR, sel::clear),
        (0x0a, 0x48) => (USER, sel::time),
        (0x0c, 0x02) => (OPERATOR, lan::get),
        (0x0c, 0x21) => (ADMINISTRATOR, sol::set),
        (0x0c, 0x22) => (USER, sol::get),
        _ => return None,
    })
}

/// Carries a request out.
pub(super) fn answer(
    keeps: &mut Keeps,
    machines: &Machines,
    asker: &Asker,
    request: &Request,
) -> Answer {
    let known = command(request.command.function, request.command.number);
    let (level, handler) = known.ok_or(Completion::UNKNOWN_COMMAND)?;
    if asker.level < level {
        return Err(Completion::INSUFFICIENT_PRIVILEGE);
    }
    let lies = keeps.lies;
    let index = keeps.index;
    let data = handler(&mut Ask {
        keeps,
        machines,
        asker,
        data: &request.data,
    })?;
    Ok(lies.told(index, request, data))
}

impl Ask<'_> {
    /// The first bytes of the request, so many as are needed.
    pub(super) fn bytes<const N: usize>(&self) -> Result<[u8; N], Completion> {
        let bytes = self.data.first_chunk().copied();
        bytes.ok_or(Completion::WRONG_LENGTH)
    }

    /// The machine.
    pub(super) fn machine(&self) -> std::sync::MutexGuard<'_, crate::bmc::machine::Machine> {
        self.machines.machine(self.keeps.index)
    }
}
