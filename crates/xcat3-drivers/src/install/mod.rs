//! Install drivers: how an operating system's own installer is told what to do.
//!
//! Answer files are rendered from templates for each request and never written to disk. An operator
//! overrides a template by a file of the same name below `templates/` of the state directory.

mod debian;
pub mod password;
mod template;

use std::net::IpAddr;
use std::path::PathBuf;

use xcat3_core::passwd::{self, Passwd};
use xcat3_core::{Network, Nic, Node, OsImage};

use crate::boot::{BootError, BootFacts};
pub use template::TemplateError;

/// What is the same for all installs, from the configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InstallSettings {
    /// Public ssh keys that may log in as root, one a line of `authorized_keys`.
    pub authorized_keys: Vec<String>,
    /// For example `Europe/Vienna`.
    pub timezone: String,
    /// For example `en_US.UTF-8`, or `C`.
    pub locale: String,
    /// For example `us`.
    pub keyboard: String,
    /// Packages that the base system is made with.
    pub base_packages: Vec<String>,
    /// Packages that are installed after it.
    pub packages: Vec<String>,
    /// The kernel package where it is not the installer's own choice.
    pub kernel_package: Option<String>,
    /// The disk to install on, for example `/dev/sda`; the first one where absent.
    pub disk: Option<String>,
    /// Consoles of installer and installed system, the most important last.
    pub consoles: Vec<String>,
    /// More kernel arguments for the installer.
    pub kernel_arguments: Vec<String>,
    /// The mirror that installed machines use afterwards; the image that they were installed from
    /// where absent.
    pub mirror: Option<String>,
    /// A shell script that runs in the installer before anything is asked.
    pub early_script: Option<String>,
    /// A shell script that runs in the installed system before its first boot.
    pub post_script: Option<String>,
    /// Where the operator's own templates are.
    pub templates: PathBuf,
}

impl Default for InstallSettings {
    fn default() -> Self {
        Self {
            authorized_keys: Vec::new(),
            timezone: "UTC".to_owned(),
            locale: "en_US.UTF-8".to_owned(),
            keyboard: "us".to_owned(),
            base_packages: vec!["openssh-server".to_owned()],
            packages: Vec::new(),
            kernel_package: None,
            disk: None,
            consoles: vec!["tty0".to_owned(), "ttyS0,115200".to_owned()],
            kernel_arguments: Vec::new(),
            mirror: None,
            early_script: None,
            post_script: None,
            templates: PathBuf::new(),
        }
    }
}

/// A document of an install.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Document {
    /// The installer's answer file.
    Answer,
    /// The script that runs in the installer before anything is asked.
    Early,
    /// The script that runs in the installer after the system is installed; it calls back.
    Late,
}

/// Why a document can't be made.
#[derive(Debug, thiserror::Error)]
pub enum InstallError {
    /// The node can't be booted into its installer.
    #[error(transparent)]
    Boot(#[from] BootError),
    /// A template is wrong.
    #[error(transparent)]
    Template(#[from] TemplateError),
    /// The root password can't be hashed.
    #[error(transparent)]
    Password(#[from] password::PasswordError),
}

/// The install drivers, one for each family of installers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Installer {
    /// debian-installer: Debian, and Ubuntu's releases that have it.
    Debian,
}

impl Installer {
    fn of(distro: &str) -> Result<Self, BootError> {
        match distro {
            "debian" | "ubuntu" => Ok(Self::Debian),
            other => Err(BootError::NoInstallDriver(other.to_owned())),
        }
    }
}

/// The kernel command line that starts the node's installer.
///
/// # Errors
/// The node has no image or token, or no driver knows the distribution.
pub fn kernel_arguments(facts: &BootFacts<'_>) -> Result<String, BootError> {
    match Installer::of(&facts.image()?.distro)? {
        Installer::Debian => debian::kernel_arguments(facts),
    }
}

/// A document for the node's installer. `system` is the root password entry.
///
/// # Errors
/// The node can't be installed, or a template is wrong.
pub fn document(
    which: Document,
    facts: &BootFacts<'_>,
    system: &Passwd,
) -> Result<String, InstallError> {
    match Installer::of(&facts.image()?.distro)? {
        Installer::Debian => debian::document(which, facts, system),
    }
}

/// Checks, before anything is changed, that `node` can be given `image`. `subnet` is the network that
/// the operator asked for.
///
/// # Errors
/// A sentence for the node that says what is missing or does not fit.
pub fn check_deploy(
    node: &Node,
    image_name: Option<&str>,
    image: Option<&OsImage>,
    subnet: Option<&str>,
    networks: &[Network],
    system: Option<&Passwd>,
) -> Result<(), String> {
    let image = check_image(node, image_name, image)?;
    check_boot(node)?;
    check_address(node, subnet, networks)?;
    let password = system
        .and_then(|entry| entry.password.as_deref())
        .unwrap_or_default();
    if password.is_empty() {
        return Err(format!(
            "no root password is set for installed machines: create it with \
             'xcat3 passwd-create {} username=root password=…'",
            passwd::SYSTEM
        ));
    }
    Installer::of(&image.distro).map_err(|error| error.to_string())?;
    Ok(())
}

fn check_image<'a>(
    node: &Node,
    name: Option<&str>,
    image: Option<&'a OsImage>,
) -> Result<&'a OsImage, String> {
    let Some(name) = name else {
        return Err("no OS image is given and it never had one: name it with --osimage".to_owned());
    };
    let image = image.ok_or_else(|| format!("OS image '{name}' does not exist"))?;
    match node.declared.arch.as_deref() {
        None => return Err("its arch is not set".to_owned()),
        Some(arch) if arch != image.arch => {
            return Err(format!(
                "its arch is {arch}, but OS image '{name}' is for {}",
                image.arch
            ));
        }
        Some(_) => {}
    }
    let content = image.content.as_ref().ok_or_else(|| {
        format!("OS image '{name}' was only declared: import its ISO with xcat3-copycds")
    })?;
    if content.kernel.is_none() || content.initrd.is_none() {
        return Err(format!(
            "OS image '{name}' has no network installer: import its ISO with --netboot"
        ));
    }
    Ok(image)
}

