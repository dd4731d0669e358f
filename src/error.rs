//! Errors: what failed, and by [`Error::help`] what to do next.
//!
//! `Display` of each type prints its own layer; the cause is in `source()`.
//! No error holds a PIN, a passphrase or a seed.

mod backup;
mod causes;
mod export;
mod legacy;
mod method;
#[cfg(test)]
#[cfg(feature = "keystore")]
mod tests;

pub use backup::BackupError;
pub use causes::in_full;
pub use export::ExportError;
pub use legacy::{FieldProblem, LegacyError};

use crate::algorithm::{BadSignature, InvalidVerifyingKey};
#[cfg(feature = "attestation")]
use crate::attestation::{AttestationError, AttestationRefusal, TpmRefusal};
#[cfg(feature = "audit")]
use crate::audit::AuditError;
#[cfg(feature = "keystore")]
use crate::bundle::{BundleError, DecryptError, NotContributory, RenewalError};
#[cfg(feature = "client")]
use crate::client::ClientError;
#[cfg(feature = "keystore")]
use crate::config::ConfigError;
use crate::daemon::InvalidRequest;
use crate::did::{InvalidDid, InvalidDocument};
pub use crate::encoding::{InvalidJson, UnknownName};
use crate::evidence::{Exposable, Unmet};
pub use crate::fault::{
    CredentialError, DeviceError, FormatError, KeystoreError, MigrationError, ModuleProblem,
    NotCompared, NotReady, OpenError, PcrDifference, PinProblem, Pkcs11Error, SignError, TpmError,
    TpmState, WaysOut,
};
use crate::key::{Refused, WrongProvenance};
pub use crate::kind::{ErrorKind, Explain};
pub use crate::locator::uri::InvalidPkcs11Uri;
pub use crate::locator::{BackendKind, InvalidPcrs, Pkcs11Locator};
pub use crate::peer::BookError;
use crate::peer::{Refusal, SequenceError};
use crate::rotation::RotationError;
use crate::secret::NoRandomness;
use crate::sshsig::InvalidSshSignature;
#[cfg(feature = "tls")]
use crate::tls::{PeerError, ReplaceError, TlsError};

