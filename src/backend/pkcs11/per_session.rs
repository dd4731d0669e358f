//! Tokens that want each session logged in, and not the application once.
//!
//! By the standard a login is that of all sessions. nethsm-pkcs11 keeps the PIN
//! by session: a new one answers `CKR_USER_NOT_LOGGED_IN` while the login that
//! keeps the token open is alive. It is then given the PIN that the token has
//! accepted, once.

use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;

use super::connection::{Connection, State};
use super::failure::Failure;
use super::login::Meant;
use super::object::Objects;
use super::raw::NotSigned;
use super::refusal::Refusal;
use super::session::Session;
use super::token::Token;

/// What a failed call was answered.
pub(super) trait Answer {
    /// The code of the module, if it was that which failed.
    fn code(&self) -> Option<RvError>;
}

impl Answer for Error {
    fn code(&self) -> Option<RvError> {
        match self {
            Self::Pkcs11(code, _) => Some(*code),
            _ => None,
        }
    }
}

impl Answer for Failure {
    fn code(&self) -> Option<RvError> {
        match self {
            Self::Returned(code) => Some(*code),
            _ => None,
        }
    }
}

impl Answer for NotSigned {
    fn code(&self) -> Option<RvError> {
        match self {
            Self::Failed { failure, .. } => failure.code(),
            Self::NotConfirmed(_) => None,
        }
    }
}

impl Objects<'_> {
    /// Makes a call; and makes it again, if the session turns out to want a
    /// login of its own, and got it.
    pub(super) fn within_login<T, E: Answer>(
        self,
        call: impl Fn() -> Result<T, E>,
    ) -> Result<T, E> {
        match call() {
            Err(failed)
                if failed.code() == Some(RvError::UserNotLoggedIn)
                    && !self.session.is_under_lock()
                    && Connection::log_in_too(self.token, self.session) =>
            {
                call()
            }
            answer => answer,
        }
    }
}

impl Connection {
    /// Logs a session in beside the one that keeps the token open. Tells whether
    /// it is now.
    fn log_in_too(token: &Token, session: &Session) -> bool {
        let Ok(connection) = Self::of(token) else { return false };
        // Through the login: what refuses the PIN here keeps other threads from
        // sending it again.
        let mut state = connection.lock();
        if !state.is_logged_in() {
            // It is lost, and not for this session alone.
            return false;
        }
        let State { login: Some(login), pins, .. } = &mut *state else { return false };
        if login.is_for_all || pins.is_of_pad() {
            return false;
        }
        let objects = Objects { token, session };
        let alone = pins.alone(token, None);
        let cleared = alone.and_then(|alone| {
            Ok((alone, pins.clear_again(objects, login.policy, Meant::KeyOfThisLogin)?))
        });
        let (_alone, cleared) = match cleared {
            Ok(cleared) if !session.note_pin_sent() => cleared,
            Ok(_) => return false,
            Err(error) => {
                log::warn!("a session was not logged in: {error}");
                return false;
            }
        };
        match cleared.send(UserType::User).map(drop) {
            Ok(()) => true,
            Err(Refusal::AlreadyIn(_)) => {
                login.is_for_all = true;
                false
            }
            Err(refusal) => {
                log::warn!("a session could not be logged in: {}", refusal.into_error());
                false
            }
        }
    }
}

impl Token {
    /// Whether a session of it can be logged in now, by the PIN that was accepted.
    pub(super) fn logs_sessions_in(&self) -> bool {
        Connection::of(self).is_ok_and(|connection| {
            let state = connection.lock();
            state.login.is_some() && state.pins.to_send_again(self).is_ok()
        })
    }

    /// Whether a key of it is open, by all that is known here.
    pub(super) fn is_open(&self) -> bool {
        Connection::of(self).is_ok_and(|connection| connection.lock().login.is_some())
    }
}

impl State {
    /// Sessions of this login need none of their own.
    pub(super) fn login_is_for_all(&mut self) {
        if let Some(login) = &mut self.login {
            login.is_for_all = true;
        }
    }
}
