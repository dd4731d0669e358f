//! One token in this process: its login, shared by every key of it, and its
//! pool of sessions.
//!
//! A login belongs to the application and the token, not to a session. While
//! it lasts the module answers another `C_Login` with "already logged in",
//! whatever the PIN; so later PINs are compared with the one that was
//! accepted. An idle session keeps the login alive; the pool's own come and go.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use cryptoki::session::SessionState;

use super::info::TokenInfo;
use super::login::{PinHash, PinMemory, Refusal, log_in};
use super::pool::Idle;
use super::session::{Session, close};
use super::token::Token;
use crate::config::Pkcs11Config;
use crate::error::Pkcs11Error;
use crate::secret::Pin;

/// Module, serial number, label.
type Name = (PathBuf, String, String);

static TOKENS: Mutex<BTreeMap<Name, Arc<Connection>>> = Mutex::new(BTreeMap::new());

/// What the operator configured about logging in.
#[derive(Debug, Clone, Copy)]
pub(super) struct Policy {
    pub(super) allow_final_try: bool,
    /// Most sessions in the pool.
    pub(super) sessions: usize,
}

impl Policy {
    pub(super) fn of(config: &Pkcs11Config) -> Self {
        let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        Self {
            allow_final_try: config.allow_final_try,
            sessions: config.sessions.map_or_else(cores, |sessions| sessions.get().into()),
        }
    }
}

/// One token in this process.
#[derive(Default)]
pub(super) struct Connection {
    /// Held during a login, so that two threads do not send two PINs; not
    /// while a token signs.
    state: Mutex<State>,
    /// A session came back, or the login ended.
    pub(super) freed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// How many [`LoginGuard`]s there are.
    holders: usize,
    pub(super) pins: PinMemory,
    /// The PIN that was accepted, while there are holders. `None` again if the
    /// token refuses it later.
    pub(super) accepted: Option<Accepted>,
    pub(super) accepted_was_refused: bool,
    pub(super) login: Option<Login>,
    /// Counts logins: object handles of an older one are not used.
    pub(super) epoch: u64,
    pub(super) pool: Idle,
    /// How many threads wait for every session to come back. None is lent then.
    pub(super) settling: usize,
}

pub(super) struct Accepted {
    pub(super) hash: PinHash,
    /// Kept so that a lost login can be made again; no second copy.
    pub(super) pin: Pin,
    /// It was sent again, and what came back said neither yes nor no. It is not sent by
    /// itself, until whoever has it gives it anew.
    pub(super) in_doubt: bool,
}

/// A login, kept alive by an idle session of its own.
pub(super) struct Login {
    pub(super) session: Session,
    pub(super) token: Arc<Token>,
    pub(super) since: Instant,
    pub(super) policy: Policy,
    /// Every session is logged in with it: one has signed without being given the PIN,
    /// or the token said so.
    pub(super) is_for_all: bool,
}

/// Keeps the token logged in; the last one to go logs out.
pub(super) struct LoginGuard(Arc<Connection>);

impl LoginGuard {
    /// Logs in, or joins the login that there is.
    pub(super) fn enter(token: &Token, pin: &Pin, policy: Policy) -> Result<Self, Pkcs11Error> {
        let connection = Connection::of(token)?;
        let mut state = connection.lock();
        let hash = state.pins.hash(token, pin)?;
        if state.pins.knows_as_wrong(&hash) {
            pin.answer().refused();
            return Err(Pkcs11Error::PinKnownWrong { token: token.name() });
        }
        if state.login.is_some() && !state.is_logged_in() {
            // The token was pulled out, or reset.
            state = connection.settled(state);
            if !state.is_logged_in() {
                state.end();
            }
        }
        let current = &mut *state;
        match (&current.login, &mut current.accepted) {
            (Some(_), Some(accepted)) if accepted.hash.same(&hash) => {
                accepted.in_doubt = false;
                pin.answer().accepted();
            }
            (Some(_), _) => return Err(Pkcs11Error::PinDiffers { token: token.name() }),
            (None, _) => current.first_login(token, pin, hash, policy)?,
        }
        state.holders += 1;
        drop(state);
        Ok(Self(connection))
    }

