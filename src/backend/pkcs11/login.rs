//! Sending a PIN: once, only where the token's flags allow it, and never again
//! once it was refused.

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::{Pin, leaving_no_trace_of_much};

/// Longest PIN that is taken, in bytes. Tokens allow at most 255.
const MAX_PIN: usize = 255;

/// Logs a session in. The PIN is sent once.
pub(super) fn log_in(
    token: &Token,
    session: &Session,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Refusal> {
    may_send(token, &token.info().map_err(Refusal::NotThere)?, pin, allow_final_try)
        .map_err(Refusal::NotThere)?;
    send(session, UserType::User, pin).map_err(|error| refusal(token, "C_Login", error))
}

/// Gives the PIN for the one operation that was just begun
/// (`CKA_ALWAYS_AUTHENTICATE`).
pub(super) fn confirm(
    token: &Token,
    session: &Session,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Refusal> {
    if let Ok(info) = token.info() {
        may_send(token, &info, pin, allow_final_try).map_err(Refusal::NotThere)?;
    }
    send(session, UserType::ContextSpecific, pin).map_err(|error| refusal(token, "C_Login", error))
}

/// cryptoki wants a copy on the ordinary heap, which it wipes.
fn send(session: &Session, user: UserType, pin: &Pin) -> Result<(), Error> {
    leaving_no_trace_of_much(|| session.login(user, pin.text().map(AuthPin::from).as_ref()))
}

fn may_send(
    token: &Token,
    info: &TokenInfo,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Pkcs11Error> {
    let unusable = |reason| Err(Pkcs11Error::PinUnusable { token: token.name(), reason });
    if info.user_pin_locked() {
        return Err(Pkcs11Error::PinLocked { token: token.name() });
    }
    if !info.user_pin_initialized() {
        return unusable("no user PIN has been set");
    }
    if info.user_pin_to_be_changed() {
        return unusable("the PIN must be changed first");
    }
    match (pin.text(), info.protected_authentication_path()) {
        (Some(_), true) => return unusable("it has a PIN pad: enter the PIN there, and give none"),
        (None, false) => return unusable("it has no PIN pad, and no PIN was given"),
        (Some(""), false) => return unusable("the PIN is empty"),
        (Some(text), false) if text.len() > MAX_PIN => {
            return unusable("the PIN is longer than 255 bytes");
        }
        _ => {}
    }
    if info.user_pin_final_try() && !allow_final_try {
        return Err(Pkcs11Error::FinalTry { token: token.name() });
    }
    Ok(())
}

/// Why a token did not let us in.
pub(super) enum Refusal {
    /// Sending the same PIN again would fail again.
    OfThisPin(Pkcs11Error),
    /// The token was logged in already, by somebody; the PIN was not looked at.
    AlreadyIn(Pkcs11Error),
    /// The PIN was not sent, or the device did not get as far as looking at it.
    NotThere(Pkcs11Error),
    /// Anything else. Nobody knows whether it was counted as a wrong try: some
    /// modules answer a wrong PIN by a general error.
    Other(Pkcs11Error),
}

impl Refusal {
    pub(super) fn into_error(self) -> Pkcs11Error {
        match self {
            Self::OfThisPin(error)
            | Self::AlreadyIn(error)
            | Self::NotThere(error)
            | Self::Other(error) => error,
        }
    }
}

fn refusal(token: &Token, call: &'static str, error: Error) -> Refusal {
    let unusable = |reason| Pkcs11Error::PinUnusable { token: token.name(), reason };
    match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            let now = token.info().ok();
            let flag = |of: fn(&TokenInfo) -> bool| now.as_ref().is_some_and(of);
            Refusal::OfThisPin(if flag(TokenInfo::user_pin_locked) {
                Pkcs11Error::PinLocked { token: token.name() }
            } else {
                Pkcs11Error::WrongPin {
                    token: token.name(),
                    final_try: flag(TokenInfo::user_pin_final_try),
                    count_low: flag(TokenInfo::user_pin_count_low),
                }
            })
        }
        Error::Pkcs11(RvError::PinLocked, _) => {
            Refusal::Other(Pkcs11Error::PinLocked { token: token.name() })
        }
        Error::Pkcs11(RvError::PinExpired, _) => Refusal::Other(unusable("the PIN has expired")),
        Error::Pkcs11(RvError::UserPinNotInitialized, _) => {
            Refusal::Other(unusable("no user PIN has been set"))
        }
        Error::Pkcs11(RvError::UserAlreadyLoggedIn, _) => Refusal::AlreadyIn(unusable(
            "other code in this process is logged in, so the PIN cannot be checked",
        )),
        Error::Pkcs11(RvError::UserAnotherAlreadyLoggedIn, _) => {
            Refusal::Other(unusable("the security officer is logged in"))
        }
        Error::Pkcs11(
            RvError::DeviceError
            | RvError::DeviceRemoved
            | RvError::TokenNotPresent
            | RvError::TokenNotRecognized
            | RvError::SlotIdInvalid
            | RvError::SessionHandleInvalid
            | RvError::SessionClosed
            | RvError::CryptokiNotInitialized
            | RvError::HostMemory,
            _,
        ) => Refusal::NotThere(token.failed(call)(error)),
        error => Refusal::Other(token.failed(call)(error)),
    }
}

/// The PINs of one token that this process knows about, as salted hashes.
#[derive(Default)]
pub(super) struct PinMemory {
    salt: Option<[u8; 32]>,
    refused: Vec<PinHash>,
}

impl PinMemory {
    pub(super) fn hash(&mut self, token: &Token, pin: &Pin) -> Result<PinHash, Pkcs11Error> {
        let salt = match self.salt {
            Some(salt) => salt,
            None => {
                let mut salt = [0; 32];
                crate::secret::fill_random(&mut salt).map_err(|error| Pkcs11Error::Call {
                    call: "getrandom",
                    token: token.name(),
                    kind: error.kind(),
                    source: Box::new(error),
                })?;
                *self.salt.insert(salt)
            }
        };
        Ok(PinHash::new(salt, pin))
    }

    pub(super) fn knows_as_wrong(&self, hash: &PinHash) -> bool {
        self.refused.iter().any(|refused| refused.same(hash))
    }

    /// Remembers a PIN as wrong; not that of a PIN pad, which a person may
    /// type right the next time.
    pub(super) fn refuse(&mut self, hash: PinHash) {
        if !hash.of_pad {
            self.refused.push(hash);
        }
    }
}

/// SHA-256 over a random salt of this process and token, and the PIN.
#[derive(Clone)]
pub(super) struct PinHash {
    hash: [u8; 32],
    /// There is no PIN: it is entered at a pad.
    of_pad: bool,
}

impl PinHash {
    fn new(salt: [u8; 32], pin: &Pin) -> Self {
        leaving_no_trace_of_much(|| {
            let text = pin.text().unwrap_or_default();
            let hash = Sha256::new().chain_update(salt).chain_update(text.as_bytes());
            Self { hash: hash.finalize().into(), of_pad: pin.text().is_none() }
        })
    }

    pub(super) fn same(&self, other: &Self) -> bool {
        self.of_pad == other.of_pad && self.hash.ct_eq(&other.hash).into()
    }
}
