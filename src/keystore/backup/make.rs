//! Making a backup.

use std::path::Path;

use serde_json::value::RawValue;

use super::super::header::{self, Header};
use super::super::identity::{IdentityStore, seed_of};
use super::super::located::Located;
use super::super::pinned::Pinned;
use super::super::session::Session;
use super::contents::{Contents, Envelope, Parts, Words};
use super::recipient::{RecoveryKeys, RecoveryRecipient, is_age_file};
use super::{MAX_LEN, statement};
use crate::agefile;
use crate::algorithm::X25519PublicKey;
use crate::backend::{Backend, Credentials};
use crate::bundle::check_clock;
use crate::clock;
use crate::config;
use crate::did::Did;
use crate::encoding::objects;
use crate::error::{BackupError, Error, FormatError, KeystoreError};
use crate::file::{self, names};
use crate::secret::json;

/// Whom a backup is for, and what goes in beside the identity's own files.
#[derive(Debug, Clone)]
pub struct BackupRequest {
    recipients: Vec<RecoveryRecipient>,
    config: Option<String>,
}

impl BackupRequest {
    /// A backup that any of these can open.
    ///
    /// # Errors
    ///
    /// [`BackupError::NoRecipient`] without any.
    pub fn new(recipients: Vec<RecoveryRecipient>) -> Result<Self, BackupError> {
        if recipients.is_empty() {
            return Err(BackupError::NoRecipient);
        }
        Ok(Self { recipients, config: None })
    }

    /// With the table `[identity]` of `icn.toml` (TOML): as far as it is about the backend
    /// of the identity.
    #[must_use]
    pub fn with_config(mut self, config: Option<String>) -> Self {
        self.config = config;
        self
    }

    /// Whom it is for.
    #[must_use]
    pub fn recipients(&self) -> &[RecoveryRecipient] {
        &self.recipients
    }

    /// Whether the backup outlives the identity with this header. Asks for no
    /// credential; [`IdentityStore::backup`] checks it again.
    ///
    /// # Errors
    ///
    /// [`BackupError::OwnRecipient`].
    pub fn check(&self, header: &Header) -> Result<(), BackupError> {
        self.check_recipients(&header.x25519_public_key())
    }

    /// Whether one of these keys will open it. Asks for no credential.
    ///
    /// # Errors
    ///
    /// [`BackupError::OtherKey`].
    pub fn check_opened_by(&self, keys: &RecoveryKeys) -> Result<(), Error> {
        let recipients: Vec<_> = self.recipients.iter().map(RecoveryRecipient::as_age).collect();
        keys.decrypt(&agefile::encrypt(b"", &recipients)?)?;
        Ok(())
    }

    fn check_recipients(&self, own: &X25519PublicKey) -> Result<(), BackupError> {
        if self.recipients.iter().any(|recipient| recipient.public_key() == own) {
            return Err(BackupError::OwnRecipient);
        }
        Ok(())
    }
}

/// A backup, encrypted, and what can be said of it.
#[derive(Debug)]
#[non_exhaustive]
pub struct BackedUp {
    /// Whose it is.
    pub did: Did,
    /// What is inside, in words.
    pub contains: Vec<String>,
    /// What is not inside, in words.
    pub does_not_contain: Vec<String>,
    /// The age file.
    pub file: Vec<u8>,
}

impl BackedUp {
    /// **Blocks** on files. Writes the file durably (mode 0600), and reads it back.
    ///
    /// # Errors
    ///
    /// [`BackupError::FileExists`] rather than overwrite anything.
    pub fn write(&self, path: &Path) -> Result<(), Error> {
        write_once(path, &self.file)?;
        let read = file::read_foreign(path, MAX_LEN)?;
        if read != self.file || !is_age_file(&read) {
            return Err(BackupError::ReadBack { path: path.to_owned() }.into());
        }
        Ok(())
    }

