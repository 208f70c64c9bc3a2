//! A page that lists a directory, for operators with a browser.

use std::fmt::Write;

use super::content_type;
use super::response::Response;
use crate::content::Content;
use crate::path::percent_encode;

/// Entries that are listed, at most.
const MOST: usize = 10_000;

/// An entry of a directory.
#[derive(Clone, Copy, Debug)]
pub struct Listed<'a> {
    /// Its name.
    pub name: &'a str,
    /// Bytes of a file; `None` for a directory.
    pub size: Option<u64>,
}

impl Response {
    /// Lists a directory. The path is as the client asked for it, which must have ended in a slash
    /// for the links to lead anywhere: answer [`Response::moved`] else.
    pub fn listing<'a>(path: &str, entries: impl IntoIterator<Item = Listed<'a>>) -> Self {
        let title = escape(path);
        let mut page = format!(
            "<!DOCTYPE html>\n<html><head><title>{title}</title></head><body>\n\
             <h1>{title}</h1>\n<pre>\n<a href=\"../\">../</a>\n"
        );
        for entry in entries.into_iter().take(MOST) {
            let slash = if entry.size.is_none() { "/" } else { "" };
            let (link, name) = (percent_encode(entry.name), escape(entry.name));
            let fill = 60usize.saturating_sub(entry.name.chars().count() + slash.len());
            let size = entry.size.map(|size| size.to_string()).unwrap_or_default();
            // Writing to memory does not fail.
            let _ = writeln!(
                page,
                "<a href=\"./{link}{slash}\">{name}{slash}</a>{:fill$} {size:>14}",
                ""
            );
        }
        page.push_str("</pre>\n</body></html>\n");
        Self {
            content_type: content_type::HTML.into(),
            ..Self::file("", Content::from(page))
        }
    }
}

fn escape(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            character => escaped.push(character),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_escaped() {
        let entries = [
            Listed {
                name: "<b>\" &",
                size: Some(12),
            },
            Listed {
                name: "pool",
                size: None,
            },
        ];
        let Content::Memory(page) = Response::listing("/a<i>/", entries).content else {
            panic!("a page in memory");
        };
        let page = String::from_utf8(page.to_vec()).expect("text");
        assert!(page.contains("<h1>/a&lt;i&gt;/</h1>"), "{page}");
        assert!(
            page.contains("<a href=\"./%3Cb%3E%22%20%26\">&lt;b&gt;&quot; &amp;</a>"),
            "{page}"
        );
        assert!(page.contains("<a href=\"./pool/\">pool/</a>"), "{page}");
    }
}
