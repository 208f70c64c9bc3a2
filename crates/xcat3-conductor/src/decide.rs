//! What a provisioning operation makes of a node. Pure: facts in, the change or the reason against
//! it out.

use std::collections::HashMap;

use xcat3_core::passwd::Passwd;
use xcat3_core::provision::{Event, next};
use xcat3_core::{Network, Node, Operation, OsImage};
use xcat3_drivers::install;
use xcat3_store::Provision;

/// What a deploy depends on beside the node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Facts {
    pub(crate) images: HashMap<String, OsImage>,
    pub(crate) networks: Vec<Network>,
    /// The root password of installed machines.
    pub(crate) system: Option<Passwd>,
}

/// What happens to a node.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Change<'a> {
    Deploy {
        osimage: Option<&'a str>,
        subnet: Option<&'a str>,
        force: bool,
    },
    ServeDhcp,
    Undo,
    Callback,
}

impl<'a> Change<'a> {
    /// The change that `operation` asks for, where it is one of provisioning.
    pub(crate) fn of(operation: &'a Operation) -> Option<Self> {
        match operation {
            Operation::Deploy {
                osimage,
                subnet,
                force,
            } => Some(Self::Deploy {
                osimage: osimage.as_deref(),
                subnet: subnet.as_deref(),
                force: *force,
            }),
            Operation::ServeDhcp => Some(Self::ServeDhcp),
            Operation::Undo => Some(Self::Undo),
            Operation::Callback => Some(Self::Callback),
            Operation::Control(_) | Operation::Discover(_) => None,
        }
    }

    fn event(self) -> Event {
        match self {
            Self::Deploy { force, .. } => Event::Deploy { force },
            Self::ServeDhcp => Event::ServeDhcp,
            Self::Undo => Event::Undo,
            Self::Callback => Event::Callback,
        }
    }
}

/// What is written for `node`, or the sentence that says why nothing is.
///
/// The token is `token()`'s where the node needs one: only while it deploys.
pub(crate) fn decide(
    change: Change<'_>,
    node: &Node,
    facts: &Facts,
    token: impl FnOnce() -> String,
) -> Result<Provision, String> {
    let state =
        next(node.deployment.state, change.event()).map_err(|refused| refused.to_string())?;
    let mut provision = Provision {
        name: node.name.clone(),
        state,
        osimage: node.deployment.osimage.clone(),
        deploy_token: None,
        failure: None,
    };
    if let Change::Deploy {
        osimage, subnet, ..
    } = change
    {
        let name = osimage.or(node.deployment.osimage.as_deref());
        let image = name.and_then(|name| facts.images.get(name));
        let system = facts.system.as_ref();
        install::check_deploy(node, name, image, subnet, &facts.networks, system)?;
        provision.osimage = name.map(str::to_owned);
        provision.deploy_token = Some(token());
    }
    Ok(provision)
}

