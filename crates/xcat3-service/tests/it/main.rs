//! The service crate against a real store, and the battery that every bus has to pass.

mod bus_battery;
mod feed;
mod jobs;
mod nats;
mod systemd;
mod trial;
mod workers;

use bus_battery::PATIENCE;
use xcat3_service::bus::InProcess;

macro_rules! battery {
    ($($test:ident),+ $(,)?) => {
        battery! {
            [doc = "Quick."] in_process, super::InProcess::with_patience(super::PATIENCE), $($test),+
        }
        battery! {
            [ignore = "real: NATS"] over_nats, super::nats::bus().await, $($test),+
        }
        battery! {
            [ignore = "real: NATS"]
            over_nats_between_hosts, super::nats::Apart::new().await, $($test),+
        }
    };
    ($tier:tt $adapter:ident, $bus:expr, $($test:ident),+) => {
        mod $adapter {
            $(
                #[tokio::test]
                #$tier
                async fn $test() {
                    super::bus_battery::$test(&$bus).await;
                }
            )+
        }
    };
}

battery!(
    each_piece_of_work_goes_to_one_worker,
    each_lane_has_its_own_queue,
    what_is_published_again_is_not_done_twice,
    what_a_worker_drops_goes_to_another,
    a_silent_worker_loses_its_work,
    a_worker_that_gives_signs_of_life_keeps_its_work,
    a_waiting_worker_is_woken,
    a_worker_that_stops_waiting_loses_no_work,
    nudges_reach_those_who_listen_to_the_topic,
    a_listener_that_does_not_look_holds_up_nobody,
    what_is_done_can_come_again,
    work_that_its_worker_lost_is_done_when_either_says_so,
    a_bus_that_is_closed_keeps_what_waits_for_others,
);
