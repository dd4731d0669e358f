//! An identity that was found, and what is done with it once its credential is
//! asked for.

use std::fmt;

use super::Home;
use super::ask::Asked;
use super::pins;
use super::source::CredentialSource;
use super::wants::Wants;
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
use crate::backend::BackendKind;
use crate::backend::Credentials;
#[cfg(feature = "tpm")]
use crate::backend::PcrValues;
use crate::bundle::IdentityBundle;
use crate::did::Did;
#[cfg(any(feature = "pkcs11", feature = "tpm"))]
use crate::error::DeviceError;
use crate::error::Error;
use crate::key::DidKey;
use crate::keystore::backup::{BackedUp, BackupRequest};
use crate::keystore::{
    Change, Earlier, HandingOver, Handover, Header, Importable, Located, Opened,
};
use crate::rotation::RotationTerms;
use crate::secret::{Passphrase, Pin};

/// An identity that was found: all that needs no credential is done.
#[must_use = "nothing is opened yet"]
pub struct LockedIdentity<'h> {
    home: &'h Home,
    located: Located<'h>,
}

impl<'h> LockedIdentity<'h> {
    pub(super) const fn new(home: &'h Home, located: Located<'h>) -> Self {
        Self { home, located }
    }

    /// The header. It is **not** verified: that takes the credential.
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.located.header()
    }

    /// Whose identity it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        self.header().did()
    }

    /// **Blocks** on the device. What opens it: which credential of which device, and
    /// how many tries are left. Asks the device anew at each call.
    pub fn wants(&self) -> Wants {
        Wants::of(self.header(), || self.located.describe())
    }

    /// **Blocks** while a person is asked. Asks for the credential, and sends
    /// nothing.
    ///
    /// # Errors
    ///
    /// Where it would be of no use, or harm: [`Pkcs11Error::PinLocked`] and
    /// `FinalTry`, [`KeystoreError::RefusedBefore`];
    /// [`CredentialError`](crate::error::CredentialError) if there is none.
    ///
    /// [`Pkcs11Error::PinLocked`]: crate::error::Pkcs11Error::PinLocked
    /// [`KeystoreError::RefusedBefore`]: crate::error::KeystoreError::RefusedBefore
    pub fn ask(self, source: CredentialSource<'_>) -> Result<Ready<'h>, Error> {
        let wants = self.wants();
        // Where no PIN may be sent, it is said first if none would help.
        let is_short_of_tries = wants.pin().is_some_and(|wanted| {
            let state = wanted.pin_state();
            state.locked || state.final_try
        });
        if source.asks_somebody(&wants) {
            self.check_opens()?;
        } else if is_short_of_tries && let Some(state) = self.home.no_pin_helps(self.header()) {
            return Err(state);
        }
        self.ask_for(&wants, source)
    }

    fn ask_for(self, wants: &Wants, source: CredentialSource<'_>) -> Result<Ready<'h>, Error> {
        let Home { store, config, retry_refused, .. } = self.home;
        let asked = Asked::ask(store, &config.identity, wants, source, *retry_refused)
            .map_err(|error| self.home.no_pin_helps(self.header()).unwrap_or(error))?;
        Ok(Ready { home: self.home, located: self.located, asked })
    }

    /// **Blocks** on device and files. What can be known before a credential is given: that
    /// the payload can be read; and of a TPM that it is this one, is not locked, and has
    /// the PCR values that the policies want. [`Self::ask`] does so where it asks a person.
    ///
    /// # Errors
    ///
    /// What opening it would say.
    pub fn check_opens(&self) -> Result<(), Error> {
        self.located.check_shown()?;
        self.home.check_opens(self.header())
    }

    /// Whether the key can be sealed anew: not one of P-256, whose policy and PIN are a
    /// part of it.
    ///
    /// # Errors
    ///
    /// [`TpmError::NotResealable`](crate::error::TpmError::NotResealable).
    #[cfg(feature = "tpm")]
    pub fn check_resealable(&self) -> Result<(), Error> {
        crate::backend::tpm::TpmBackend::check_resealable(self.did())
    }

    /// **Blocks** on files. Whether the approver's public key can be read, where the policy
    /// under which keys are sealed anew names one.
    ///
    /// # Errors
    ///
    /// If it cannot.
    #[cfg(feature = "tpm")]
    pub fn check_approver(&self) -> Result<(), Error> {
        self.home.backend()?.as_tpm().map_or(Ok(()), |tpm| tpm.check_approver())
    }

    /// **Blocks** on device, scrypt and files, and while a person is asked.
    /// [`Self::ask`], then [`Ready::unlock`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn unlock(self, source: CredentialSource<'_>) -> Result<Opened, Error> {
        self.ask(source)?.unlock()
    }

    /// **Blocks** on the device, and while a person is asked. Writes the public key back to
    /// the token, where only the private one is left: see
    /// [`Pkcs11Backend::write_public_key`].
    ///
    /// # Errors
    ///
    /// As there, and [`Self::ask`].
    ///
    /// [`Pkcs11Backend::write_public_key`]: crate::backend::pkcs11::Pkcs11Backend::write_public_key
    #[cfg(feature = "pkcs11")]
    pub fn write_public_key(self, source: CredentialSource<'_>) -> Result<(), Error> {
        let (backend, wants) = (self.home.backend()?, self.wants());
        // That it is not shown is no reason to ask nobody: it is the reason for this.
        self.ask_for(&wants, source)?.with(|located, credentials| {
            let header = located.header();
            let found = backend.as_pkcs11().zip(header.locator());
            let (backend, locator) =
                found.ok_or(DeviceError::ForeignLocator { backend: BackendKind::Pkcs11 })?;
            Ok(backend.write_public_key(locator, header.did(), credentials)?)
        })
    }
}