    /// **Blocks** on files. Whether a backup can be written there.
    ///
    /// # Errors
    ///
    /// [`BackupError::FileExists`], [`BackupError::NoPlace`].
    pub fn check_vacant(path: &Path) -> Result<(), BackupError> {
        if path.symlink_metadata().is_ok() {
            return Err(BackupError::FileExists { path: path.to_owned() });
        }
        let directory = file::parent(path);
        file::check_makes_files(directory).map_err(|source| {
            let directory = directory.to_owned();
            BackupError::NoPlace { directory, source }
        })
    }
}

/// Never over another file.
pub(super) fn write_once(path: &Path, bytes: &[u8]) -> Result<(), Error> {
    match file::write_once(path, bytes) {
        Err(KeystoreError::FileExists { path }) => Err(BackupError::FileExists { path }.into()),
        written => Ok(written?),
    }
}

impl IdentityStore {
    /// **Blocks** on device, scrypt and files. Opens the identity, and encrypts all
    /// of it that can be had to the recipients, signed by the DID's key. The identity
    /// is left as it is.
    ///
    /// # Errors
    ///
    /// As [`Self::open`]; or [`BackupError::OwnRecipient`].
    pub fn backup(
        &self,
        backend: &dyn Backend,
        pinned: Pinned<'_>,
        credentials: &Credentials,
        request: &BackupRequest,
    ) -> Result<BackedUp, Error> {
        self.locate(backend, pinned)?.backup(credentials, request)
    }
}

impl Located<'_> {
    /// **Blocks** on device, scrypt and files. See [`IdentityStore::backup`].
    ///
    /// # Errors
    ///
    /// As there.
    pub fn backup(
        self,
        credentials: &Credentials,
        request: &BackupRequest,
    ) -> Result<BackedUp, Error> {
        request.check(&self.header)?;
        check_clock()?;
        let mut session = self.session(credentials)?;
        let Session { store, bundle, header, payload, .. } = &mut session;
        request.check_recipients(&bundle.x25519_public_key())?;
        for key in payload.retired_keys().as_slice() {
            request.check_recipients(&key.public_key())?;
        }

        let text = header.to_json()?;
        let seed = seed_of(bundle.signer());
        payload.renew(seed, &bundle.companions(), header::hash(&text));
        let json = payload.to_json()?;
        let config = request.config.as_deref();
        let config = config.map(|text| config::for_backup(text, header.backend())).transpose()?;
        let approvals = match header.tpm() {
            Some(_) => file::read_private(&store.home().join(names::APPROVALS))?,
            None => None,
        };
        let handed_over = store.handed_over(bundle.did())?;
        let given_up = store.all_given_up();
        let words = Words::of(
            header,
            &Parts {
                payload,
                config: config.is_some(),
                approvals: approvals.is_some(),
                handed_over: handed_over.as_ref(),
                given_up: &given_up,
            },
        );
        let handed_over = handed_over.map(|chain| chain.to_json());
        let contents = json::to_json(&Contents {
            did: bundle.did().clone(),
            created: clock::rfc3339(clock::now()).unwrap_or_default(),
            contains: words.contains.clone(),
            does_not_contain: words.does_not_contain.clone(),
            header: raw(text.as_bytes())?,
            payload: raw(&json)?,
            config,
            tpm_approvals: approvals.as_deref().map(raw).transpose()?,
            handed_over: handed_over.as_deref().map(raw).transpose()?,
            given_up,
        })
        .map_err(unwritable)?;
        let contents = raw(&contents)?;
        let signature = bundle.sign_statement(&statement(bundle.did(), contents.get()))?;
        let json =
            json::to_json(&Envelope::new(*signature.as_bytes(), contents)).map_err(unwritable)?;
        let recipients: Vec<_> = request.recipients.iter().map(RecoveryRecipient::as_age).collect();
        let file = agefile::encrypt(&json, &recipients)?;
        let Words { contains, does_not_contain } = words;
        Ok(BackedUp { did: bundle.did().clone(), contains, does_not_contain, file })
    }
}

/// JSON as the bytes that it is.
fn raw(json: &[u8]) -> Result<&RawValue, Error> {
    objects::from_slice(json).map_err(unwritable)
}

/// Its text is left out: it could quote.
fn unwritable(_: serde_json::Error) -> Error {
    FormatError::Payload { reason: "the backup cannot be written as JSON", source: None }.into()
}
