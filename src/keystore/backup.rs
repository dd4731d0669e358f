//! A copy of an identity, encrypted to a key that is kept somewhere else.
//!
//! One binary age v1 file, to one or more X25519 recipients (`age1…`); the
//! stock `age` tool opens it. Inside is JSON (UTF-8):
//!
//! ```json
//! {
//!   "format": "icn-identity-backup",
//!   "version": 1,
//!   "signature": "64 bytes, base64",
//!   "contents": {
//!     "did": "did:icn:z…",
//!     "created": "2026-01-31T12:00:00Z",
//!     "contains": ["…in words"],
//!     "does_not_contain": ["…in words"],
//!     "header": {"as in": "identity.json"},
//!     "payload": {"as in": "identity.age"},
//!     "config": "[identity]\n… of icn.toml",
//!     "tpm_approvals": ["as in tpm-approvals.json, where there is one"],
//!     "handed_over": ["as in handed-over.json, where there is one"],
//!     "given_up": ["did:icn:z…, as in given-up.json, where there is one"]
//!   }
//! }
//! ```
//!
//! Anybody can encrypt a file to a public recipient: that a backup opens says
//! nothing of who made it. So the DID's key signs `icn-identity/backup/v1` and
//! a zero byte, the DID (preceded by its length as a big-endian `u64`), and the
//! SHA-256 of the very bytes of `contents`; and nothing is restored but under
//! the DID that a person or the configuration names. That it is the *newest*
//! backup cannot be told from it.
//!
//! The key of a device is not inside, whatever else is: only a software
//! identity is all there.

mod contents;
mod encryption_key;
mod make;
#[cfg(feature = "tpm")]
mod on_tpm;
mod recipient;
mod restore;

use std::fmt;
use std::path::{Path, PathBuf};

use serde_json::value::RawValue;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use self::contents::{Contents, Envelope, Parts, Words};
pub use self::make::{BackedUp, BackupRequest};
pub use self::recipient::{RecoveryKeys, RecoveryRecipient};
use super::header::Header;
use super::payload::Payload;
use super::succession::check_end;
use crate::algorithm::Signature;
use crate::backend::BackendKind;
use crate::bundle::Companions;
use crate::config;
use crate::did::Did;
use crate::error::BackupError;
use crate::file;
use crate::key::{Key, Software, Unlocked};
use crate::rotation::{RotationChain, RotationError};
use crate::secret::SigningSeed;
use crate::statement::{Purpose, Statement};

/// No backup is longer: 8 MiB. (No file of an identity is longer than 1 MiB.)
const MAX_LEN: u64 = 8 * 1024 * 1024;

/// A backup that was decrypted, and whose parts belong together and were signed
/// by the DID that it names.
///
/// Whether that DID is the one that is wanted is for [`Backup::is_of`].
pub struct Backup {
    did: Did,
    created: String,
    contains: Vec<String>,
    does_not_contain: Vec<String>,
    header: Header,
    seed: Option<SigningSeed>,
    companions: Companions,
    /// What else the payload holds.
    payload: Payload,
    config: Option<String>,
    approvals: Option<String>,
    /// By which it had handed over when the backup was made.
    handed_over: Option<RotationChain>,
    /// Successors that had been given up by then.
    given_up: Vec<Did>,
    /// Where it was read, and the SHA-256 of what was there.
    read_from: Option<(PathBuf, [u8; 32])>,
}

impl Backup {
    /// **Blocks** on scrypt and files. Reads a file, decrypts it with one of the
    /// keys, and verifies it.
    ///
    /// # Errors
    ///
    /// [`BackupError`] names the first check that failed.
    pub fn read(path: &Path, keys: &RecoveryKeys) -> Result<Self, crate::Error> {
        let file = file::read_foreign(path, MAX_LEN)?;
        let read_from = Some((path.to_owned(), Sha256::digest(&file).into()));
        Ok(Self { read_from, ..Self::open(&file, keys)? })
    }

    /// **Blocks** on files. Whether a file can be a backup, as far as that shows without
    /// its key: so that nobody is asked for the passphrase of one in vain.
    ///
    /// # Errors
    ///
    /// [`BackupError::Armored`], [`BackupError::NotAge`], [`BackupError::PassphraseFile`]; if it cannot be read.
    pub fn check_file(path: &Path) -> Result<(), crate::Error> {
        let file = file::read_foreign(path, MAX_LEN)?;
        Ok(recipient::check_age(&file).map_or(Ok(()), Err)?)
    }

    /// Decrypts with one of the keys, and verifies: the signature over the
    /// contents, that seed and DID are a pair, that header, binding,
    /// certificate, X25519 key, DID document and rotation chain are of this DID.
    ///
    /// # Errors
    ///
    /// [`BackupError`] names the first check that failed.
    pub fn open(file: &[u8], keys: &RecoveryKeys) -> Result<Self, BackupError> {
        let json = keys.decrypt(file)?;
        Self::from_json(&json)
    }

