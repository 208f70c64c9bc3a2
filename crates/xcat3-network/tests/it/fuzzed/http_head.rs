//! Headers of HTTP requests, with the ranges and conditions in them.

use std::time::{Duration, SystemTime};

use xcat3_network::http::head::parse;
use xcat3_network::http::select::{Selected, select};
use xcat3_network::path::{normalise, percent_decode};

/// Parses `bytes` as a header, and as a path.
pub fn run(bytes: &[u8]) {
    let text = String::from_utf8_lossy(bytes);
    if let Ok(path) = percent_decode(&text).and_then(|path| normalise(&path)) {
        assert_normal(&path);
    }
    let Ok(Some((head, len))) = parse(bytes) else {
        return;
    };
    assert!(len <= bytes.len());
    assert_normal(&head.path);
    // What follows the header does not change it.
    assert_eq!(parse(&bytes[..len]), Ok(Some((head, len))));
    let Ok(Some((head, _))) = parse(bytes) else {
        unreachable!("it was parsed before");
    };
    let modified = SystemTime::UNIX_EPOCH + Duration::from_millis(784_111_777_500);
    for size in [0, 1, 100, u64::MAX] {
        for (tag, modified) in [(None, None), (Some("\"a1\""), Some(modified))] {
            match select(&head, tag, modified, size) {
                Selected::Part(part) => assert!(part.start < part.end && part.end <= size),
                Selected::NotModified => assert!(tag.is_some() || modified.is_some()),
                Selected::Unsatisfiable => assert!(head.range.is_some()),
                Selected::Whole => {}
            }
        }
    }
}

fn assert_normal(path: &str) {
    assert!(!path.starts_with('/') && !path.contains("//"), "{path:?}");
    assert!(!path.chars().any(char::is_control), "{path:?}");
    let mut names = path.split('/');
    assert!(names.all(|name| !matches!(name, "." | "..")), "{path:?}");
}
