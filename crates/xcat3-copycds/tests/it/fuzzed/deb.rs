//! Debian packages with any content: reading files ends in files within the limit or in an error.

use xcat3_copycds::read_files;

/// The longest file that is read, in bytes.
const LIMIT: u64 = 2000;

/// The first byte says what the others are: a package, or the archive in one, compressed or not.
pub fn run(bytes: &[u8]) {
    let Some((&form, content)) = bytes.split_first() else {
        return;
    };
    let package = match form % 3 {
        0 => content.to_vec(),
        1 => package("data.tar", content),
        _ => package("data.tar.xz", content),
    };
    let is_wanted = |path: &str| !path.ends_with('x');
    if let Ok(files) = read_files(&package[..], LIMIT, &is_wanted) {
        for (path, content) in files {
            assert!(is_wanted(&path), "{path:?}");
            assert!(content.len() as u64 <= LIMIT, "{path:?}");
        }
    }
}

/// An intact ar archive with one member.
pub fn package(name: &str, content: &[u8]) -> Vec<u8> {
    let size = content.len();
    let header = format!(
        "!<arch>\n{name:<16}{:<12}{:<6}{:<6}{:<8}{size:<10}`\n",
        0, 0, 0, 644
    );
    [header.as_bytes(), content].concat()
}
