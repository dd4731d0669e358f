//! The identity of a migration that is not in use: the old one afterwards, the new one before.

use std::path::PathBuf;

use super::{Migration, MigrationPart, MigrationStatus};
use crate::error::Error;
use crate::keystore::IdentityStore;

/// An identity that is a part of a migration, and is not the one in use.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct PartOfMigration {
    /// Which of both it is.
    pub part: MigrationPart,
    /// The directory of the one that is in use.
    pub home: PathBuf,
    /// How far the migration is.
    pub status: MigrationStatus,
}

impl Migration {
    /// **Blocks** on files. The migration that an identity is a part of without being in use:
    /// the one that is kept after the switch, or that is made before. Uses no credential.
    ///
    /// # Errors
    ///
    /// As [`Self::status`].
    pub fn part_of(store: &IdentityStore) -> Result<Option<PartOfMigration>, Error> {
        let Some((moved, part)) = store.moved_identity() else { return Ok(None) };
        let home = moved.home().to_owned();
        Ok(Self::status(&moved)?.map(|status| PartOfMigration { part, home, status }))
    }
}
