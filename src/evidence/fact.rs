//! What was answered about a key, and whose answer it is.

use crate::encoding::named;

/// One attribute as it was answered; what was left out stays unknown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Fact {
    /// The answer is yes.
    True,
    /// The answer is no.
    False,
    /// There is no answer, or nobody's. Never taken for a yes.
    Unknown,
}

named! {
    /// The name used in JSON and in files: `true`, `false`, `unknown`.
    Fact, "a fact": True => "true", False => "false", Unknown => "unknown"
}

impl From<Option<bool>> for Fact {
    fn from(told: Option<bool>) -> Self {
        match told {
            Some(true) => Self::True,
            Some(false) => Self::False,
            None => Self::Unknown,
        }
    }
}

/// Whose word a fact is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Word {
    /// The device's: it was asked itself, or its module is known to ask it.
    Device,
    /// The PKCS#11 module's. Whether it has asked the device is not known.
    Module,
    /// Nobody's: the module is known to answer without asking the device, or the
    /// operator does not trust it. The fact is unknown.
    Nobody,
}

named! {
    /// The name used in JSON and in files: `device`, `module`, `nobody`.
    Word, "a source of facts": Device => "device", Module => "module", Nobody => "nobody"
}

/// An attribute of a key: its name, the answer, and whose answer it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Attribute {
    /// `local`, `sensitive`, `always_sensitive`, `extractable`, `never_extractable` of a
    /// PKCS#11 key; `fixed_tpm`, `fixed_parent`, `sensitive_data_origin`,
    /// `user_with_auth`, `no_da` of a TPM's object.
    pub name: &'static str,
    /// The answer.
    pub fact: Fact,
    /// Whose it is.
    pub word: Word,
}

/// Whose word each of the five attributes of a PKCS#11 key is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Words {
    pub(super) local: Word,
    pub(super) sensitive: Word,
    pub(super) always_sensitive: Word,
    pub(super) extractable: Word,
    pub(super) never_extractable: Word,
}

impl Words {
    /// Nobody's, of what a key was before.
    pub(super) const fn without_history(self) -> Self {
        let nobody = Word::Nobody;
        Self { local: nobody, always_sensitive: nobody, never_extractable: nobody, ..self }
    }
}

impl Fact {
    /// What counts of it: nobody's word does not.
    pub(super) const fn by(self, word: Word) -> Self {
        match word {
            Word::Device | Word::Module => self,
            Word::Nobody => Self::Unknown,
        }
    }
}
