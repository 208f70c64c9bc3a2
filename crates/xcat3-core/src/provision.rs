//! The provisioning state machine of a node, as one pure function.
//!
//! ```text
//!             ServeDhcp               Deploy
//!   ┌──────┐ ──────────► ┌──────┐ ────────────► ┌───────────┐
//!   │ None │             │ Dhcp │               │ Deploying │ ◄─┐ Deploy (force)
//!   └──────┘ ◄────────── └──────┘               └───────────┘ ──┘
//!     ▲  │      Undo                              │  ▲    │
//!     │  └────────────────── Deploy ──────────────│──┘    │
//!     │                                  Callback │       │ Fail
//!     │ Undo, from every state                    ▼       ▼
//!     └────────────────────────────────── ┌──────────┐ ┌────────┐
//!                                         │ Deployed │ │ Failed │   Deploy and ServeDhcp lead on
//!                                         └──────────┘ └────────┘   from both as they do from None
//! ```
//!
//! Every state can be left: `Undo` aborts from anywhere, `Deploy` retries from anywhere but a deploy
//! under way, and with `force` from there too.

use std::fmt;
use std::str::FromStr;

/// Where a node stands between bare metal and an installed system.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum State {
    /// Nothing is set up for it: it boots its disk. `null` on the wire.
    #[default]
    None,
    /// Only its address is served.
    Dhcp,
    /// Its next network boot starts the installer, or the installer is running.
    Deploying,
    /// The installer said that it is done: it boots its disk.
    Deployed,
    /// A deploy ended without success; the node's record says why.
    Failed,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Event {
    /// An operator asks for an install. `force` restarts one that is under way.
    Deploy {
        /// Whether to restart an install that is under way.
        force: bool,
    },
    /// An operator asks that only the address be served.
    ServeDhcp,
    /// An operator takes everything back.
    Undo,
    /// The installer says that it is done.
    Callback,
    /// The deadline passed or the install is known to have failed.
    Fail,
}

/// The event does not fit the state.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// A deploy is under way.
    #[error("it is being deployed already: take that back first (deploy --delete), or force it")]
    AlreadyDeploying,
    /// A callback from a node that is not deploying.
    #[error("it is not being deployed, so there is no install to end")]
    NotDeploying,
}

/// The state after `event`, or why it can't happen in `state`.
///
/// # Errors
/// The event does not fit the state; the state stays as it is.
pub fn next(state: State, event: Event) -> Result<State, Refused> {
    match (state, event) {
        (_, Event::Undo) => Ok(State::None),
        (State::Deploying, Event::Deploy { force: false } | Event::ServeDhcp) => {
            Err(Refused::AlreadyDeploying)
        }
        (_, Event::Deploy { .. }) => Ok(State::Deploying),
        (_, Event::ServeDhcp) => Ok(State::Dhcp),
        (State::Deploying, Event::Callback) => Ok(State::Deployed),
        // A callback that was sent twice, because its answer was lost, changes nothing.
        (State::Deployed, Event::Callback) => Ok(State::Deployed),
        (State::Deploying, Event::Fail) => Ok(State::Failed),
        (_, Event::Callback | Event::Fail) => Err(Refused::NotDeploying),
    }
}

impl State {
    /// All states.
    pub const ALL: [Self; 5] = [
        Self::None,
        Self::Dhcp,
        Self::Deploying,
        Self::Deployed,
        Self::Failed,
    ];

    /// The word for it in the store and on the wire; `None` has none.
    #[must_use]
    pub fn as_str(self) -> Option<&'static str> {
        match self {
            Self::None => None,
            Self::Dhcp => Some("dhcp"),
            Self::Deploying => Some("deploying"),
            Self::Deployed => Some("deployed"),
            Self::Failed => Some("failed"),
        }
    }
}

/// The word is no state.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a provisioning state")]
pub struct UnknownState(String);

impl FromStr for State {
    type Err = UnknownState;

    fn from_str(text: &str) -> Result<Self, UnknownState> {
        Self::ALL
            .into_iter()
            .find(|state| state.as_str() == Some(text))
            .ok_or_else(|| UnknownState(text.to_owned()))
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str().unwrap_or("none"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn event() -> impl Strategy<Value = Event> {
        prop_oneof![
            any::<bool>().prop_map(|force| Event::Deploy { force }),
            Just(Event::ServeDhcp),
            Just(Event::Undo),
            Just(Event::Callback),
            Just(Event::Fail),
        ]
    }

    fn run(events: &[Event]) -> State {
        events.iter().fold(State::None, |state, &event| {
            next(state, event).unwrap_or(state)
        })
    }

    proptest! {
        #[test]
        fn every_state_can_be_aborted_and_forced(events in prop::collection::vec(event(), 0..20)) {
            let state = run(&events);
            prop_assert_eq!(next(state, Event::Undo), Ok(State::None));
            prop_assert_eq!(next(state, Event::Deploy { force: true }), Ok(State::Deploying));
        }

        #[test]
        fn only_a_deploy_leads_to_deployed_or_failed(events in prop::collection::vec(event(), 0..20)) {
            let deploys = events.iter().any(|event| matches!(event, Event::Deploy { .. }));
            let ended = matches!(run(&events), State::Deployed | State::Failed);
            prop_assert!(deploys || !ended);
        }

        #[test]
        fn a_repeated_event_changes_nothing_more(events in prop::collection::vec(event(), 0..20), last in event()) {
            let once = next(run(&events), last);
            if let Ok(state) = once {
                prop_assert_eq!(next(state, last).unwrap_or(state), state);
            }
        }
    }

    #[test]
    fn a_second_deploy_is_refused_until_the_first_has_ended() {
        let again = next(State::Deploying, Event::Deploy { force: false });
        assert_eq!(again, Err(Refused::AlreadyDeploying));
        assert_eq!(
            next(State::Failed, Event::Deploy { force: false }),
            Ok(State::Deploying)
        );
    }

    #[test]
    fn words_and_states_are_each_others_inverse() {
        for state in State::ALL {
            assert_eq!(
                state.as_str().map(str::parse),
                state.as_str().map(|_| Ok(state))
            );
        }
    }
}
