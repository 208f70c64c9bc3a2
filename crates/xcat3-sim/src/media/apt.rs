//! A private apt: Debian's packages as files, from the machine's own APT sources, for any suite.
//!
//! It has lists and archives of its own and thinks that nothing is installed, so that it finds the
//! whole of what a new system needs. It changes nothing on the machine and needs no root.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use crate::command::{command, finished, output, run};

/// The suite that the lab installs.
pub const SUITE: &str = "trixie";
/// The architecture of the lab's machines.
pub const ARCH: &str = "amd64";

const KEYRING: &str = "/usr/share/keyrings/debian-archive-keyring.gpg";

/// apt with its own directories.
pub struct Apt {
    directory: PathBuf,
}

impl Apt {
    /// Lays out the directories and fetches the list of packages.
    pub fn open(directory: &Path) -> Result<Self> {
        for part in ["sources", "lists/partial", "archives/partial"] {
            fs::create_dir_all(directory.join(part))?;
        }
        fs::write(directory.join("status"), "")?;
        let apt = Self {
            directory: directory.to_owned(),
        };
        apt.fetch_lists("main")
            .context("fetching Debian's list of packages")?;
        Ok(apt)
    }

    /// Fetches the lists of these parts of the suite. Only the suite itself: the installer's kernel
    /// matches it, not the security updates.
    fn fetch_lists(&self, parts: &str) -> Result<()> {
        let source = format!(
            "Types: deb\nURIs: {}\nSuites: {SUITE}\nComponents: {parts}\nSigned-By: {KEYRING}\n",
            machine_mirror()?
        );
        fs::write(self.directory.join("sources/lab.sources"), source)?;
        run(self.command("apt-get").arg("update"))
    }

    /// A command of apt that sees only our directories.
    fn command(&self, program: &str) -> Command {
        let at = |part: &str| self.directory.join(part).display().to_string();
        let mut command = command(program);
        command.arg("--quiet=2").current_dir(&self.directory);
        for option in [
            "Dir::Etc::sourcelist=/dev/null".to_owned(),
            format!("Dir::Etc::sourceparts={}", at("sources")),
            format!("Dir::State::lists={}", at("lists")),
            format!("Dir::State::status={}", at("status")),
            format!("Dir::Cache::archives={}", at("archives")),
            "Dir::Cache::pkgcache=".to_owned(),
            "Dir::Cache::srcpkgcache=".to_owned(),
            format!("APT::Architecture={ARCH}"),
            format!("APT::Architectures={ARCH}"),
            "APT::Install-Recommends=false".to_owned(),
            "APT::Sandbox::User=root".to_owned(),
            "Acquire::Queue-Mode=access".to_owned(),
            "Acquire::Retries=3".to_owned(),
            "Debug::NoLocking=true".to_owned(),
        ] {
            command.args(["--option", &option]);
        }
        command
    }

    /// The list of packages.
    pub fn packages(&self) -> Result<String> {
        self.list(&format!("_{SUITE}_main_binary-{ARCH}_Packages"))
    }

    /// The list of installer components (udebs). It is fetched only here: a mirror may be without it,
    /// or have that of another day, and what needs packages alone is made from it all the same.
    pub fn components(&self) -> Result<String> {
        let part_of_name = format!("_{SUITE}_main_debian-installer_binary-{ARCH}_Packages");
        if self.fetched(&part_of_name)?.is_some() {
            return self.list(&part_of_name);
        }
        if let Ok(list) = fs::read_to_string(self.unverified()) {
            return Ok(list);
        }
        let verified = self.fetch_lists("main main/debian-installer");
        match verified {
            Ok(()) => self.list(&part_of_name),
            Err(error) => {
                eprintln!(
                    "{error:#}\nso the mirror's list of installer components is taken as it is, unverified"
                );
                // As it was before.
                self.fetch_lists("main")?;
                self.fetch_unverified()
            }
        }
    }

    /// Where the list of installer components is that is not the one of the suite's Release file.
    fn unverified(&self) -> PathBuf {
        self.directory.join("components")
    }

    fn fetch_unverified(&self) -> Result<String> {
        let list = format!(
            "{}/dists/{SUITE}/main/debian-installer/binary-{ARCH}/Packages.xz",
            machine_mirror()?
        );
        let script = "curl --silent --show-error --fail --location --retry 3 \"$1\" | xz -d";
        let mut fetch = command("bash");
        fetch.args(["-o", "pipefail", "-c", script, "-", &list]);
        let list = output(&mut fetch).context("fetching the mirror's list of components")?;
        fs::write(self.unverified(), &list)?;
        Ok(list)
    }

    fn list(&self, part_of_name: &str) -> Result<String> {
        let found = self
            .fetched(part_of_name)?
            .with_context(|| format!("apt fetched no list named *{part_of_name}*"))?;
        // Whatever the list is compressed with.
        output(
            command("/usr/lib/apt/apt-helper")
                .arg("cat-file")
                .arg(found),
        )
    }

    /// The list with this in its name, if it was fetched.
    fn fetched(&self, part_of_name: &str) -> Result<Option<PathBuf>> {
        let found = fs::read_dir(self.directory.join("lists"))?
            .filter_map(Result::ok)
            .find(|entry| entry.file_name().to_string_lossy().contains(part_of_name));
        Ok(found.map(|entry| entry.path()))
    }

