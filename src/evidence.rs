//! What our own code read from a device about a key, and what follows from it.
//!
//! Evidence is made by this crate's backends only: there is no public
//! constructor and no `Deserialize`. It is **somebody's word**, and each fact says
//! whose ([`Word`]). A PKCS#11 module or a TPM can lie about every attribute, and a
//! copied soft-token directory signs with all of them intact; only an attestation
//! by the device's maker proves more (`attestation::AttestedKey`).

mod assurance;
mod device;
mod fact;
mod known;
mod pkcs11;
mod requirement;
mod tpm;

pub use assurance::Assurance;
pub(crate) use assurance::Trust;
pub use device::DeviceIdentity;
pub use fact::{Attribute, Fact, Word};
pub use known::Lockout;
#[cfg(feature = "pkcs11")]
pub(crate) use known::{Tells, WrongPins};
#[cfg(any(feature = "pkcs11", feature = "keystore"))]
pub(crate) use pkcs11::HISTORY;
pub use pkcs11::Pkcs11Attributes;
pub use requirement::{Requirement, Unmet};
pub use tpm::TpmAttributes;
#[cfg(feature = "tpm")]
pub(crate) use tpm::assurance as tpm_assurance;
#[cfg(feature = "attestation")]
pub(crate) use tpm::is_virtual as is_virtual_tpm;

use self::fact::Words;
use crate::encoding::named;
use crate::kind::{ErrorKind, explain};

/// How the private key came to be and where it can be, as a value.
///
/// The same five words as the types in [`crate::key`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ProvenanceKind {
    /// In process memory; can be read.
    Software,
    /// Made in software, sealed to one TPM, in memory while unlocked.
    TpmSealed,
    /// In a device, but not shown to be born there.
    DeviceHeld,
    /// Born in the device and never out of it, by all the device says.
    Hardware,
    /// In a signer that this crate cannot look into.
    External,
}

named! {
    /// The name used in JSON: `software`, `tpm-sealed`, `device-held`,
    /// `hardware`, `external`.
    ProvenanceKind, "a provenance":
    Software => "software",
    TpmSealed => "tpm-sealed",
    DeviceHeld => "device-held",
    Hardware => "hardware",
    External => "external",
}

impl ProvenanceKind {
    /// Whether the private key stays behind the interface of its device, as with
    /// [`crate::key::Confined`] (which says what that means for a soft token).
    #[must_use]
    pub const fn is_confined(self) -> bool {
        matches!(self, Self::DeviceHeld | Self::Hardware)
    }
}

/// What is known first-hand about a key. Made by this crate only.
#[derive(Debug, Clone)]
pub struct Evidence {
    source: Source,
    /// Whether the device's maker vouches for this very key. What is read anew is not.
    is_attested: bool,
}

#[derive(Debug, Clone)]
enum Source {
    /// The key is in our own memory: nothing has to be believed.
    Software,
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "made by that backend"))]
    Pkcs11 {
        device: Box<DeviceIdentity>,
        attributes: Pkcs11Attributes,
        words: Words,
        assurance: Assurance,
        /// What an operator takes the token for at most.
        at_most: Assurance,
        provenance: ProvenanceKind,
    },
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "made by that backend"))]
    Tpm { device: Box<DeviceIdentity>, attributes: TpmAttributes, provenance: ProvenanceKind },
}

impl Evidence {
    /// As it was read, by nobody's word but the device's.
    const fn read(source: Source) -> Self {
        Self { source, is_attested: false }
    }

    pub(crate) const fn software() -> Self {
        Self::read(Source::Software)
    }

    /// Judges what a PKCS#11 module said. A key's history is unknown if the library is
    /// known not to ask its device for it, or the operator does not trust it.
    ///
    /// # Errors
    ///
    /// [`Exposable`] when the device would hand the private key out.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "made by that backend"))]
    pub(crate) fn from_pkcs11(
        device: DeviceIdentity,
        attributes: Pkcs11Attributes,
        trust: Trust,
    ) -> Result<Self, Exposable> {
        let words = trust.words(known::words(&device));
        let attributes = attributes.by(words);
        let provenance = attributes.judge()?;
        let (assurance, at_most) = (device.token_assurance(trust), trust.at_most);
        let device = Box::new(device);
        let source = Source::Pkcs11 { device, attributes, words, assurance, at_most, provenance };
        Ok(Self::read(source))
    }

    /// Judges what a TPM's object is.
    ///
    /// # Errors
    ///
    /// [`Exposable`] when the TPM would hand the private key to another one.
    #[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "made by that backend"))]
    pub(crate) fn from_tpm(
        device: DeviceIdentity,
        attributes: TpmAttributes,
    ) -> Result<Self, Exposable> {
        let provenance = attributes.judge()?;
        Ok(Self::read(Source::Tpm { device: Box::new(device), attributes, provenance }))
    }

