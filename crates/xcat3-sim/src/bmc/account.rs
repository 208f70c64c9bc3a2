//! The accounts of the simulated BMCs beside the first one, and what an account may do, whichever way a
//! BMC is asked.

use std::str::FromStr;

use clap::ValueEnum;

/// What an account may do: the privilege levels of IPMI (6.8), the roles of Redfish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub enum Level {
    /// May read.
    User,
    /// May set power and boot device too.
    Operator,
    /// May do everything.
    Administrator,
}

/// An account. Written `NAME:PASSWORD:LEVEL`; a password may have colons, but no comma.
#[derive(Clone, PartialEq, Eq)]
pub struct Account {
    /// Its name.
    pub name: String,
    /// Its password.
    pub password: String,
    /// What it may do.
    pub level: Level,
}

impl std::fmt::Debug for Account {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} ({:?})", self.name, self.level)
    }
}

impl Level {
    /// Its number in IPMI.
    pub(super) const fn number(self) -> u8 {
        match self {
            Self::User => 2,
            Self::Operator => 3,
            Self::Administrator => 4,
        }
    }

    /// The role of Redfish.
    pub(super) const fn role(self) -> &'static str {
        match self {
            Self::User => "ReadOnly",
            Self::Operator => "Operator",
            Self::Administrator => "Administrator",
        }
    }
}

impl FromStr for Account {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let parts = text.split_once(':');
        let parts = parts.and_then(|(name, rest)| Some((name, rest.rsplit_once(':')?)));
        // Not the text itself: it may have a password in it.
        let (name, (password, level)) = parts.ok_or("an account is written NAME:PASSWORD:LEVEL")?;
        if name.is_empty() {
            return Err("an account needs a name".to_owned());
        }
        Ok(Self {
            name: name.to_owned(),
            password: password.to_owned(),
            level: Level::from_str(level, false).map_err(|_| {
                format!("the level of '{name}' has to be user, operator or administrator")
            })?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_are_read_and_passwords_never_shown() {
        let account: Account = "ops:a:b:operator".parse().unwrap();
        assert_eq!((&*account.name, &*account.password), ("ops", "a:b"));
        assert_eq!(account.level, Level::Operator);
        assert_eq!(format!("{account:?}"), "ops (Operator)");
        for (text, says) in [
            ("ops:secret", "NAME:PASSWORD:LEVEL"),
            ("ops:secret:king", "level of 'ops'"),
            (":secret:user", "needs a name"),
        ] {
            let error = text.parse::<Account>().unwrap_err();
            assert!(error.contains(says) && !error.contains("secret"), "{error}");
        }
    }
}
