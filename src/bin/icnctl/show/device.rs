//! What a look at the device brings, without a credential.

use icn_identity::backend::{Backend, KeyAtRest, PinState};
use icn_identity::error::{DeviceError, Error, Pkcs11Error, TpmError, in_full};
use icn_identity::home::Home;
use icn_identity::keystore::{Header, Needs};

use crate::context::Context;
use crate::help::Help as _;
#[cfg(feature = "pkcs11")]
use crate::output::hex;
#[cfg(feature = "pkcs11")]
use icn_identity::evidence::DeviceIdentity;

/// What a look at the device brought. No PIN is used for it.
pub(crate) enum Device {
    /// There is none: a software key.
    None,
    /// `id init` has just made the key there.
    JustMade,
    /// It is there and shows the identity's public key. A token does not show its private
    /// key without a login.
    Present,
    /// It is there, and does not show the key without a login, nor ever has. Whether the
    /// key is there is not known.
    NotSeen,
    /// It is there, and does not show the key any more, which it has shown before: that
    /// was deleted, or the key is gone.
    NotShown {
        reason: String,
        /// The token as a URI, if it takes no public key back.
        takes_none: Option<String>,
    },
    /// It could not be looked at: everything comes from the header.
    Unreachable(String),
    /// It is there, and the key is not.
    Missing(String),
    /// It is there, and something is wrong with it.
    Wrong(String),
    /// It is there, and does not open the identity as it is now: a TPM with other PCR
    /// values, or one that is locked.
    Closed { reason: String, is_locked: bool },
}

impl Device {
    /// Whether it opens the identity, where that shows without a credential.
    pub(super) const fn opens(&self) -> Option<bool> {
        match self {
            Self::JustMade | Self::Present => Some(true),
            Self::Missing(_) | Self::Wrong(_) | Self::Closed { .. } => Some(false),
            Self::None | Self::NotSeen | Self::NotShown { .. } | Self::Unreachable(_) => None,
        }
    }

    fn refused(error: &Error) -> Self {
        let reason = error.to_string();
        match error {
            Error::Device(DeviceError::Pkcs11(
                Pkcs11Error::KeyReplaced { .. }
                | Pkcs11Error::AmbiguousKey { .. }
                // What has the identity's id is no key of an identity.
                | Pkcs11Error::OtherKind { .. }
                | Pkcs11Error::PublicKey { .. },
            )) => Self::Wrong(reason),
            Error::Device(DeviceError::Pkcs11(Pkcs11Error::NoKey { .. })) => Self::Missing(reason),
            Error::Device(DeviceError::Tpm(error)) => Self::refused_by_tpm(error, reason),
            // Nothing else says what would bring it back.
            _ => Self::Unreachable(match error.on_the_command_line() {
                Some(help) => format!("{reason}; try: {help}"),
                None => reason,
            }),
        }
    }

    fn refused_by_tpm(error: &TpmError, reason: String) -> Self {
        match error {
            TpmError::OtherTpm { .. }
            | TpmError::ParentChanged { .. }
            | TpmError::NoParent { .. }
            | TpmError::NotAParent { .. } => Self::Missing(reason),
            TpmError::PcrMismatch { .. } | TpmError::PolicyRefused { .. } => {
                Self::Closed { reason, is_locked: false }
            }
            TpmError::LockedOut { .. } | TpmError::NoSpareTry { .. } => {
                Self::Closed { reason, is_locked: true }
            }
            TpmError::Damaged { .. }
            | TpmError::ForeignPolicy { .. }
            | TpmError::Attributes { .. } => Self::Wrong(reason),
            _ => Self::Unreachable(reason),
        }
    }
}

/// What was seen, and what was not.
pub(super) struct Looked {
    pub(super) device: Device,
    /// What the device says of the PIN that the identity wants.
    pub(super) pin: Option<PinState>,
    /// It is a token: its flags are all that it says of its PIN.
    pub(super) is_token: bool,
    /// It says that a self-test of it has failed.
    pub(super) failed_self_test: bool,
    /// Why the file beside the header cannot be read.
    pub(super) payload: Option<String>,
    /// Whether the module of its token is known to make up what a key was before, where it
    /// was seen.
    pub(super) makes_up_history: Option<bool>,
}

