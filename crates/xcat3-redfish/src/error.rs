//! What can go wrong with a BMC, by what a caller does about it, each as a sentence for an operator.

use std::fmt;

/// The longest text of a BMC's that goes into a sentence of ours, in characters.
const LONGEST_SAYING: usize = 300;

/// Why a BMC did not do what it was asked. The sentences don't name the BMC, which the caller knows.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There was no connection: nothing was asked.
    #[error("{0}")]
    Unreachable(String),
    /// No answer in time. What was asked may have been done.
    #[error("no answer to {what} within {seconds} s")]
    Silent {
        /// What was asked: method and path.
        what: String,
        /// How long was waited, in seconds.
        seconds: u64,
    },
    /// The connection broke before the answer was complete. What was asked may have been done.
    #[error("{0}")]
    Broken(String),
    /// Its certificate is not the one that was expected. Nothing was asked.
    #[error("{0}")]
    Untrusted(String),
    /// It does not take the credentials. They must not be tried again until they change.
    #[error("{0}")]
    Rejected(String),
    /// It can't now, but may soon.
    #[error("{0}")]
    Busy(String),
    /// It refused.
    #[error("{what} was refused with {status}{said}")]
    Refused {
        /// What was asked: method and path.
        what: String,
        /// The HTTP status.
        status: u16,
        /// What it said about that.
        said: Said,
    },
    /// Its answer makes no sense or goes beyond our limits.
    #[error("{0}")]
    Nonsense(String),
    /// It does not have what is needed, or cannot do that in the state in which it is.
    #[error("{0}")]
    Missing(String),
    /// Its gate was closed ([`crate::Client::guard`]).
    #[error("nothing more may be done to it")]
    Stopped,
    /// A task that it began did not end well, or not in time.
    #[error("{0}")]
    Undone(String),
}

impl Error {
    /// The HTTP status with which it was refused.
    #[must_use]
    pub fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether another wording of the same wish may do: it is the wish that was refused.
    #[must_use]
    pub fn is_about_wording(&self) -> bool {
        matches!(self.status(), Some(400 | 404 | 405 | 409 | 422 | 500 | 501))
    }

    /// Whether the resource is not there.
    #[must_use]
    pub fn is_absent(&self) -> bool {
        matches!(self.status(), Some(404 | 405 | 410 | 501))
    }

    /// Whether nothing more can be asked now: not this wish is at fault.
    #[must_use]
    pub fn is_final(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::Silent { .. }
                | Self::Broken(_)
                | Self::Untrusted(_)
                | Self::Rejected(_)
                | Self::Busy(_)
                | Self::Stopped
        )
    }
}

/// What a BMC said in an error, made fit for a sentence of ours; empty where it said nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Said(Option<String>);

impl Said {
    /// That it said `text`.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = tame(text, LONGEST_SAYING);
        let text = text.trim_end_matches(['.', ' ']);
        Self((!text.is_empty()).then(|| text.to_owned()))
    }

    /// It without every occurrence of `secret`, in whose place `shown` stands.
    #[must_use]
    pub fn without(self, secret: &str, shown: &str) -> Self {
        if secret.is_empty() {
            return self;
        }
        Self(self.0.map(|text| text.replace(secret, shown)))
    }
}

impl fmt::Display for Said {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// `text` of a BMC's on one line, without control characters, at most `longest` characters of it.
#[must_use]
pub fn tame(text: &str, longest: usize) -> String {
    let between = |c: char| c.is_whitespace() || c.is_control() || turns(c);
    let words = text.split(between).filter(|word| !word.is_empty());
    let mut characters = words.enumerate().flat_map(|(number, word)| {
        let space = (number > 0).then_some(' ');
        space.into_iter().chain(word.chars())
    });
    let mut tamed: String = characters.by_ref().take(longest).collect();
    if characters.next().is_some() {
        tamed.push('…');
    }
    tamed
}

/// Whether a terminal that knows bidirectional text (Unicode Annex 9) would show what follows in
/// another order than it stands there.
fn turns(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_bmc_says_is_one_short_line() {
        assert_eq!(tame("  a\r\n\tb\u{1b}[31mc ", 99), "a b [31mc");
        assert_eq!(tame("gnp\u{202e}.exe", 99), "gnp .exe");
        assert_eq!(tame(&"x".repeat(400), 300).chars().count(), 301);
        // The space before the second word is the last that there is room for.
        assert_eq!(tame("xxx yyy", 4), "xxx …");
        assert_eq!(tame("xxx yyy", 7), "xxx yyy");
        let refused = Error::Refused {
            what: "PATCH /redfish/v1/Systems/1".to_owned(),
            status: 400,
            said: Said::new("The value is\nwrong. "),
        };
        let sentence = "PATCH /redfish/v1/Systems/1 was refused with 400: The value is wrong";
        assert_eq!(refused.to_string(), sentence);
        assert_eq!(Said::new(" \n").to_string(), "");
        let said = Said::new("cannot fetch cifs://u:p@h/x").without("cifs://u:p@h/x", "cifs://h/x");
        assert_eq!(said.to_string(), ": cannot fetch cifs://h/x");
    }
}
