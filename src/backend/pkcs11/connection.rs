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

use cryptoki::session::UserType;

use super::info::TokenInfo;
use super::login::{Meant, Taken};
use super::object::Objects;
use super::pins::{Pins, Standing};
use super::policy::Policy;
use super::pool::Idle;
use super::refusal::Refusal;
use super::session::{Session, close};
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::Pin;
use crate::sync::{Arc, Condvar, Instant, Mutex, MutexGuard, PoisonError};

/// Module, serial number, label.
type Name = (PathBuf, String, String);

/// Tokens of one name are told apart by their slots.
static TOKENS: Mutex<BTreeMap<Name, Vec<Known>>> = Mutex::new(BTreeMap::new());

struct Known {
    /// Where it was seen last.
    slot: u64,
    is_told_by_slot: bool,
    connection: Arc<Connection>,
}

/// One token in this process.
#[derive(Default)]
pub(super) struct Connection {
    /// Held from the check of a PIN to the answer to it, so that two threads do not send
    /// two PINs; not while a token signs.
    state: Mutex<State>,
    /// A session came back, or the login ended.
    pub(super) freed: Condvar,
}

#[derive(Default)]
pub(super) struct State {
    /// How many [`LoginGuard`]s there are.
    holders: usize,
    pub(super) pins: Pins,
    pub(super) login: Option<Login>,
    /// That of the last login, which may be lost.
    policy: Option<Policy>,
    /// Counts logins: object handles of an older one are not used.
    pub(super) epoch: u64,
    pub(super) pool: Idle,
    /// How many threads wait for every session to come back. None is lent then.
    pub(super) settling: usize,
}

/// A login, kept alive by an idle session of its own.
pub(super) struct Login {
    pub(super) session: Session,
    pub(super) token: Arc<Token>,
    pub(super) policy: Policy,
    /// Every session is logged in with it: one has signed without being given the PIN,
    /// or the token said so.
    pub(super) is_for_all: bool,
}

/// The PIN to log in with.
#[derive(Clone, Copy)]
pub(super) enum With<'a> {
    /// This one, which somebody gives.
    Given(&'a Pin),
    /// The one that was accepted before.
    Accepted,
}

/// Keeps the token logged in; the last one to go logs out.
pub(super) struct LoginGuard(Arc<Connection>);

impl LoginGuard {
    /// Logs in, or joins the login that there is, for no key that is known yet.
    pub(super) fn enter(token: &Token, pin: &Pin, policy: Policy) -> Result<Self, Pkcs11Error> {
        Self::enter_for(Meant::None, token, pin, policy)
    }

    /// The same for the key that is meant.
    pub(super) fn enter_for(
        meant: Meant<'_>,
        token: &Token,
        pin: &Pin,
        policy: Policy,
    ) -> Result<Self, Pkcs11Error> {
        let connection = Connection::of(token)?;
        let asked = Instant::now();
        let mut state = connection.lock();
        let hash = state.pins.hash(token, pin)?;
        let joined = loop {
            // Again after each wait: another thread may have been told something of it.
            state.pins.may_be_given(token, (pin, &hash), asked)?;
            match state.pins.standing(&hash) {
                Standing::Same if state.is_logged_in() => {
                    state.pins.given_again(pin);
                    break true;
                }
                Standing::Another if state.is_logged_in() => {
                    return Err(Pkcs11Error::PinDiffers { token: token.name() });
                }
                // The token was pulled out, or reset, or has refused the PIN since. Those
                // who use it still are not disturbed.
                _ if state.login.is_some() && state.pool.lent > 0 => {
                    state = connection.settled(state);
                }
                _ => {
                    state.log_in_anew(token, pin, policy, meant)?;
                    break false;
                }
            }
        };
        state.holders += 1;
        drop(state);
        let guard = Self(connection);
        if let (true, Meant::Key(place) | Meant::KeyNotShown(place)) = (joined, meant) {
            // Where a PIN was sent, the key was compared before.
            let session = token.session()?;
            place.check(Objects { token, session: &session })?;
        }
        Ok(guard)
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
            state.pins.forget_accepted();
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
        let (slot, is_told_by_slot) = (token.slot(), token.is_told_by_slot());
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        let of_name = tokens.entry(name).or_default();
        let there = of_name.iter().position(|known| known.slot == slot);
        // The only one of its name may have been plugged in elsewhere.
        let moved = || of_name.iter().position(|known| !known.is_told_by_slot);
        let known = there.or_else(|| if is_told_by_slot { None } else { moved() });
        if let Some(known) = known.and_then(|place| of_name.get_mut(place)) {
            known.slot = slot;
            known.is_told_by_slot |= is_told_by_slot;
            return Ok(Arc::clone(&known.connection));
        }
        let connection = Arc::<Self>::default();
        let kept = Arc::clone(&connection);
        of_name.push(Known { slot, is_told_by_slot, connection: kept });
        Ok(connection)
    }

