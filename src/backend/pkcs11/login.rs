//! Logins: one per token and process, by one `C_Login` per PIN.
//!
//! A login belongs to the application and the token, not to a session. While
//! it lasts the module answers another `C_Login` with "already logged in",
//! whatever the PIN; so the PIN that was accepted is remembered as a salted
//! hash, and later ones are compared with it. A PIN that was refused is
//! remembered likewise and never sent again: retry loops lock tokens.

use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use cryptoki::error::{Error, RvError};
use cryptoki::session::{Session, SessionState, UserType};
use cryptoki::slot::TokenInfo;
use cryptoki::types::AuthPin;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::token::Token;
use crate::error::DeviceError;
use crate::secret::Pin;

/// Module, serial number, label.
type Name = (PathBuf, String, String);

static TOKENS: Mutex<BTreeMap<Name, Arc<TokenLogin>>> = Mutex::new(BTreeMap::new());

/// What this process knows about logging in to one token. The mutex is held
/// during a login, so that two threads do not send two PINs.
#[derive(Default)]
struct TokenLogin(Mutex<Memory>);

#[derive(Default)]
struct Memory {
    /// How many [`LoginGuard`]s there are.
    holders: usize,
    login: Option<Accepted>,
    refused: Vec<PinHash>,
    salt: Option<[u8; 32]>,
}

/// A login, kept alive by an idle session of its own.
struct Accepted {
    session: Session,
    pin: PinHash,
}

/// Keeps the token logged in; the last one to go logs out.
pub(super) struct LoginGuard(Arc<TokenLogin>);

impl LoginGuard {
    /// Logs in, or joins the login that there is.
    pub(super) fn enter(
        token: &Token,
        pin: &Pin,
        allow_final_try: bool,
    ) -> Result<Self, DeviceError> {
        let login = TokenLogin::of(token);
        let mut memory = login.lock();
        let hash = PinHash::new(memory.salt(token)?, pin);
        match memory.alive() {
            Some(accepted) if accepted.pin.same(&hash) => {}
            Some(_) => return Err(DeviceError::PinDiffers { token: token.name() }),
            None => {
                if memory.refused.iter().any(|refused| refused.same(&hash)) {
                    return Err(DeviceError::PinKnownWrong { token: token.name() });
                }
                memory.log_in(token, pin, hash, allow_final_try)?;
            }
        }
        memory.holders += 1;
        drop(memory);
        Ok(Self(login))
    }

    /// Joins a login that there is, if there is one.
    pub(super) fn join(token: &Token) -> Result<Self, DeviceError> {
        let login = TokenLogin::of(token);
        let mut memory = login.lock();
        if memory.alive().is_none() {
            return Err(DeviceError::NotOpen { token: token.name() });
        }
        memory.holders += 1;
        drop(memory);
        Ok(Self(login))
    }
}

impl Drop for LoginGuard {
    fn drop(&mut self) {
        let mut memory = self.0.lock();
        memory.holders = memory.holders.saturating_sub(1);
        if memory.holders == 0
            && let Some(accepted) = memory.login.take()
        {
            // Closing the session would not do: any other session of this
            // process (a search, say) would keep the token logged in.
            if let Err(error) = accepted.session.logout() {
                log::debug!("logging out of a token: {error}");
            }
        }
    }
}

impl fmt::Debug for LoginGuard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LoginGuard").finish_non_exhaustive()
    }
}

impl TokenLogin {
    fn of(token: &Token) -> Arc<Self> {
        let identity = token.identity();
        let path = token.module().path().to_owned();
        let name = (path, identity.serial.clone(), identity.label.clone());
        let mut tokens = TOKENS.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(tokens.entry(name).or_default())
    }

    fn lock(&self) -> MutexGuard<'_, Memory> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Memory {
    fn salt(&mut self, token: &Token) -> Result<[u8; 32], DeviceError> {
        if let Some(salt) = self.salt {
            return Ok(salt);
        }
        let mut salt = [0; 32];
        getrandom::fill(&mut salt).map_err(|error| DeviceError::Call {
            call: "getrandom",
            token: token.name(),
            source: Box::new(error),
        })?;
        self.salt = Some(salt);
        Ok(salt)
    }

