//! Choosing a token by label and serial number.

mod present;
mod wanted;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use cryptoki::error::Error;
use cryptoki::mechanism::MechanismType;

use self::present::{names, read};
pub(super) use self::present::{out_of_reach, present};
pub(super) use self::wanted::Wanted;
use super::failure::{Failure, Named};
use super::info::{Seen, TokenInfo};
use super::module::Module;
use super::session::Session;
use crate::backend::PinState;
use crate::error::Pkcs11Error;
use crate::evidence::{
    DeviceIdentity, Evidence, Exposable, Pkcs11Attributes, Tells, Trust, WrongPins,
};
use crate::sync::{Instant, step};

/// How long what a token has said of itself is not asked for again. On a network
/// each answer is a round trip, and one command needs it several times.
pub(super) const RECENT: Duration = Duration::from_secs(1);

/// A token that is present now. Not kept longer than a login: its slot may
/// change.
#[derive(Clone)]
pub(super) struct Token {
    module: Arc<Module>,
    seen: Seen,
    /// Another may have its label and serial number: it is told by its slot.
    told_by_slot: bool,
}

impl Token {
    /// The one token that is wanted. It is not looked at again if it was a moment
    /// ago, or while a key of it is open: it fails when it is used, if it is away.
    pub(super) fn select(module: &Arc<Module>, wanted: &Wanted) -> Result<Self, Pkcs11Error> {
        super::module::check_process()?;
        match Self::known(module, wanted) {
            Some(token) if token.is_recent() || token.is_open() => Ok(token),
            _ => Self::select_now(module, wanted),
        }
    }

    /// The token that was selected last, if it can be no other than the wanted one.
    fn known(module: &Arc<Module>, wanted: &Wanted) -> Option<Self> {
        let seen = module.last_seen().clone()?;
        let told_by_slot = wanted.names_slot();
        let is_one = wanted.is_pinned() && (told_by_slot || seen.is_alone);
        let known = Self { module: Arc::clone(module), seen, told_by_slot };
        Some(known).filter(|known| is_one && wanted.matches(known))
    }

    fn is_recent(&self) -> bool {
        self.seen.at.elapsed() < RECENT
    }

    /// The one token that is wanted, as it is now.
    pub(super) fn select_now(module: &Arc<Module>, wanted: &Wanted) -> Result<Self, Pkcs11Error> {
        super::module::check_process()?;
        let again = Self::known(module, wanted).and_then(|known| {
            let mut now = read(module, known.seen.slot)?;
            now.seen.is_alone = known.seen.is_alone;
            now.seen.has_serial_alone = known.seen.has_serial_alone;
            Some(now).filter(|now| now.seen.identity == known.seen.identity)
        });
        let mut token = match again {
            Some(token) => token,
            None => Self::search(module, wanted)?,
        };
        token.told_by_slot = wanted.names_slot();
        *module.last_seen() = Some(token.seen.clone());
        Ok(token)
    }

    fn search(module: &Arc<Module>, wanted: &Wanted) -> Result<Self, Pkcs11Error> {
        let (mut matching, others): (Vec<_>, Vec<_>) =
            present(module)?.into_iter().partition(|token| wanted.matches(token));
        match (matching.pop(), matching.is_empty()) {
            (Some(mut token), true) => {
                let name = |token: &Self| {
                    (token.identity().label.clone(), token.identity().serial.clone())
                };
                token.seen.is_alone = others.iter().all(|other| name(other) != name(&token));
                let serial = &token.identity().serial;
                let is_its_own = others.iter().all(|other| other.identity().serial != *serial);
                token.seen.has_serial_alone = is_its_own;
                Ok(token)
            }
            (None, _) => {
                let slots = out_of_reach(module);
                let (text, renamed) = (wanted.to_string(), renamed(wanted, &others));
                if renamed.is_none() && !slots.is_empty() {
                    return Err(Pkcs11Error::OutOfReach { wanted: text, slots });
                }
                let (is_namesake, present) = (has_namesake(wanted, &others), names(&others));
                Err(match is_namesake && renamed.is_none() {
                    true => Pkcs11Error::OtherSerial { wanted: text, present },
                    false => Pkcs11Error::NoToken { wanted: text, present, renamed },
                })
            }
            (Some(token), false) => {
                matching.push(token);
                Err(Pkcs11Error::AmbiguousToken {
                    wanted: wanted.to_string(),
                    candidates: names(&matching),
                    differ_by: difference(&matching),
                })
            }
        }
    }

    /// # Errors
    ///
    /// [`Pkcs11Error::NoToken`] if this is what another token says of itself.
    pub(super) fn must_be(&self, now: &TokenInfo) -> Result<(), Pkcs11Error> {
        if now.is_of(&self.seen.identity) {
            return Ok(());
        }
        let present = vec![format!("{} (serial {})", now.label, now.serial)];
        Err(Pkcs11Error::NoToken { wanted: self.full_name(), present, renamed: None })
    }

    /// What follows from a key's attributes on this token, by what the configuration
    /// of whoever asks believes of it.
    ///
    /// # Errors
    ///
    /// [`Exposable`] if the token would hand the private key out.
    pub(super) fn judge(
        &self,
        attributes: Pkcs11Attributes,
        trust: Trust,
    ) -> Result<Evidence, Exposable> {
        Evidence::from_pkcs11(self.seen.identity.clone(), attributes, trust)
    }

    pub(super) fn module(&self) -> &Arc<Module> {
        &self.module
    }

    pub(super) fn identity(&self) -> &DeviceIdentity {
        &self.seen.identity
    }

