//! What a conductor is told by configuration, and the translation for the drivers, which don't know
//! the configuration file.

use std::time::Duration;

use xcat3_core::Lane;
use xcat3_drivers::control::{
    BmcConfig, ControlConfig, FakeConfig, IpmiConfig, KvmConfig, Rate, RedfishConfig,
};
use xcat3_service::{Config, Slot, StateDir, config};

/// How a conductor works.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Its place among the conductors, which services and reservations show.
    pub slot: Slot,
    /// How many batches that drive hardware are worked on at once.
    pub batches_at_once: usize,
    /// How many batches that only change the provisioning state are worked on at once, beside them.
    pub provisioning_at_once: usize,
    /// How long nodes stay reserved after the last sign of life of who works on them.
    pub reservation: Duration,
    /// How long a control driver has for one batch.
    pub operation_deadline: Duration,
    /// How long to wait for the network services to serve what was written.
    pub serve_deadline: Duration,
    /// How long a deploying node may stay unseen.
    pub first_contact: Duration,
    /// How long a deploying node may fall silent.
    pub silence: Duration,
    /// How long work under way may go on after shutdown began.
    pub drain: Duration,
}

impl Settings {
    /// The settings of the conductor at `slot` by its configuration.
    #[must_use]
    pub fn of(config: &Config, slot: Slot) -> Self {
        let conductor = &config.conductor;
        Self {
            slot,
            batches_at_once: conductor.batches_at_once.get(),
            provisioning_at_once: conductor.provisioning_at_once.get(),
            reservation: conductor.reservation_s.duration(),
            operation_deadline: conductor.operation_deadline_s.duration(),
            serve_deadline: conductor.serve_deadline_s.duration(),
            first_contact: conductor.first_contact_s.duration(),
            silence: conductor.silence_s.duration(),
            drain: conductor.drain_s.duration(),
        }
    }

    /// How many batches of `lane` are worked on at once.
    pub(crate) fn at_once(&self, lane: Lane) -> usize {
        match lane {
            Lane::Hardware => self.batches_at_once,
            Lane::Provisioning => self.provisioning_at_once,
        }
    }
}

/// What the control drivers are told by the configuration.
#[must_use]
pub fn control_config(config: &Config, state: &StateDir) -> ControlConfig {
    let kvm = &config.control.kvm;
    let known_hosts = kvm.known_hosts.clone();
    let fake = &config.control.fake;
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
        bmc: bmc_config(&config.control.bmc),
        ipmi: IpmiConfig {
            retransmit: milliseconds(config.control.ipmi.retransmit_ms.get()),
            attempts: config.control.ipmi.attempts.get(),
            probe_rate: config.control.ipmi.probe_rate.get(),
        },
        redfish: redfish_config(&config.control.redfish, state),
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