    /// The login, unless the token has forgotten it (pulled out, reset).
    fn alive(&mut self) -> Option<&Accepted> {
        let logged_in = |accepted: &mut Accepted| {
            accepted.session.get_session_info().is_ok_and(|info| {
                matches!(info.session_state(), SessionState::RoUser | SessionState::RwUser)
            })
        };
        self.login.take_if(|accepted| !logged_in(accepted));
        self.login.as_ref()
    }

    /// Sends the PIN once, if the token's flags allow it.
    fn log_in(
        &mut self,
        token: &Token,
        pin: &Pin,
        hash: PinHash,
        allow_final_try: bool,
    ) -> Result<(), DeviceError> {
        may_send(token, &token.info()?, pin, allow_final_try)?;
        let session = token.session()?;
        match session.login(UserType::User, Some(&AuthPin::from(pin.expose()))) {
            Ok(()) => {
                self.login = Some(Accepted { session, pin: hash });
                Ok(())
            }
            Err(error) => {
                let error = refusal(token, error);
                if matches!(error, Refusal::OfThisPin(_)) {
                    self.refused.push(hash);
                }
                Err(error.into_error())
            }
        }
    }
}

fn may_send(
    token: &Token,
    info: &TokenInfo,
    pin: &Pin,
    allow_final_try: bool,
) -> Result<(), DeviceError> {
    let unusable = |reason| Err(DeviceError::PinUnusable { token: token.name(), reason });
    if info.user_pin_locked() {
        return Err(DeviceError::PinLocked { token: token.name() });
    }
    if !info.user_pin_initialized() {
        return unusable("no user PIN has been set");
    }
    if info.user_pin_to_be_changed() {
        return unusable("the PIN must be changed first");
    }
    if info.protected_authentication_path() {
        return unusable("it has a PIN pad of its own, which is not supported yet");
    }
    if pin.is_empty() {
        return unusable("the PIN is empty");
    }
    if info.user_pin_final_try() && !allow_final_try {
        return Err(DeviceError::FinalTry { token: token.name() });
    }
    Ok(())
}

enum Refusal {
    /// Sending the same PIN again would fail again.
    OfThisPin(DeviceError),
    OtherReason(DeviceError),
}

impl Refusal {
    fn into_error(self) -> DeviceError {
        match self {
            Self::OfThisPin(error) | Self::OtherReason(error) => error,
        }
    }
}

fn refusal(token: &Token, error: Error) -> Refusal {
    let unusable =
        |reason| Refusal::OtherReason(DeviceError::PinUnusable { token: token.name(), reason });
    match error {
        Error::Pkcs11(RvError::PinIncorrect | RvError::PinInvalid | RvError::PinLenRange, _) => {
            let now = token.info().ok();
            let flag = |of: fn(&TokenInfo) -> bool| now.as_ref().is_some_and(of);
            Refusal::OfThisPin(if flag(TokenInfo::user_pin_locked) {
                DeviceError::PinLocked { token: token.name() }
            } else {
                DeviceError::WrongPin {
                    token: token.name(),
                    final_try: flag(TokenInfo::user_pin_final_try),
                    count_low: flag(TokenInfo::user_pin_count_low),
                }
            })
        }
        Error::Pkcs11(RvError::PinLocked, _) => {
            Refusal::OtherReason(DeviceError::PinLocked { token: token.name() })
        }
        Error::Pkcs11(RvError::PinExpired, _) => unusable("the PIN has expired"),
        Error::Pkcs11(RvError::UserPinNotInitialized, _) => unusable("no user PIN has been set"),
        // Not a yes: the module did not look at the PIN.
        Error::Pkcs11(RvError::UserAlreadyLoggedIn, _) => {
            unusable("other code in this process is logged in, so the PIN cannot be checked")
        }
        Error::Pkcs11(RvError::UserAnotherAlreadyLoggedIn, _) => {
            unusable("the security officer is logged in")
        }
        error => Refusal::OtherReason(token.failed("C_Login")(error)),
    }
}

/// SHA-256 over a random salt of this process and token, and the PIN.
struct PinHash([u8; 32]);

impl PinHash {
    fn new(salt: [u8; 32], pin: &Pin) -> Self {
        let hash = Sha256::new().chain_update(salt).chain_update(pin.expose().as_bytes());
        Self(hash.finalize().into())
    }

    fn same(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}