impl Looked {
    /// No PIN is used, and no try spent.
    pub(super) fn at(context: &Context, header: &Header) -> Self {
        let payload = context.store().check_payload(header).err();
        let looked = Self::at_device(context, header);
        // Said in full: nothing else says what is wrong with it.
        Self { payload: payload.map(|error| in_full(&error)).or(looked.payload), ..looked }
    }

    fn at_device(context: &Context, header: &Header) -> Self {
        let home = match context.home() {
            Ok(home) => home,
            Err(error) => return Self::away(Device::Unreachable(error.to_string())),
        };
        let device = match header.device_locator() {
            None => Device::None,
            Some(_) => find(&home, header),
        };
        if matches!(device, Device::Unreachable(_)) {
            // Of a device that is away there is nothing more to be asked.
            return Self::away(device);
        }
        let (device, payload) = match (device, opens(&home)) {
            (device, Err(Error::Keystore(error))) => (device, Some(error.to_string())),
            // What a token says of the key was heard.
            (Device::Present, Err(error)) if header.tpm().is_some() => {
                (Device::refused(&error), None)
            }
            (device, _) => (device, None),
        };
        let described = home.backend().ok().map(Backend::describe);
        let pin = described.as_ref().and_then(|described| described.pin);
        let device_identity = described.and_then(|described| described.device);
        let makes_up_history = device_identity.map(|token| token.makes_up_history());
        let is_token = header.locator().is_some();
        let pin = pin.filter(|_| Needs::of(header).pin());
        let failed_self_test = has_failed_self_test(&home, header);
        Self { device, pin, is_token, failed_self_test, payload, makes_up_history }
    }

    const fn away(device: Device) -> Self {
        Self {
            device,
            pin: None,
            is_token: false,
            failed_self_test: false,
            payload: None,
            makes_up_history: None,
        }
    }
}

fn find(home: &Home, header: &Header) -> Device {
    match home.backend().and_then(|backend| home.store().find(backend, header)) {
        Ok(KeyAtRest::Device(key)) if header.tpm().is_none() && !key.is_shown() => {
            match key.check_shown() {
                // It has never shown the key: what else it shows says nothing of this one.
                Ok(()) => Device::NotSeen,
                Err(error) => shown_before(home, header, error.to_string()),
            }
        }
        Ok(_) => Device::Present,
        Err(error) => Device::refused(&error),
    }
}

/// That a token does not show the key any more: whether it shows others, and what is left to
/// do.
#[cfg(feature = "pkcs11")]
fn shown_before(home: &Home, header: &Header, reason: String) -> Device {
    let backend = home.backend().ok().and_then(|backend| backend.as_pkcs11());
    let Some((backend, locator)) = backend.zip(header.locator()) else {
        return Device::NotShown { reason, takes_none: None };
    };
    let device = backend.describe().device;
    let takes_none = device.filter(DeviceIdentity::takes_no_public_key);
    let takes_none = takes_none.map(|_| locator.token_uri());
    match backend.shows_other_public_keys(locator) {
        Ok(false) => Device::NotShown { reason, takes_none },
        Ok(true) => Device::NotShown {
            reason: format!(
                "token {} shows public keys without a login, and not that of this identity (id {})",
                locator.token,
                hex(&locator.id)
            ),
            takes_none,
        },
        Err(error) => Device::refused(&error.into()),
    }
}

#[cfg(not(feature = "pkcs11"))]
const fn shown_before(_: &Home, _: &Header, reason: String) -> Device {
    Device::NotShown { reason, takes_none: None }
}

/// As the token of a locator says. What it does not say is told by other ways.
#[cfg(feature = "pkcs11")]
fn has_failed_self_test(home: &Home, header: &Header) -> bool {
    let backend = home.backend().ok().and_then(|backend| backend.as_pkcs11());
    let told = backend.zip(header.locator()).map(|(backend, it)| backend.has_failed_self_test(it));
    matches!(told, Some(Ok(true)))
}

#[cfg(not(feature = "pkcs11"))]
const fn has_failed_self_test(_: &Home, _: &Header) -> bool {
    false
}

/// What opening it would say before anybody is asked for a credential.
fn opens(home: &Home) -> Result<(), Error> {
    home.locate()?.check_opens()
}
