//! Makes initial RAM disks: static busybox, kernel modules, and programs with their libraries.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::apt::file_name;
use crate::command::{command, output, run};

/// A directory that becomes an initial RAM disk.
pub struct Initramfs {
    root: PathBuf,
}

impl Initramfs {
    /// Starts with busybox and a link for each of its commands.
    pub fn new(root: &Path) -> Result<Self> {
        for part in ["bin", "etc", "proc", "sys", "dev", "root", "modules"] {
            fs::create_dir_all(root.join(part))?;
        }
        fs::copy("/bin/busybox", root.join("bin/busybox")).context("busybox-static")?;
        for name in output(command("/bin/busybox").arg("--list"))?.split_whitespace() {
            if name != "busybox" {
                symlink("busybox", root.join("bin").join(name))?;
            }
        }
        symlink("bin", root.join("sbin"))?;
        Ok(Self {
            root: root.to_owned(),
        })
    }

    /// Writes a file.
    pub fn write(&self, path: &str, content: impl AsRef<[u8]>, mode: u32) -> Result<()> {
        let path = self.root.join(path);
        fs::create_dir_all(path.parent().unwrap_or(&self.root))?;
        fs::write(&path, content)?;
        fs::set_permissions(&path, fs::Permissions::from_mode(mode))?;
        Ok(())
    }

    /// Adds a program of this machine with the shared libraries that it loads.
    pub fn program(&self, program: &Path) -> Result<()> {
        let to = self.root.join("bin").join(file_name(program));
        fs::copy(program, &to).with_context(|| program.display().to_string())?;
        for word in output(command("ldd").arg(program))?.split_whitespace() {
            if let Some(inside) = word.strip_prefix('/') {
                let to = self.root.join(inside);
                fs::create_dir_all(to.parent().unwrap_or(&self.root))?;
                fs::copy(word, to).with_context(|| word.to_owned())?;
            }
        }
        Ok(())
    }

    /// Adds kernel modules and all that they need, unpacked, and the order to load them in.
    pub fn modules(&self, tree: &Path, wanted: &[&str]) -> Result<()> {
        let order = modules_in_order(tree, wanted)?;
        let mut names = Vec::new();
        for module in &order {
            let name = file_name(module).trim_end_matches(".xz").to_owned();
            let copy = self.root.join("modules").join(file_name(module));
            fs::copy(tree.join(module), &copy)?;
            if file_name(module).ends_with(".xz") {
                run(command("xz").arg("--decompress").arg(&copy))?;
            }
            names.push(name);
        }
        self.write("modules/order", names.join("\n") + "\n", 0o644)
    }

    /// Packs it.
    pub fn pack(&self, file: &Path) -> Result<()> {
        let script = "find . | LC_ALL=C sort | cpio --quiet -o -H newc -R 0:0 | gzip -6n > \"$0\"";
        run(command("bash")
            .args(["-o", "pipefail", "-c", script])
            .arg(file)
            .current_dir(&self.root))
    }
}

/// Paths, below a tree of modules with its `modules.dep`, of these modules and of all that they
/// need, each after those it needs.
pub fn modules_in_order(tree: &Path, wanted: &[&str]) -> Result<Vec<PathBuf>> {
    let table = tree.join("modules.dep");
    let table = fs::read_to_string(&table).with_context(|| table.display().to_string())?;
    let mut order: Vec<PathBuf> = Vec::new();
    for name in wanted {
        let name = name.replace('-', "_");
        let line = table.lines().find(|line| {
            let file = file_name(Path::new(line.split(':').next().unwrap_or_default()));
            file.split('.')
                .next()
                .is_some_and(|stem| stem.replace('-', "_") == name)
        });
        let Some((module, needs)) = line.and_then(|line| line.split_once(':')) else {
            continue; // built into the kernel
        };
        // modules.dep lists the nearest first.
        for path in needs.split_whitespace().rev().chain([module]) {
            if !order.iter().any(|known| known == Path::new(path)) {
                order.push(path.into());
            }
        }
    }
    Ok(order)
}

/// The one directory below `lib/modules` or `usr/lib/modules` of an unpacked kernel package, with
/// its `modules.dep` made.
pub fn module_tree(unpacked: &Path) -> Result<PathBuf> {
    for base in [unpacked.join("usr"), unpacked.to_owned()] {
        let Ok(mut versions) = fs::read_dir(base.join("lib/modules")) else {
            continue;
        };
        if let Some(version) = versions.next() {
            let tree = version?.path();
            run(command("depmod").arg("-b").arg(&base).arg(file_name(&tree)))?;
            return Ok(tree);
        }
    }
    bail!("{} has no kernel modules", unpacked.display())
}
