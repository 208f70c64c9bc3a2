//! The trees of images compared with their extraction by xorriso and bsdtar.

use std::collections::BTreeMap;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use xcat3_iso::{Entry, EntryKind, IsoFile, Tree};

use crate::make::{Workshop, run, text, usual_tree};

/// The content at a path: a file (size and hash), the target of a symlink, or a directory.
#[derive(Debug, PartialEq, Eq)]
enum Content {
    File(usize, u64),
    Symlink(String),
    Dir,
}

#[test]
#[ignore = "real: programs"]
fn tree_equals_extraction_by_xorriso() {
    for (workshop, image) in images() {
        let out = workshop.dir.path().join("xorriso");
        let options = [
            "-osirrox",
            "on",
            "-indev",
            text(&image),
            "-extract",
            "/",
            text(&out),
        ];
        run("xorriso", "xorriso", &options);
        compare(&ours(&image), &on_disk(&out));
    }
}

#[test]
#[ignore = "real: programs"]
fn tree_equals_extraction_by_bsdtar() {
    for (workshop, image) in images() {
        let out = workshop.dir.path().join("bsdtar");
        fs::create_dir(&out).unwrap();
        run(
            "bsdtar",
            "libarchive-tools",
            &["-xf", text(&image), "-C", text(&out)],
        );
        compare(&ours(&image), &on_disk(&out));
    }
}

fn images() -> Vec<(Workshop, std::path::PathBuf)> {
    let many = Workshop::new();
    for number in 0..3000 {
        let directory = format!("d{}/e{}", number % 7, number % 31);
        let name = format!("{directory}/file-{number}{}", "x".repeat(number % 190));
        many.file(&name, format!("content of {number}").as_bytes());
    }
    vec![
        usual_tree().into_xorriso(),
        usual_tree().into_genisoimage(),
        many.into_xorriso(),
    ]
}

fn ours(image: &Path) -> BTreeMap<String, Content> {
    let iso = IsoFile::open(image).unwrap();
    let tree = iso.tree();
    tree.entries()
        .map(|entry| (tree.path(entry), content(&iso, tree, entry)))
        .collect()
}

fn content(iso: &IsoFile, tree: &Tree, entry: &Entry) -> Content {
    match &entry.kind {
        EntryKind::File(_) => file(&iso.read(&tree.path(entry), 1 << 20).unwrap()),
        EntryKind::Dir(_) => Content::Dir,
        EntryKind::Symlink(symlink) => Content::Symlink(tree.target(symlink).to_owned()),
    }
}

fn file(bytes: &[u8]) -> Content {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    Content::File(bytes.len(), hasher.finish())
}

/// Fails with the entries that differ.
fn compare(ours: &BTreeMap<String, Content>, theirs: &BTreeMap<String, Content>) {
    let paths = ours.keys().chain(theirs.keys());
    let differ: Vec<_> = paths
        .filter(|&path| ours.get(path) != theirs.get(path))
        .collect();
    for path in differ.iter().take(10) {
        eprintln!("{path}: {:?}, not {:?}", ours.get(*path), theirs.get(*path));
    }
    assert!(differ.is_empty(), "{} entries differ", differ.len());
    assert!(ours.len() > 10);
}

fn on_disk(root: &Path) -> BTreeMap<String, Content> {
    let mut found = BTreeMap::new();
    let mut left = vec![root.to_owned()];
    while let Some(dir) = left.pop() {
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o755)).unwrap();
        for entry in fs::read_dir(&dir).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            let kind = entry.file_type().unwrap();
            let content = if kind.is_symlink() {
                Content::Symlink(text(&fs::read_link(&path).unwrap()).to_owned())
            } else if kind.is_dir() {
                left.push(path.clone());
                Content::Dir
            } else {
                file(&fs::read(&path).unwrap())
            };
            found.insert(text(path.strip_prefix(root).unwrap()).to_owned(), content);
        }
    }
    found
}