/// An identity whose credential was asked for, and not sent.
///
/// Each method sends it once. If the device refuses it, the source is noted, and is
/// not tried again until it has changed. All of them **block** while the device
/// answers or scrypt works.
#[must_use = "nothing is opened yet"]
pub struct Ready<'h> {
    home: &'h Home,
    located: Located<'h>,
    asked: Asked,
}

/// The PIN that a key is sealed under anew.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum NewPin {
    /// The one that it has; none, where the configuration says `pin = false`.
    AsConfigured,
    /// Another one.
    To(Pin),
}

impl<'h> Ready<'h> {
    /// The header. It is **not** verified: that takes the credential.
    #[must_use]
    pub const fn header(&self) -> &Header {
        self.located.header()
    }

    /// Whose identity it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        self.header().did()
    }

    /// **Blocks** on device, scrypt and files. Opens it, and renews its certificate
    /// when that is due.
    ///
    /// # Errors
    ///
    /// As [`Located::open`].
    pub fn unlock(self) -> Result<Opened, Error> {
        self.with(Located::open)
    }

    /// **Blocks** on device, scrypt and files. Opens it as it is.
    ///
    /// # Errors
    ///
    /// As [`Located::open_without_renewal`].
    pub fn unlock_without_renewal(self) -> Result<Opened, Error> {
        self.with(Located::open_without_renewal)
    }

    /// **Blocks** on device, scrypt and files. Opens it, and renews its certificate
    /// although that is not due.
    ///
    /// # Errors
    ///
    /// As [`Located::renew`].
    pub fn renew(self) -> Result<IdentityBundle<DidKey>, Error> {
        self.with(Located::renew)
    }

    /// **Blocks** on device, scrypt and files. As [`Self::renew`], and ends all older
    /// certificates of all holders.
    ///
    /// # Errors
    ///
    /// As [`Located::renew_all_instances`].
    pub fn renew_all_instances(self) -> Result<IdentityBundle<DidKey>, Error> {
        self.with(Located::renew_all_instances)
    }

    /// **Blocks** on device, scrypt and files. As [`Self::renew`], in an epoch that
    /// another holder has begun.
    ///
    /// # Errors
    ///
    /// As [`Located::join_epoch`].
    pub fn join_epoch(self, epoch: u64) -> Result<IdentityBundle<DidKey>, Error> {
        self.with(|located, credentials| located.join_epoch(credentials, epoch))
    }

    /// **Blocks** on device, scrypt and files. A backup of it.
    ///
    /// # Errors
    ///
    /// As [`Located::backup`].
    pub fn backup(self, request: &BackupRequest) -> Result<BackedUp, Error> {
        self.with(|located, credentials| located.backup(credentials, request))
    }

    /// **Blocks** on scrypt and files. Opens the identity of an age file, to import it into
    /// a device.
    ///
    /// # Errors
    ///
    /// As [`Located::prepare_import`].
    pub fn prepare_import(self) -> Result<Importable, Error> {
        self.with(Located::prepare_import)
    }

    /// **Blocks** on scrypt and files. Whether the passphrase that was given opens the
    /// identity: before a person is asked for another one. No PIN is sent.
    ///
    /// # Errors
    ///
    /// As [`Located::check_passphrase`].
    pub fn check_passphrase(&self) -> Result<(), Error> {
        self.located.check_passphrase(self.asked.known())
    }

    /// **Blocks** on device, scrypt and files. Puts it under another passphrase.
    ///
    /// # Errors
    ///
    /// As [`Located::change_passphrase`].
    pub fn change_passphrase(self, new: &Passphrase) -> Result<(), Error> {
        self.with(|located, credentials| located.change_passphrase(credentials, new))
    }

    /// **Blocks** on device, scrypt and files. Hands over to another identity, once:
    /// see [`IdentityStore::hand_over`](crate::keystore::IdentityStore::hand_over).
    ///
    /// # Errors
    ///
    /// As there.
    pub fn hand_over(self, successor: Ready<'_>, terms: &RotationTerms) -> Result<Handover, Error> {
        let old = self.prepare_handover(successor.did(), Earlier::Binds)?;
        successor.take_over(old, terms)
    }

    /// **Blocks** on device, scrypt and files. Opens it, to hand over to the identity
    /// of another DID.
    ///
    /// # Errors
    ///
    /// As [`Located::prepare_handover`].
    pub fn prepare_handover(self, successor: &Did, earlier: Earlier) -> Result<HandingOver, Error> {
        self.with(|located, credentials| located.prepare_handover(credentials, successor, earlier))
    }

    /// **Blocks** on device, scrypt and files. Takes over from an identity that was
    /// prepared for it.
    ///
    /// # Errors
    ///
    /// As [`HandingOver::to`].
    pub fn take_over(self, old: HandingOver, terms: &RotationTerms) -> Result<Handover, Error> {
        self.with(|located, credentials| old.to(located, credentials, terms))
    }

    /// **Blocks** on device, scrypt and files. Removes the decryption keys of an older
    /// DID, which it has taken over from.
    ///
    /// # Errors
    ///
    /// As [`Located::remove_retired_decryption_keys`].
    pub fn remove_retired_decryption_keys(self, did: &Did) -> Result<(), Error> {
        self.with(|located, credentials| located.remove_retired_decryption_keys(credentials, did))
    }

    /// **Blocks** on device, scrypt and files. Records that its key is where
    /// [`Home::moved_to`] said: in the configuration first, then in the identity. The
    /// home is opened again afterwards, to read the configuration.
    ///
    /// # Errors
    ///
    /// As [`Located::prepare_relocation`]; [`KeystoreError::PinNotWritten`] if the
    /// configuration cannot be written.
    ///
    /// [`KeystoreError::PinNotWritten`]: crate::error::KeystoreError::PinNotWritten
    pub fn relocate(self) -> Result<Header, Error> {
        self.change(|located, credentials| located.prepare_relocation(credentials))
    }

    /// The same of the old identity of a migration, by whoever goes on with that.
    pub(crate) fn relocate_in_move(self) -> Result<Header, Error> {
        self.change(|located, credentials| located.prepare_relocation_of_move(credentials))
    }

    /// **Blocks** on device, scrypt and files. Seals its keys to the TPM anew, under
    /// the policy that is configured: for the present PCR values, and those given as
    /// well. Make a new backup afterwards: an older one wants the PCR values and the PIN
    /// of then.
    ///
    /// # Errors
    ///
    /// As [`Located::prepare_reseal`] and [`Self::relocate`].
    #[cfg(feature = "tpm")]
    pub fn reseal(self, pin: &NewPin, values: Option<&PcrValues>) -> Result<Header, Error> {
        let (backend, kind) = (self.home.backend()?, BackendKind::Tpm);
        let tpm = backend.as_tpm().ok_or(DeviceError::ForeignLocator { backend: kind })?;
        let wants_pin = self.home.config.identity.tpm.as_ref().is_none_or(|tpm| tpm.pin);
        self.change(|located, credentials| {
            let pin = match pin {
                NewPin::To(pin) => pin.clone(),
                NewPin::AsConfigured if wants_pin => credentials.pin_for(kind)?,
                NewPin::AsConfigured => Pin::none(),
            };
            located.prepare_reseal(tpm, credentials, &pin, values)
        })
    }

    fn change(
        self,
        prepare: impl FnOnce(Located<'h>, &Credentials) -> Result<Change, Error>,
    ) -> Result<Header, Error> {
        let home = self.home;
        self.with(|located, credentials| pins::change(home, prepare(located, credentials)?))
    }

    /// **Blocks** on device, scrypt and files. Does something else with the identity
    /// and its credentials. They are sent by what is called in it: once, whatever
    /// comes of it. What the device said of the PIN is noted, also where `work` keeps it
    /// to itself.
    ///
    /// Meanwhile no other PIN from a file or a variable is tried in this home: `work` must
    /// not open it once more.
    ///
    /// # Errors
    ///
    /// Those of `work`; [`KeystoreError::RefusedBefore`] if the PIN was refused
    /// meanwhile.
    ///
    /// [`KeystoreError::RefusedBefore`]: crate::error::KeystoreError::RefusedBefore
    pub fn with<T>(
        self,
        work: impl FnOnce(Located<'h>, &Credentials) -> Result<T, Error>,
    ) -> Result<T, Error> {
        let Self { located, asked, .. } = self;
        asked.send(|credentials| work(located, credentials))
    }
}

impl fmt::Debug for LockedIdentity<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LockedIdentity").field("did", self.did()).finish_non_exhaustive()
    }
}

impl fmt::Debug for Ready<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Ready").field("did", self.did()).finish_non_exhaustive()
    }
}
