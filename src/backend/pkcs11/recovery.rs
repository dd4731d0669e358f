//! What was lost when a call failed, and getting it back, once.

use cryptoki::error::RvError;
use cryptoki::session::UserType;

use super::connection::{Connection, State, With};
use super::failure::Failure;
use super::login::Meant;
use super::object::Objects;
use super::place::Place;
use super::policy::Policy;
use super::pool::Condition;
use super::refusal::Refusal;
use super::token::Token;
use crate::error::Pkcs11Error;

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
    pub(super) fn revive(&self, seen: u64, doubt: Doubt, place: &Place) -> Result<(), Pkcs11Error> {
        let again = (place.policy, Meant::KeyAgain(place));
        self.revive_by((seen, doubt), again, || place.token_now())
    }

    fn revive_by(
        &self,
        (seen, doubt): (u64, Doubt),
        (policy, meant): (Policy, Meant<'_>),
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
        state.pins.to_send_again(&token)?;
        if state.pins.is_of_pad() {
            // Somebody would have to stand at the PIN pad.
            return Err(Pkcs11Error::NotOpen { token: token.name() });
        }
        state.log_in(token.clone(), With::Accepted, policy, meant)?;
        log::info!("token {} was lost, and is open again", token.name());
        Ok(())
    }

    /// Gives the accepted PIN for the one operation that a session has begun. Unless
    /// it is taken, it is not sent again.
    pub(super) fn confirm(&self, objects: Objects<'_>, policy: Policy) -> Result<(), Pkcs11Error> {
        let mut state = self.lock();
        let _alone = state.pins.alone(objects.token, None)?;
        let cleared = state.pins.clear_again(objects, policy, Meant::KeyOfThisLogin)?;
        cleared.send(UserType::ContextSpecific).map(drop).map_err(Refusal::into_error)
    }
}

impl Token {
    /// Brings back a login that was lost while something was made on the token with this
    /// `CKA_ID`, so that it can be removed. To a token that does not show it, and may be
    /// another one of the same names, no PIN is sent.
    pub(super) fn reopen(&self, made: &[u8]) -> Result<(), Pkcs11Error> {
        let connection = Connection::of(self)?;
        let (epoch, policy) = {
            let state = connection.lock();
            (state.epoch, state.policy())
        };
        let policy = policy.ok_or_else(|| Pkcs11Error::NotOpen { token: self.name() })?;
        connection.revive_by((epoch, Doubt::Asks), (policy, Meant::Made(made)), || Ok(self.clone()))
    }
}
