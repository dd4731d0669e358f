//! An older keystore, moved into a device in one go: an identity is made of it first.

use std::path::Path;

use super::Migration;
use super::plan::{Moved, Plan, check_begins, checks, wants_passphrase};
use super::request::{BackupFirst, MigrationRequest};
use crate::algorithm::AlgorithmId;
use crate::backend::BackendKind;
use crate::bundle::check_clock;
use crate::did::Did;
use crate::error::{Error, KeystoreError, MigrationError};
use crate::evidence::ProvenanceKind;
use crate::home::{Home, Wants};
use crate::keystore::{LegacyIdentity, Pinned};
use crate::secret::Passphrase;

impl Migration {
    /// **Blocks** on device and files. As [`Self::plan`], of an older keystore: of the move,
    /// and of the identity that is made of it first, in a home that has none. Uses no
    /// credential, and changes nothing; so the DID, which shows under the passphrase only, is
    /// not in it.
    ///
    /// # Errors
    ///
    /// As [`Self::plan`], and if the file is not one that a passphrase opens. Of an identity
    /// that is there already, it is the plan of that one.
    pub fn plan_of_keystore(
        home: &Home,
        file: &Path,
        request: &MigrationRequest,
    ) -> Result<Plan, Error> {
        if is_there(home)? {
            return Self::plan(home, request);
        }
        // One whose making was cut off is made once more.
        LegacyIdentity::check_file(file)?;
        plan(home, file, None, request)
    }

    /// **Blocks** on the device. What the new identity will be opened with: so that it is known
    /// to be at hand before anything is made.
    ///
    /// # Errors
    ///
    /// If the device cannot be had.
    pub fn wants_for_new(home: &Home, request: &MigrationRequest) -> Result<Wants, Error> {
        home.staging(Some(request.to.clone()))?.wants_for_new()
    }

    /// **Blocks** on device, scrypt and files. Makes the identity that [`Self::run`] moves, of
    /// an older keystore, which was read with its passphrase; it is kept under that, in a file.
    /// One of the same DID that is there already is taken.
    ///
    /// All that the move could refuse before it asks for a credential is refused first, and
    /// then nothing is made.
    ///
    /// # Errors
    ///
    /// As [`Self::plan_of_keystore`] and [`Home::import`]; [`MigrationError::NoBackupSaid`];
    /// [`LegacyError::NotPinned`](crate::error::LegacyError::NotPinned) if the identity of
    /// another keystore is there.
    pub fn import_first(
        home: &mut Home,
        file: &Path,
        old: LegacyIdentity,
        passphrase: &Passphrase,
        request: &MigrationRequest,
    ) -> Result<(), Error> {
        if matches!(request.backup, BackupFirst::Unsaid) {
            return Err(MigrationError::NoBackupSaid.into());
        }
        if is_there(home)? {
            let header = home.store().header()?;
            return Ok(old.check_pinned(Pinned::To(header.did()))?);
        }
        // One whose making was cut off, if it was of this keystore.
        if let Some(begun) = home.store().header_alone()? {
            old.check_pinned(Pinned::To(begun.did()))?;
        }
        let _: Plan = plan(home, file, Some(old.did()), request)?;
        home.import(old, passphrase).map(drop)
    }
}

/// Whether there is an identity in the home. One that has its header alone may have been cut off
/// when it was made.
fn is_there(home: &Home) -> Result<bool, Error> {
    let store = home.store();
    match store.header() {
        Ok(_) => Ok(true),
        Err(KeystoreError::NoIdentity { .. } | KeystoreError::NeverMade { .. }) => Ok(false),
        Err(error @ KeystoreError::Incomplete { .. }) => match store.header_alone()? {
            Some(header) if header.backend() == BackendKind::Age => Ok(false),
            _ => Err(error.into()),
        },
        Err(error) => Err(error.into()),
    }
}

fn plan(
    home: &Home,
    file: &Path,
    did: Option<&Did>,
    request: &MigrationRequest,
) -> Result<Plan, Error> {
    home.store().check_import(file)?;
    let moved = Moved {
        did: did.cloned(),
        keystore: Some(file.to_owned()),
        backend: BackendKind::Age,
        // Older keystores know no other.
        algorithm: AlgorithmId::Ed25519,
        provenance: ProvenanceKind::Software,
        in_file_until: None,
    };
    checks::check_possible(&moved, request)?;
    check_clock()?;
    check_begins(home, request)?;
    request.backup.check_fit(&moved, None)?;
    checks::check_device(home, &moved, request)?;
    let mut plan = Plan::of(&moved, request, None);
    plan.opens_with.passphrase = wants_passphrase(home, request)?;
    Ok(plan)
}
