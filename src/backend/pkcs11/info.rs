//! What a token says of itself now: its names and its flags.
//!
//! Not cryptoki's: that reads no token whose clock shows no date.

use std::sync::{Arc, OnceLock};

use cryptoki::mechanism::MechanismType;
use cryptoki::slot::{Limit, Slot, TokenInfo as ByCryptoki};
use cryptoki_sys::{
    CK_EFFECTIVELY_INFINITE, CK_FLAGS, CK_TOKEN_INFO, CK_ULONG, CK_UNAVAILABLE_INFORMATION,
    CKF_ERROR_STATE, CKF_PROTECTED_AUTHENTICATION_PATH, CKF_TOKEN_INITIALIZED,
    CKF_USER_PIN_COUNT_LOW, CKF_USER_PIN_FINAL_TRY, CKF_USER_PIN_INITIALIZED, CKF_USER_PIN_LOCKED,
    CKF_USER_PIN_TO_BE_CHANGED, CKF_WRITE_PROTECTED,
};

use crate::backend::PinState;
use crate::evidence::{DeviceIdentity, Tells, WrongPins};
use crate::sync::Instant;

/// `CK_TOKEN_INFO`, as far as it is of use here.
#[derive(Debug, Clone)]
pub(super) struct TokenInfo {
    pub(super) label: String,
    pub(super) serial: String,
    pub(super) manufacturer: String,
    pub(super) model: String,
    /// `major.minor`
    pub(super) firmware: String,
    flags: CK_FLAGS,
    /// Most sessions, where the token says so.
    pub(super) max_sessions: Option<u64>,
    /// How many are open, where it says so.
    pub(super) sessions: Option<u64>,
}

/// A token as it was seen last. Not kept longer than a login: its slot may change.
#[derive(Clone)]
pub(super) struct Seen {
    pub(super) slot: Slot,
    pub(super) identity: DeviceIdentity,
    /// The flags of its PIN.
    pub(super) pin: PinState,
    pub(super) at: Instant,
    /// No other token had its label and serial number, when all were looked at.
    pub(super) is_alone: bool,
    /// Nor its serial number alone.
    pub(super) has_serial_alone: bool,
    /// Asked for once, and shared by the copies.
    pub(super) mechanisms: Arc<OnceLock<Vec<MechanismType>>>,
}

impl TokenInfo {
    /// Whether it is what this token says of itself.
    pub(super) fn is_of(&self, token: &DeviceIdentity) -> bool {
        (&self.label, &self.serial) == (&token.label, &token.serial)
    }

    const fn has(&self, flag: CK_FLAGS) -> bool {
        self.flags & flag != 0
    }

    pub(super) const fn is_initialised(&self) -> bool {
        self.has(CKF_TOKEN_INITIALIZED)
    }

    pub(super) const fn write_protected(&self) -> bool {
        self.has(CKF_WRITE_PROTECTED)
    }

    pub(super) const fn error_state(&self) -> bool {
        self.has(CKF_ERROR_STATE)
    }

    /// Whether its PINs are those of a YubiHSM 2.
    pub(super) fn is_yubihsm(&self) -> bool {
        self.model.starts_with("YubiHSM")
    }

    /// What is known of the wrong PINs of the token with this name, which says this of
    /// itself now.
    pub(super) fn wrong_pins(&self, token: &DeviceIdentity) -> WrongPins {
        let (manufacturer, model) = (self.manufacturer.clone(), self.model.clone());
        DeviceIdentity { manufacturer, model, ..token.clone() }.wrong_pins()
    }

    /// Whether the flags say that no wrong PIN was counted since the last right one: of the
    /// token with this name, which is known to show each one.
    pub(super) fn shows_none_counted(&self, token: &DeviceIdentity) -> bool {
        let pin = self.pin();
        self.wrong_pins(token).tells == Tells::FromTheFirst
            && !(pin.locked || pin.final_try || pin.count_low)
    }

    /// As it is once a right PIN was taken: wrong ones are counted anew.
    pub(super) const fn counting_anew(mut self) -> Self {
        self.flags &= !(CKF_USER_PIN_COUNT_LOW | CKF_USER_PIN_FINAL_TRY | CKF_USER_PIN_LOCKED);
        self
    }

    /// The flags of the user PIN.
    pub(super) const fn pin(&self) -> PinState {
        PinState {
            initialized: self.has(CKF_USER_PIN_INITIALIZED),
            count_low: self.has(CKF_USER_PIN_COUNT_LOW),
            final_try: self.has(CKF_USER_PIN_FINAL_TRY),
            locked: self.has(CKF_USER_PIN_LOCKED),
            to_be_changed: self.has(CKF_USER_PIN_TO_BE_CHANGED),
            pin_pad: self.has(CKF_PROTECTED_AUTHENTICATION_PATH),
            silent: false,
            lockout: None,
            tries_left: None,
        }
    }
}

impl From<CK_TOKEN_INFO> for TokenInfo {
    fn from(told: CK_TOKEN_INFO) -> Self {
        let text = |padded: &[u8]| trimmed(&String::from_utf8_lossy(padded));
        let known = |number: CK_ULONG| match number {
            CK_UNAVAILABLE_INFORMATION => None,
            number => Some(number),
        };
        let firmware = told.firmwareVersion;
        Self {
            label: text(&told.label),
            serial: text(&told.serialNumber),
            manufacturer: text(&told.manufacturerID),
            model: text(&told.model),
            firmware: format!("{}.{}", firmware.major, firmware.minor),
            flags: told.flags,
            max_sessions: known(told.ulMaxSessionCount)
                .filter(|most| *most != CK_EFFECTIVELY_INFINITE),
            sessions: known(told.ulSessionCount),
        }
    }
}

/// Of a module whose token information only cryptoki can ask for.
impl From<ByCryptoki> for TokenInfo {
    fn from(told: ByCryptoki) -> Self {
        let flags = [
            (told.token_initialized(), CKF_TOKEN_INITIALIZED),
            (told.write_protected(), CKF_WRITE_PROTECTED),
            (told.error_state(), CKF_ERROR_STATE),
            (told.user_pin_initialized(), CKF_USER_PIN_INITIALIZED),
            (told.user_pin_count_low(), CKF_USER_PIN_COUNT_LOW),
            (told.user_pin_final_try(), CKF_USER_PIN_FINAL_TRY),
            (told.user_pin_locked(), CKF_USER_PIN_LOCKED),
            (told.user_pin_to_be_changed(), CKF_USER_PIN_TO_BE_CHANGED),
            (told.protected_authentication_path(), CKF_PROTECTED_AUTHENTICATION_PATH),
        ];
        Self {
            label: trimmed(told.label()),
            serial: trimmed(told.serial_number()),
            manufacturer: trimmed(told.manufacturer_id()),
            model: trimmed(told.model()),
            firmware: told.firmware_version().to_string(),
            flags: flags.iter().filter(|(set, _)| *set).fold(0, |all, (_, flag)| all | flag),
            max_sessions: match told.max_session_count() {
                Limit::Max(most) => Some(most),
                Limit::Unavailable | Limit::Infinite => None,
            },
            sessions: told.session_count(),
        }
    }
}

/// The standard pads with blanks; some modules pad with NUL.
pub(super) fn trimmed(padded: &str) -> String {
    padded.trim_end_matches([' ', '\0']).to_owned()
}