/// Any error of this crate: the sum of the errors of its parts.
///
/// `?` turns each of them into it, and nothing else: an error of others, as of a file
/// that you read yourself, has neither [`kind`](Self::kind) nor [`help`](Self::help) of
/// this crate. A function that meets both returns an error of its own, or a boxed one:
///
/// ```
/// use icn_identity::{DidSigner, SshSignature};
///
/// fn sign_file(signer: &impl DidSigner, path: &str) -> Result<SshSignature, Box<dyn std::error::Error>> {
///     let message = std::fs::read(path)?;
///     Ok(signer.sign_for("files@coop.example", &message)?)
/// }
/// ```
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A key could not be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// A key could not sign.
    #[error(transparent)]
    Sign(#[from] SignError),
    /// A device failed outside opening and signing.
    #[error(transparent)]
    Device(#[from] DeviceError),
    /// No passphrase or PIN was to be had.
    #[error(transparent)]
    Credential(#[from] CredentialError),
    /// The files of an identity.
    #[error(transparent)]
    Keystore(#[from] KeystoreError),
    /// A backup of an identity.
    #[error(transparent)]
    Backup(#[from] BackupError),
    /// An older file was not imported.
    #[error(transparent)]
    Legacy(#[from] LegacyError),
    /// A private key was not exported.
    #[error(transparent)]
    Export(#[from] ExportError),
    /// A bundle could not be made or does not verify.
    #[cfg(feature = "keystore")]
    #[error(transparent)]
    Bundle(#[from] BundleError),
    /// An age file was not decrypted.
    #[cfg(feature = "keystore")]
    #[error(transparent)]
    Decrypt(#[from] DecryptError),
    /// Nothing was agreed on with a peer's X25519 key.
    #[cfg(feature = "keystore")]
    #[error(transparent)]
    Agreement(#[from] NotContributory),
    /// A DID document is not valid.
    #[error(transparent)]
    Document(#[from] InvalidDocument),
    /// A rotation could not be stated, or does not verify.
    #[error(transparent)]
    Rotation(#[from] RotationError),
    /// A book of peers.
    #[error(transparent)]
    Book(#[from] BookError),
    /// An attestation was not read or not made.
    #[cfg(feature = "attestation")]
    #[error(transparent)]
    Attestation(#[from] AttestationError),
    /// An attestation is refused.
    #[cfg(feature = "attestation")]
    #[error(transparent)]
    AttestationRefused(#[from] AttestationRefusal),
    /// What a TPM gave for an attestation is refused.
    #[cfg(feature = "attestation")]
    #[error(transparent)]
    TpmRefused(#[from] TpmRefusal),
    /// An audit log cannot be written, or does not verify.
    #[cfg(feature = "audit")]
    #[error(transparent)]
    Audit(#[from] AuditError),
    /// `icn.toml`.
    #[cfg(feature = "keystore")]
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A text is no DID.
    #[error(transparent)]
    Did(#[from] InvalidDid),
    /// A text is not the name of a provenance, an assurance or an algorithm.
    #[error(transparent)]
    Name(#[from] UnknownName),
    /// A text is not the JSON that it should be.
    #[error(transparent)]
    Json(#[from] InvalidJson),
    /// Bytes or a text are no public key.
    #[error(transparent)]
    VerifyingKey(#[from] InvalidVerifyingKey),
    /// A signature does not verify.
    #[error(transparent)]
    Signature(#[from] BadSignature),
    /// A key is of another provenance.
    #[error(transparent)]
    Provenance(#[from] WrongProvenance),
    /// A requirement is not met.
    #[error(transparent)]
    Requirement(#[from] Unmet),
    /// A text or bytes are no signature for a context.
    #[error(transparent)]
    SshSignature(#[from] InvalidSshSignature),
    /// A text is no `pkcs11:` URI of a key or token.
    #[error(transparent)]
    Uri(#[from] InvalidPkcs11Uri),
    /// A text is no list of PCRs or of their values.
    #[error(transparent)]
    Pcrs(#[from] InvalidPcrs),
    /// A peer's certificate is refused.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// Nothing is said about the peer of a connection.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Peer(#[from] PeerError),
    /// A certificate in use was not replaced.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Replace(#[from] ReplaceError),
    /// The number of a binding is not admitted.
    #[error(transparent)]
    Sequence(#[from] SequenceError),
    /// A connection was not made, or broke.
    #[cfg(feature = "tls")]
    #[error(transparent)]
    Connection(#[from] TlsError),
    /// A TLS configuration was not made, or a connection of rustls failed.
    #[cfg(feature = "tls")]
    #[error("TLS failed")]
    Tls(#[from] rustls::Error),
    /// A daemon did not do what it was asked.
    #[cfg(feature = "client")]
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The body of a request to a daemon is not what the call takes.
    #[error(transparent)]
    Request(#[from] InvalidRequest),
    /// The system's random generator failed.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

impl From<Exposable> for Error {
    fn from(error: Exposable) -> Self {
        Self::Open(error.into())
    }
}

impl From<FormatError> for Error {
    fn from(error: FormatError) -> Self {
        Self::Keystore(error.into())
    }
}

#[cfg(feature = "keystore")]
impl From<RenewalError> for Error {
    fn from(error: RenewalError) -> Self {
        match error {
            RenewalError::Bundle(error) => error.into(),
            RenewalError::Keystore(error) => error.into(),
            RenewalError::Open(error) => error.into(),
        }
    }
}

impl From<MigrationError> for Error {
    fn from(error: MigrationError) -> Self {
        Self::Keystore(error.into())
    }
}

impl From<Pkcs11Error> for Error {
    fn from(error: Pkcs11Error) -> Self {
        Self::Device(error.into())
    }
}

impl From<TpmError> for Error {
    fn from(error: TpmError) -> Self {
        Self::Device(error.into())
    }
}

/// Drops the key, and keeps the reason.
impl<K, E: Into<Self>> From<Refused<K, E>> for Error {
    fn from(refused: Refused<K, E>) -> Self {
        refused.into_parts().1.into()
    }
}
