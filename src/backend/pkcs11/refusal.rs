//! What a module answers to a PIN, and what that says of the PIN.

use cryptoki::error::{Error, RvError};
use cryptoki::session::UserType;

use super::failure::Failure;
use super::info::TokenInfo;
use super::token::Token;
use crate::backend::PinState;
use crate::error::{ErrorKind, PinProblem, Pkcs11Error};
use crate::secret::Pin;

/// Why a token did not let us in.
pub(super) enum Refusal {
    /// It was this PIN: sending it again would fail again.
    OfThisPin(Pkcs11Error),
    /// The PIN was sent, and may be right; or nobody knows whether it was counted as a
    /// wrong try.
    Unclear(Unclear, Pkcs11Error),
    /// The token was logged in already, by somebody; the PIN was not looked at.
    AlreadyIn(Pkcs11Error),
    /// The device was lost, and shows now that it has counted no wrong PIN.
    Lost(Pkcs11Error),
    /// It was not sent: nothing would tell the next process that it was.
    NotNoted(Pkcs11Error),
}

/// An answer that is neither yes nor no.
#[derive(Clone)]
pub(super) enum Unclear {
    /// The PIN is locked. It was not compared, and may be right.
    Locked,
    /// The security officer is logged in. The same.
    OfficerIsIn,
    /// Some modules answer a wrong PIN by a general error, or by one of the device.
    Answered(String),
}

impl Unclear {
    /// For another thread, which waited with the same PIN.
    pub(super) fn told_to_another(&self, token: &Token, pin: &Pin) -> Pkcs11Error {
        if matches!(self, Self::Answered(_)) {
            // It is in doubt, whoever has sent it.
            pin.answer().in_doubt();
        }
        match self {
            Self::Locked => locked(token),
            Self::OfficerIsIn => officer_is_in(token),
            Self::Answered(answer) => Pkcs11Error::Call {
                call: "C_Login",
                token: token.name(),
                kind: ErrorKind::WrongCredential,
                of_tpm: token.identity().is_of_tpm2_pkcs11(),
                source: format!("another thread has sent this PIN just now: {answer}").into(),
            },
        }
    }
}

impl Refusal {
    pub(super) fn into_error(self) -> Pkcs11Error {
        match self {
            Self::OfThisPin(error)
            | Self::Unclear(_, error)
            | Self::AlreadyIn(error)
            | Self::Lost(error)
            | Self::NotNoted(error) => error,
        }
    }

    /// What an answer says, on a token whose flags were `before` the PIN was sent.
    pub(super) fn of(token: &Token, user: UserType, before: &TokenInfo, error: Error) -> Self {
        let not_taken = |problem| Pkcs11Error::PinNotTaken { token: token.name(), problem };
        let Error::Pkcs11(code, _) = &error else { return unclear(token, before, error) };
        // Whatever it answers: what it counts says more.
        if let Some(now) = counted(token, before) {
            return Self::OfThisPin(wrong(token, now));
        }
        match code {
            // For one signature they may say that the login is gone, or that the module
            // knows no such user.
            RvError::UserTypeInvalid | RvError::UserNotLoggedIn
                if !matches!(user, UserType::User) =>
            {
                unclear(token, before, error)
            }
            // The last two are how nethsm-pkcs11, and OpenSC of an OpenPGP card, answer a
            // wrong PIN. They mean nothing else for a user who logs in.
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::UserTypeInvalid
            | RvError::UserNotLoggedIn => Self::OfThisPin(wrong(token, flags(token))),
            // One that shows that it counts, and not that it is locked, may have compared it.
            RvError::PinLocked if counts_and_is_not_locked(token) => answered(error, locked(token)),
            RvError::PinLocked => Self::Unclear(Unclear::Locked, locked(token)),
            RvError::PinExpired => answered(error, not_taken(PinProblem::Expired)),
            RvError::UserPinNotInitialized => answered(error, not_taken(PinProblem::NotSet)),
            RvError::UserAlreadyLoggedIn => Self::AlreadyIn(not_taken(PinProblem::OtherLogin)),
            RvError::UserAnotherAlreadyLoggedIn => {
                Self::Unclear(Unclear::OfficerIsIn, officer_is_in(token))
            }
            RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::CryptokiNotInitialized => match shows_none_counted(token, before) {
                true => Self::Lost(token.failed("C_Login")(error)),
                false => unclear(token, before, error),
            },
            _ => unclear(token, before, error),
        }
    }
}

fn officer_is_in(token: &Token) -> Pkcs11Error {
    Pkcs11Error::PinNotTaken { token: token.name(), problem: PinProblem::OfficerIsIn }
}

/// The flags as they are now; none, where they cannot be read.
fn flags(token: &Token) -> PinState {
    token.info().map(|info| info.pin()).unwrap_or_default()
}

fn wrong(token: &Token, now: PinState) -> Pkcs11Error {
    match now {
        PinState { locked: true, .. } => locked(token),
        PinState { final_try, count_low, .. } => {
            let lockout = token.identity().wrong_pins().lockout;
            Pkcs11Error::WrongPin { token: token.name(), final_try, count_low, lockout }
        }
    }
}

/// The security officer of a TPM's token cannot help: its PIN goes to the TPM, too.
pub(super) fn locked(token: &Token) -> Pkcs11Error {
    let of_tpm = token.identity().is_of_tpm2_pkcs11();
    Pkcs11Error::PinLocked { token: token.name(), of_tpm }
}

/// A code that says nothing; the flags may.
fn unclear(token: &Token, before: &TokenInfo, error: Error) -> Refusal {
    if let Some(now) = counted(token, before) {
        return Refusal::OfThisPin(wrong(token, now));
    }
    let failure = Failure::from(error);
    let answer = failure.to_string();
    let of_tpm = token.identity().is_of_tpm2_pkcs11();
    let (call, token, kind) = ("C_Login", token.name(), ErrorKind::WrongCredential);
    let error = Pkcs11Error::Call { call, token, kind, of_tpm, source: Box::new(failure) };
    Refusal::Unclear(Unclear::Answered(answer), error)
}

/// The flags, if they say that a wrong PIN was counted since `before`.
fn counted(token: &Token, before: &TokenInfo) -> Option<PinState> {
    let (before, now) = (before.pin(), flags(token));
    let more = (now.locked && !before.locked)
        || (now.final_try && !before.final_try)
        || (now.count_low && !before.count_low);
    more.then_some(now)
}

fn counts_and_is_not_locked(token: &Token) -> bool {
    let now = flags(token);
    (now.count_low || now.final_try) && !now.locked
}

/// Whether the flags say that no wrong PIN was counted since `before`: of a token that is
/// there, and is known to show each one.
fn shows_none_counted(token: &Token, before: &TokenInfo) -> bool {
    let is_clear = |info: &TokenInfo| info.shows_none_counted(token.identity());
    is_clear(before) && token.info().is_ok_and(|now| is_clear(&now))
}

fn answered(answer: Error, error: Pkcs11Error) -> Refusal {
    Refusal::Unclear(Unclear::Answered(Failure::from(answer).to_string()), error)
}
