//! Makes images with xorriso and genisoimage.

use std::fs;
use std::os::unix::fs::{FileExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Runs a program that a test needs. Returns its output.
pub fn run(program: &str, package: &str, arguments: &[&str]) -> Vec<u8> {
    let mut command = Command::new(program);
    command.args(arguments).env("LC_ALL", "C.UTF-8");
    let output = command.output().unwrap_or_else(|error| {
        panic!("can't run {program} ({error}): install it with `apt-get install {package}`")
    });
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        output.status.success(),
        "{program} {arguments:?}: {complaint}"
    );
    output.stdout
}

/// A directory with a tree of files and the images made of it.
pub struct Workshop {
    pub dir: TempDir,
}

impl Workshop {
    pub fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("tree")).unwrap();
        Self { dir }
    }

    pub fn tree(&self) -> PathBuf {
        self.dir.path().join("tree")
    }

    pub fn image(&self) -> PathBuf {
        self.dir.path().join("made.iso")
    }

    pub fn file(&self, path: &str, content: &[u8]) -> &Self {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
        self
    }

    pub fn symlink(&self, path: &str, target: &str) -> &Self {
        let path = self.tree().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        symlink(target, path).unwrap();
        self
    }

    /// A sparse file with marks of 16 bytes at some offsets.
    pub fn sparse(&self, path: &str, size: u64, marks: &[u64]) -> &Self {
        let file = fs::File::create(self.tree().join(path)).unwrap();
        file.set_len(size).unwrap();
        for &at in marks {
            file.write_all_at(&mark(at), at).unwrap();
        }
        self
    }

    /// An image like those of distributions: Rock Ridge and Joliet, by xorriso.
    pub fn xorriso(&self, options: &[&str]) -> PathBuf {
        self.make("xorriso", "xorriso", &["-as", "mkisofs", "-quiet"], options)
    }

    /// An image by genisoimage.
    pub fn genisoimage(&self, options: &[&str]) -> PathBuf {
        self.make("genisoimage", "genisoimage", &["-quiet"], options)
    }

    /// An image by xorriso, which lives as long as the workshop.
    pub fn into_xorriso(self) -> (Self, PathBuf) {
        let image = self.xorriso(&[
            "-V",
            "Disc 1",
            "-R",
            "-J",
            "-joliet-long",
            "-iso-level",
            "3",
        ]);
        (self, image)
    }

    /// An image by genisoimage, which lives as long as the workshop.
    pub fn into_genisoimage(self) -> (Self, PathBuf) {
        let options = [
            "-V",
            "Disc 1",
            "-R",
            "-J",
            "-joliet-long",
            "-input-charset",
            "utf-8",
        ];
        let image = self.genisoimage(&options);
        (self, image)
    }

    /// A sparse image by xorriso.
    pub fn sparse_xorriso(&self) -> PathBuf {
        let (image, tree) = (self.image(), self.tree());
        let make = "xorriso -as mkisofs -quiet -R -iso-level 3 -o - \"$1\" | \
                    dd conv=sparse bs=1M iflag=fullblock of=\"$0\"";
        run("sh", "xorriso", &["-c", make, text(&image), text(&tree)]);
        let written = fs::metadata(&image).unwrap().len();
        assert!(
            written > 0,
            "no image: install xorriso with `apt-get install xorriso`"
        );
        image
    }

    fn make(&self, program: &str, package: &str, first: &[&str], options: &[&str]) -> PathBuf {
        let (image, tree) = (self.image(), self.tree());
        let mut arguments = first.to_vec();
        arguments.extend(options);
        arguments.extend(["-o", text(&image), text(&tree)]);
        run(program, package, &arguments);
        image
    }
}

/// The mark at an offset.
pub fn mark(at: u64) -> [u8; 16] {
    let mut mark = *b"mark....at......";
    mark[8..].copy_from_slice(&at.to_be_bytes());
    mark
}

pub fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A tree as in real images: long names, accents, symlinks, an empty file and an empty directory.
pub fn usual_tree() -> Workshop {
    let workshop = Workshop::new();
    let long = "a-very-long-name-".repeat(14);
    workshop
        .file(".disk/info", b"Debian GNU/Linux 13.0.0 \"Trixie\"\n")
        .file("dists/trixie/Release", b"Codename: trixie\n")
        .file("pool/main/b/bash/bash_5.2.37-2+b5_amd64.deb", &[7; 5000])
        .file("pool/main/g/g++/g++_14.deb", &[8; 2048])
        .file("empty", b"")
        .file("caf\u{e9} und t\u{fc}r.txt", b"accents")
        .file(&long, b"long name")
        .file("semicolon;1", b"kept")
        .symlink("dists/stable", "trixie")
        .symlink("debian", ".")
        .symlink("dists/latest-release", "../debian/dists/./stable/Release")
        .symlink("out", "../../etc/passwd")
        .symlink("absolute", "/etc/passwd")
        .symlink("round", "dists/round")
        .symlink("dists/round", "../round")
        .symlink("nowhere", "not/there");
    fs::create_dir(workshop.tree().join("nothing")).unwrap();
    workshop
}
