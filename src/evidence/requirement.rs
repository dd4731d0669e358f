//! A minimum that a consumer demands at run time.

use super::{Assurance, Evidence, ProvenanceKind};
use crate::kind::{ErrorKind, explain};

/// What a signer must show. Start with [`Requirement::any`] and add.
///
/// ```
/// use icn_identity::{Assurance, Key, Requirement, Software, Unlocked};
///
/// let key = Key::<Software, Unlocked>::generate()?;
/// assert!(Requirement::any().check(&key).is_ok());
/// assert!(Requirement::any().confined().check(&key).is_err());
/// # Ok::<(), icn_identity::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Requirement {
    confined: bool,
    never_exposed: bool,
    assurance: Assurance,
}

impl Requirement {
    /// Nothing is demanded.
    #[must_use]
    pub const fn any() -> Self {
        Self { confined: false, never_exposed: false, assurance: Assurance::None }
    }

    /// The private key stays behind the interface of its device, and this crate never has
    /// it. A soft token may be a library in this process, and have the key in its memory:
    /// demand [`Self::at_least`] `Claimed` as well where that matters.
    #[must_use]
    pub const fn confined(mut self) -> Self {
        self.confined = true;
        self
    }

    /// The private key was born in the device and never out of it.
    #[must_use]
    pub const fn never_exposed(mut self) -> Self {
        self.confined = true;
        self.never_exposed = true;
        self
    }

    /// At least this much stands behind the evidence; of several demands, the greatest counts.
    #[must_use]
    #[expect(clippy::as_conversions, reason = "names without fields; `max` is not const")]
    pub const fn at_least(mut self, assurance: Assurance) -> Self {
        if (self.assurance as u8) < (assurance as u8) {
            self.assurance = assurance;
        }
        self
    }

    /// The device's maker vouches for the key, and that was verified here: of a key of one's own
    /// that is an `attestation::AttestedKey` (feature `attestation`). The key is confined then too.
    #[must_use]
    pub const fn attested(self) -> Self {
        self.confined().at_least(Assurance::Attested)
    }

    /// Whether evidence shows what is demanded. Without any, only
    /// [`Self::any`] is met.
    pub(crate) fn met_by(&self, evidence: Option<&Evidence>) -> Result<(), Unmet> {
        let (provenance, assurance) = match evidence {
            Some(evidence) => (evidence.provenance(), evidence.assurance()),
            None if *self == Self::any() => return Ok(()),
            None => return Err(Unmet::Unproven),
        };
        if self.confined && !provenance.is_confined() {
            return Err(Unmet::Confined { provenance });
        }
        if self.never_exposed && provenance != ProvenanceKind::Hardware {
            return Err(Unmet::NeverExposed { provenance });
        }
        if assurance < self.assurance {
            return Err(Unmet::Assurance { required: self.assurance, found: assurance });
        }
        Ok(())
    }
}

explain!(Unmet);

impl Unmet {
    /// What it means for the program.
    #[must_use]
    pub const fn kind(&self) -> ErrorKind {
        match self {
            Self::Unproven
            | Self::Confined { .. }
            | Self::NeverExposed { .. }
            | Self::Assurance { .. } => ErrorKind::Requirement,
        }
    }

    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::Unproven => "use a key of a backend of this crate: it reads the evidence itself",
            Self::Confined { .. } => {
                "use a key in a token, or a P-256 key that the TPM makes (`Backend::create`)"
            }
            Self::NeverExposed { .. } => {
                "make a new key in the device (`Backend::create`), and rotate to it"
            }
            Self::Assurance { found: Assurance::SoftToken, .. } => {
                "use a token or TPM that is hardware: this one is software, whose files can be \
                 copied"
            }
            Self::Assurance { required: Assurance::Attested, .. } => {
                "have the key attested by its device's maker, verify that by anchors of your own, and \
                 use the `attestation::AttestedKey` that is made of it"
            }
            Self::Assurance { .. } => "use a key in a token or TPM that is hardware",
        };
        Some(help.into())
    }
}

