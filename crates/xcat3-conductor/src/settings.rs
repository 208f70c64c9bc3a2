//! The section `[conductor]` of the configuration, and the translation of `[control]` for the drivers, which don't
//! know the configuration file.

use std::num::NonZeroUsize;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use xcat3_core::Lane;
use xcat3_core::setting::Seconds;
use xcat3_drivers::control::{
    BmcConfig, ControlConfig, FakeConfig, IpmiConfig, KvmConfig, Rate, RedfishConfig,
};
use xcat3_service::config::Workers;
use xcat3_service::{StateDir, config};

/// The worker that drives hardware.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// How many batches that drive hardware are worked on at once.
    pub batches_at_once: NonZeroUsize,
    /// How many batches that only change the provisioning state are worked on at once, beside them.
    pub provisioning_at_once: NonZeroUsize,
    /// How long the nodes of a batch stay reserved after the last sign of life of who works on it.
    pub reservation_s: Seconds,
    /// How long a control driver has for one batch. Below `api.answer_within_s`, so that the
    /// reason still reaches the client.
    pub operation_deadline_s: Seconds,
    /// How long a deploy waits for the network services to serve it before it names those behind.
    pub serve_deadline_s: Seconds,
    /// How long a deploying node may stay unseen after it was asked to deploy.
    pub first_contact_s: Seconds,
    /// How long a node that was seen may fall silent during its install.
    pub silence_s: Seconds,
    /// How many worker processes there are.
    pub workers: Workers,
    /// How long work under way may go on after the daemon was told to stop.
    pub drain_s: Seconds,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            batches_at_once: NonZeroUsize::new(80).unwrap_or(NonZeroUsize::MIN),
            provisioning_at_once: NonZeroUsize::new(8).unwrap_or(NonZeroUsize::MIN),
            reservation_s: Seconds::new(30),
            operation_deadline_s: Seconds::new(50),
            serve_deadline_s: Seconds::new(30),
            first_contact_s: Seconds::new(86_400),
            silence_s: Seconds::new(3_600),
            workers: Workers::ONE,
            drain_s: Seconds::new(10),
        }
    }
}

impl Settings {
    /// How many batches of `lane` are worked on at once.
    pub(crate) fn at_once(&self, lane: Lane) -> usize {
        match lane {
            Lane::Hardware => self.batches_at_once,
            Lane::Provisioning => self.provisioning_at_once,
        }
        .get()
    }
}

/// What the control drivers are told by the configuration.
#[must_use]
pub fn control_config(control: &config::Control, state: &StateDir) -> ControlConfig {
    let kvm = &control.kvm;
    let known_hosts = kvm.known_hosts.clone();
    let fake = &control.fake;
    let journal = fake.journal.clone();
    let milliseconds = |time: u32| Duration::from_millis(time.into());
    ControlConfig {
        kvm: KvmConfig {
            known_hosts: known_hosts.unwrap_or_else(|| state.known_hosts()),
            trust_on_first_use: kvm.trust_on_first_use,
            connect_deadline: kvm.connect_deadline_s.duration(),
            command_deadline: kvm.command_deadline_s.duration(),
        },
        fake: FakeConfig {
            journal: journal.unwrap_or_else(|| state.fake_journal()),
            latency: milliseconds(fake.latency_ms),
            jitter: milliseconds(fake.jitter_ms),
            failure: Rate::new(fake.failure.value()).unwrap_or(Rate::NEVER),
        },
        bmc: bmc_config(&control.bmc),
        ipmi: IpmiConfig {
            retransmit: milliseconds(control.ipmi.retransmit_ms.get()),
            attempts: control.ipmi.attempts.get(),
            probe_rate: control.ipmi.probe_rate.get(),
        },
        redfish: redfish_config(&control.redfish, state),
    }
}

fn redfish_config(redfish: &config::Redfish, state: &StateDir) -> RedfishConfig {
    let first_use_file = redfish.first_use_file.clone();
    RedfishConfig {
        ca_file: redfish.ca_file.clone(),
        first_use_file: first_use_file.unwrap_or_else(|| state.known_bmcs()),
        connect_deadline: redfish.connect_deadline_s.duration(),
        answer_deadline: redfish.answer_deadline_s.duration(),
        change_deadline: redfish.change_deadline_s.duration(),
        probe_rate: redfish.probe_rate.get(),
    }
}

fn bmc_config(bmc: &config::Bmc) -> BmcConfig {
    BmcConfig {
        least_at_once: bmc.least_at_once.get(),
        most_at_once: bmc.most_at_once.get(),
        session_idle: bmc.session_idle_s.duration(),
    }
}
