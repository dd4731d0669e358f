//! Which credential of which device is wanted, and how many tries are left.

use std::fmt;

use crate::backend::{BackendKind, Description, PinState};
use crate::config::IdentityConfig;
use crate::did::Did;
use crate::error::{Error, PinProblem, Pkcs11Error, TpmError};
use crate::evidence::DeviceIdentity;
use crate::keystore::{Header, Needs, PinOwner, Shares, Slot, TriedDevice};

/// What opens an identity, or will open one that is to be made.
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct Wants {
    pin: Option<Wanted>,
    passphrase: Option<Wanted>,
    /// A passphrase that is given is taken along, and nobody is asked for one.
    pub(super) passphrase_may_do: bool,
}

impl Wants {
    pub(super) fn of(header: &Header, describe: impl FnOnce() -> Description) -> Self {
        let needs = Needs::of(header);
        Self {
            pin: needs.pin().then(|| Wanted::pin(describe(), Step::Present).of_key(header)),
            passphrase: needs.passphrase().then(|| Wanted::passphrase(Step::Present)),
            passphrase_may_do: false,
        }
    }

    pub(super) const fn new(pin: Option<Wanted>, passphrase: Option<Wanted>) -> Self {
        Self { pin, passphrase, passphrase_may_do: false }
    }

    /// A PIN, if one is wanted.
    #[must_use]
    pub const fn pin(&self) -> Option<&Wanted> {
        self.pin.as_ref()
    }

    /// A passphrase, if one is wanted: beside a PIN where the token cannot keep the
    /// storage key.
    #[must_use]
    pub const fn passphrase(&self) -> Option<&Wanted> {
        if self.passphrase_may_do { None } else { self.passphrase.as_ref() }
    }

    pub(super) const fn any_passphrase(&self) -> Option<&Wanted> {
        self.passphrase.as_ref()
    }

    /// Whether nothing is wanted that a person knows: a TPM opens the identity by
    /// its PCRs alone.
    #[must_use]
    pub const fn is_nothing(&self) -> bool {
        self.pin.is_none() && self.passphrase().is_none()
    }
}

/// One passphrase or PIN, as it is asked for.
///
/// `Display` is a prompt for people: `PIN of token node-1 (a wrong PIN was entered
/// before)`. The name of the device in it is the device's own word: quote control
/// characters before it goes to a terminal.
#[derive(Debug, Clone)]
pub struct Wanted {
    is_pin: bool,
    step: Step,
    device: Option<Description>,
    /// The key that it opens.
    key: Option<WantedFor>,
}

/// Tells one PIN from another one that is wanted by a device of the same name.
#[derive(Debug, Clone)]
struct WantedFor {
    did: Did,
    /// The Name of the storage key above a key of a TPM.
    parent: Option<Vec<u8>>,
    /// Of the PIN of a key of a TPM: another one has another salt.
    salt: Option<[u8; 16]>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    Present,
    New,
    Again,
}

impl Wanted {
    pub(super) const fn pin(device: Description, step: Step) -> Self {
        Self { is_pin: true, step, device: Some(device), key: None }
    }

    /// Of a device that somebody else asks.
    pub(super) const fn any_pin() -> Self {
        Self { is_pin: true, step: Step::Present, device: None, key: None }
    }

    pub(super) const fn new_pin() -> Self {
        Self { is_pin: true, step: Step::New, device: None, key: None }
    }

    pub(super) const fn passphrase(step: Step) -> Self {
        Self { is_pin: false, step, device: None, key: None }
    }

    pub(super) fn of_key(self, header: &Header) -> Self {
        let object = header.tpm();
        let how = object.and_then(|object| object.policy.pin.as_ref());
        let key = WantedFor {
            did: header.did().clone(),
            parent: object.map(|object| object.parent.name.clone()),
            salt: how.map(|how| how.salt),
        };
        Self { key: Some(key), ..self }
    }

    pub(super) fn again(&self) -> Self {
        Self { step: Step::Again, ..self.clone() }
    }

    /// Whether it is a PIN; otherwise it is a passphrase.
    #[must_use]
    pub const fn is_pin(&self) -> bool {
        self.is_pin
    }

    /// Whether it is chosen now. It is asked for twice then, and has to be the same.
    #[must_use]
    pub const fn is_new(&self) -> bool {
        matches!(self.step, Step::New | Step::Again)
    }

    /// Whether it is asked for the second time.
    #[must_use]
    pub const fn is_repeated(&self) -> bool {
        matches!(self.step, Step::Again)
    }