    /// The suite's own version, as its Release file says it.
    pub fn suite_version(&self) -> Result<String> {
        let release = self.list(&format!("_dists_{SUITE}_InRelease"))?;
        let version = release
            .lines()
            .find_map(|line| line.strip_prefix("Version: "));
        Ok(version
            .context("the suite's Release file has no version")?
            .to_owned())
    }

    /// Fetches these packages and all that they depend on, as onto an empty system.
    pub fn fetch_with_dependencies(&self, packages: &[&str]) -> Result<()> {
        let mut command = self.command("apt-get");
        command
            .args(["--yes", "--download-only", "install"])
            .args(packages);
        run(&mut command).context("fetching packages and their dependencies")
    }

    /// Where [`Apt::fetch_with_dependencies`] puts them.
    #[must_use]
    pub fn archives(&self) -> PathBuf {
        self.directory.join("archives")
    }

    /// Fetches one package into `into` and gives the file.
    pub fn fetch(&self, package: &str, into: &Path) -> Result<PathBuf> {
        fs::create_dir_all(into)?;
        run(self
            .command("apt-get")
            .arg("download")
            .arg(package)
            .current_dir(into))
        .with_context(|| format!("fetching {package}"))?;
        let prefix = format!("{package}_");
        let found = files(into)?
            .into_iter()
            .find(|path| file_name(path).starts_with(&prefix));
        found.with_context(|| format!("apt-get said it fetched {package}, but it is not there"))
    }

    /// Fetches those of the packages that the mirror has; it may list some that it lacks.
    pub fn fetch_available(&self, packages: &[&str], into: &Path) -> Result<()> {
        fs::create_dir_all(into)?;
        if let Ok(list) = fs::read_to_string(self.unverified()) {
            return self.fetch_listed(&list, packages, into);
        }
        finished(
            self.command("apt-get")
                .arg("download")
                .args(packages)
                .current_dir(into),
        )?;
        Ok(())
    }

    /// The same by a list that apt does not know, whose checksums must be right.
    fn fetch_listed(&self, list: &str, packages: &[&str], into: &Path) -> Result<()> {
        let mirror = machine_mirror()?;
        let mut wanted = Vec::new();
        let mut config = String::new();
        for stanza in Stanza::all(list) {
            let fields = ["Package", "Filename", "SHA256"].map(|name| stanza.field(name));
            let [Some(package), Some(file), Some(digest)] = fields else {
                continue;
            };
            let Some(name) = Path::new(file).file_name() else {
                continue;
            };
            if packages.contains(&package) {
                let to = into.join(name);
                config += &format!("url = \"{mirror}/{file}\"\noutput = {to:?}\n");
                wanted.push((to, digest));
            }
        }
        let file = self.directory.join("curl");
        fs::write(&file, config)?;
        // Some may not be there.
        finished(
            command("curl")
                .args(["--silent", "--fail", "--location", "--retry", "3"])
                .args(["--parallel", "--parallel-max", "8", "--config"])
                .arg(file),
        )?;
        for (file, digest) in wanted {
            let Ok(bytes) = fs::read(&file) else {
                continue;
            };
            if hex::encode(Sha256::digest(&bytes)) != digest {
                fs::remove_file(file)?;
            }
        }
        Ok(())
    }

    /// What the package depends on first, for example the newest kernel of a kernel's meta package.
    pub fn first_dependency(&self, package: &str) -> Result<String> {
        let list = self.packages()?;
        let stanza = Stanza::all(&list).find(|stanza| stanza.field("Package") == Some(package));
        let depends = stanza.and_then(|stanza| stanza.field("Depends"));
        let first = depends.and_then(|text| text.split([' ', ',']).next());
        Ok(first
            .with_context(|| format!("{SUITE} has no package {package}"))?
            .to_owned())
    }
}

/// The mirror of Debian's main archive among the machine's own APT sources.
fn machine_mirror() -> Result<String> {
    let mut indexes = command("apt-get");
    indexes.args(["indextargets", "--format", "$(REPO_URI)"]);
    indexes.args(["Created-By: Packages", "Origin: Debian", "Label: Debian"]);
    let mirrors = output(&mut indexes)?;
    let mirror = mirrors.lines().next().context(
        "no mirror of Debian among the APT sources of this machine: \
         add one to /etc/apt/sources.list.d and run apt-get update",
    )?;
    Ok(mirror.trim_end_matches('/').to_owned())
}

/// One entry of a list of packages.
#[derive(Clone, Copy)]
pub struct Stanza<'a>(pub &'a str);

impl<'a> Stanza<'a> {
    /// The entries of a list.
    pub fn all(list: &'a str) -> impl Iterator<Item = Self> {
        list.split("\n\n")
            .map(|text| Self(text.trim()))
            .filter(|stanza| !stanza.0.is_empty())
    }

    /// The first line of a field.
    #[must_use]
    pub fn field(&self, name: &str) -> Option<&'a str> {
        self.0
            .lines()
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

/// The files in a directory, sorted.
pub fn files(directory: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory).with_context(|| directory.display().to_string())? {
        let path = entry?.path();
        if path.is_file() {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

/// The last part of a path, as text.
#[must_use]
pub fn file_name(path: &Path) -> String {
    path.file_name()
        .unwrap_or_default()
        .to_string_lossy()
        .into_owned()
}
