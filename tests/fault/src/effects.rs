//! Rules at work: what happens to a call before it gets through.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::time::Duration;

use cryptoki_sys::*;

use crate::real::real;
use crate::script::Effect;
use crate::state::{AT_WORK, Session, log, state};

/// What is done to an answer.
#[derive(Default)]
pub(crate) struct Changes {
    pub(crate) after: Option<CK_RV>,
    pub(crate) dies: bool,
    pub(crate) flip: bool,
    pub(crate) zero: bool,
    pub(crate) length: Option<CK_ULONG>,
}

impl Changes {
    /// The program ends when the call is done, and before it has the answer.
    fn die_if_so(&self) {
        if self.dies {
            std::process::abort();
        }
    }
}

/// A call on a session: rules, then the real function with the real handle.
pub(crate) fn on_session(
    function: &'static str,
    session: CK_SESSION_HANDLE,
    go: impl FnOnce(&CK_FUNCTION_LIST, CK_SESSION_HANDLE, &Changes) -> CK_RV,
) -> CK_RV {
    on_session_with(function, session, "", go)
}

pub(crate) fn on_session_with(
    function: &'static str,
    session: CK_SESSION_HANDLE,
    detail: &str,
    go: impl FnOnce(&CK_FUNCTION_LIST, CK_SESSION_HANDLE, &Changes) -> CK_RV,
) -> CK_RV {
    let rv = match before(function, Some(session)) {
        Err(rv) => rv,
        Ok(_) if crate::per_session::refuses(function, session) => CKR_USER_NOT_LOGGED_IN,
        Ok(changes) => {
            let known = state().sessions.get(&session).map(|session| session.real);
            match known {
                None => CKR_SESSION_HANDLE_INVALID,
                Some(handle) => {
                    let _at_work = AT_WORK.read().unwrap_or_else(PoisonError::into_inner);
                    let rv = go(real(), handle, &changes);
                    changes.die_if_so();
                    changes.after.unwrap_or(rv)
                }
            }
        }
    };
    log(function, rv, detail);
    rv
}

/// A call that has no session.
pub(crate) fn without_session(
    function: &'static str,
    go: impl FnOnce(&CK_FUNCTION_LIST) -> CK_RV,
) -> CK_RV {
    let rv = match before(function, None) {
        Err(rv) => rv,
        Ok(changes) => {
            let _at_work = AT_WORK.read().unwrap_or_else(PoisonError::into_inner);
            let rv = go(real());
            changes.die_if_so();
            changes.after.unwrap_or(rv)
        }
    };
    log(function, rv, "");
    rv
}

/// Counts the call, and does what the rules say.
fn before(function: &str, session: Option<CK_SESSION_HANDLE>) -> Result<Changes, CK_RV> {
    let effects = {
        let mut state = state();
        if state.token_is_away() && !state.sessions.is_empty() {
            let sessions = std::mem::take(&mut state.sessions);
            drop(state);
            end(sessions);
            return before(function, session);
        }
        if state.finalized && function != "C_Initialize" {
            return Err(CKR_CRYPTOKI_NOT_INITIALIZED);
        }
        state.now += 1;
        let now = state.now;
        let mut last = state.last_random;
        let rules = state.script.rules.iter_mut().filter(|rule| rule.function == function);
        let effects: Vec<_> =
            rules.filter_map(|rule| rule.holds(now, &mut last).then_some(rule.effect)).collect();
        state.last_random = last;
        effects
    };
    let mut changes = Changes::default();
    for effect in effects {
        match effect {
            Effect::Return(rv) => return Err(rv),
            Effect::After(rv) => changes.after = Some(rv),
            Effect::Abort => std::process::abort(),
            Effect::AbortAfter => changes.dies = true,
            Effect::Flip => changes.flip = true,
            Effect::Zero => changes.zero = true,
            Effect::Length(length) => changes.length = Some(length),
            Effect::ChangePin => state().script.pin = Some("changed".into()),
            // As by a kill: nothing is undone, and nobody is told.
            Effect::Die => std::process::abort(),
            Effect::Sleep(time) => std::thread::sleep(Duration::from_millis(time)),
            Effect::KillSession => {
                let gone = session.and_then(|session| state().sessions.remove(&session));
                let _alone = AT_WORK.write().unwrap_or_else(PoisonError::into_inner);
                if let (Some(gone), Some(close)) = (gone, real().C_CloseSession) {
                    // SAFETY: the handle is the real module's own.
                    unsafe { close(gone.real) };
                }
                return Err(CKR_SESSION_HANDLE_INVALID);
            }
            Effect::KillAll => {
                let sessions = std::mem::take(&mut state().sessions);
                end(sessions);
                return Err(CKR_SESSION_HANDLE_INVALID);
            }
            Effect::RemoveToken => {
                state().removed = true;
                let sessions = std::mem::take(&mut state().sessions);
                end(sessions);
                return Err(CKR_DEVICE_REMOVED);
            }
            Effect::Finalize => {
                state().finalized = true;
                let sessions = std::mem::take(&mut state().sessions);
                end(sessions);
                let _alone = AT_WORK.write().unwrap_or_else(PoisonError::into_inner);
                if let Some(finalize) = real().C_Finalize {
                    // SAFETY: the argument is reserved, and null.
                    unsafe { finalize(std::ptr::null_mut()) };
                }
                return Err(CKR_CRYPTOKI_NOT_INITIALIZED);
            }
            Effect::Logout => {
                let handle = session
                    .and_then(|session| state().sessions.get(&session).map(|known| known.real));
                let _alone = AT_WORK.write().unwrap_or_else(PoisonError::into_inner);
                if let (Some(handle), Some(logout)) = (handle, real().C_Logout) {
                    // SAFETY: the handle is the real module's own.
                    unsafe { logout(handle) };
                }
            }
        }
    }
    Ok(changes)
}

/// Ends sessions, and with the last one the login. The state must not be
/// locked: calls at work need it before they are done.
fn end(sessions: BTreeMap<CK_SESSION_HANDLE, Session>) {
    let _alone = AT_WORK.write().unwrap_or_else(PoisonError::into_inner);
    if let Some(close) = real().C_CloseSession {
        for session in sessions.into_values() {
            // SAFETY: the handle is the real module's own.
            unsafe { close(session.real) };
        }
    }
}