    /// The same of a key that is known to have been written into its device: what is said
    /// of its birth is nobody's word.
    pub(crate) fn of_imported(self) -> Self {
        match self.source {
            Source::Pkcs11 { device, attributes, words, assurance, at_most, .. } => {
                let words = words.without_history();
                let (attributes, provenance) = (attributes.by(words), ProvenanceKind::DeviceHeld);
                Self::read(Source::Pkcs11 {
                    device,
                    attributes,
                    words,
                    assurance,
                    at_most,
                    provenance,
                })
            }
            source => Self::read(source),
        }
    }

    /// The same of a key of which `earlier` tells, by name, what was said and whose word it
    /// was: a no stays a no. With what is claimed now and was not then.
    #[cfg_attr(not(feature = "keystore"), allow(dead_code, reason = "called by the keystore"))]
    pub(crate) fn remembering(
        self,
        earlier: impl Fn(&str) -> Option<(Fact, Word)>,
    ) -> (Self, Vec<&'static str>) {
        match self.source {
            Source::Pkcs11 { device, attributes, words, assurance, at_most, .. } => {
                let (attributes, words, claimed) = attributes.remembering(words, earlier);
                let provenance = attributes.judge().unwrap_or(ProvenanceKind::DeviceHeld);
                let source =
                    Source::Pkcs11 { device, attributes, words, assurance, at_most, provenance };
                (Self::read(source), claimed)
            }
            source => (Self::read(source), Vec::new()),
        }
    }

    /// The same of a key that its device's maker vouches for: **only** of one for which an
    /// attestation was verified, which `attestation::AttestedKey` sees to. `None` where the device
    /// is known to be software, or a service elsewhere, or an operator takes it for no more:
    /// nobody's word makes it hardware.
    #[cfg(feature = "attestation")]
    pub(crate) fn attested(&self) -> Option<Self> {
        if matches!(&self.source, Source::Pkcs11 { at_most, .. } if *at_most < Assurance::Claimed) {
            return None;
        }
        match self.assurance() {
            Assurance::Unstated | Assurance::Claimed | Assurance::Attested => {
                Some(Self { source: self.source.clone(), is_attested: true })
            }
            Assurance::None | Assurance::SoftToken | Assurance::RemoteService => None,
        }
    }

    /// What follows from the evidence about the key's provenance.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        match &self.source {
            Source::Software => ProvenanceKind::Software,
            Source::Pkcs11 { provenance, .. } | Source::Tpm { provenance, .. } => *provenance,
        }
    }

    /// How much stands behind it.
    #[must_use]
    pub fn assurance(&self) -> Assurance {
        match &self.source {
            _ if self.is_attested => Assurance::Attested,
            Source::Software => Assurance::None,
            Source::Pkcs11 { assurance, .. } => *assurance,
            Source::Tpm { device, .. } => tpm::assurance(device),
        }
    }

    /// The device that spoke, if any.
    #[must_use]
    pub fn device(&self) -> Option<&DeviceIdentity> {
        match &self.source {
            Source::Software => None,
            Source::Pkcs11 { device, .. } | Source::Tpm { device, .. } => Some(device),
        }
    }

    /// Every attribute that was asked for, with its answer, and whose answer it is.
    pub fn facts(&self) -> impl Iterator<Item = Attribute> + use<> {
        let facts = match &self.source {
            Source::Software => None,
            Source::Pkcs11 { attributes, words, .. } => Some(attributes.facts(*words)),
            Source::Tpm { attributes, .. } => Some(attributes.facts()),
        };
        facts.into_iter().flatten()
    }
}

explain!(Exposable);

impl Exposable {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Extractable | Self::Duplicable | Self::NotSensitive => ErrorKind::Requirement,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        Some(
            "generate a new key in the device, sensitive and not extractable (`Backend::create` \
             does)"
                .into(),
        )
    }
}

/// The device would hand the private key out, so it confines nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Exposable {
    /// `CKA_EXTRACTABLE` is true: the key can be wrapped out.
    #[error("the device says that the private key can be extracted (CKA_EXTRACTABLE is true)")]
    Extractable,
    /// `fixedTPM` or `fixedParent` is clear: the key can be moved to another TPM.
    #[error(
        "the TPM says that the private key can be duplicated (fixedTPM or fixedParent is clear)"
    )]
    Duplicable,
    /// `CKA_SENSITIVE` is false: the key can be read in the clear.
    #[error("the device says that the private key can be read (CKA_SENSITIVE is false)")]
    NotSensitive,
}