    /// The device that wants the PIN; `None` for a passphrase and for a new PIN.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceIdentity> {
        self.device.as_ref()?.device.as_ref()
    }

    /// What the device says about its PIN, when it was asked last.
    #[must_use]
    pub fn pin_state(&self) -> PinState {
        self.device.as_ref().and_then(|device| device.pin).unwrap_or_default()
    }

    /// How many wrong PINs the device takes before it locks, if it says so: a TPM
    /// does, a token never.
    #[must_use]
    pub fn tries_left(&self) -> Option<u32> {
        self.pin_state().tries_left
    }

    /// Whether one wrong PIN more locks the device. It is sent only if the
    /// configuration has `allow_final_try`.
    #[must_use]
    pub fn is_final_try(&self) -> bool {
        self.pin_state().final_try
    }

    /// Whether the device is locked: no PIN is sent to it.
    #[must_use]
    pub fn is_locked(&self) -> bool {
        self.pin_state().locked
    }

    /// Whether it is entered at the device itself, and by no other way.
    #[must_use]
    pub fn is_at_pin_pad(&self) -> bool {
        self.pin_state().pin_pad
    }

    /// `PIN` or `passphrase`.
    #[must_use]
    pub const fn what(&self) -> &'static str {
        if self.is_pin { "PIN" } else { "passphrase" }
    }

    /// `token node-1`, `key in /dev/tpmrm0`: what wants a PIN that is there already.
    #[must_use]
    pub fn whose(&self) -> Option<String> {
        let device = self.device.as_ref()?;
        let what = if device.kind == BackendKind::Tpm { "key in" } else { "token" };
        Some(format!("{what} {}", self.label()))
    }

    /// What a person should know before the PIN is entered: ` (3 tries left)`, or
    /// nothing. A token tells of the last try only.
    #[must_use]
    pub fn warning(&self) -> String {
        match self.pin_state() {
            PinState { final_try: true, tries_left: Some(_), .. } => {
                " (LAST TRY: a wrong PIN locks the TPM)".into()
            }
            PinState { final_try: true, .. } => " (LAST TRY: a wrong PIN locks the token)".into(),
            PinState { count_low: true, tries_left: Some(tries), .. } => {
                format!(" ({tries} tries left)")
            }
            PinState { count_low: true, .. } => " (a wrong PIN was entered before)".into(),
            _ => String::new(),
        }
    }

    /// Of the device; any device of that kind, if it does not say.
    #[must_use]
    pub fn label(&self) -> &str {
        self.device().map_or("(any)", |device| &device.label)
    }

    /// By which refusals are noted.
    pub(super) fn tried_device(&self) -> TriedDevice {
        let (described, key) = (self.device.as_ref(), self.key.as_ref());
        let is_tpm = described.is_some_and(|device| device.kind == BackendKind::Tpm);
        let device = match self.device() {
            Some(device) if is_tpm => TriedDevice::new(&device.label, PinOwner::KeyOfTpm)
                .with_parent(key.and_then(|key| key.parent.as_deref()))
                .with_salt(key.and_then(|key| key.salt.as_ref()).map(<[u8; 16]>::as_slice)),
            Some(device) => {
                let serial = device.serial.as_str();
                let is_of_tpm = device.is_of_tpm2_pkcs11();
                let shares = match described {
                    Some(described) if described.may_share_name() => Shares::Name,
                    Some(Description { shares_serial: true, .. }) => Shares::Serial,
                    _ => Shares::Nothing,
                };
                let slot = described.and_then(|device| Some((device.slot?, &device.location)));
                let owner = if is_of_tpm { PinOwner::TokenOfTpm } else { PinOwner::Token };
                TriedDevice::new(format!("{} (serial {serial})", device.label), owner)
                    .with_serial(serial, shares)
                    .with_maker(format!("{} {}", device.manufacturer, device.model))
                    .in_slot(slot.map(|(number, module)| Slot { module: module.clone(), number }))
                    .showing(described.map_or(&[], |device| &device.shown))
            }
            None => TriedDevice::new(self.label(), PinOwner::Unknown),
        };
        device.with_key(key.map(|key| &key.did))
    }

    /// That the device takes a PIN: one is set and need not be changed, it is not locked, and
    /// not one wrong PIN away from it, unless that was allowed. The device is asked again when the PIN is sent.
    pub(super) fn check_sendable(&self, config: &IdentityConfig) -> Result<(), Error> {
        let (Some(device), state) = (&self.device, self.pin_state()) else { return Ok(()) };
        let token = || self.label().to_owned();
        if device.kind == BackendKind::Tpm {
            // One that is locked says for how long when it is asked.
            let allowed = config.tpm.as_ref().is_some_and(|config| config.allow_final_try);
            return match state {
                PinState { final_try: true, .. } if allowed => Ok(()),
                // None was counted.
                PinState { final_try: true, count_low: false, .. } => {
                    Err(TpmError::NoSpareTry { allowed: 1 }.into())
                }
                PinState { final_try: true, .. } => Err(TpmError::FinalTry.into()),
                _ => Ok(()),
            };
        }
        let allowed = config.pkcs11.as_ref().is_some_and(|config| config.allow_final_try);
        // What does not say anything of its PIN is asked when it is sent.
        if device.pin.is_none() {
            return Ok(());
        }
        let unusable = |problem| Err(Pkcs11Error::PinUnusable { token: token(), problem }.into());
        match state {
            PinState { locked: true, .. } => {
                let of_tpm = self.device().is_some_and(DeviceIdentity::is_of_tpm2_pkcs11);
                Err(Pkcs11Error::PinLocked { token: token(), of_tpm }.into())
            }
            PinState { initialized: false, .. } => unusable(PinProblem::NotSet),
            PinState { to_be_changed: true, .. } => unusable(PinProblem::ToBeChanged),
            PinState { final_try: true, .. } if !allowed => {
                Err(Pkcs11Error::FinalTry { token: token() }.into())
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            Step::New => write!(f, "new {}", self.what()),
            Step::Again => write!(f, "the same {} again", self.what()),
            Step::Present => match self.whose() {
                Some(whose) => write!(f, "{} of {whose}{}", self.what(), self.warning()),
                None => f.write_str(self.what()),
            },
        }
    }
}
