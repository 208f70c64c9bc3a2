//! Who may ask a BMC: its sessions, Basic authentication, and the lock-out of an account after wrong
//! passwords. Which accounts there are is the
//! face's.

use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// What a BMC allows.
#[derive(Clone, Debug)]
pub struct Access {
    /// Sessions that may be open at the same time.
    pub slots: usize,
    /// How long a session lives without a request.
    pub timeout: Duration,
    /// Wrong passwords after which the account is locked, and for how long; `None`: never.
    pub lockout: Option<(u32, Duration)>,
}

impl Default for Access {
    fn default() -> Self {
        Self {
            slots: 16,
            timeout: Duration::from_secs(1800),
            lockout: None,
        }
    }
}

/// One session.
#[derive(Clone, Debug)]
pub struct Session {
    /// The last part of its address.
    pub id: String,
    /// Who it belongs to.
    pub user: String,
    token: String,
    used: Instant,
}

/// Why a session could not be opened, or a request not be let in.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// No credentials, or wrong ones, or a session that is over.
    Wrong,
    /// Too many wrong passwords; even the right one is refused for now.
    Locked,
    /// All slots are taken.
    Full,
}

/// The sessions of one machine.
#[derive(Debug, Default)]
pub struct Sessions {
    open: Vec<Session>,
    opened: u64,
    failures: u32,
    locked_until: Option<Instant>,
    timeout: Option<Duration>,
}

