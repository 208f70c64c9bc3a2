//! One operation on one BMC, and what its failure means for the lane.

use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use serde::Serialize;
use xcat3_core::hardware::Report;
use xcat3_core::{Node, Outcome, PowerState, PowerTarget};
use xcat3_redfish::{Client, Error, Gate};

use super::super::ControlOperation;
use super::super::Lease;
use super::super::bmc::{Asked, Failure, Turn};
use super::options::{boot_uri, system};

/// Does what is asked.
pub async fn act(
    client: &mut Client,
    asked: Asked<'_>,
    turn: &Turn<'_>,
) -> Result<Outcome, Failure> {
    client.set_gate(Some(gate(asked.lease)));
    let answers = client.response_counter();
    let operation = asked.operation;
    let done = told(&answers, turn, pin!(operate(client, asked.node, operation))).await;
    match done {
        Ok(outcome) => Ok(outcome),
        Err(error) => {
            let failure = failure(error);
            Err(
                match client.has_sent_change() && !is_repeatable(operation) {
                    true => failure.once(),
                    false => failure,
                },
            )
        }
    }
}

/// Thousands of these are under way at once, and each takes the room of its largest branch: what is
/// asked of all BMCs most often is apart from the rest.
async fn operate(
    client: &mut Client,
    node: &Node,
    operation: &ControlOperation,
) -> Result<Outcome, Error> {
    match operation {
        ControlOperation::PowerStatus => client.power_state(system(node)).await.map(power_word),
        _ => Box::pin(operate_at_length(client, node, operation)).await,
    }
}

async fn operate_at_length(
    client: &mut Client,
    node: &Node,
    operation: &ControlOperation,
) -> Result<Outcome, Error> {
    let system = system(node);
    let done = |()| Outcome::OK;
    match operation {
        ControlOperation::PowerStatus => client.power_state(system).await.map(power_word),
        ControlOperation::Power(target) => client.set_power(system, *target).await.map(done),
        ControlOperation::BootDeviceStatus => {
            let device = client.boot_device(system).await?;
            Ok(Outcome::Done(
                device.map_or("none", |device| device.as_str()),
            ))
        }
        ControlOperation::SetBootDevice(order) => {
            let uri = boot_uri(node).filter(|_| order.device == xcat3_core::BootDevice::Http);
            client.set_boot_device(system, *order, uri).await.map(done)
        }
        ControlOperation::Inventory => client.inventory(system).await.map(report),
        ControlOperation::Sensors => client.sensors(system).await.map(report),
        ControlOperation::EventLog => client.event_log(system).await.map(report),
        ControlOperation::ClearEventLog => client.clear_event_log(system).await.map(done),
        ControlOperation::BeaconStatus => {
            let is_lit = client.beacon(system).await?;
            Ok(Outcome::Done(if is_lit { "on" } else { "off" }))
        }
        ControlOperation::Beacon(on) => client.set_beacon(system, *on).await.map(done),
        ControlOperation::Bios => client.bios(system).await.map(report),
        ControlOperation::SetBios(changes) => client.set_bios(system, changes).await.map(done),
        ControlOperation::Media => client.media(system).await.map(report),
        ControlOperation::InsertMedia(image) => client.insert_media(system, image).await.map(done),
        ControlOperation::EjectMedia => client.eject_media(system).await.map(done),
    }
}

fn power_word(state: PowerState) -> Outcome {
    Outcome::Done(state.as_str())
}

/// What was found, as an outcome.
pub fn report(found: impl Serialize) -> Outcome {
    match Report::of(&found) {
        Ok(report) => Outcome::Report(report),
        Err(error) => Outcome::failed(error),
    }
}

/// Whether it is as good twice as once.
pub fn is_repeatable(operation: &ControlOperation) -> bool {
    !matches!(
        operation,
        ControlOperation::Power(PowerTarget::Boot | PowerTarget::Reset | PowerTarget::Cycle)
    )
}

/// What the client asks before each change.
pub fn gate(lease: &Lease) -> Gate {
    let lease = lease.clone();
    Arc::new(move || {
        let lease = lease.clone();
        Box::pin(async move { lease.holds().await })
    })
}

/// Does `work`, and tells `turn` of each answer that `answers` counts meanwhile.
pub async fn told<T>(
    answers: &AtomicU32,
    turn: &Turn<'_>,
    mut work: Pin<&mut impl Future<Output = T>>,
) -> T {
    answers.store(0, Ordering::Relaxed);
    poll_fn(move |cx| {
        let polled = work.as_mut().poll(cx);
        let count = answers.swap(0, Ordering::Relaxed);
        if count > 0 {
            turn.answered(count);
        }
        polled
    })
    .await
}

/// What an error means for the lane.
pub fn failure(error: Error) -> Failure {
    match error {
        Error::Unreachable(_) | Error::NoResponse { .. } => Failure::silent(error),
        Error::ConnectionLost(_) => Failure::lost(error),
        Error::Rejected(_) => Failure::rejected(error),
        Error::Busy(_) => Failure::busy(error),
        Error::Stopped => Failure::lease_lost(),
        Error::Untrusted(_)
        | Error::Refused { .. }
        | Error::InvalidResponse(_)
        | Error::Missing(_)
        | Error::TaskFailed(_) => Failure::refused(error),
    }
}