/// The deploy of `node` has failed for `reason`; nothing where it is not deploying any more.
pub(crate) fn give_up(node: &Node, reason: String) -> Option<Provision> {
    let state = next(node.deployment.state, Event::Fail).ok()?;
    Some(Provision {
        name: node.name.clone(),
        state,
        osimage: node.deployment.osimage.clone(),
        deploy_token: None,
        failure: Some(reason),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use xcat3_core::osimage::{BootFile, ImageContent};
    use xcat3_core::{MacAddr, Nic, State};

    fn facts() -> Facts {
        let mut image = OsImage::new("debian12-x86_64", "debian", "12", "x86_64");
        image.content = Some(ImageContent {
            iso: "debian12-x86_64.iso".into(),
            iso_size: 1,
            iso_sha256: String::new(),
            codename: Some("bookworm".into()),
            kernel: Some(BootFile::Iso("linux".into())),
            initrd: Some(BootFile::Iso("initrd.gz".into())),
        });
        Facts {
            images: [(image.name.clone(), image)].into(),
            networks: vec![Network::new("net", "10.0.0.0/24".parse().unwrap())],
            system: Some(Passwd {
                key: "system".into(),
                username: Some("root".into()),
                password: Some("$6$salt$hash".into()),
                crypt_method: None,
            }),
        }
    }

    fn node(state: State) -> Node {
        let mut node = Node::new("n1".parse().unwrap());
        node.deployment.state = state;
        node.declared.netboot = Some("pxe".into());
        node.declared.arch = Some("x86_64".into());
        node.nics = vec![Nic {
            uuid: uuid::Uuid::nil(),
            mac: MacAddr([0x52, 0x54, 0, 0, 0, 1]),
            name: None,
            ip: Some("10.0.0.5".parse().unwrap()),
            netmask: None,
            primary: true,
            extra: serde_json::Map::new(),
            node: None,
        }];
        node
    }

    const DEPLOY: Change<'static> = Change::Deploy {
        osimage: Some("debian12-x86_64"),
        subnet: None,
        force: false,
    };

    fn decided(change: Change<'_>, node: &Node) -> Result<Provision, String> {
        decide(change, node, &facts(), || "token".into())
    }

    #[test]
    fn a_deploy_gives_image_and_token() {
        let provision = decided(DEPLOY, &node(State::None)).unwrap();
        assert_eq!(provision.state, State::Deploying);
        assert_eq!(provision.osimage.as_deref(), Some("debian12-x86_64"));
        assert_eq!(provision.deploy_token.as_deref(), Some("token"));
    }

    #[test]
    fn a_deploy_without_image_takes_the_last_one() {
        let again = Change::Deploy {
            osimage: None,
            subnet: None,
            force: false,
        };
        let mut node = node(State::Deployed);
        assert!(decided(again, &node).unwrap_err().contains("--osimage"));
        node.deployment.osimage = Some("debian12-x86_64".into());
        assert_eq!(
            decided(again, &node).unwrap().osimage,
            node.deployment.osimage
        );
    }

    #[test]
    fn whoever_misses_something_is_told_what() {
        let mut without_nic = node(State::None);
        without_nic.nics.clear();
        let mut elsewhere = node(State::None);
        elsewhere.nics[0].ip = Some("192.168.0.1".parse().unwrap());
        let mut other_arch = node(State::None);
        other_arch.declared.arch = Some("ppc64le".into());
        let cases = [
            (without_nic, "nic"),
            (elsewhere, "192.168.0.1"),
            (other_arch, "ppc64le"),
        ];
        for (node, word) in cases {
            let sentence = decided(DEPLOY, &node).unwrap_err();
            assert!(sentence.contains(word), "{sentence}");
        }
        let mut facts = facts();
        facts.system = None;
        let sentence = decide(DEPLOY, &node(State::None), &facts, String::new).unwrap_err();
        assert!(
            sentence.contains("xcat3 passwd-create system username=root"),
            "{sentence}"
        );
    }

    #[test]
    fn a_second_deploy_is_refused_and_an_undo_takes_all_but_the_image() {
        assert!(decided(DEPLOY, &node(State::Deploying)).is_err());
        let forced = Change::Deploy {
            osimage: Some("debian12-x86_64"),
            subnet: None,
            force: true,
        };
        assert!(decided(forced, &node(State::Deploying)).is_ok());
        let mut deploying = node(State::Deploying);
        deploying.deployment.osimage = Some("debian12-x86_64".into());
        deploying.deployment.token = Some("t".into());
        let undone = decided(Change::Undo, &deploying).unwrap();
        assert_eq!((undone.state, undone.deploy_token), (State::None, None));
        assert_eq!(undone.osimage, deploying.deployment.osimage);
    }

    #[test]
    fn a_callback_ends_a_deploy_and_its_token() {
        let ended = decided(Change::Callback, &node(State::Deploying)).unwrap();
        assert_eq!((ended.state, ended.deploy_token), (State::Deployed, None));
        assert!(decided(Change::Callback, &node(State::None)).is_err());
    }

    #[test]
    fn only_a_deploy_under_way_can_fail() {
        let failed = give_up(&node(State::Deploying), "why".into()).unwrap();
        assert_eq!(
            (failed.state, failed.failure.as_deref()),
            (State::Failed, Some("why"))
        );
        assert!(give_up(&node(State::Deployed), "why".into()).is_none());
    }
}
