//! When a deploy has taken too long, and the sentence that says so. Pure: no clock, no store.

use std::time::{Duration, SystemTime};

use xcat3_core::boot::{Phase, Progress};
use xcat3_core::{Node, State};

/// How long a deploying node may be silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Limits {
    /// From the deploy to the first sign of the node.
    pub(crate) first_contact: Duration,
    /// Between two signs of it.
    pub(crate) silence: Duration,
}

impl Limits {
    /// The limit of each phase, in the form that the store asks for.
    pub(crate) fn by_phase(self) -> [(Phase, Duration); Phase::ALL.len()] {
        Phase::ALL.map(|phase| (phase, self.of(phase)))
    }

    fn of(self, phase: Phase) -> Duration {
        match phase {
            Phase::Waiting => self.first_contact,
            _ => self.silence,
        }
    }
}

/// Why `node` has to be given up at `now_ms`, if it has: in which phase it is, since when, and what
/// was last seen of it.
pub(crate) fn reason(node: &Node, limits: Limits, now_ms: i64) -> Option<String> {
    let progress = node
        .deployment
        .progress
        .as_ref()
        .filter(|_| node.deployment.state == State::Deploying)?;
    let limit = limits.of(progress.phase);
    let silent_ms = now_ms.saturating_sub(progress.seen_ms);
    let over = i128::from(silent_ms) > i128::try_from(limit.as_millis()).unwrap_or(i128::MAX);
    over.then(|| sentence(progress, silent_ms))
}

fn sentence(progress: &Progress, silent_ms: i64) -> String {
    let (since, silent) = (time(progress.since_ms), span(silent_ms));
    match progress.phase {
        Phase::Waiting => format!(
            "it was never seen on the network since its deploy was asked for at {since}, {silent} ago"
        ),
        phase => format!(
            "it fell silent in phase '{phase}', which it entered at {since}: last seen at {}, \
             {silent} ago{}",
            time(progress.seen_ms),
            last(&progress.detail),
        ),
    }
}

fn last(detail: &str) -> String {
    match detail {
        "" => String::new(),
        detail => format!(" ({detail})"),
    }
}

fn time(ms: i64) -> String {
    let ms = u64::try_from(ms).unwrap_or(0);
    let at = SystemTime::UNIX_EPOCH.checked_add(Duration::from_millis(ms));
    // Years beyond 9999 have no date in the format.
    let limit = Duration::from_secs(253_402_300_799);
    let at = at
        .unwrap_or(SystemTime::UNIX_EPOCH)
        .min(SystemTime::UNIX_EPOCH + limit);
    httpdate::fmt_http_date(at)
}

/// A length of time as people say it, in its largest unit.
fn span(ms: i64) -> String {
    let seconds = ms / 1000;
    let (count, unit) = match seconds {
        0..=119 => (seconds, "s"),
        120..=7_199 => (seconds / 60, "min"),
        7_200..=172_799 => (seconds / 3_600, "h"),
        _ => (seconds / 86_400, "days"),
    };
    format!("{count} {unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: Limits = Limits {
        first_contact: Duration::from_secs(86_400),
        silence: Duration::from_secs(3_600),
    };
    const HOUR: i64 = 3_600_000;

    fn deploying(phase: Phase, since_ms: i64, seen_ms: i64) -> Node {
        let mut node = Node::new("n1".parse().unwrap());
        node.deployment.state = State::Deploying;
        node.deployment.progress = Some(Progress {
            phase,
            detail: "GET /pool/a.deb".into(),
            since_ms,
            seen_ms,
        });
        node
    }

    #[test]
    fn a_silent_install_is_given_up_after_its_limit_and_not_before() {
        let node = deploying(Phase::Packages, 0, HOUR);
        assert_eq!(reason(&node, LIMITS, 2 * HOUR), None);
        let sentence = reason(&node, LIMITS, 2 * HOUR + 1).unwrap();
        assert_eq!(
            sentence,
            "it fell silent in phase 'packages', which it entered at Thu, 01 Jan 1970 00:00:00 GMT: \
             last seen at Thu, 01 Jan 1970 01:00:00 GMT, 60 min ago (GET /pool/a.deb)"
        );
    }

    #[test]
    fn a_node_that_was_never_seen_has_longer() {
        let node = deploying(Phase::Waiting, HOUR, HOUR);
        assert_eq!(reason(&node, LIMITS, 24 * HOUR), None);
        let sentence = reason(&node, LIMITS, 26 * HOUR).unwrap();
        assert!(
            sentence.starts_with("it was never seen on the network since"),
            "{sentence}"
        );
        assert!(sentence.ends_with("25 h ago"), "{sentence}");
    }

    #[test]
    fn only_deploying_nodes_can_be_overdue_and_odd_clocks_break_nothing() {
        let mut node = deploying(Phase::Dhcp, i64::MIN, i64::MIN);
        assert!(reason(&node, LIMITS, i64::MAX).is_some());
        node = deploying(Phase::Dhcp, i64::MAX, i64::MAX);
        assert_eq!(reason(&node, LIMITS, 0), None);
        node = deploying(Phase::Dhcp, 0, 0);
        node.deployment.state = State::Deployed;
        assert_eq!(reason(&node, LIMITS, i64::MAX), None);
    }

    #[test]
    fn spans_are_told_in_their_largest_unit() {
        let spans = [90_000, 3_600_000, 10 * HOUR, 72 * HOUR].map(span);
        assert_eq!(spans, ["90 s", "60 min", "10 h", "3 days"]);
    }
}
