//! What systemd is told (sd_notify(3)): readiness, reload, stop, a status line, signs of life for its
//! watchdog. Without systemd nothing is told.

use std::time::Duration;

use sd_notify::NotifyState;

/// The line to systemd, where it started this process.
#[derive(Debug, Default)]
pub struct Systemd {
    watchdog: Option<Duration>,
    status: String,
}

impl Systemd {
    /// As the environment says (`NOTIFY_SOCKET`, `WATCHDOG_USEC`).
    #[must_use]
    pub fn of_environment() -> Self {
        Self {
            watchdog: sd_notify::watchdog_enabled(),
            status: String::new(),
        }
    }

    /// How often systemd wants a sign of life, with room to be late: half of its patience.
    #[must_use]
    pub fn beat(&self) -> Option<Duration> {
        self.watchdog.map(|patience| patience / 2)
    }

    /// The daemon serves, from the start or again after a reload.
    pub fn ready(&mut self, status: &str) {
        status.clone_into(&mut self.status);
        tell(&[NotifyState::Ready, NotifyState::Status(status)]);
    }

    /// The configuration is being read again; [`Systemd::ready`] ends it.
    pub fn reloading(&self) {
        match NotifyState::monotonic_usec_now() {
            Ok(now) => tell(&[NotifyState::Reloading, now]),
            Err(_) => tell(&[NotifyState::Reloading]),
        }
    }

    /// The daemon ends, which may take `patience`.
    pub fn stopping(&self, patience: Duration) {
        let micros = u32::try_from(patience.as_micros()).unwrap_or(u32::MAX);
        tell(&[
            NotifyState::Stopping,
            NotifyState::ExtendTimeoutUsec(micros),
        ]);
    }

    /// What the daemon is about, in a line.
    pub fn status(&mut self, status: &str) {
        if self.status != status {
            status.clone_into(&mut self.status);
            tell(&[NotifyState::Status(status)]);
        }
    }

    /// A sign of life.
    pub fn alive(&self) {
        if self.watchdog.is_some() {
            tell(&[NotifyState::Watchdog]);
        }
    }
}

fn tell(what: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(what) {
        tracing::debug!(%error, "systemd was not told");
    }
}
