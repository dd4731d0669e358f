//! What a probe may do, and what it is told.

use std::collections::BTreeMap;

use super::super::keygen::Lifetime;
use crate::backend::{Pkcs11Locator, Pkcs11Uri, WrappedKey};
use crate::did::Did;
use crate::evidence::{Fact, Word};

/// What a probe may do, and which key it looks at beside those that it makes.
#[derive(Debug, Clone, Default)]
#[non_exhaustive]
pub struct ProbeOptions {
    pub(super) lasting_key: bool,
    pub(super) known: Option<KnownKey>,
    pub(super) hidden: Option<Pkcs11Uri>,
}

impl ProbeOptions {
    /// Whether keys may be made that last, as those of an identity do: all that the
    /// probe makes are such keys then. They are removed again; one that cannot be is an
    /// error that names it ([`crate::error::Pkcs11Error::ProbeLeft`]). If the process is killed
    /// meanwhile they stay, labelled `icn-identity probe`.
    #[must_use]
    pub const fn with_lasting_key(mut self, allow: bool) -> Self {
        self.lasting_key = allow;
        self
    }

    pub(super) const fn lifetime(&self) -> Lifetime {
        if self.lasting_key { Lifetime::Token } else { Lifetime::Session }
    }

    /// A key that is there: the probe opens it, has it sign a challenge, and compares
    /// what is said of it.
    #[must_use]
    pub fn with_known_key(mut self, key: KnownKey) -> Self {
        self.known = Some(key);
        self
    }

    /// A key that its token may show within a login only: the probe looks for it there,
    /// opens it, and has it sign a challenge.
    #[must_use]
    pub fn with_hidden_key(mut self, uri: Pkcs11Uri) -> Self {
        self.hidden = Some(uri);
        self
    }
}

/// A key on a token, whose it is, and what was said of it earlier.
#[derive(Debug, Clone)]
pub struct KnownKey {
    pub(super) locator: Pkcs11Locator,
    pub(super) did: Did,
    /// Each attribute with its answer, and whose that was.
    pub(super) earlier: Option<BTreeMap<String, (Fact, Word)>>,
    pub(super) storage_key: Option<WrappedKey>,
}

impl KnownKey {
    /// Where it is, and whose it should be.
    #[must_use]
    pub const fn new(locator: Pkcs11Locator, did: Did) -> Self {
        Self { locator, did, earlier: None, storage_key: None }
    }

    /// The storage key that the token keeps for its identity: a probe has it opened.
    #[must_use]
    pub fn with_storage_key(mut self, wrapped: WrappedKey) -> Self {
        self.storage_key = Some(wrapped);
        self
    }

    /// `CKA_ID` of what keeps that.
    pub(super) fn storage_id(&self) -> Option<&[u8]> {
        match self.storage_key.as_ref()? {
            WrappedKey::AesGcm(wrapped) => Some(&wrapped.key_id),
            WrappedKey::Ecdh(wrapped) => Some(&wrapped.key_id),
            WrappedKey::Tpm(_) => None,
        }
    }

    /// What was said of it when that was last written down, by name, and whose word it
    /// was. One without a word is taken for the module's.
    #[must_use]
    pub fn with_earlier(
        mut self,
        facts: &BTreeMap<String, Fact>,
        words: &BTreeMap<String, Word>,
    ) -> Self {
        let word = |name| words.get(name).copied().unwrap_or(Word::Module);
        let earlier = facts.iter().map(|(name, fact)| (name.clone(), (*fact, word(name))));
        self.earlier = Some(earlier.collect());
        self
    }
}
