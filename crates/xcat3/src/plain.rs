//! Texts that others have written - BMCs, machines that boot, servers - as a terminal may have them:
//! without control characters, which could rewrite what is on it, and without those that turn the
//! direction of writing.

use std::borrow::Cow;

/// A text in one line: each such character is written as `\u` and its number, as in JSON.
pub fn plain(text: &str) -> Cow<'_, str> {
    escaped(text, |c| is_unsafe(c) || matches!(c, '\n' | '\t' | '\r'))
}

/// The same of a text of several lines that were put together here.
pub fn lines(text: &str) -> Cow<'_, str> {
    escaped(text, is_unsafe)
}

fn is_unsafe(c: char) -> bool {
    let directs =
        matches!(c, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    // What separates lines, but not to all that count them.
    let separates = matches!(c, '\u{2028}' | '\u{2029}');
    (c.is_control() && c != '\n' && c != '\t') || directs || separates
}

fn escaped(text: &str, is_unsafe: impl Fn(char) -> bool) -> Cow<'_, str> {
    if !text.chars().any(&is_unsafe) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_unsafe(c) {
            safe.push_str(&format!("\\u{:04x}", u32::from(c)));
        } else {
            safe.push(c);
        }
    }
    Cow::Owned(safe)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_reaches_a_terminal_that_would_act_on_it() {
        let said = "a\u{1b}[2Jb\u{9b}31m\r\nn2: ok\t\u{202e}\u{7f}é";
        assert_eq!(
            plain(said),
            r"a\u001b[2Jb\u009b31m\u000d\u000an2: ok\u0009\u202e\u007fé"
        );
        assert_eq!(lines("a\nb\tc\u{7}\r"), "a\nb\tc\\u0007\\u000d");
        assert!(matches!(plain("node1: on"), Cow::Borrowed(_)));
        // JSON means the same afterwards.
        let json = serde_json::to_string("x\u{9b}y").unwrap();
        let read: String = serde_json::from_str(&lines(&json)).unwrap();
        assert_eq!(read, "x\u{9b}y");
    }
}
