//! Who may have what done: by default nobody, and nothing.

use std::fmt;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use super::rate::Limiter;
use super::{ProblemCode, ReservedForm, reserved_form};
use crate::config::{ClientRule, DaemonConfig, Permission};
use crate::statement;

/// What somebody wants to have done.
#[derive(Debug, Clone, Copy)]
#[non_exhaustive]
pub enum Call<'a> {
    /// To read what is public, or to have the daemon show whose it is.
    Public,
    /// A signature for a context.
    Sign {
        /// For which.
        context: &'a str,
    },
    /// A signature of bytes that the client chooses.
    SignRaw {
        /// These.
        message: &'a [u8],
    },
    /// The key of a file.
    Decrypt,
    /// A TLS certificate.
    Tls,
    /// Locking and unlocking.
    Admin,
}

impl Call<'_> {
    const fn permission(&self) -> Option<Permission> {
        match self {
            Self::Public => None,
            Self::Sign { .. } => Some(Permission::Sign),
            Self::SignRaw { .. } => Some(Permission::SignRaw),
            Self::Decrypt => Some(Permission::Decrypt),
            Self::Tls => Some(Permission::Tls),
            Self::Admin => Some(Permission::Admin),
        }
    }
}

/// Why somebody may not have something done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Denied {
    /// The reason, for the one who asks and for the log.
    pub code: ProblemCode,
    /// After how long it may, if waiting helps.
    pub retry_after: Option<Duration>,
    /// What the message could be taken for, if that is why.
    pub form: Option<ReservedForm>,
    /// What the client would have to be allowed, if that is why.
    pub permission: Option<Permission>,
}

impl Denied {
    const fn because(code: ProblemCode) -> Self {
        Self { code, retry_after: None, form: None, permission: None }
    }
}

/// The clients of a daemon.
#[derive(Debug)]
pub struct Policy(Vec<Client>);

impl Policy {
    /// As configured.
    #[must_use]
    pub fn new(config: &DaemonConfig) -> Self {
        Self(config.client.iter().cloned().map(Client::new).collect())
    }

    /// The client that a process of this effective user and group is.
    ///
    /// # Errors
    ///
    /// If it is none: root is none, unless it is listed.
    pub fn client(&self, uid: u32, gid: u32) -> Result<&Client, Denied> {
        let known = self.0.iter().find(|client| client.rule.fits(uid, gid));
        known.ok_or(Denied::because(ProblemCode::NotAClient))
    }
}

/// A client, and how much of its rate it has used.
pub struct Client {
    rule: ClientRule,
    limiter: Option<Mutex<Limiter>>,
}

impl Client {
    fn new(rule: ClientRule) -> Self {
        let limiter = rule.rate.map(|rate| Mutex::new(Limiter::new(rate)));
        Self { rule, limiter }
    }

    /// What is configured of it.
    #[must_use]
    pub const fn rule(&self) -> &ClientRule {
        &self.rule
    }

