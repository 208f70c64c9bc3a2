//! The boot driver `pxe`: PC BIOS and UEFI machines, by iPXE or pxelinux.
//!
//! A node that is to be installed loads kernel and initial RAM disk; any other boots its disk. The
//! scripts carry the node's one-time token and must only be given to the node itself.

use super::{BootError, BootFacts, Firmware, Loader, Loaders};
use crate::install;

/// The boot program for each firmware: iPXE is chained first and then fetches its script by HTTP.
pub(super) fn loader(firmware: Firmware, facts: &BootFacts<'_>, loaders: &Loaders) -> Loader {
    let http = |file: &str| Loader::Http(facts.url(&format!("loaders/{file}")));
    match firmware {
        Firmware::Ipxe => Loader::Http(facts.url(&script_path(facts))),
        Firmware::Bios => Loader::Tftp(loaders.bios.clone()),
        Firmware::UefiX64 => Loader::Tftp(loaders.uefi_x64.clone()),
        Firmware::UefiArm64 => Loader::Tftp(loaders.uefi_arm64.clone()),
        Firmware::UefiHttpX64 => http(&loaders.uefi_x64),
        Firmware::UefiHttpArm64 => http(&loaders.uefi_arm64),
        Firmware::Opal | Firmware::Other => Loader::None,
    }
}

/// Path of a node's iPXE script on our HTTP server, without a leading slash.
#[must_use]
pub fn script_path(facts: &BootFacts<'_>) -> String {
    format!("boot/{}.ipxe", facts.nic.mac.joined_by('-'))
}

/// The iPXE script of a node: the installer where it is deploying, else its disk.
///
/// # Errors
/// The node is deploying but can't be installed; [`ipxe_error_script`] tells its console.
pub fn ipxe_script(facts: &BootFacts<'_>) -> Result<String, BootError> {
    if !facts.installs() {
        return Ok(local_boot_script(facts.node.name.as_str()));
    }
    let (kernel, initrd) = facts.kernel_paths()?;
    let arguments = install::kernel_arguments(facts)?;
    Ok(format!(
        "#!ipxe\n\
         echo xcat3: installing {image} on {node}\n\
         :load\n\
         kernel {kernel} initrd=initrd {arguments} || goto retry\n\
         initrd --name initrd {initrd} || goto retry\n\
         boot || goto retry\n\
         :retry\n\
         echo xcat3: could not load the installer, next try in 10 seconds\n\
         sleep 10\n\
         imgfree\n\
         goto load\n",
        image = facts.image()?.name,
        node = facts.node.name,
        kernel = facts.url(&kernel),
        initrd = facts.url(&initrd),
    ))
}

/// UEFI goes on to its next boot entry when iPXE ends; a BIOS may have no other, so iPXE starts the
/// first disk itself and leaves only where that fails.
fn local_boot_script(node: &str) -> String {
    format!(
        "#!ipxe\n\
         echo xcat3: {node} boots its disk\n\
         iseq ${{platform}} efi && exit ||\n\
         sanboot --no-describe --drive 0x80 || exit\n"
    )
}

/// An iPXE script that tells a machine's console why it can't boot, and tries again.
#[must_use]
pub fn ipxe_error_script(reason: &str) -> String {
    // iPXE expands `${…}` and splits at `||` and `&&`; a reason must not become a command.
    let plain = |c: char| {
        if matches!(c, '$' | '|' | '&' | '{' | '}') || c.is_control() {
            ' '
        } else {
            c
        }
    };
    let reason: String = reason.chars().map(plain).take(300).collect();
    format!("#!ipxe\necho xcat3: {reason}\necho xcat3: next try in 30 seconds\nsleep 30\nreboot\n")
}

/// The pxelinux configuration of a node. Paths are those of our TFTP server, which serves the same
/// tree as our HTTP server.
///
/// # Errors
/// The node is deploying but can't be installed.
pub fn pxelinux_config(facts: &BootFacts<'_>) -> Result<String, BootError> {
    if !facts.installs() {
        return Ok("DEFAULT disk\nPROMPT 0\nLABEL disk\n  LOCALBOOT 0\n".to_owned());
    }
    let (kernel, initrd) = facts.kernel_paths()?;
    let arguments = install::kernel_arguments(facts)?;
    Ok(format!(
        "DEFAULT install\nPROMPT 0\nONERROR install\nLABEL install\n  \
         SAY xcat3: installing {image} on {node}\n  \
         KERNEL {kernel}\n  INITRD {initrd}\n  APPEND {arguments}\n",
        image = facts.image()?.name,
        node = facts.node.name,
    ))
}

#[cfg(test)]
mod tests {
    use xcat3_core::State;

    use super::super::fixtures::Fixture;
    use super::super::loader as any_loader;
    use super::*;

    #[test]
    fn a_deploying_node_loads_the_installer_of_its_image() {
        let fixture = Fixture::deploying();
        insta::assert_snapshot!(ipxe_script(&fixture.facts()).unwrap());
        insta::assert_snapshot!(pxelinux_config(&fixture.facts()).unwrap());
    }

    #[test]
    fn every_other_node_boots_its_disk() {
        let mut fixture = Fixture::deploying();
        for state in State::ALL
            .into_iter()
            .filter(|&state| state != State::Deploying)
        {
            fixture.node.deployment.state = state;
            let script = ipxe_script(&fixture.facts()).unwrap();
            assert!(
                script.contains("sanboot") && !script.contains("kernel"),
                "{state}"
            );
            let config = pxelinux_config(&fixture.facts()).unwrap();
            assert!(
                config.contains("LOCALBOOT") && !config.contains("KERNEL"),
                "{state}"
            );
        }
    }

    #[test]
    fn each_firmware_is_given_its_loader() {
        let mut fixture = Fixture::deploying();
        let loaders = Loaders::default();
        let loader = |firmware, fixture: &Fixture| any_loader(firmware, &fixture.facts(), &loaders);
        assert_eq!(
            loader(Firmware::Bios, &fixture),
            Loader::Tftp("undionly.kpxe".into())
        );
        assert_eq!(
            loader(Firmware::UefiX64, &fixture),
            Loader::Tftp("snponly.efi".into())
        );
        assert_eq!(
            loader(Firmware::UefiHttpX64, &fixture),
            Loader::Http("http://11.0.0.101:3011/loaders/snponly.efi".into())
        );
        assert_eq!(
            loader(Firmware::Ipxe, &fixture),
            Loader::Http("http://11.0.0.101:3011/boot/52-54-00-36-ac-b1.ipxe".into())
        );
        assert_eq!(loader(Firmware::Other, &fixture), Loader::None);
        fixture.node.deployment.state = State::Dhcp;
        assert_eq!(loader(Firmware::Bios, &fixture), Loader::None);
        fixture.node.deployment.state = State::Deploying;
        fixture.node.declared.netboot = None;
        assert_eq!(loader(Firmware::Bios, &fixture), Loader::None);
    }

    #[test]
    fn an_image_without_installer_is_named() {
        let mut fixture = Fixture::deploying();
        fixture.image.content = None;
        let error = ipxe_script(&fixture.facts()).unwrap_err().to_string();
        assert!(error.contains("debian13.0-x86_64"), "{error}");
    }

    #[test]
    fn a_reason_never_becomes_a_command() {
        let script = ipxe_error_script("bad || shell ${x}\nreboot");
        assert!(!script.contains("||") && !script.contains('$'));
        assert_eq!(script.lines().count(), 5);
    }
}
