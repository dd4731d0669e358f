//! Sending a PIN: once, only where the token's flags allow it, and never again
//! once it was refused.

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, UserType};
use cryptoki::types::AuthPin;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::info::TokenInfo;
use super::token::Token;
use crate::error::Pkcs11Error;
use crate::secret::{Pin, leaving_no_trace_of_much};

/// Longest PIN that is taken, in bytes. Tokens allow at most 255.
const MAX_PIN: usize = 255;

/// Logs a session in. The PIN is sent once. Gives what the token said of itself
/// just before.
pub(super) fn log_in(
    token: &Token,
    session: &Session,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<TokenInfo, Refusal> {
    let info = token.info().map_err(Refusal::NotThere)?;
    may_send(token, &info, pin, allow_final_try).map_err(Refusal::NotThere)?;
    send(token, session, UserType::User, pin)?;
    Ok(info)
}

/// Logs one more session in, with a PIN that the token accepted a moment ago: its
/// flags were looked at then.
pub(super) fn log_in_too(token: &Token, session: &Session, pin: &Pin) -> Result<(), Refusal> {
    send(token, session, UserType::User, pin)
}

/// Gives the PIN for the one operation that was just begun
/// (`CKA_ALWAYS_AUTHENTICATE`).
pub(super) fn confirm(
    token: &Token,
    session: &Session,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Refusal> {
    let info = token.info().map_err(Refusal::NotThere)?;
    may_send(token, &info, pin, allow_final_try).map_err(Refusal::NotThere)?;
    send(token, session, UserType::ContextSpecific, pin)
}

/// The only place from where a PIN goes to a module: what the token says of it is noted
/// here. cryptoki wants a copy on the ordinary heap, which it wipes.
fn send(token: &Token, session: &Session, user: UserType, pin: &Pin) -> Result<(), Refusal> {
    let sending = pin.answer().sending();
    let sent =
        leaving_no_trace_of_much(|| session.login(user, pin.text().map(AuthPin::from).as_ref()));
    let answered = sent.map_err(|error| refusal(token, user, error));
    match &answered {
        Ok(()) => sending.accepted(),
        Err(Refusal::OfThisPin(_) | Refusal::Other(Pkcs11Error::PinLocked { .. })) => {
            sending.refused();
        }
        Err(
            Refusal::AlreadyIn(_)
            | Refusal::NotThere(_)
            | Refusal::Other(Pkcs11Error::PinUnusable { .. }),
        ) => sending.not_sent(),
        Err(Refusal::Other(_)) => sending.in_doubt(),
    }
    answered
}

fn may_send(
    token: &Token,
    info: &TokenInfo,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), Pkcs11Error> {
    let unusable = |reason| Err(Pkcs11Error::PinUnusable { token: token.name(), reason });
    // Another may be in the slot by now: it gets no PIN that is not its own.
    token.must_be(info)?;
    let state = info.pin();
    if state.locked {
        return Err(Pkcs11Error::PinLocked { token: token.name() });
    }
    if !state.initialized {
        return unusable("no user PIN has been set");
    }
    if state.to_be_changed {
        return unusable("the PIN must be changed first");
    }
    match (pin.text(), state.pin_pad) {
        (Some(_), true) => return unusable("it has a PIN pad: enter the PIN there, and give none"),
        (None, false) => return unusable("it has no PIN pad, and no PIN was given"),
        (Some(""), false) => return unusable("the PIN is empty"),
        (Some(text), false) if text.len() > MAX_PIN => {
            return unusable("the PIN is longer than 255 bytes");
        }
        (Some(text), false) if info.is_yubihsm() && !is_pin_of_yubihsm(text) => {
            return unusable(
                "a YubiHSM wants the id of an authentication key in four hex digits, and then its \
                 password of 8 to 64 characters, as in 0001password",
            );
        }
        _ => {}
    }
    if state.final_try && !allow_final_try {
        return Err(Pkcs11Error::FinalTry { token: token.name() });
    }
    Ok(())
}

/// `NNNNpassword`; with `@` before it for an asymmetric key, or with `#label#` for
/// one in a YubiKey (`C_Login` of yubihsm_pkcs11 2.8). It answers others by
/// `CKR_ARGUMENTS_BAD`, which says nothing.
fn is_pin_of_yubihsm(text: &str) -> bool {
    let rest = match text.strip_prefix('#') {
        Some(labelled) => labelled.split_once('#').map_or("", |(_, rest)| rest),
        None => text.strip_prefix('@').unwrap_or(text),
    };
    let (id, password) = (rest.as_bytes().get(..4), rest.as_bytes().get(4..));
    id.is_some_and(|id| id.iter().all(u8::is_ascii_hexdigit))
        && password.is_some_and(|password| (8..=64).contains(&password.len()))
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
    /// modules answer a wrong PIN by a general error, or by one of the device.
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

fn refusal(token: &Token, user: UserType, error: Error) -> Refusal {
    let call = "C_Login";
    let unusable = |reason| Pkcs11Error::PinUnusable { token: token.name(), reason };
    match error {
        // For one signature they may say that the login is gone, or that the module
        // knows no such user.
        Error::Pkcs11(RvError::UserTypeInvalid | RvError::UserNotLoggedIn, _)
            if !matches!(user, UserType::User) =>
        {
            Refusal::Other(token.failed(call)(error))
        }
        // The last two are how nethsm-pkcs11, and OpenSC of an OpenPGP card, answer a
        // wrong PIN. They mean nothing else for a user who logs in.
        Error::Pkcs11(
            RvError::PinIncorrect
            | RvError::PinInvalid
            | RvError::PinLenRange
            | RvError::UserTypeInvalid
            | RvError::UserNotLoggedIn,
            _,
        ) => {
            let now = token.info().map(|info| info.pin()).unwrap_or_default();
            Refusal::OfThisPin(if now.locked {
                Pkcs11Error::PinLocked { token: token.name() }
            } else {
                Pkcs11Error::WrongPin {
                    token: token.name(),
                    final_try: now.final_try,
                    count_low: now.count_low,
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
            RvError::DeviceRemoved
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

#[cfg(test)]
mod tests {
    use super::is_pin_of_yubihsm;

    #[test]
    fn a_pin_of_a_yubihsm_is_an_id_and_a_password() {
        for (pin, is_one) in [
            ("0001password", true),
            ("00ffPassw0rd", true),
            ("@0001password", true),
            ("#label#0001password", true),
            ("password", false),
            ("0001passwor", false),
            ("001password", false),
            ("#label0001password", false),
            ("0001", false),
            ("", false),
            ("é001password", false),
        ] {
            assert_eq!(is_pin_of_yubihsm(pin), is_one, "{pin:?}");
        }
        assert!(!is_pin_of_yubihsm(&format!("0001{}", "x".repeat(65))));
    }
}
