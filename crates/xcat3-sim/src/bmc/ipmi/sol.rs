//! Serial over LAN (15, 24, 26): the payload is activated in one session at a time, what a console types
//! comes back. Characters are neither lost nor doubled: what is not acknowledged is sent again.

use std::collections::VecDeque;
use std::time::Instant;

use xcat3_ipmi::Completion;
use xcat3_ipmi::sol::{BmcPacket, Port};

use super::bmc::Console;
use super::commands::{Answer, Ask, OPERATOR, OUT_OF_RANGE};
use super::device::is_here;

const REVISION: u8 = 0x11;
/// The payload's type (13.27.3) and its only instance.
const SOL: u8 = 1;
const INSTANCE: u8 = 1;
/// The largest payload, both ways, bytes.
const LARGEST: u16 = 200;
const NO_VLAN: u16 = 0xffff;
/// What a console that sends a break sees.
const BREAK: &[u8] = b"\r\n[break]\r\n";

/// Another session has the payload; of the configuration: the parameter is not known.
const IN_USE: Completion = Completion(0x80);
const DISABLED: Completion = Completion(0x81);
const READ_ONLY: Completion = Completion(0x82);

/// A BMC's serial over LAN.
pub(super) struct SerialOverLan {
    set_in_progress: u8,
    enabled: bool,
    /// Encryption and authentication forced, and the least level.
    authentication: u8,
    accumulate: [u8; 2],
    retry: [u8; 2],
    bit_rates: [u8; 2],
    active: Option<Box<Active>>,
    /// Payloads on their way, with their session and where its console is.
    out: VecDeque<(u32, Console, Vec<u8>)>,
}

/// The session that has the console.
struct Active {
    session: u32,
    console: Console,
    port: Port,
}

impl Default for SerialOverLan {
    fn default() -> Self {
        Self {
            set_in_progress: 0,
            enabled: true,
            authentication: 0xc0 | OPERATOR,
            // 60 ms, 96 characters; 7 times after 500 ms; 115,200 bits a second.
            accumulate: [12, 96],
            retry: [7, 50],
            bit_rates: [10, 10],
            active: None,
            out: VecDeque::new(),
        }
    }
}

impl SerialOverLan {
    /// Which session has the console.
    pub(super) fn session(&self) -> Option<u32> {
        self.active.as_ref().map(|active| active.session)
    }

    /// Nobody has the console any more, and nobody is told so.
    pub(super) fn forget(&mut self) {
        self.active = None;
        self.out.clear();
    }

    /// When [`SerialOverLan::expire`] is to be called.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.active
            .as_ref()
            .and_then(|active| active.port.deadline())
    }

    /// What was not acknowledged in time is sent again; a console that never does is gone.
    pub(super) fn expire(&mut self, now: Instant) {
        let Some(active) = &mut self.active else {
            return;
        };
        if active.port.deadline().is_some_and(|until| until <= now) && !active.port.expire(now) {
            active.port.deactivate();
            self.collect();
            self.active = None;
        } else {
            self.collect();
        }
    }

    /// Takes a payload of a session: what it types is echoed.
    pub(super) fn receive(&mut self, session: u32, console: Console, payload: &[u8], now: Instant) {
        let active = self.active.as_mut();
        let Some(active) = active.filter(|active| active.session == session) else {
            // Who lost the console, and did not hear of it, does now.
            let ended = BmcPacket {
                deactivated: true,
                ..BmcPacket::default()
            };
            self.out.push_back((session, console, ended.encode()));
            return;
        };
        active.console = console;
        let typed = active.port.receive_up_to(active.port.room(), payload, now);
        active.port.write(&typed.data, now);
        if typed.is_break {
            active.port.write(BREAK, now);
        }
        self.collect();
    }

    /// The next payload to send.
    pub(super) fn transmit(&mut self) -> Option<(u32, Console, Vec<u8>)> {
        self.out.pop_front()
    }

    fn collect(&mut self) {
        if let Some(active) = &mut self.active {
            while let Some(payload) = active.port.transmit() {
                let to = (active.session, active.console);
                self.out.push_back((to.0, to.1, payload));
            }
        }
    }

    fn deactivate(&mut self) {
        if let Some(active) = &mut self.active {
            active.port.deactivate();
        }
        self.collect();
        self.active = None;
    }
}

/// The request is about serial over LAN and this instance of it.
fn is_sol(kind: u8, instance: u8) -> Result<(), Completion> {
    match (kind & 0x3f, instance & 0x0f) {
        (SOL, INSTANCE) => Ok(()),
        _ => Err(OUT_OF_RANGE),
    }
}

