//! Whose identity is expected.

use crate::did::Did;

/// Whose identity a home must hold.
///
/// Whoever can write in the home of an identity that is not pinned can put another
/// in its place, and nothing is noticed. So nobody forgets the pin: where there is
/// none, [`Pinned::Nobody`] says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Pinned<'a> {
    /// That of this DID. Another one is refused before any credential is used.
    To(&'a Did),
    /// Anybody's: what is there is taken, whoever put it there.
    Nobody,
}

impl<'a> Pinned<'a> {
    /// The DID, if it is pinned to one.
    #[must_use]
    pub const fn did(self) -> Option<&'a Did> {
        match self {
            Self::To(did) => Some(did),
            Self::Nobody => None,
        }
    }

    /// Whether an identity of this DID may be here.
    #[must_use]
    pub fn allows(self, did: &Did) -> bool {
        self.did().is_none_or(|pinned| pinned == did)
    }
}