/// Which demand of a [`Requirement`] a signer does not meet.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Unmet {
    /// The signer was written elsewhere: this crate has no evidence about it.
    #[error("nothing is proven about where this signer keeps its key")]
    Unproven,
    /// The key is, or has been, in process memory.
    #[error("a key confined to a device is required, this one is {provenance}")]
    Confined {
        /// What was found instead.
        provenance: ProvenanceKind,
    },
    /// The key is not shown to be born in its device.
    #[error("a key that never left its device is required, this one is {provenance}")]
    NeverExposed {
        /// What was found instead.
        provenance: ProvenanceKind,
    },
    /// Too little stands behind the evidence.
    #[error("assurance `{required}` is required, the device gives `{found}`")]
    Assurance {
        /// What was demanded.
        required: Assurance,
        /// What the evidence carries.
        found: Assurance,
    },
}

#[cfg(test)]
mod tests {
    use super::super::{DeviceIdentity, Fact, Pkcs11Attributes, Trust};
    use super::*;

    /// A key as a token would show it that is called so.
    fn shown(manufacturer: &str, local: Fact) -> Evidence {
        let device = DeviceIdentity {
            manufacturer: manufacturer.into(),
            model: String::new(),
            library: String::new(),
            module: String::new(),
            slot: String::new(),
            serial: String::new(),
            label: String::new(),
            firmware: String::new(),
            hardware_slot: true,
        };
        let attributes = Pkcs11Attributes {
            local,
            sensitive: Fact::True,
            always_sensitive: Fact::True,
            extractable: Fact::False,
            never_extractable: Fact::True,
        };
        Evidence::from_pkcs11(device, attributes, Trust::default()).unwrap()
    }

    #[test]
    fn each_demand_is_met_by_the_evidence_or_named() {
        use Assurance::{Attested, Claimed, None as Nothing, SoftToken};
        use ProvenanceKind::{DeviceHeld, Hardware, Software};
        let any = Requirement::any();
        let (software, claimed) = (Evidence::software(), shown("Acme", Fact::True));
        let (soft, imported) = (shown("SoftHSM", Fact::True), shown("Acme", Fact::False));
        assert_eq!(claimed.provenance(), Hardware);
        assert_eq!(imported.provenance(), DeviceHeld);
        for (demand, evidence, expected) in [
            (any, None, Ok(())),
            (any, Some(&software), Ok(())),
            (any, Some(&claimed), Ok(())),
            (any.confined(), None, Err(Unmet::Unproven)),
            (any.never_exposed(), None, Err(Unmet::Unproven)),
            (any.at_least(SoftToken), None, Err(Unmet::Unproven)),
            (any.confined(), Some(&software), Err(Unmet::Confined { provenance: Software })),
            (any.confined(), Some(&imported), Ok(())),
            (any.confined(), Some(&claimed), Ok(())),
            (any.never_exposed(), Some(&software), Err(Unmet::Confined { provenance: Software })),
            (
                any.never_exposed(),
                Some(&imported),
                Err(Unmet::NeverExposed { provenance: DeviceHeld }),
            ),
            (any.never_exposed(), Some(&soft), Ok(())),
            (any.at_least(SoftToken), Some(&soft), Ok(())),
            (any.at_least(SoftToken), Some(&claimed), Ok(())),
            (any.at_least(Claimed), Some(&claimed), Ok(())),
            (
                any.at_least(Claimed),
                Some(&soft),
                Err(Unmet::Assurance { required: Claimed, found: SoftToken }),
            ),
            (
                any.at_least(SoftToken),
                Some(&software),
                Err(Unmet::Assurance { required: SoftToken, found: Nothing }),
            ),
            // A lesser demand takes nothing from a greater one.
            (
                any.at_least(Claimed).at_least(SoftToken),
                Some(&soft),
                Err(Unmet::Assurance { required: Claimed, found: SoftToken }),
            ),
            (
                any.attested().at_least(SoftToken),
                Some(&claimed),
                Err(Unmet::Assurance { required: Attested, found: Claimed }),
            ),
        ] {
            assert_eq!(demand.met_by(evidence), expected, "{demand:?} of {evidence:?}");
        }
    }
}