/// Activate Payload.
pub(super) fn activate(ask: &mut Ask<'_>) -> Answer {
    let [kind, instance, ..] = ask.bytes::<6>()?;
    is_sol(kind, instance)?;
    if !ask.keeps.sol.enabled {
        return Err(DISABLED);
    }
    if ask.asker.level < ask.keeps.sol.authentication & 0x0f {
        return Err(Completion::INSUFFICIENT_PRIVILEGE);
    }
    if ask.keeps.sol.active.is_some() {
        return Err(IN_USE);
    }
    let banner = {
        let machine = ask.machine();
        format!("\r\n{} {} echo console\r\n", machine.model, machine.serial)
    };
    let mut port = Port::new(LARGEST);
    port.write(banner.as_bytes(), ask.asker.now);
    ask.keeps.sol.active = Some(Box::new(Active {
        session: ask.asker.session,
        console: ask.asker.console,
        port,
    }));
    ask.keeps.sol.collect();
    // No test mode.
    let mut data = vec![0; 4];
    for number in [LARGEST, LARGEST, ask.keeps.port, NO_VLAN] {
        data.extend_from_slice(&number.to_le_bytes());
    }
    Ok(data)
}

/// Deactivate Payload: of any session.
pub(super) fn deactivate(ask: &mut Ask<'_>) -> Answer {
    let [kind, instance, ..] = ask.bytes::<6>()?;
    is_sol(kind, instance)?;
    if ask.keeps.sol.active.is_none() {
        return Err(IN_USE);
    }
    ask.keeps.sol.deactivate();
    Ok(Vec::new())
}

/// Get Payload Activation Status: which of the one instance is active.
pub(super) fn status(ask: &mut Ask<'_>) -> Answer {
    let [kind] = ask.bytes()?;
    is_sol(kind, INSTANCE)?;
    let active = u8::from(ask.keeps.sol.active.is_some());
    Ok(vec![INSTANCE, active, 0])
}

/// Get Payload Instance Info: which session has it, and the machine's serial port.
pub(super) fn instance(ask: &mut Ask<'_>) -> Answer {
    let [kind, instance] = ask.bytes()?;
    is_sol(kind, instance)?;
    let session = ask.keeps.sol.session().unwrap_or(0);
    Ok([&session.to_le_bytes()[..], &[1, 0, 0, 0, 0, 0, 0, 0]].concat())
}

/// Get User Payload Access: serial over LAN for all who are known.
pub(super) fn user_access(ask: &mut Ask<'_>) -> Answer {
    let [channel, _user] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    Ok(vec![1 << SOL, 0, 0, 0])
}

/// Get Channel Payload Support: messages, serial over LAN and what begins a session.
pub(super) fn support(ask: &mut Ask<'_>) -> Answer {
    let [channel] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    Ok(vec![1 | 1 << SOL, 0, 0x3f, 0, 0, 0, 0, 0])
}

/// Get Channel Payload Version: 1.0.
pub(super) fn version(ask: &mut Ask<'_>) -> Answer {
    match ask.bytes()? {
        [channel, 0 | SOL | 0x10..=0x15] if is_here(channel) => Ok(vec![0x10]),
        // "Payload type not available".
        _ => Err(Completion(0x80)),
    }
}

/// Get SOL Configuration Parameters.
pub(super) fn get(ask: &mut Ask<'_>) -> Answer {
    let [channel, parameter, _set, _block] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    if channel & 0x80 != 0 {
        return Ok(vec![REVISION]);
    }
    let sol = &ask.keeps.sol;
    let data = match parameter {
        0 => vec![sol.set_in_progress],
        1 => vec![u8::from(sol.enabled)],
        2 => vec![sol.authentication],
        3 => sol.accumulate.to_vec(),
        4 => sol.retry.to_vec(),
        5 => vec![sol.bit_rates[0]],
        6 => vec![sol.bit_rates[1]],
        7 => vec![super::device::CHANNEL],
        8 => ask.keeps.port.to_le_bytes().to_vec(),
        _ => return Err(Completion::UNKNOWN_PARAMETER),
    };
    Ok([&[REVISION], &data[..]].concat())
}

/// Set SOL Configuration Parameters.
pub(super) fn set(ask: &mut Ask<'_>) -> Answer {
    let [channel, parameter] = ask.bytes()?;
    if !is_here(channel) {
        return Err(OUT_OF_RANGE);
    }
    let sol = &mut ask.keeps.sol;
    match (parameter, &ask.data[2..]) {
        (0, [state]) if state & 3 == 1 && sol.set_in_progress == 1 => return Err(DISABLED),
        (0, [state]) => sol.set_in_progress = state & 1,
        (1, [enabled]) => sol.enabled = enabled & 1 != 0,
        // Payloads are never sent in the clear.
        (2, [authentication]) => sol.authentication = 0xc0 | authentication & 0x0f,
        (3, [interval, threshold]) => sol.accumulate = [*interval, *threshold],
        (4, [count, interval]) => sol.retry = [count & 7, *interval],
        (5, [rate]) => sol.bit_rates[0] = rate & 0x0f,
        (6, [rate]) => sol.bit_rates[1] = rate & 0x0f,
        (7 | 8, _) => return Err(READ_ONLY),
        (0..=6, _) => return Err(Completion::WRONG_LENGTH),
        _ => return Err(Completion::UNKNOWN_PARAMETER),
    }
    Ok(Vec::new())
}
