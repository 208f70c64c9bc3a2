//! Discs of Debian and Ubuntu: one line in `.disk/info`.
//!
//! ```text
//! Debian GNU/Linux 13.0.0 "Trixie" - Official amd64 NETINST with firmware 20250809-11:14
//! Ubuntu-Server 16.04.6 LTS "Xenial Xerus" - Release amd64 (20190226)
//! ```

use xcat3_iso::IsoFile;

use super::{ARCHITECTURES, Finding, Release};
use crate::error::ImportError;

const PATH: &str = ".disk/info";
const LONGEST: u64 = 4096;

/// Debian's other architectures, to say that they are not supported.
const OTHER_ARCHITECTURES: [&str; 8] = [
    "i386", "armhf", "armel", "s390x", "riscv64", "mips64el", "mipsel", "powerpc",
];

pub(super) fn probe(iso: &IsoFile) -> Result<Finding, ImportError> {
    if iso.lookup(PATH).is_none() {
        return Ok(Finding::Other);
    }
    let text = String::from_utf8_lossy(&iso.read(PATH, LONGEST)?).into_owned();
    let line = text.lines().next().unwrap_or_default().trim();
    let release = match understand(line) {
        Ok(release) => release,
        Err(reason) => {
            let shown: String = line
                .chars()
                .take(100)
                .flat_map(char::escape_debug)
                .collect();
            return Ok(Finding::Unsupported(format!(
                "{reason} (.disk/info says '{shown}')"
            )));
        }
    };
    let suite = format!("dists/{}", release.codename);
    if iso.lookup(&format!("{suite}/Release")).is_none() {
        let reason = format!(
            "it is recognised as {} {}, but has no packages to install from ({suite}/Release is missing)",
            release.distro, release.ver
        );
        return Ok(Finding::Unsupported(reason));
    }
    Ok(Finding::Release(release))
}

/// Understands the line, or says what about it can't be installed.
fn understand(line: &str) -> Result<Release, String> {
    let mut words = line.split_whitespace();
    let first = words.next().unwrap_or_default();
    let distro = match first.split('-').next() {
        Some("Debian") => "debian",
        Some("Ubuntu") => "ubuntu",
        _ => return Err("it is of a distribution that is not known".into()),
    };
    let version = words.find(|word| *word != "GNU/Linux").unwrap_or_default();
    let numbered = version
        .split('.')
        .all(|part| !part.is_empty() && is_number(part));
    if !numbered || version.len() > 16 {
        return Err(format!(
            "its {distro} release has no number, so it is no released version"
        ));
    }
    let codename = line
        .split('"')
        .nth(1)
        .and_then(|name| name.split_whitespace().next());
    let codename = codename.unwrap_or_default().to_ascii_lowercase();
    if codename.is_empty() || !codename.bytes().all(|byte| byte.is_ascii_alphanumeric()) {
        return Err(format!("its {distro} release has no code name"));
    }
    Ok(Release {
        distro: distro.to_owned(),
        ver: reduced(version),
        arch: architecture(line)?,
        codename,
    })
}

/// `13.1.0` is 13.1: Debian's discs have a third number that is always 0. Ubuntu's `16.04.6` stays.
fn reduced(version: &str) -> String {
    match version.split('.').collect::<Vec<_>>()[..] {
        [major, minor, "0"] => format!("{major}.{minor}"),
        _ => version.to_owned(),
    }
}

fn architecture(line: &str) -> Result<String, String> {
    let after = line.rsplit_once(" - ").map_or("", |(_, after)| after);
    let words = || after.split([' ', '/', '(', ')', '_']);
    for word in words() {
        if let Some((_, ours)) = ARCHITECTURES.iter().find(|(debian, _)| *debian == word) {
            return Ok((*ours).to_owned());
        }
    }
    match words().find(|word| OTHER_ARCHITECTURES.contains(word)) {
        Some(other) => Err(format!("it is for {other}, which is not supported")),
        None => Err("it does not say for which architecture it is".into()),
    }
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn named(line: &str) -> String {
        let release = understand(line).unwrap();
        let name = xcat3_core::OsImage::default_name(&release.distro, &release.ver, &release.arch);
        format!("{name} {}", release.codename)
    }

    #[test]
    fn lines_of_real_discs_are_understood() {
        for (line, name) in [
            (
                r#"Debian GNU/Linux 13.0.0 "Trixie" - Official amd64 NETINST with firmware 20250809-11:14"#,
                "debian13.0-x86_64 trixie",
            ),
            (
                r#"Debian GNU/Linux 13.1.0 "Trixie" - Official arm64 DVD Binary-1 with firmware 20250906-11:24"#,
                "debian13.1-aarch64 trixie",
            ),
            (
                r#"Debian GNU/Linux 12.11.0 "Bookworm" - Unofficial ppc64el BD Binary-1"#,
                "debian12.11-ppc64le bookworm",
            ),
            (
                r#"Debian GNU/Linux 9.13.0 "Stretch" - Official Multi-architecture amd64/i386 NETINST 20200718-11:10"#,
                "debian9.13-x86_64 stretch",
            ),
            (
                r#"Ubuntu-Server 16.04.6 LTS "Xenial Xerus" - Release amd64 (20190226)"#,
                "ubuntu16.04.6-x86_64 xenial",
            ),
            (
                r#"Ubuntu-Server 16.04 LTS "Xenial Xerus" - Release ppc64el (20160420.3)"#,
                "ubuntu16.04-ppc64le xenial",
            ),
            (
                r#"Ubuntu 18.04 LTS "Bionic Beaver" - Release amd64 (20180426)"#,
                "ubuntu18.04-x86_64 bionic",
            ),
        ] {
            assert_eq!(named(line), name, "{line}");
        }
    }

    #[test]
    fn what_cannot_be_installed_is_said() {
        for (line, reason) in [
            ("", "a distribution that is not known"),
            (
                "Linux Mint 21 \"Vera\" - Release amd64",
                "a distribution that is not known",
            ),
            (
                "Debian GNU/Linux testing \"Forky\" - Official Snapshot amd64 NETINST",
                "no released version",
            ),
            ("Debian GNU/Linux 13.0.0 - Official amd64", "no code name"),
            (
                "Debian GNU/Linux 13.0.0 \"../..\" - Official amd64",
                "no code name",
            ),
            (
                "Debian GNU/Linux 13.0.0 \"Trixie\" - Official i386 DVD",
                "for i386",
            ),
            (
                "Debian GNU/Linux 13.0.0 \"Trixie\"",
                "for which architecture",
            ),
        ] {
            let said = understand(line).unwrap_err();
            assert!(said.contains(reason), "{line}: {said}");
        }
    }

    proptest! {
        #[test]
        fn names_are_always_good_names(line in r#"(Debian|Ubuntu)[-A-Za-z /]{0,12} [0-9./a]{0,9} "[A-Za-z ./]{0,9}" - [a-z0-9 ]{0,9} (amd64|arm64)?"#) {
            if let Ok(release) = understand(&line) {
                let name = xcat3_core::OsImage::default_name(&release.distro, &release.ver, &release.arch);
                prop_assert_eq!(xcat3_core::name::check_object_name(&name), Ok(()));
            }
        }
    }
}