fn check_boot(node: &Node) -> Result<(), String> {
    match node.declared.netboot.as_deref() {
        Some("pxe") => Ok(()),
        Some(other) => Err(format!("no boot driver '{other}' in this build")),
        None => Err("its boot driver (netboot) is not set".to_owned()),
    }
}

fn check_address(node: &Node, subnet: Option<&str>, networks: &[Network]) -> Result<(), String> {
    let nic = node.boot_nic().ok_or("it has no nic to install over")?;
    let ip = match nic.ip {
        Some(IpAddr::V4(ip)) => ip,
        Some(IpAddr::V6(ip)) => {
            return Err(format!(
                "nic {} has IPv6 address {ip}: installing needs IPv4",
                nic.mac
            ));
        }
        None => return Err(format!("nic {} has no ip", nic.mac)),
    };
    let network = match subnet {
        None => networks.iter().find(|network| network.subnet.contains(&ip)),
        Some(name) => {
            let named = networks.iter().find(|network| network.name == name);
            let named = named.ok_or_else(|| format!("network '{name}' does not exist"))?;
            if !named.subnet.contains(&ip) {
                return Err(format!(
                    "its ip {ip} is not in network '{name}' ({})",
                    named.subnet
                ));
            }
            Some(named)
        }
    };
    network
        .map(|_| ())
        .ok_or_else(|| format!("its ip {ip} is in no defined network"))
}

/// The network around a nic's address, where one is defined.
#[must_use]
pub fn network_of<'a>(nic: &Nic, networks: &'a [Network]) -> Option<&'a Network> {
    match nic.ip {
        Some(IpAddr::V4(ip)) => networks.iter().find(|network| network.subnet.contains(&ip)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::boot::fixtures::Fixture;

    fn system(password: Option<&str>) -> Passwd {
        Passwd {
            key: passwd::SYSTEM.into(),
            username: Some("root".into()),
            password: password.map(Into::into),
            crypt_method: None,
        }
    }

    fn check(
        fixture: &Fixture,
        subnet: Option<&str>,
        password: Option<&str>,
    ) -> Result<(), String> {
        let networks = [fixture.network.clone()];
        let name = fixture.node.deployment.osimage.as_deref();
        let image = Some(&fixture.image);
        check_deploy(
            &fixture.node,
            name,
            image,
            subnet,
            &networks,
            Some(&system(password)),
        )
    }

    #[test]
    fn a_complete_node_can_be_deployed() {
        assert_eq!(check(&Fixture::deploying(), None, Some("x")), Ok(()));
        assert_eq!(
            check(&Fixture::deploying(), Some("c920"), Some("x")),
            Ok(())
        );
    }

    #[test]
    fn whatever_is_missing_is_said() {
        type Change = fn(&mut Fixture);
        let cases: [(Change, &str); 9] = [
            (|f| f.node.deployment.osimage = None, "no OS image is given"),
            (
                |f| f.node.declared.arch = Some("ppc64le".into()),
                "is for x86_64",
            ),
            (|f| f.node.declared.arch = None, "arch is not set"),
            (|f| f.node.declared.netboot = None, "netboot"),
            (|f| f.node.nics.clear(), "no nic"),
            (|f| f.node.nics[0].ip = None, "52:54:00:36:ac:b1 has no ip"),
            (
                |f| f.node.nics[0].ip = Some("12.0.0.1".parse().unwrap()),
                "in no defined network",
            ),
            (|f| f.image.content = None, "only declared"),
            (
                |f| f.image.content.as_mut().unwrap().kernel = None,
                "--netboot",
            ),
        ];
        for (change, sentence) in cases {
            let mut fixture = Fixture::deploying();
            change(&mut fixture);
            let refused = check(&fixture, None, Some("x")).unwrap_err();
            assert!(refused.contains(sentence), "{refused}");
        }
        let fixture = Fixture::deploying();
        assert!(
            check(&fixture, None, None)
                .unwrap_err()
                .contains("passwd-create system")
        );
        assert!(
            check(&fixture, Some("other"), Some("x"))
                .unwrap_err()
                .contains("'other'")
        );
        let missing = check_deploy(&fixture.node, Some("gone"), None, None, &[], None);
        assert!(missing.unwrap_err().contains("'gone' does not exist"));
    }
}