    /// Whether it may have this done now. What is refused counts for its rate too.
    ///
    /// # Errors
    ///
    /// [`Denied`] with the reason.
    pub fn check(&self, call: &Call<'_>, now: Instant) -> Result<(), Denied> {
        if let Some(limiter) = &self.limiter {
            let mut limiter = limiter.lock().unwrap_or_else(PoisonError::into_inner);
            limiter.admit(now).map_err(|wait| Denied {
                retry_after: Some(wait),
                ..Denied::because(ProblemCode::Rate)
            })?;
        }
        if let Some(permission) = call.permission()
            && !self.rule.may(permission)
        {
            return Err(Denied {
                permission: Some(permission),
                ..Denied::because(ProblemCode::NotPermitted)
            });
        }
        match call {
            Call::Sign { context } if !self.rule.may_sign_for(context) => {
                Err(Denied::because(ProblemCode::ContextNotAllowed))
            }
            Call::SignRaw { message } => match reserved_form(message) {
                Some(form) => Err(Denied {
                    form: Some(form),
                    ..Denied::because(ProblemCode::ReservedMessage)
                }),
                None if statement::is_reserved(message) => {
                    Err(Denied::because(ProblemCode::ReservedMessage))
                }
                None => Ok(()),
            },
            _ => Ok(()),
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client").field("rule", &self.rule).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    fn policy(clients: &str) -> Policy {
        Policy::new(&Config::parse(clients).unwrap().daemon)
    }

    const CLIENTS: &str = "
        [[daemon.client]]
        name = \"payments\"
        uid = 1001
        may = [\"sign\"]
        contexts = [\"payments@coop.example\"]
        [[daemon.client]]
        name = \"raw\"
        gid = 7
        may = [\"sign-raw\"]
        rate = \"2/min\"
        [[daemon.client]]
        name = \"reader\"
        uid = 0
        ";

    fn code(policy: &Policy, (uid, gid): (u32, u32), call: &Call<'_>) -> Option<ProblemCode> {
        let client = policy.client(uid, gid);
        client.and_then(|client| client.check(call, Instant::now())).err().map(|denied| denied.code)
    }

    #[test]
    fn nobody_is_a_client_who_is_not_listed() {
        let nobody = policy("");
        for peer in [(0, 0), (1001, 1001), (u32::MAX, u32::MAX)] {
            assert_eq!(code(&nobody, peer, &Call::Public), Some(ProblemCode::NotAClient));
        }
        let some = policy(CLIENTS);
        for peer in [(1002, 1001), (1000, 0), (7, 1)] {
            assert_eq!(code(&some, peer, &Call::Public), Some(ProblemCode::NotAClient));
        }
        assert_eq!(some.client(1001, 7).unwrap().rule().name, "payments", "the first one counts");
        assert_eq!(some.client(2, 7).unwrap().rule().name, "raw");
    }

    #[test]
    fn a_client_has_done_what_it_may_and_nothing_else() {
        use ProblemCode::{ContextNotAllowed, NotPermitted};
        let policy = policy(CLIENTS);
        let payments = (1001, 1001);
        let sign = |context| Call::Sign { context };
        for (peer, call, wanted) in [
            (payments, sign("payments@coop.example"), None),
            (payments, sign("payments@coop.example2"), Some(ContextNotAllowed)),
            (payments, sign("git"), Some(ContextNotAllowed)),
            (payments, sign(""), Some(ContextNotAllowed)),
            (payments, Call::SignRaw { message: b"hello" }, Some(NotPermitted)),
            (payments, Call::Decrypt, Some(NotPermitted)),
            (payments, Call::Tls, Some(NotPermitted)),
            (payments, Call::Admin, Some(NotPermitted)),
            (payments, Call::Public, None),
            // Root, which is listed here.
            ((0, 0), Call::Public, None),
            ((0, 0), sign("payments@coop.example"), Some(NotPermitted)),
            ((0, 0), Call::Admin, Some(NotPermitted)),
        ] {
            assert_eq!(code(&policy, peer, &call), wanted, "{peer:?} {call:?}");
        }
    }

    #[test]
    fn a_raw_message_of_a_reserved_form_is_refused_with_what_it_is() {
        let policy = policy(&CLIENTS.replace("rate", "# "));
        let client = policy.client(2, 7).unwrap();
        let check = |message| client.check(&Call::SignRaw { message }, Instant::now());
        check(b"hello").unwrap();
        for (message, form) in [
            (&b"icn-identity/binding/v1\0"[..], ReservedForm::Statement),
            (b"SSHSIG\0\0\0\0", ReservedForm::SshSignature),
            (&[b' '; 64], ReservedForm::Tls),
        ] {
            let denied = check(message).unwrap_err();
            assert_eq!((denied.code, denied.form), (ProblemCode::ReservedMessage, Some(form)));
        }
    }

    #[test]
    fn a_rate_is_of_its_client_alone_and_counts_refusals() {
        let policy = policy(CLIENTS);
        let raw = Call::SignRaw { message: b"hello" };
        assert_eq!(code(&policy, (2, 7), &Call::Decrypt), Some(ProblemCode::NotPermitted));
        assert_eq!(code(&policy, (2, 7), &raw), None);
        let denied = policy.client(2, 7).unwrap().check(&raw, Instant::now()).unwrap_err();
        assert_eq!(denied.code, ProblemCode::Rate);
        assert!(denied.retry_after.is_some_and(|wait| wait <= Duration::from_secs(30)));
        assert_eq!(code(&policy, (0, 0), &Call::Public), None);
    }
}