    /// Looks at the objects of a token while no login of this process begins or ends, and is
    /// told whether there is one. What a login shows would be gone in the middle of a search
    /// with it, or be taken for what the token shows to anybody.
    pub(super) fn steadily<T>(
        objects: Objects<'_>,
        look: impl FnOnce(Objects<'_>, bool) -> Result<T, Pkcs11Error>,
    ) -> Result<T, Pkcs11Error> {
        let connection = Self::of(objects.token)?;
        let mut state = connection.lock();
        if state.login.is_none() {
            // Under the lock: nobody signs on it, and whoever logs in waits.
            return objects.session.look_under_lock(|| look(objects, false));
        }
        state.holders += 1;
        drop(state);
        let _login = LoginGuard(connection);
        look(objects, true)
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
        self.login.as_ref().is_some_and(|login| login.session.says_logged_in())
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

    /// Logs in with a PIN that somebody gives, where no other one counts. No session may
    /// be lent.
    fn log_in_anew(
        &mut self,
        token: &Token,
        pin: &Pin,
        policy: Policy,
        meant: Meant<'_>,
    ) -> Result<(), Pkcs11Error> {
        if self.is_logged_in() {
            // While it lasts the token looks at no PIN. What is not sent ends no login.
            let session = token.session_for_login()?;
            let objects = Objects { token, session: &session };
            let may_be_sent = self.pins.clear(objects, pin, policy, meant).map(drop);
            close(session);
            may_be_sent?;
            if let Some(login) = &self.login
                && let Err(error) = login.session.logout()
            {
                log::debug!("logging out of a token: {error}");
            }
        }
        self.end();
        self.log_in(token.clone(), With::Given(pin), policy, meant)
    }

    /// Logs in. The PIN is sent once; where each session wants it, once to the one that
    /// keeps the login and, in the same step, to one that can be borrowed. No other process
    /// sends one between the look at the flags and the last answer.
    pub(super) fn log_in(
        &mut self,
        token: Token,
        with: With<'_>,
        policy: Policy,
        meant: Meant<'_>,
    ) -> Result<(), Pkcs11Error> {
        let given = match with {
            With::Given(pin) => Some(pin),
            With::Accepted => None,
        };
        let _alone = self.pins.alone(&token, given)?;
        let session = token.session_for_login()?;
        // Only where a login is that of a session do they say so beforehand.
        let is_by_session = session.says_logged_in();
        let objects = Objects { token: &token, session: &session };
        let cleared = match with {
            With::Given(pin) => self.pins.clear(objects, pin, policy, meant),
            With::Accepted => self.pins.clear_again(objects, policy, meant),
        };
        let sent = cleared.map(|cleared| match cleared.send(UserType::User) {
            Ok(taken) => {
                let info = taken.info().clone();
                Ok((Some(info), is_by_session.then(|| one_more(taken, &token)).flatten()))
            }
            // A PIN was accepted before: here it is enough to be logged in.
            Err(Refusal::AlreadyIn(_)) if matches!(with, With::Accepted) => Ok((None, None)),
            Err(refusal) => Err(refusal.into_error()),
        });
        match sent {
            Ok(Ok((info, one_more))) => {
                self.logged_in(token, session, policy, info.as_ref());
                if let Some(one_more) = one_more {
                    self.pool.add(one_more);
                }
                Ok(())
            }
            Ok(Err(error)) | Err(error) => {
                close(session);
                Err(error)
            }
        }
    }

    fn logged_in(
        &mut self,
        token: Token,
        session: Session,
        policy: Policy,
        info: Option<&TokenInfo>,
    ) {
        let limit = info.and_then(sessions_of);
        self.pool.limit_to(policy.sessions.min(limit.unwrap_or(usize::MAX)));
        self.epoch += 1;
        self.policy = Some(policy);
        let token = Arc::new(token);
        self.login = Some(Login { session, token, policy, is_for_all: false });
    }

    /// How the last login was made.
    pub(super) const fn policy(&self) -> Option<Policy> {
        self.policy
    }
}

/// One more session that is logged in, beside the one that keeps the login.
fn one_more(taken: Taken<'_>, token: &Token) -> Option<Session> {
    let session = token.open_session().ok()?;
    session.note_pin_sent();
    match taken.also(&session).send(UserType::User).map(drop) {
        Ok(()) => Some(session),
        Err(refusal) => {
            log::warn!("a session could not be logged in: {}", refusal.into_error());
            close(session);
            None
        }
    }
}

/// How many sessions a token leaves for the pool: one keeps the login, one is
/// for searches.
fn sessions_of(info: &TokenInfo) -> Option<usize> {
    info.max_sessions.and_then(|limit| usize::try_from(limit.saturating_sub(2)).ok())
}
