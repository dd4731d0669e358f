//! From a source to what a device is sent: once, and what came of it is noted.

use super::found::Found;
use super::source::{CredentialSource, From};
use super::wants::{Wanted, Wants};
use crate::backend::Credentials;
use crate::config::IdentityConfig;
use crate::error::{Error, KeystoreError, PinProblem, Pkcs11Error};
use crate::keystore::{IdentityStore, Place, TriedDevice};
use crate::secret::{Passphrase, Pin};

/// Credentials that were asked for, and of which nothing was sent yet.
pub(super) struct Asked {
    store: IdentityStore,
    /// But for a PIN that is kept somewhere.
    credentials: Credentials,
    pin: PinFrom,
    retry_refused: bool,
}

enum PinFrom {
    /// There is none to be refused: no PIN is wanted, or a new one, or it is entered
    /// at the device.
    Nowhere,
    /// A person or the program.
    Hand { device: TriedDevice },
    /// Read when it is sent.
    Kept { device: TriedDevice, place: Place, wanted: Box<Wanted> },
}

impl Asked {
    /// Everything is asked for that a person has to give; what can be refused
    /// without sending is.
    pub(super) fn ask(
        store: &IdentityStore,
        config: &IdentityConfig,
        wants: &Wants,
        mut source: CredentialSource<'_>,
        retry_refused: bool,
    ) -> Result<Self, Error> {
        let mut credentials = Credentials::default();
        let pin = match wants.pin() {
            None => PinFrom::Nowhere,
            Some(wanted) if wanted.is_new() => {
                credentials = credentials.and_pin(source.from.read(wanted)?.into_pin());
                PinFrom::Nowhere
            }
            Some(wanted) => {
                let sendable = || wanted.check_sendable(config);
                let (pin, from) =
                    ask_pin(store, wanted, &mut source.from, retry_refused, sendable)?;
                if let Some(pin) = pin {
                    credentials = credentials.and_pin(pin);
                }
                from
            }
        };
        if let Some(passphrase) = ask_passphrase(wants, &mut source)? {
            credentials = credentials.and_passphrase(passphrase);
        }
        Ok(Self { store: store.clone(), credentials, pin, retry_refused })
    }

    /// But for a PIN that is kept somewhere.
    pub(super) const fn known(&self) -> &Credentials {
        &self.credentials
    }

    /// Whether a PIN will be read from where it is kept.
    pub(super) const fn is_kept(&self) -> bool {
        matches!(self.pin, PinFrom::Kept { .. })
    }

    /// Does something with the credentials, and notes what came of it.
    pub(super) fn send<T>(
        self,
        work: impl FnOnce(&Credentials) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { store, credentials, pin, retry_refused } = self;
        match pin {
            PinFrom::Nowhere => work(&credentials),
            PinFrom::Hand { device } => store.try_given(&device, credentials, retry_refused, work),
            PinFrom::Kept { device, place, wanted } => {
                let read = || Ok(Found::at(&place, &wanted)?.into_text());
                store.try_once(&device, &place, retry_refused, read, |pin| {
                    work(&credentials.and_pin(pin))
                })
            }
        }
    }
}

fn ask_pin(
    store: &IdentityStore,
    wanted: &Wanted,
    from: &mut From<'_>,
    retry_refused: bool,
    check_sendable: impl Fn() -> Result<(), Error>,
) -> Result<(Option<Pin>, PinFrom), Error> {
    let device = wanted.tried_device();
    let place = from.place();
    if !matches!(place, Ok(Some(_))) {
        check_sendable()?;
    }
    match (wanted.is_at_pin_pad(), from) {
        (true, From::PinPad) => Ok((Some(Pin::at_pin_pad()), PinFrom::Nowhere)),
        (true, From::Prompt(prompt)) => {
            prompt.point_to_pin_pad(wanted);
            Ok((Some(Pin::at_pin_pad()), PinFrom::Nowhere))
        }
        (true, _) => Err(unusable(wanted, PinProblem::HasPinPad)),
        (false, From::PinPad) => Err(unusable(wanted, PinProblem::NoPinPad)),
        (false, from) => match place? {
            Some(place) => {
                // Before anybody is asked for something else. A pipe is read once.
                let pin = (!place.is_a_pipe()).then(|| Found::at(&place, wanted));
                // One that the device has refused will not be sent when that takes one again.
                if let (false, Some(Ok(pin))) = (retry_refused, &pin) {
                    store.check_source(&device, &place, pin.text())?;
                }
                check_sendable()?;
                pin.transpose()?;
                Ok((None, PinFrom::Kept { device, place, wanted: Box::new(wanted.clone()) }))
            }
            None => Ok((Some(from.read(wanted)?.into_pin()), PinFrom::Hand { device })),
        },
    }
}

fn ask_passphrase(
    wants: &Wants,
    source: &mut CredentialSource<'_>,
) -> Result<Option<Passphrase>, Error> {
    let Some(wanted) = wants.any_passphrase() else { return Ok(None) };
    let found = match &mut source.passphrase {
        // Whether it is needed may turn out later: nobody is asked for that.
        Some(second) if wants.passphrase_may_do && second.from.asks_a_person() => return Ok(None),
        Some(second) => second.from.read(wanted)?,
        None if wants.passphrase_may_do => return Ok(None),
        None if wants.pin().is_none() || source.from.asks_a_person() => source.from.read(wanted)?,
        None => return Err(KeystoreError::PassphraseNeeded.into()),
    };
    Ok(Some(found.into_passphrase()))
}

fn unusable(wanted: &Wanted, problem: PinProblem) -> Error {
    Pkcs11Error::PinUnusable { token: wanted.label().to_owned(), problem }.into()
}

impl From<'_> {
    const fn asks_a_person(&self) -> bool {
        matches!(self, Self::Prompt(_))
    }
}