    /// Where it was seen.
    pub(super) fn slot(&self) -> u64 {
        self.seen.slot.id()
    }

    /// Whether no other token had its label and serial number, when all were looked at.
    pub(super) const fn is_alone(&self) -> bool {
        self.seen.is_alone
    }

    /// Whether no other token had its serial number then.
    pub(super) const fn has_serial_alone(&self) -> bool {
        self.seen.has_serial_alone
    }

    pub(super) const fn is_told_by_slot(&self) -> bool {
        self.told_by_slot
    }

    /// For messages: label and serial number.
    pub(super) fn full_name(&self) -> String {
        let DeviceIdentity { label, serial, .. } = &self.seen.identity;
        format!("{label} (serial {serial})")
    }

    /// For messages: the label, or the serial number where there is none.
    pub(super) fn name(&self) -> String {
        let DeviceIdentity { label, serial, .. } = &self.seen.identity;
        if label.is_empty() { format!("(serial {serial})") } else { label.clone() }
    }

    /// For the errors of its module.
    pub(super) fn named(&self) -> Named {
        Named { token: self.name(), of_tpm: self.identity().is_of_tpm2_pkcs11() }
    }

    /// The state of the token now, with its PIN flags.
    pub(super) fn info(&self) -> Result<TokenInfo, Pkcs11Error> {
        let calls = self.module.calls();
        let info = calls.token_info(self.module.context(), self.seen.slot);
        let info = info.map_err(self.failed("C_GetTokenInfo"))?;
        // Whoever asks next is told what was seen last.
        if let Some(last) = self.module.last_seen().as_mut()
            && last.slot == self.seen.slot
            && info.is_of(&last.identity)
        {
            (last.pin, last.at) = (info.pin(), Instant::now());
        }
        Ok(info)
    }

    /// The flags of its PIN, as they were a moment ago.
    pub(super) fn pin_state(&self) -> Result<PinState, Pkcs11Error> {
        let told = if self.is_recent() { self.seen.pin } else { self.info()?.pin() };
        let WrongPins { tells, lockout } = self.identity().wrong_pins();
        Ok(PinState { silent: tells == Tells::Never, lockout, ..told })
    }

    /// To log in by it; for callers that hold the connection's lock.
    pub(super) fn session_for_login(&self) -> Result<Session, Pkcs11Error> {
        step();
        let session = self.module.context().open_ro_session(self.seen.slot);
        self.seen_again(session).map(Session::for_login).map_err(self.failed("C_OpenSession"))
    }

    /// A session as the module gives it.
    pub(super) fn open_session(&self) -> Result<Session, Error> {
        step();
        self.seen_again(self.module.context().open_ro_session(self.seen.slot)).map(Session::new)
    }

    /// The same, for writing.
    pub(super) fn open_writing_session(&self) -> Result<Session, Error> {
        step();
        self.seen_again(self.module.context().open_rw_session(self.seen.slot)).map(Session::new)
    }

    /// The token may be away, or in another slot: then it is looked at again.
    fn seen_again<T>(&self, session: Result<T, Error>) -> Result<T, Error> {
        session.inspect_err(|_| *self.module.last_seen() = None)
    }

    /// Whether the token has all of these mechanisms.
    pub(super) fn has(&self, mechanisms: &[MechanismType]) -> Result<bool, Pkcs11Error> {
        let present = self.mechanisms()?;
        Ok(mechanisms.iter().all(|mechanism| present.contains(mechanism)))
    }

    /// Whether it says that a mechanism unwraps keys.
    pub(super) fn unwraps(&self, mechanism: MechanismType) -> bool {
        let told = self.module.context().get_mechanism_info(self.seen.slot, mechanism);
        told.is_ok_and(|told| told.unwrap())
    }

    pub(super) fn mechanisms(&self) -> Result<Vec<MechanismType>, Pkcs11Error> {
        if let Some(known) = self.seen.mechanisms.get() {
            return Ok(known.clone());
        }
        let list = self.module.context().get_mechanism_list(self.seen.slot);
        let list = list.map_err(self.failed("C_GetMechanismList"))?;
        Ok(self.seen.mechanisms.get_or_init(|| list).clone())
    }

    /// The error of a call on this token.
    pub(super) fn failed(&self, call: &'static str) -> impl FnOnce(Error) -> Pkcs11Error + use<> {
        let named = self.named();
        move |error| Failure::from(error).into_error(call, named)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token").field("identity", &self.seen.identity).finish_non_exhaustive()
    }
}

/// The label of the one token that is the wanted one but for its label.
pub(super) fn renamed(wanted: &Wanted, present: &[Token]) -> Option<String> {
    let mut found = present.iter().filter(|token| wanted.is_renamed(token));
    let label = found.next()?.seen.identity.label.clone();
    found.next().is_none().then_some(label)
}

/// Whether one has the label of the wanted token, and another serial number.
pub(super) fn has_namesake(wanted: &Wanted, present: &[Token]) -> bool {
    present.iter().any(|token| wanted.is_namesake(token))
}

/// The field of the configuration by which these tokens differ.
fn difference(tokens: &[Token]) -> &'static str {
    let differ = |field: fn(&DeviceIdentity) -> &String| {
        let mut values: Vec<_> = tokens.iter().map(|token| field(&token.seen.identity)).collect();
        values.sort();
        values.dedup();
        values.len() == tokens.len()
    };
    if differ(|identity| &identity.serial) {
        "serial"
    } else if differ(|identity| &identity.label) {
        "token"
    } else {
        "slot"
    }
}
