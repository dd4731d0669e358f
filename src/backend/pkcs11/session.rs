//! Sessions: whether one was given the PIN, and closing them. One that has died
//! must not be closed.

use std::cell::Cell;
use std::ops::Deref;

use cryptoki::error::{Error, RvError};
use cryptoki::session::SessionState;

use crate::sync::step;

/// A session, and whether the PIN was sent for it alone.
pub(super) struct Session {
    of_module: cryptoki::session::Session,
    pin_sent: Cell<bool>,
    /// Used under the lock of its connection, to log in by it or to look around without: it
    /// sees what anybody sees, and is given no PIN for that.
    under_lock: Cell<bool>,
}

impl Session {
    pub(super) const fn new(of_module: cryptoki::session::Session) -> Self {
        Self { of_module, pin_sent: Cell::new(false), under_lock: Cell::new(false) }
    }

    /// One that is opened under the lock of its connection.
    pub(super) const fn for_login(of_module: cryptoki::session::Session) -> Self {
        Self { of_module, pin_sent: Cell::new(false), under_lock: Cell::new(true) }
    }

    pub(super) const fn is_under_lock(&self) -> bool {
        self.under_lock.get()
    }

    /// Looks by it under the lock of its connection.
    pub(super) fn look_under_lock<T>(&self, look: impl FnOnce() -> T) -> T {
        let before = self.under_lock.replace(true);
        let seen = look();
        self.under_lock.set(before);
        seen
    }

    /// Whether it says that the user is logged in.
    pub(super) fn says_logged_in(&self) -> bool {
        self.get_session_info().is_ok_and(|info| {
            matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser)
        })
    }

    /// Notes that the PIN is sent for this session; tells whether it was before.
    pub(super) fn note_pin_sent(&self) -> bool {
        self.pin_sent.replace(true)
    }

    pub(super) const fn was_pin_sent(&self) -> bool {
        self.pin_sent.get()
    }
}

impl Deref for Session {
    type Target = cryptoki::session::Session;

    /// For a call of the module.
    fn deref(&self) -> &Self::Target {
        step();
        &self.of_module
    }
}

/// A session of one caller's own, beside the pool.
pub(super) struct OwnSession(Option<Session>);

impl OwnSession {
    pub(super) const fn new(session: Session) -> Self {
        Self(Some(session))
    }
}

impl Deref for OwnSession {
    type Target = Session;

    #[expect(clippy::expect_used, reason = "taken out in `drop` only")]
    fn deref(&self) -> &Session {
        self.0.as_ref().expect("open until dropped")
    }
}

impl Drop for OwnSession {
    fn drop(&mut self) {
        // Not as cryptoki does it: the number of one that died may be that of
        // another thread's new session.
        if let Some(session) = self.0.take() {
            close(session);
        }
    }
}

/// Closes a session, if the module still knows it.
pub(super) fn close(session: Session) {
    match session.get_session_info() {
        Err(Error::Pkcs11(
            RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::CryptokiNotInitialized
            | RvError::TokenNotPresent
            | RvError::DeviceRemoved,
            _,
        )) => forget(session),
        _ => drop(session),
    }
}

#[expect(clippy::mem_forget, reason = "dropping it would close somebody else's session")]
pub(super) fn forget(session: Session) {
    std::mem::forget(session);
}