/// What a request proves itself with.
#[derive(Debug)]
pub enum Proof<'a> {
    /// Nothing.
    Nothing,
    /// The token of a session.
    Token(&'a str),
    /// The value of an `Authorization` header.
    Authorization(&'a str),
}

impl Sessions {
    /// Opens a session and gives its token and id.
    ///
    /// # Errors
    /// The credentials are wrong, the account is locked, or there is no slot.
    pub fn open(
        &mut self,
        given: (&str, &str),
        right: &[(&str, &str)],
        access: &Access,
    ) -> Result<(String, String), Refusal> {
        self.check(given, right, access)?;
        self.forget_old(access);
        if self.open.len() >= access.slots {
            return Err(Refusal::Full);
        }
        self.opened += 1;
        let session = Session {
            id: self.opened.to_string(),
            user: given.0.to_owned(),
            token: hex::encode(rand::random::<[u8; 16]>()),
            used: Instant::now(),
        };
        let answer = (session.token.clone(), session.id.clone());
        self.open.push(session);
        Ok(answer)
    }

    /// Lets a request in, and tells whose it is.
    ///
    /// # Errors
    /// What it proves itself with is not valid.
    pub fn admit(
        &mut self,
        proof: &Proof<'_>,
        right: &[(&str, &str)],
        access: &Access,
    ) -> Result<String, Refusal> {
        match proof {
            Proof::Nothing => Err(Refusal::Wrong),
            Proof::Token(token) => {
                self.forget_old(access);
                let session = self.open.iter_mut().find(|one| one.token == *token);
                let session = session.ok_or(Refusal::Wrong)?;
                session.used = Instant::now();
                Ok(session.user.clone())
            }
            Proof::Authorization(value) => {
                let (user, password) = basic(value).ok_or(Refusal::Wrong)?;
                self.check((&user, &password), right, access)?;
                Ok(user)
            }
        }
    }

    fn check(
        &mut self,
        given: (&str, &str),
        right: &[(&str, &str)],
        access: &Access,
    ) -> Result<(), Refusal> {
        let now = Instant::now();
        if self.locked_until.is_some_and(|until| now < until) {
            return Err(Refusal::Locked);
        }
        if right.contains(&given) {
            self.failures = 0;
            return Ok(());
        }
        self.failures += 1;
        if let Some((limit, pause)) = access.lockout
            && self.failures >= limit
        {
            self.failures = 0;
            self.locked_until = Some(now + pause);
        }
        Err(Refusal::Wrong)
    }

    fn forget_old(&mut self, access: &Access) {
        let timeout = self.timeout(access);
        let now = Instant::now();
        self.open
            .retain(|one| now.duration_since(one.used) <= timeout);
    }

    /// The sessions that are open.
    pub fn list(&mut self, access: &Access) -> &[Session] {
        self.forget_old(access);
        &self.open
    }

    /// How long a session lives without a request.
    #[must_use]
    pub fn timeout(&self, access: &Access) -> Duration {
        self.timeout.unwrap_or(access.timeout)
    }

    /// Changes how long a session lives.
    pub const fn set_timeout(&mut self, timeout: Duration) {
        self.timeout = Some(timeout);
    }

    /// Ends a session; whether there was one.
    pub fn close(&mut self, id: &str) -> bool {
        let before = self.open.len();
        self.open.retain(|one| one.id != id);
        self.open.len() < before
    }

    /// Ends the session of a token.
    pub fn close_token(&mut self, token: &str) {
        self.open.retain(|one| one.token != token);
    }

    /// Ends all sessions, as a restart of the BMC does.
    pub fn close_all(&mut self) {
        self.open.clear();
    }

    /// Whether the account is locked.
    #[must_use]
    pub fn locked(&self) -> bool {
        self.locked_until
            .is_some_and(|until| Instant::now() < until)
    }
}

/// User and password of a Basic `Authorization` header.
fn basic(value: &str) -> Option<(String, String)> {
    let (scheme, coded) = value.split_once(' ')?;
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let text = String::from_utf8(STANDARD.decode(coded.trim()).ok()?).ok()?;
    let (user, password) = text.split_once(':')?;
    Some((user.to_owned(), password.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADMIN: (&str, &str) = ("admin", "secret");
    const RIGHT: &[(&str, &str)] = &[("other", "x"), ADMIN];

    #[test]
    fn slots_are_full_until_one_is_given_back() {
        let access = Access {
            slots: 2,
            ..Access::default()
        };
        let mut sessions = Sessions::default();
        let (token, id) = sessions.open(ADMIN, RIGHT, &access).unwrap();
        sessions.open(ADMIN, RIGHT, &access).unwrap();
        let full = sessions.open(ADMIN, RIGHT, &access);
        assert_eq!(full, Err(Refusal::Full));
        assert_eq!(
            sessions.admit(&Proof::Token(&token), RIGHT, &access),
            Ok("admin".to_owned())
        );
        assert!(sessions.close(&id));
        let over = sessions.admit(&Proof::Token(&token), RIGHT, &access);
        assert_eq!(over, Err(Refusal::Wrong));
        assert!(sessions.open(ADMIN, RIGHT, &access).is_ok());
    }

    #[test]
    fn a_session_that_is_not_used_ends() {
        let access = Access {
            timeout: Duration::ZERO,
            ..Access::default()
        };
        let mut sessions = Sessions::default();
        let (token, _) = sessions.open(ADMIN, RIGHT, &access).unwrap();
        std::thread::sleep(Duration::from_millis(2));
        let over = sessions.admit(&Proof::Token(&token), RIGHT, &access);
        assert_eq!(over, Err(Refusal::Wrong));
    }

    #[test]
    fn an_account_is_locked_also_for_the_right_password() {
        let access = Access {
            lockout: Some((2, Duration::from_secs(3600))),
            ..Access::default()
        };
        let mut sessions = Sessions::default();
        for _ in 0..2 {
            let wrong = sessions.open(("admin", "x"), RIGHT, &access);
            assert_eq!(wrong, Err(Refusal::Wrong));
        }
        let locked = sessions.open(ADMIN, RIGHT, &access);
        assert_eq!(locked, Err(Refusal::Locked));
        // "admin:secret"
        let header = Proof::Authorization("Basic YWRtaW46c2VjcmV0");
        assert_eq!(
            sessions.admit(&header, RIGHT, &access),
            Err(Refusal::Locked)
        );
        assert_eq!(
            Sessions::default().admit(&header, RIGHT, &access),
            Ok("admin".to_owned())
        );
    }
}