    /// Joins a login that there is, if there is one.
    pub(super) fn join(token: &Token) -> Result<Self, Pkcs11Error> {
        let connection = Connection::of(token)?;
        let mut state = connection.lock();
        if !state.is_logged_in() {
            return Err(Pkcs11Error::NotOpen { token: token.name() });
        }
        state.holders += 1;
        drop(state);
        Ok(Self(connection))
    }
}

impl Deref for LoginGuard {
    type Target = Arc<Connection>;
    fn deref(&self) -> &Arc<Connection> {
        &self.0
    }
}

impl Drop for LoginGuard {
    fn drop(&mut self) {
        // In a forked child the sessions are the parent's.
        if super::module::check_process().is_err() {
            return;
        }
        let mut state = self.0.lock();
        state.holders = state.holders.saturating_sub(1);
        if state.holders == 0 {
            state.accepted = None;
            state.epoch += 1;
            state.pool.close_all();
            if let Some(login) = state.login.take() {
                // Closing the session would not do: any other session of this
                // process (a search, say) would keep the token logged in.
                if let Err(error) = login.session.logout() {
                    log::debug!("logging out of a token: {error}");
                }
                close(login.session);
            }
        }
    }
}

impl fmt::Debug for LoginGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginGuard").finish_non_exhaustive()
    }
}

impl Connection {
    pub(super) fn of(token: &Token) -> Result<Arc<Self>, Pkcs11Error> {
        // Before any lock: another thread of the parent may have held it.
        super::module::check_process()?;
        let identity = token.identity();
        let path = token.module().path().to_owned();
        let name = (path, identity.serial.clone(), identity.label.clone());
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(Arc::clone(tokens.entry(name).or_default()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until every session is back.
    ///
    /// A module may give the number of a session that died to a new one. So
    /// none is opened while dead ones are in use, nor closed while new ones
    /// are: that would be another thread's.
    pub(super) fn settled<'a>(&self, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        state.settling += 1;
        while state.pool.lent > 0 {
            state = self.freed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
        state.settling -= 1;
        self.freed.notify_all();
        state
    }

    /// Gives up pooled sessions that nobody uses, for a token that has no more.
    pub(super) fn give_up_idle(token: &Token) -> bool {
        Self::of(token).is_ok_and(|connection| connection.lock().pool.close_all() > 0)
    }
}

impl State {
    /// Whether the token still knows the login.
    pub(super) fn is_logged_in(&self) -> bool {
        self.login.as_ref().is_some_and(|login| {
            login.session.get_session_info().is_ok_and(|info| {
                matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser)
            })
        })
    }

    /// Ends the login, whatever is left of it. No session may be lent; handles
    /// of it are not used again.
    pub(super) fn end(&mut self) {
        self.epoch += 1;
        self.pool.close_all();
        if let Some(login) = self.login.take() {
            close(login.session);
        }
    }

    fn first_login(
        &mut self,
        token: &Token,
        pin: &Pin,
        hash: PinHash,
        policy: Policy,
    ) -> Result<(), Pkcs11Error> {
        let session = token.session_within_lock()?;
        match log_in(token, &session, pin, policy.allow_final_try) {
            Ok(info) => {
                self.accepted_was_refused = false;
                self.accepted = Some(Accepted { hash, pin: pin.clone(), in_doubt: false });
                self.logged_in(token.clone(), session, policy, Some(&info));
                Ok(())
            }
            Err(refusal) => {
                if matches!(refusal, Refusal::OfThisPin(_)) {
                    self.pins.refuse(hash);
                }
                Err(refusal.into_error())
            }
        }
    }

    pub(super) fn logged_in(
        &mut self,
        token: Token,
        session: Session,
        policy: Policy,
        info: Option<&TokenInfo>,
    ) {
        let limit = info.and_then(sessions_of);
        self.pool.limit_to(policy.sessions.min(limit.unwrap_or(usize::MAX)));
        self.epoch += 1;
        let (token, since) = (Arc::new(token), Instant::now());
        self.login = Some(Login { session, token, since, policy, is_for_all: false });
    }
}

/// How many sessions a token leaves for the pool: one keeps the login, one is
/// for searches.
fn sessions_of(info: &TokenInfo) -> Option<usize> {
    info.max_sessions.and_then(|limit| usize::try_from(limit.saturating_sub(2)).ok())
}
