//! What was lost when a call failed, and getting it back, once.

use cryptoki::error::RvError;

use super::connection::{Connection, Policy, State};
use super::failure::Failure;
use super::login::{Refusal, confirm, log_in};
use super::pool::Condition;
use super::session::Session;
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::Pin;

/// Tells by its failure whether a call is worth a recovery, and what to do
/// with the session that it used.
pub(super) const fn judge(failure: &Failure) -> (bool, Condition) {
    let Failure::Returned(returned) = failure else { return (false, Condition::Doubtful) };
    match returned {
        RvError::SessionHandleInvalid
        | RvError::SessionClosed
        // Ours had nothing pending: the number is another session's by now.
        | RvError::OperationActive
        | RvError::CryptokiNotInitialized
        | RvError::TokenNotPresent
        | RvError::DeviceRemoved => (true, Condition::Dead),
        RvError::ObjectHandleInvalid
        | RvError::KeyHandleInvalid
        | RvError::UserNotLoggedIn
        | RvError::OperationNotInitialized
        | RvError::DeviceError
        | RvError::DeviceMemory
        | RvError::TokenNotRecognized
        | RvError::SlotIdInvalid
        | RvError::FunctionFailed
        | RvError::GeneralError
        | RvError::VendorDefined(_) => (true, Condition::Doubtful),
        _ => (false, Condition::Doubtful),
    }
}

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Doubt {
    /// The login is asked about, and kept if the token knows it.
    Asks,
    /// Everything is opened again.
    Everything,
}

impl Connection {
    /// Brings the login back, unless another thread has done so since `seen`.
    ///
    /// Logs in again with the PIN that the token accepted before, once; if it
    /// is refused now, it is not used again.
    pub(super) fn revive(
        &self,
        seen: u64,
        doubt: Doubt,
        policy: Policy,
        find: impl FnOnce() -> Result<Token, Pkcs11Error>,
    ) -> Result<(), Pkcs11Error> {
        let mut state = self.lock();
        let done = |state: &State| {
            let by_another = state.epoch != seen && state.login.is_some();
            by_another || (doubt == Doubt::Asks && state.is_logged_in())
        };
        if done(&state) {
            return Ok(());
        }
        state = self.settled(state);
        if done(&state) {
            return Ok(());
        }
        state.end();
        let token = find()?;
        let pin = state.pin_to_send(&token)?;
        if pin.text().is_none() {
            // Somebody would have to stand at the PIN pad.
            return Err(Pkcs11Error::NotOpen { token: token.name() });
        }
        let session = token.session_within_lock()?;
        match log_in(&token, &session, &pin, policy.allow_final_try) {
            // A PIN was accepted before: here it is enough to be logged in.
            answer @ (Ok(_) | Err(Refusal::AlreadyIn(_))) => {
                log::info!("token {} was lost, and is open again", token.name());
                state.logged_in(token, session, policy, answer.ok().as_ref());
                Ok(())
            }
            Err(refusal) => {
                match refusal {
                    Refusal::OfThisPin(_) => state.refuse_accepted(),
                    // Not by itself again; whoever has the PIN may open anew.
                    Refusal::Other(_) => state.accepted = None,
                    Refusal::AlreadyIn(_) | Refusal::NotThere(_) => {}
                }
                Err(refusal.into_error())
            }
        }
    }

    /// Gives the accepted PIN for the one operation that a session has begun. Unless
    /// it is taken, it is not sent again.
    pub(super) fn confirm(
        &self,
        token: &Token,
        session: &Session,
        policy: Policy,
    ) -> Result<(), Pkcs11Error> {
        // Held while it is sent: what refuses it keeps other threads from sending it.
        let mut state = self.lock();
        let pin = state.pin_to_send(token)?;
        confirm(token, session, &pin, policy.allow_final_try).map_err(|refusal| {
            match refusal {
                Refusal::OfThisPin(_) => state.refuse_accepted(),
                Refusal::Other(_) => state.doubt_accepted(),
                Refusal::AlreadyIn(_) | Refusal::NotThere(_) => {}
            }
            refusal.into_error()
        })
    }
}

impl State {
    /// The accepted PIN, if nothing speaks against sending it again.
    fn pin_to_send(&self, token: &Token) -> Result<Pin, Pkcs11Error> {
        match &self.accepted {
            Some(accepted) if !accepted.in_doubt => Ok(accepted.pin.clone()),
            None if self.accepted_was_refused => {
                Err(Pkcs11Error::PinKnownWrong { token: token.name() })
            }
            _ => Err(Pkcs11Error::NotOpen { token: token.name() }),
        }
    }

    /// Nobody knows whether the accepted PIN was counted as a wrong try.
    pub(super) fn doubt_accepted(&mut self) {
        if let Some(accepted) = &mut self.accepted {
            accepted.in_doubt = true;
        }
    }

    pub(super) fn refuse_accepted(&mut self) {
        if let Some(accepted) = self.accepted.take() {
            self.accepted_was_refused = true;
            self.pins.refuse(accepted.hash);
        }
    }
}
