//! Sessions that threads borrow. Nothing is locked while the token works.

use cryptoki::error::{Error, RvError};

use super::connection::Connection;
use super::object::Objects;
use super::session::{OwnSession, Session, close, forget};
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::sync::{Arc, PoisonError};

/// The sessions of a pool that nobody uses now.
#[derive(Default)]
pub(super) struct Idle {
    sessions: Vec<Session>,
    /// How many are lent.
    pub(super) lent: usize,
    limit: usize,
}

impl Idle {
    pub(super) fn limit_to(&mut self, limit: usize) {
        self.limit = limit.max(1);
    }

    /// Takes one that was opened for it.
    pub(super) fn add(&mut self, session: Session) {
        self.sessions.push(session);
    }

    /// Drops those that the module does not know any more.
    fn keep_the_living(&mut self) {
        let (living, dead) = std::mem::take(&mut self.sessions)
            .into_iter()
            .partition(|session| session.get_session_info().is_ok());
        self.sessions = living;
        let dead: Vec<Session> = dead;
        dead.into_iter().for_each(forget);
    }

    /// Closes what is idle; tells how many those were.
    pub(super) fn close_all(&mut self) -> usize {
        let sessions = std::mem::take(&mut self.sessions);
        let count = sessions.len();
        sessions.into_iter().for_each(close);
        count
    }
}

/// A session on loan, with the login it belongs to.
pub(super) struct Lease {
    connection: Arc<Connection>,
    session: Option<Session>,
    pub(super) token: Arc<Token>,
    pub(super) epoch: u64,
    condition: Condition,
    signed: bool,
}

/// What becomes of a session when it comes back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Condition {
    /// It can be used again.
    Sound,
    /// It may have an operation pending, and is closed.
    Doubtful,
    /// The module does not know it any more. It is not closed: by now its
    /// number may be that of another thread's new session.
    Dead,
}

/// Why no session can be lent.
pub(super) enum NoLease {
    /// The login is lost, as of this epoch.
    NotLoggedIn(u64),
    /// The module gave none, in this epoch.
    Failed(u64, Error, Arc<Token>),
}

impl Connection {
    /// Borrows a session; waits for one where the limit is reached.
    pub(super) fn lease(self: &Arc<Self>) -> Result<Lease, NoLease> {
        let mut state = self.lock();
        loop {
            let epoch = state.epoch;
            if state.settling > 0 {
                state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let Some(login) = &state.login else { return Err(NoLease::NotLoggedIn(epoch)) };
            let token = Arc::clone(&login.token);
            let lease = |session| Lease {
                connection: Arc::clone(self),
                session: Some(session),
                token: Arc::clone(&token),
                epoch,
                condition: Condition::Sound,
                signed: false,
            };
            if let Some(session) = state.pool.sessions.pop() {
                state.pool.lent += 1;
                return Ok(lease(session));
            }
            if state.pool.lent < state.pool.limit.max(1) {
                state.pool.lent += 1;
                drop(state);
                match token.open_session() {
                    Ok(session) => return Ok(lease(session)),
                    Err(error) => {
                        state = self.lock();
                        state.pool.lent = state.pool.lent.saturating_sub(1);
                        self.freed.notify_all();
                        let full = matches!(error, Error::Pkcs11(RvError::SessionCount, _));
                        // Those that came back meanwhile, too.
                        let there = state.pool.lent + state.pool.sessions.len();
                        if !full || there == 0 {
                            return Err(NoLease::Failed(epoch, error, token));
                        }
                        // The token has fewer than it said, or others use them.
                        state.pool.limit = there;
                        continue;
                    }
                }
            }
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Token {
    /// A session beside the pool, which makes room for it on a token that
    /// has no more.
    pub(super) fn session(&self) -> Result<OwnSession, Pkcs11Error> {
        self.beside_the_pool(|| self.open_session())
    }

    /// The same, for writing.
    pub(super) fn writing_session(&self) -> Result<OwnSession, Pkcs11Error> {
        self.beside_the_pool(|| self.open_writing_session())
    }

    fn beside_the_pool(
        &self,
        open: impl Fn() -> Result<Session, Error>,
    ) -> Result<OwnSession, Pkcs11Error> {
        let is_full = |opened: &Result<Session, Error>| {
            matches!(opened, Err(Error::Pkcs11(RvError::SessionCount, _)))
        };
        let mut opened = open();
        while is_full(&opened) {
            let made_room = Connection::give_up_idle(self);
            // Also where another thread has made room; and again where one has taken it.
            opened = open();
            if !made_room {
                break;
            }
        }
        opened.map(OwnSession::new).map_err(self.failed("C_OpenSession"))
    }
}

impl Lease {
    /// What the session sees.
    pub(super) fn objects(&self) -> Option<Objects<'_>> {
        self.session.as_ref().map(|session| Objects { token: &self.token, session })
    }

    /// Notes that a private key was used by this session.
    pub(super) fn note_signature(&mut self) {
        self.signed = true;
    }

    /// Gives the session back as something else than sound.
    pub(super) fn spoil(&mut self, condition: Condition) {
        self.condition = condition;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        let Some(session) = self.session.take() else { return };
        let mut state = self.connection.lock();
        state.pool.lent = state.pool.lent.saturating_sub(1);
        if self.signed && !session.was_pin_sent() && state.epoch == self.epoch {
            state.login_is_for_all();
        }
        match self.condition {
            Condition::Sound => state.pool.sessions.push(session),
            Condition::Doubtful => close(session),
            Condition::Dead => {
                forget(session);
                // Most likely it was not the only one; and numbers of dead ones
                // may be given to the next.
                state.pool.keep_the_living();
            }
        }
        drop(state);
        self.connection.freed.notify_all();
    }
}
