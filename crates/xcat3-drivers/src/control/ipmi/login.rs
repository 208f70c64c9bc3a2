//! Logging in to a BMC: what a node may say of it (`bmc_cipher_suite`, `bmc_kg`), and what a refusal means.

use std::net::SocketAddr;

use xcat3_core::Node;
use xcat3_ipmi::{
    CipherSuite, Connection, Credentials, Error, MAX_PASSWORD, MAX_USER_NAME, Privilege,
    RetryPolicy, Secret, SessionEnd, Sockets, Status,
};

use super::super::bmc::{Bmc, Failure, Password, Turn, number, text};
use super::exchange;

/// The most that is asked for first: what a BMC allows its user differs.
const PRIVILEGES: [Privilege; 3] = [
    Privilege::Administrator,
    Privilege::Operator,
    Privilege::User,
];
/// Exchanges of a login: open, RAKP 1 and 3, privilege level.
const EXCHANGES: u32 = 4;

/// What a node says of its BMC that only IPMI knows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Options {
    suite: Option<CipherSuite>,
    key: Option<Password>,
}

impl Options {
    /// What `node` says.
    ///
    /// # Errors
    /// The sentence for the node.
    pub fn of(node: &Node) -> Result<Self, String> {
        let suite = match number(node, "bmc_cipher_suite")? {
            None => None,
            Some(id) => {
                let suite = u8::try_from(id).ok().and_then(CipherSuite::from_id);
                let wrong = || format!("bmc_cipher_suite {id} is not supported: use 17 or 3");
                Some(suite.ok_or_else(wrong)?)
            }
        };
        let key = text(node, "bmc_kg")?.map(Password::new);
        if let Some(key) = &key {
            bmc_key(key)?;
        }
        Ok(Self { suite, key })
    }

    fn suites(&self) -> &[CipherSuite] {
        match &self.suite {
            Some(suite) => std::slice::from_ref(suite),
            None => &CipherSuite::ALL,
        }
    }
}

/// The BMC's key: a text, or `0x` and hexadecimal digits.
fn bmc_key(key: &Password) -> Result<Secret, String> {
    let key = key.reveal();
    let bytes = match key.strip_prefix("0x") {
        None => Some(key.as_bytes().to_vec()),
        Some(digits) => {
            let pairs = digits.as_bytes().chunks(2).map(|pair| {
                let pair = std::str::from_utf8(pair)
                    .ok()
                    .filter(|pair| pair.len() == 2)?;
                u8::from_str_radix(pair, 16).ok()
            });
            pairs.collect()
        }
    };
    let secret = bytes.and_then(|bytes| Secret::new(&bytes));
    secret.ok_or_else(|| {
        format!("bmc_kg is neither a text of at most {MAX_PASSWORD} bytes nor 0x and as many bytes in hexadecimal digits")
    })
}

/// Opens a session, with the highest privilege that the user may have.
pub async fn open(
    sockets: &Sockets,
    retry: RetryPolicy,
    (bmc, address): (&Bmc<Options>, SocketAddr),
    turn: &Turn<'_>,
) -> Result<Connection, Failure> {
    let mut refused = None;
    for privilege in PRIVILEGES {
        let credentials = credentials(bmc, privilege).map_err(Failure::refused)?;
        let suites = bmc.options.suites();
        let connection = sockets.connect(address, credentials, suites, retry).await;
        if !matches!(
            connection,
            Err(Error::Ended(SessionEnd::Silent) | Error::Send(_))
        ) {
            turn.answered(EXCHANGES);
        }
        match connection {
            Ok(connection) => return Ok(connection),
            Err(error) if is_privilege_denied(&error) => refused = Some(error),
            Err(error) => return Err(failure(error, suites)),
        }
    }
    let refused = refused.map(|error| error.to_string());
    Err(Failure::refused(refused.unwrap_or_default()))
}

fn credentials(bmc: &Bmc<Options>, privilege: Privilege) -> Result<Credentials, String> {
    let user = bmc.credentials.username.as_bytes();
    if user.len() > MAX_USER_NAME {
        return Err(format!(
            "bmc_username is longer than {MAX_USER_NAME} bytes, which IPMI does not have"
        ));
    }
    let password = Secret::new(bmc.credentials.password.reveal().as_bytes());
    let too_long =
        || format!("bmc_password is longer than {MAX_PASSWORD} bytes, which IPMI does not have");
    Ok(Credentials {
        user: user.to_vec(),
        password: password.ok_or_else(too_long)?,
        bmc_key: bmc.options.key.as_ref().map(bmc_key).transpose()?,
        privilege,
    })
}

fn is_privilege_denied(error: &Error) -> bool {
    matches!(error, Error::Ended(over) if over.is_privilege_denied())
}

/// What it means that no session could be opened with one of `suites`.
fn failure(error: Error, suites: &[CipherSuite]) -> Failure {
    let Error::Ended(over) = &error else {
        return exchange::failure(error);
    };
    match over {
        // The password is right; what its user may not do is another matter.
        over if over.is_privilege_denied() => Failure::refused(error),
        over if over.rejects_credentials() => Failure::rejected(error),
        SessionEnd::Refused(
            Status::NO_RESOURCES | Status::NO_ROLE_RESOURCES | Status::UNKNOWN_SESSION,
        ) => Failure::busy(error),
        SessionEnd::Refused(Status::NO_SUITE) => {
            let suites: Vec<String> = suites.iter().map(|suite| suite.id().to_string()).collect();
            Failure::refused(match suites.as_slice() {
                [only] => format!("it does not offer cipher suite {only}"),
                all => format!("it offers none of the cipher suites {}", all.join(" and ")),
            })
        }
        SessionEnd::Silent | SessionEnd::WrongSession | SessionEnd::Stalled => {
            Failure::silent(error)
        }
        SessionEnd::Closed | SessionEnd::Lost => Failure::lost(error),
        _ => Failure::refused(error),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn options(control_info: &serde_json::Value) -> Result<Options, String> {
        let mut node = Node::new("node1".parse().unwrap());
        node.declared.control_info = control_info.as_object().unwrap().clone();
        Options::of(&node)
    }

    #[test]
    fn suites_and_keys_are_read() {
        assert_eq!(options(&json!({})).unwrap().suites(), CipherSuite::ALL);
        let three = options(&json!({"bmc_cipher_suite": "3"})).unwrap();
        assert_eq!(three.suites(), [CipherSuite::Sha1]);
        let key = |text| bmc_key(&Password::new(text));
        assert_eq!(key("0x0aFF").unwrap(), Secret::new(&[0x0a, 0xff]).unwrap());
        assert_eq!(key("plain").unwrap(), Secret::new(b"plain").unwrap());
        for (info, named) in [
            (json!({"bmc_cipher_suite": 1}), "use 17 or 3"),
            (json!({"bmc_kg": "0x123"}), "bmc_kg"),
            (json!({"bmc_kg": "0xé"}), "bmc_kg"),
            (json!({"bmc_kg": "a key that is much too long"}), "bmc_kg"),
        ] {
            let sentence = options(&info).unwrap_err();
            assert!(sentence.contains(named), "{sentence}");
            assert!(!sentence.contains("much"), "{sentence}");
        }
    }
}
