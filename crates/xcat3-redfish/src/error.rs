//! What can go wrong with a BMC: one variant for each reaction of a caller, each with a sentence for
//! operators.

use std::fmt;

/// The longest message of a BMC in a sentence, in characters.
const MAX_MESSAGE_CHARS: usize = 300;

/// Why a BMC did not carry out a request. The caller names the BMC.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// There was no connection. Nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// No response in time. The BMC may have carried out the request.
    #[error("no response to {request} within {seconds} s")]
    NoResponse {
        /// Method and path.
        request: String,
        /// The timeout in seconds.
        seconds: u64,
    },
    /// The connection broke before the response was complete. The BMC may have carried out the request.
    #[error("{0}")]
    ConnectionLost(String),
    /// The certificate is not the expected one. Nothing was sent.
    #[error("{0}")]
    Untrusted(String),
    /// The BMC rejects the credentials. They must not be tried again until they change.
    #[error("{0}")]
    Rejected(String),
    /// The BMC is temporarily unable.
    #[error("{0}")]
    Busy(String),
    /// The BMC refused the request.
    #[error("{request} was refused with {status}{message}")]
    Refused {
        /// Method and path.
        request: String,
        /// The HTTP status.
        status: u16,
        /// The reason that the BMC gave.
        message: BmcMessage,
    },
    /// The response makes no sense or exceeds a limit.
    #[error("{0}")]
    InvalidResponse(String),
    /// The BMC lacks what is needed, or its state does not allow the request.
    #[error("{0}")]
    Missing(String),
    /// The gate is closed ([`crate::Client::set_gate`]). Nothing was changed.
    #[error("changes of this BMC are no longer allowed")]
    Stopped,
    /// A task of the BMC failed or did not end in time.
    #[error("{0}")]
    TaskFailed(String),
}

impl Error {
    /// The HTTP status of a refusal.
    fn status(&self) -> Option<u16> {
        match self {
            Self::Refused { status, .. } => Some(*status),
            _ => None,
        }
    }

    /// Whether the BMC may accept another form of the same request.
    #[must_use]
    pub fn may_accept_another_form(&self) -> bool {
        matches!(self.status(), Some(400 | 404 | 405 | 409 | 422 | 500 | 501))
    }

    /// Whether the resource does not exist.
    #[must_use]
    pub fn is_not_found(&self) -> bool {
        matches!(self.status(), Some(404 | 405 | 410 | 501))
    }

    /// Whether further requests would fail too.
    #[must_use]
    pub fn is_fatal(&self) -> bool {
        matches!(
            self,
            Self::Unreachable(_)
                | Self::NoResponse { .. }
                | Self::ConnectionLost(_)
                | Self::Untrusted(_)
                | Self::Rejected(_)
                | Self::Busy(_)
                | Self::Stopped
        )
    }
}

/// The value of `result`; none, and a note, if it failed. A fatal error stays an error.
pub(crate) fn or_note<T>(
    result: Result<T, Error>,
    notes: &mut Vec<String>,
) -> Result<Option<T>, Error> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.is_fatal() => Err(error),
        Err(error) => {
            notes.push(error.to_string());
            Ok(None)
        }
    }
}

/// The message of a BMC's error response, fit for a sentence. Displayed after a colon; an empty
/// message is displayed as nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BmcMessage(Option<String>);

impl BmcMessage {
    /// The message `text`, sanitized.
    #[must_use]
    pub fn new(text: &str) -> Self {
        let text = sanitize(text, MAX_MESSAGE_CHARS);
        let text = text.trim_end_matches(['.', ' ']);
        Self((!text.is_empty()).then(|| text.to_owned()))
    }

    /// The message with `mask` in place of each `secret`.
    #[must_use]
    pub fn without(self, secret: &str, mask: &str) -> Self {
        if secret.is_empty() {
            return self;
        }
        Self(self.0.map(|text| text.replace(secret, mask)))
    }
}

impl fmt::Display for BmcMessage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Some(text) => write!(f, ": {text}"),
            None => Ok(()),
        }
    }
}

/// Text of a BMC on one line, without control characters, cut after `max_chars` characters.
#[must_use]
pub fn sanitize(text: &str, max_chars: usize) -> String {
    let is_gap = |c: char| c.is_whitespace() || c.is_control() || is_bidi_control(c);
    let words = text.split(is_gap).filter(|word| !word.is_empty());
    let mut characters = words.enumerate().flat_map(|(index, word)| {
        let space = (index > 0).then_some(' ');
        space.into_iter().chain(word.chars())
    });
    let mut line: String = characters.by_ref().take(max_chars).collect();
    if characters.next().is_some() {
        line.push('…');
    }
    line
}

/// Whether `c` makes terminals show the following text in another order (Unicode Annex 9).
fn is_bidi_control(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sanitize_control_characters_and_length_are_bounded() {
        assert_eq!(sanitize("  a\r\n\tb\u{1b}[31mc ", 99), "a b [31mc");
        assert_eq!(sanitize("gnp\u{202e}.exe", 99), "gnp .exe");
        assert_eq!(sanitize(&"x".repeat(400), 300).chars().count(), 301);
        // The space before the second word is the last character that fits.
        assert_eq!(sanitize("xxx yyy", 4), "xxx …");
        assert_eq!(sanitize("xxx yyy", 7), "xxx yyy");
    }

    #[test]
    fn refusal_with_message_is_one_sentence() {
        let refused = Error::Refused {
            request: "PATCH /redfish/v1/Systems/1".to_owned(),
            status: 400,
            message: BmcMessage::new("The value is\nwrong. "),
        };
        let sentence = "PATCH /redfish/v1/Systems/1 was refused with 400: The value is wrong";
        assert_eq!(refused.to_string(), sentence);
        assert_eq!(BmcMessage::new(" \n").to_string(), "");
    }

    #[test]
    fn message_with_secret_is_masked() {
        let message = BmcMessage::new("cannot fetch cifs://u:p@h/x");
        let message = message.without("cifs://u:p@h/x", "cifs://h/x");
        assert_eq!(message.to_string(), ": cannot fetch cifs://h/x");
    }
}
