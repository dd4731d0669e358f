//! What can be refused before a credential is asked for.

use std::path::Path;

use super::Moved;
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::error::{Error, MigrationError};
use crate::file::{self, names};
use crate::home::Home;
use crate::keystore::backup::BackedUp;
use crate::keystore::{Header, IdentityStore, MigrationMode};
use crate::migrate::Migration;
use crate::migrate::request::{BackupFirst, MigrationRequest};
use crate::rotation::RotationError;

/// What no device can do.
pub(in crate::migrate) fn check_possible(
    moved: &Moved,
    request: &MigrationRequest,
) -> Result<(), Error> {
    let (from, to) = (moved.backend, request.to());
    let impossible = |reason| Err(MigrationError::Impossible { from, to, reason }.into());
    match (from, to, request.mode) {
        (BackendKind::Age, BackendKind::Age, _) => {
            impossible("that is where it is; a backup moves it to another machine")
        }
        (_, BackendKind::Age, _) => {
            impossible("no device gives a key out, and a file keeps it less well")
        }
        (BackendKind::Pkcs11 | BackendKind::Tpm, _, MigrationMode::Import) => {
            impossible("no device gives a key out: there is nothing to import")
        }
        (_, BackendKind::Tpm, MigrationMode::Import)
            if request.key.algorithm == AlgorithmId::P256 =>
        {
            impossible("a P-256 key in a TPM is made there, and cannot be written into it")
        }
        (_, _, MigrationMode::Import) if request.key.algorithm != moved.algorithm => {
            impossible("an import keeps the key, and the key is of another algorithm")
        }
        (_, _, MigrationMode::Import) if request.commit_next.is_some() => {
            impossible("an import makes no statement, which could commit to the next key")
        }
        _ => Ok(()),
    }
}

/// What this identity has done already, and what the device is not.
pub(in crate::migrate) fn check_device(
    home: &Home,
    moved: &Moved,
    request: &MigrationRequest,
) -> Result<(), Error> {
    if request.mode == MigrationMode::Rotate
        && !request.again
        && let Some(did) = &moved.did
        && let Some(chain) = home.store().handed_over(did)?
    {
        let (did, to) = (did.clone(), chain.current().clone());
        let staged = home.store().staging().header();
        if staged.is_err() || staged.is_ok_and(|staged| staged.did() != chain.current()) {
            let given_up = home.store().gave_up(&to);
            return Err(RotationError::HandedOver { did, to, given_up }.into());
        }
    }
    let staging = home.staging(Some(request.to.clone()))?;
    staging.check_algorithm(request.key.algorithm)?;
    // What an earlier attempt has left is in nobody's way.
    if staging.store().unfinished()?.is_none_or(|left| left.objects().is_none()) {
        match request.mode {
            MigrationMode::Rotate => staging.check_device_for(&request.key)?,
            MigrationMode::Import => {
                staging.check_import_of(moved.did.as_ref(), staging.key_label().as_deref())?;
            }
        }
    }
    Ok(())
}

impl BackupFirst {
    /// What a backup is not fit for, at whatever step it is asked for: that of another identity is
    /// none of this one.
    pub(in crate::migrate) fn check_fit(
        &self,
        moved: &Moved,
        header: Option<&Header>,
    ) -> Result<(), Error> {
        match (self, &moved.did, header) {
            (Self::Opened(backup), Some(did), _) => Ok(backup.is_of(did)?),
            (Self::Make { request, .. }, _, Some(header)) => Ok(request.check(header)?),
            _ => Ok(()),
        }
    }

    /// That the backup can be written where it is to be.
    pub(in crate::migrate) fn check_vacant(&self, home: &Home) -> Result<(), Error> {
        match self {
            Self::Make { output, .. } => Migration::check_backup_output(home.store(), output),
            Self::Opened(_) | Self::None | Self::Unsaid => Ok(()),
        }
    }
}

impl Migration {
    /// **Blocks** on files. That the backup of a migration that begins can be written to a
    /// file: no other file is there, its directory takes one, and it is in nobody's way.
    ///
    /// # Errors
    ///
    /// [`BackupError::FileExists`](crate::error::BackupError::FileExists),
    /// [`BackupError::NoPlace`](crate::error::BackupError::NoPlace);
    /// [`MigrationError::BackupInside`].
    pub fn check_backup_output(store: &IdentityStore, output: &Path) -> Result<(), Error> {
        let (home, file) = (file::real(store.home()), file::real(output));
        let is_inside = [names::STAGING, names::OLD].map(|name| file.starts_with(home.join(name)));
        let ours = [&names::OF_IDENTITY[..], &[names::MIGRATION]].concat();
        if is_inside.contains(&true) || ours.iter().any(|name| file == home.join(name)) {
            return Err(MigrationError::BackupInside { file: output.to_owned() }.into());
        }
        Ok(BackedUp::check_vacant(output)?)
    }
}
