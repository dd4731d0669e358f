//! What an [`Error`] says of itself: by walking to its cause, never by its text.

use super::{DeviceError, Error, KeystoreError, MigrationError, Pkcs11Error, TpmError, WaysOut};
use crate::kind::{ErrorKind, explain};
use crate::rotation::RotationError;
#[cfg(feature = "tls")]
use crate::tls::{kind_of, refusal_of};

explain!(Error);

impl Error {
    /// What it means for the program: what to match on.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Open(error) => error.kind(),
            Self::Sign(error) => error.kind(),
            Self::Device(error) => error.kind(),
            Self::Credential(error) => error.kind(),
            Self::Keystore(error) => error.kind(),
            Self::Backup(error) => error.kind(),
            Self::Legacy(error) => error.kind(),
            Self::Export(error) => error.kind(),
            #[cfg(feature = "keystore")]
            Self::Bundle(error) => error.kind(),
            #[cfg(feature = "keystore")]
            Self::Decrypt(error) => error.kind(),
            #[cfg(feature = "keystore")]
            Self::Agreement(error) => error.kind(),
            Self::Document(error) => error.kind(),
            Self::Rotation(error) => error.kind(),
            #[cfg(feature = "keystore")]
            Self::Config(error) => error.kind(),
            Self::Did(error) => error.kind(),
            Self::Name(error) => error.kind(),
            Self::Json(error) => error.kind(),
            Self::VerifyingKey(error) => error.kind(),
            Self::Signature(error) => error.kind(),
            Self::Provenance(error) => error.kind(),
            Self::Requirement(error) => error.kind(),
            #[cfg(feature = "client")]
            Self::Client(error) => error.kind(),
            Self::Request(error) => error.kind(),
            Self::NoRandomness(error) => error.kind(),
            Self::SshSignature(error) => error.kind(),
            Self::Uri(error) => error.kind(),
            Self::Pcrs(error) => error.kind(),
            Self::Refused(error) => error.kind(),
            #[cfg(feature = "tls")]
            Self::Peer(error) => error.kind(),
            #[cfg(feature = "tls")]
            Self::Replace(error) => error.kind(),
            Self::Book(error) => error.kind(),
            #[cfg(feature = "audit")]
            Self::Audit(error) => error.kind(),
            #[cfg(feature = "attestation")]
            Self::Attestation(error) => error.kind(),
            #[cfg(feature = "attestation")]
            Self::AttestationRefused(error) => error.kind(),
            #[cfg(feature = "attestation")]
            Self::TpmRefused(error) => error.kind(),
            Self::Sequence(error) => error.kind(),
            #[cfg(feature = "tls")]
            Self::Connection(error) => error.kind(),
            #[cfg(feature = "tls")]
            Self::Tls(error) => match refusal_of(error) {
                Some(refusal) => refusal.kind(),
                None => kind_of(error),
            },
        }
    }

    /// What to try next, in a sentence, where there is something to try.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        match self {
            Self::Open(error) => error.help(),
            Self::Sign(error) => error.help(),
            Self::Device(error) => error.help(),
            Self::Credential(error) => error.help(),
            Self::Keystore(KeystoreError::Migration(error)) => {
                let help = error.help()?;
                match Self::to_mend(error).and_then(Self::help) {
                    Some(cause) => Some(format!("{help}. Of the cause: {cause}")),
                    None => Some(help),
                }
            }
            Self::Keystore(error) => error.help(),
            Self::Backup(error) => error.help(),
            Self::Legacy(error) => error.help(),
            Self::Export(error) => error.help(),
            #[cfg(feature = "keystore")]
            Self::Bundle(error) => error.help(),
            #[cfg(feature = "keystore")]
            Self::Decrypt(error) => error.help(),
            #[cfg(feature = "keystore")]
            Self::Agreement(error) => error.help(),
            Self::Document(error) => error.help(),
            Self::Rotation(error) => error.help(),
            #[cfg(feature = "keystore")]
            Self::Config(error) => error.help(),
            Self::Did(error) => error.help(),
            Self::Name(error) => error.help(),
            Self::Json(error) => error.help(),
            Self::VerifyingKey(error) => error.help(),
            Self::Signature(error) => error.help(),
            Self::Provenance(error) => error.help(),
            Self::Requirement(error) => error.help(),
            #[cfg(feature = "client")]
            Self::Client(error) => error.help(),
            Self::Request(error) => error.help(),
            Self::NoRandomness(error) => error.help(),
            Self::SshSignature(error) => error.help(),
            Self::Uri(error) => error.help(),
            Self::Pcrs(error) => error.help(),
            Self::Refused(error) => error.help(),
            #[cfg(feature = "tls")]
            Self::Peer(error) => error.help(),
            #[cfg(feature = "tls")]
            Self::Replace(error) => error.help(),
            Self::Book(error) => error.help(),
            #[cfg(feature = "audit")]
            Self::Audit(error) => error.help(),
            #[cfg(feature = "attestation")]
            Self::Attestation(error) => error.help(),
            #[cfg(feature = "attestation")]
            Self::AttestationRefused(error) => error.help(),
            #[cfg(feature = "attestation")]
            Self::TpmRefused(error) => error.help(),
            Self::Sequence(error) => error.help(),
            #[cfg(feature = "tls")]
            Self::Connection(error) => error.help(),
            #[cfg(feature = "tls")]
            Self::Tls(error) => match refusal_of(error) {
                Some(refusal) => refusal.help(),
                None => Some(
                    "see what rustls says (the source of this error); both ends have to use the \
                     configuration of a `TlsIdentity`, unchanged"
                        .into(),
                ),
            },
        }
    }

    /// Why one of both identities of a migration does not open, or its key stays on its token, where
    /// that is mended as it is without a migration. A token that is renamed before the switch is
    /// recorded by going on, and by nothing else.
    #[doc(hidden)]
    #[must_use]
    pub fn to_mend(error: &MigrationError) -> Option<&Self> {
        use MigrationError as M;
        let (source, may_be_recorded) = match error {
            M::DoesNotOpen { is_new, ways, source, .. } => {
                (source, *is_new || *ways == WaysOut::FinishOrBack)
            }
            M::KeyStays { source, .. }
            | M::NewDoesNotOpen { source, .. }
            | M::CannotState { source, .. } => (source, false),
            _ => return None,
        };
        let source: &Self = source.downcast_ref()?;
        let is_of_token = matches!(
            source.device(),
            Some(DeviceError::Pkcs11(
                Pkcs11Error::NoToken { .. }
                    | Pkcs11Error::OtherSerial { .. }
                    | Pkcs11Error::NotConfiguredToken { .. }
                    | Pkcs11Error::NotConfiguredKey { .. }
                    | Pkcs11Error::NoKey { .. }
                    | Pkcs11Error::KeyNotShown { .. }
                    | Pkcs11Error::PublicKeyHidden { .. }
                    | Pkcs11Error::NotFound { .. }
            ))
        );
        (may_be_recorded || !is_of_token).then_some(source)
    }

    /// Whether the very same call may succeed later without anybody doing anything:
    /// [`ErrorKind::is_transient`]. Never true where a PIN was refused, or may have been
    /// counted.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        self.kind().is_transient()
    }

    /// What a device said, if that is the reason: also where an opening, a
    /// signature, a bundle, a rotation or a backup failed for it.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceError> {
        match self {
            Self::Device(error) => Some(error.innermost()),
            Self::Open(error) => error.device(),
            Self::Sign(error) => error.device(),
            #[cfg(feature = "keystore")]
            Self::Bundle(error) => error.device(),
            Self::Keystore(error) => error.device(),
            Self::Rotation(RotationError::Sign { source, .. }) => source.device(),
            Self::Backup(error) => error.inner()?.device(),
            _ => None,
        }
    }

    /// What a TPM said, if that is the reason: [`Self::device`], narrowed.
    #[must_use]
    pub fn tpm(&self) -> Option<&TpmError> {
        match self.device()? {
            DeviceError::Tpm(error) => Some(error),
            _ => None,
        }
    }

    /// Whether a token or TPM refused the PIN that was given.
    #[must_use]
    pub fn is_wrong_pin(&self) -> bool {
        self.device().is_some_and(DeviceError::is_wrong_pin)
    }

    /// Whether a passphrase or PIN was refused, now or before, or not sent for
    /// the sake of the token's last try: trying again with the same one is of
    /// no use, and may lock the token. A service must not be restarted for it.
    ///
    /// Not of a TPM that is locked, or one wrong PIN away from that, also behind a token: any
    /// program may have entered wrong ones, and the TPM forgets them with time, so that a
    /// service which is started again opens then. No PIN is looked at before. One whose owner
    /// allows one wrong PIN, or none, is: waiting changes nothing there.
    #[must_use]
    pub fn is_wrong_credential(&self) -> bool {
        match self.kind() {
            ErrorKind::WrongCredential => true,
            ErrorKind::LockedOut => !self.device().is_some_and(DeviceError::passes_with_time),
            _ => false,
        }
    }
}
