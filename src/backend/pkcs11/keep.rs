//! What is asked of a token that is to keep a storage key.

use super::keygen::Lifetime;
use crate::did::Did;
use crate::secret::LockedText;

/// A storage key, and what is to keep it.
#[derive(Clone, Copy)]
pub(super) struct ToKeep<'a> {
    /// `CKA_ID` of the key that will keep it.
    pub(super) id: &'a [u8],
    pub(super) label: &'a str,
    pub(super) lifetime: Lifetime,
    pub(super) did: &'a Did,
    pub(super) storage_key: &'a LockedText,
}