    fn from_json(json: &Zeroizing<Vec<u8>>) -> Result<Self, BackupError> {
        let envelope = Envelope::parse(json)?;
        let contents = Contents::parse(envelope.contents)?;
        let created = contents.when()?;
        let did = contents.did;
        let signature = Signature::from_bytes(did.verifying_key().algorithm(), envelope.signature);
        did.verifying_key()
            .verify_strict(&statement(&did, envelope.contents.get()), &signature)
            .map_err(|_| BackupError::Signature { did: did.clone() })?;

        let wrong = |what, source| BackupError::Inconsistent { what, did: did.clone(), source };
        let header = Header::parse(contents.header.get()).map_err(|source| {
            BackupError::NotABackup { reason: "its header is not valid", source: Some(source) }
        })?;
        if *header.did() != did {
            return Err(wrong("header", None));
        }
        let mut payload = Payload::from_json(contents.payload.get().as_bytes())?;
        if *payload.did() != did {
            return Err(wrong("payload", None));
        }
        let seed = payload.take_seed();
        let fits = match (&seed, header.backend()) {
            (Some(seed), BackendKind::Age) => *did.verifying_key() == seed.verifying_key().into(),
            (None, BackendKind::Age) | (Some(_), _) => false,
            (None, _) => true,
        };
        if !fits {
            return Err(wrong("key", None));
        }
        let companions = payload.take_companions()?;
        companions.check(&did).map_err(|error| wrong("binding", Some(Box::new(error.into()))))?;
        if companions.binding().x25519_public_key() != header.x25519_public_key() {
            return Err(wrong("X25519 key", None));
        }
        let chain = payload.rotation_chain().read();
        chain
            .and_then(|chain| chain.map_or(Ok(()), |chain| check_end(&chain, &did)))
            .map_err(|error| wrong("rotation chain", Some(Box::new(error.into()))))?;
        // One that cannot be read stays as it is: nothing is taken from it.
        let config = contents.config.map(|text| {
            let kept = config::for_backup(&text, header.backend());
            kept.unwrap_or(text)
        });
        let handed_over = contents.handed_over.map(|json| handed_over(json, &did)).transpose();
        let handed_over = handed_over
            .map_err(|error| wrong("note that it has handed over", Some(Box::new(error.into()))))?;
        let words = Words::of(
            &header,
            &Parts {
                payload: &payload,
                config: config.is_some(),
                approvals: contents.tpm_approvals.is_some(),
                handed_over: handed_over.as_ref(),
                given_up: &contents.given_up,
            },
        );
        Ok(Self {
            created,
            contains: words.contains,
            does_not_contain: words.does_not_contain,
            header,
            seed,
            companions,
            payload,
            config,
            approvals: contents.tpm_approvals.map(|json| json.get().to_owned()),
            handed_over,
            given_up: contents.given_up,
            did,
            read_from: None,
        })
    }

    /// Whether it is the backup of this DID.
    ///
    /// # Errors
    ///
    /// [`BackupError::OtherDid`].
    pub fn is_of(&self, expected: &Did) -> Result<(), BackupError> {
        if self.did == *expected {
            return Ok(());
        }
        let (expected, found) = (expected.clone(), self.did.clone());
        Err(BackupError::OtherDid { expected, found })
    }

    /// Whose backup it is.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// When it was made, by the clock of who made it (RFC 3339).
    #[must_use]
    pub fn created(&self) -> &str {
        &self.created
    }

    /// What is inside, in our own words; those of the file are for readers that
    /// have nothing else. The name of a token in them is the file's.
    #[must_use]
    pub fn contains(&self) -> &[String] {
        &self.contains
    }

    /// What is not inside, in words.
    #[must_use]
    pub fn does_not_contain(&self) -> &[String] {
        &self.does_not_contain
    }

    /// The header of the identity, as it was when the backup was made.
    #[must_use]
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The chain by which the identity had handed over to another one when the backup was
    /// made; `None` if it had not.
    #[must_use]
    pub const fn handed_over(&self) -> Option<&RotationChain> {
        self.handed_over.as_ref()
    }

    /// `[identity]` of `icn.toml`, as it was when the backup was made, without what is about
    /// the devices of other backends than [`Self::backend`]. Which library is loaded must
    /// not be taken from it: see `module` of [`Pkcs11Config`](crate::config::Pkcs11Config).
    #[must_use]
    pub fn config(&self) -> Option<&str> {
        self.config.as_deref()
    }

    /// The file that it was read from, and the SHA-256 of that.
    pub(crate) fn file(&self) -> Option<(&Path, &[u8; 32])> {
        self.read_from.as_ref().map(|(path, sha256)| (path.as_path(), sha256))
    }

    /// The software key, if it is inside.
    fn take_key(&mut self) -> Option<Key<Software, Unlocked>> {
        let method = self.did.method();
        self.seed.take().map(|seed| Key::from_signing_seed(seed, method))
    }
}

impl fmt::Debug for Backup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Backup")
            .field("did", &self.did)
            .field("created", &self.created)
            .finish_non_exhaustive()
    }
}

/// The chain whose last statement the DID has made.
fn handed_over(json: &RawValue, did: &Did) -> Result<RotationChain, RotationError> {
    let chain = RotationChain::from_json(json.get().as_bytes())?;
    let found = chain.last().old().did();
    if found != did {
        let (expected, found) = (did.clone(), found.clone());
        return Err(RotationError::NotThisIdentity { expected, found });
    }
    Ok(chain)
}

/// What the DID's key signs. The contents only as their hash: a device has no
/// business with what is in them.
fn statement(did: &Did, contents: &str) -> Vec<u8> {
    Statement::new(Purpose::Backup)
        .field(did.as_str().as_bytes())
        .raw(&Sha256::digest(contents.as_bytes()))
        .into_bytes()
}

/// What is in a backup that verifies, as it would be written.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reread(json: &[u8]) -> Option<Vec<u8>> {
    Backup::from_json(&Zeroizing::new(json.to_vec())).ok()?;
    serde_json::to_vec(&Envelope::parse(json).ok()?).ok()
}

/// A file of private keys: nobody writes it here.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reads_keys(bytes: &[u8]) -> bool {
    RecoveryKeys::parse(Path::new("keys"), bytes).is_ok()
}

#[cfg(all(test, feature = "audit", feature = "client", feature = "pkcs11", feature = "tpm"))]
pub(super) use self::tests::made_up;

#[cfg(test)]
#[path = "backup/tests.rs"]
mod tests;
