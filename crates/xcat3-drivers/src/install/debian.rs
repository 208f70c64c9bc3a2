//! The install driver for debian-installer: Debian, and the releases of Ubuntu that have it.
//!
//! The installer is told by a preseed file (Debian installation guide, appendix B). Two scripts go
//! with it: one before anything is asked, one at the end, which calls back.

use serde_json::{Value, json};
use xcat3_core::Passwd;

use super::{Document, InstallError, password, template};
use crate::boot::{BootError, BootFacts};

const PRESEED: &str = include_str!("../../templates/debian/preseed.cfg.j2");
const EARLY: &str = include_str!("../../templates/debian/early.sh.j2");
const LATE: &str = include_str!("../../templates/debian/late.sh.j2");

/// `auto` puts off all questions until the answer file has been read, and `priority=critical` those that
/// it leaves open; what the installer needs until then stands here.
pub(super) fn kernel_arguments(facts: &BootFacts<'_>) -> Result<String, BootError> {
    let domain = facts.network.domain.as_deref().unwrap_or("localdomain");
    Ok(format!(
        "auto=true priority=critical url={url} interface=auto BOOTIF=01-{mac} \
         netcfg/dhcp_timeout=60 hostname={name} domain={domain} DEBIAN_FRONTEND=text vga=off \
         {consoles}{more}---",
        consoles = joined("console=", &facts.install.consoles),
        more = joined("", &facts.install.kernel_arguments),
        url = facts.private_url("answer")?,
        mac = facts.nic.mac.joined_by('-'),
        name = facts.node.name,
    ))
}

/// Each of `words` with `prefix` before and a space after it.
fn joined(prefix: &str, words: &[String]) -> String {
    words
        .iter()
        .map(|word| format!("{prefix}{word} "))
        .collect()
}

pub(super) fn document(
    which: Document,
    facts: &BootFacts<'_>,
    system: &Passwd,
) -> Result<String, InstallError> {
    let (name, built_in) = match which {
        Document::Answer => ("debian/preseed.cfg", PRESEED),
        Document::Early => ("debian/early.sh", EARLY),
        Document::Late => ("debian/late.sh", LATE),
    };
    let mut values = values(facts)?;
    if which == Document::Answer {
        values["root_password_hash"] = password::crypt(system)?.into();
    }
    Ok(template::render(
        name,
        built_in,
        &facts.install.templates,
        values,
    )?)
}

/// What the templates may use. `docs/boot.md` lists them for operators who write their own.
fn values(facts: &BootFacts<'_>) -> Result<Value, BootError> {
    let settings = facts.install;
    let image = facts.image()?;
    let content = image.content.as_ref();
    let codename = content
        .and_then(|content| content.codename.as_deref())
        .unwrap_or("stable");
    Ok(json!({
        "node": {"name": facts.node.name, "mac": facts.nic.mac, "ip": facts.nic.ip},
        "network": {
            "domain": facts.network.domain.as_deref().unwrap_or("localdomain"),
            "ntpservers": facts.network.ntpservers,
        },
        "image": {
            "name": image.name, "distro": image.distro, "ver": image.ver, "codename": codename,
            "host": format!("{}:{}", facts.server, facts.http_port),
            "directory": format!("/images/{}", image.name),
        },
        "url": {
            "early": facts.private_url("early")?,
            "late": facts.private_url("late")?,
            "callback": facts.private_url("callback")?,
            "progress": facts.private_url("progress")?,
        },
        "install": {
            "authorized_keys": settings.authorized_keys,
            "timezone": settings.timezone,
            "locale": settings.locale,
            "keyboard": settings.keyboard,
            "base_packages": settings.base_packages,
            "packages": settings.packages,
            "kernel_package": settings.kernel_package,
            "disk": settings.disk,
            "consoles": settings.consoles,
            "mirror": settings.mirror,
            "early_script": settings.early_script,
            "post_script": settings.post_script,
        },
    }))
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::process::{Command, Stdio};

    use super::*;
    use crate::boot::fixtures::Fixture;
    use crate::install::InstallSettings;

    fn render(which: Document, settings: &InstallSettings) -> String {
        let fixture = Fixture {
            install: settings.clone(),
            ..Fixture::deploying()
        };
        let system = Passwd {
            key: "system".into(),
            username: Some("root".into()),
            password: Some("$6$salt$hash".into()),
            crypt_method: None,
        };
        document(which, &fixture.facts(), &system).unwrap()
    }

    fn full_settings() -> InstallSettings {
        InstallSettings {
            authorized_keys: vec!["ssh-ed25519 AAAA o'hara@desk".into()],
            packages: vec!["tmux".into(), "vim".into()],
            kernel_package: Some("linux-image-cloud-amd64".into()),
            disk: Some("/dev/vda".into()),
            mirror: Some("http://mirror.test/debian".into()),
            early_script: Some("echo early".into()),
            post_script: Some("echo 'post'\nexit 0".into()),
            locale: "C".into(),
            ..InstallSettings::default()
        }
    }

    #[test]
    fn the_documents_are_as_they_were_reviewed() {
        for (name, settings) in [
            ("default", InstallSettings::default()),
            ("full", full_settings()),
        ] {
            for which in [Document::Answer, Document::Early, Document::Late] {
                insta::assert_snapshot!(format!("{name}-{which:?}"), render(which, &settings));
            }
        }
    }

    #[test]
    fn the_scripts_are_valid_shell() {
        for settings in [InstallSettings::default(), full_settings()] {
            for which in [Document::Early, Document::Late] {
                let mut shell = Command::new("sh")
                    .arg("-n")
                    .stdin(Stdio::piped())
                    .spawn()
                    .unwrap();
                let script = render(which, &settings);
                shell
                    .stdin
                    .take()
                    .unwrap()
                    .write_all(script.as_bytes())
                    .unwrap();
                assert!(shell.wait().unwrap().success(), "{script}");
            }
        }
    }

    #[test]
    fn the_kernel_is_told_where_the_answers_are() {
        let fixture = Fixture::deploying();
        let arguments = kernel_arguments(&fixture.facts()).unwrap();
        let url = "url=http://11.0.0.101:3011/node/0123456789abcdef0123456789abcdef/answer";
        assert!(arguments.contains(url), "{arguments}");
        assert!(
            arguments.contains("hostname=node1 domain=lab.test"),
            "{arguments}"
        );
        assert!(
            arguments.contains("BOOTIF=01-52-54-00-36-ac-b1"),
            "{arguments}"
        );
    }

    #[test]
    fn a_value_with_a_line_break_is_refused() {
        let settings = InstallSettings {
            timezone: "UTC\nd-i x".into(),
            ..InstallSettings::default()
        };
        let fixture = Fixture {
            install: settings,
            ..Fixture::deploying()
        };
        let system = Passwd {
            key: "system".into(),
            username: None,
            password: Some("x".into()),
            crypt_method: None,
        };
        assert!(document(Document::Answer, &fixture.facts(), &system).is_err());
    }
}
