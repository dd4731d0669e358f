//! The five attributes of PKCS#11, and what stands behind a token.

use super::{Assurance, DeviceIdentity, Exposable, Fact, ProvenanceKind, known};

/// `CKA_LOCAL`, `CKA_SENSITIVE`, `CKA_ALWAYS_SENSITIVE`, `CKA_EXTRACTABLE` and
/// `CKA_NEVER_EXTRACTABLE` of a private key (PKCS#11 v3.0, sections 4.9 and 4.10).
///
/// All five are needed: a key that was generated extractable, read out, and
/// then made sensitive and unextractable still shows LOCAL true, SENSITIVE true
/// and EXTRACTABLE false.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pkcs11Attributes {
    pub(crate) local: Fact,
    pub(crate) sensitive: Fact,
    pub(crate) always_sensitive: Fact,
    pub(crate) extractable: Fact,
    pub(crate) never_extractable: Fact,
}

impl Pkcs11Attributes {
    pub(super) fn judge(&self) -> Result<ProvenanceKind, Exposable> {
        if self.extractable == Fact::True {
            return Err(Exposable::Extractable);
        }
        if self.sensitive == Fact::False {
            return Err(Exposable::NotSensitive);
        }
        let born_inside_and_never_out = self.local == Fact::True
            && self.sensitive == Fact::True
            && self.always_sensitive == Fact::True
            && self.extractable == Fact::False
            && self.never_extractable == Fact::True;
        Ok(if born_inside_and_never_out {
            ProvenanceKind::Hardware
        } else {
            ProvenanceKind::DeviceHeld
        })
    }

    /// Without what only the device could know of a key's past.
    pub(super) const fn without_history(mut self) -> Self {
        self.local = Fact::Unknown;
        self.always_sensitive = Fact::Unknown;
        self.never_extractable = Fact::Unknown;
        self
    }

    pub(super) fn facts(self) -> [(&'static str, Fact); 5] {
        [
            ("local", self.local),
            ("sensitive", self.sensitive),
            ("always_sensitive", self.always_sensitive),
            ("extractable", self.extractable),
            ("never_extractable", self.never_extractable),
        ]
    }
}

impl DeviceIdentity {
    pub(crate) fn token_assurance(&self) -> Assurance {
        if known::is_software(self, false) || !self.hardware_slot {
            Assurance::SoftToken
        } else {
            Assurance::Claimed
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Fact::{False, True, Unknown};

    fn attributes(facts: [Fact; 5]) -> Pkcs11Attributes {
        let [local, sensitive, always_sensitive, extractable, never_extractable] = facts;
        Pkcs11Attributes { local, sensitive, always_sensitive, extractable, never_extractable }
    }

    /// All 3^5 answers a device can give: one of them is `Hardware`.
    #[test]
    fn only_five_agreeing_answers_are_hardware() {
        let all = [True, False, Unknown];
        let (mut hardware, mut held, mut refused) = (0, 0, 0);
        for index in 0..3_usize.pow(5) {
            let pick = |place: u32| all[index / 3_usize.pow(place) % 3];
            let facts = [pick(0), pick(1), pick(2), pick(3), pick(4)];
            match attributes(facts).judge() {
                Ok(ProvenanceKind::Hardware) => {
                    assert_eq!(facts, [True, True, True, False, True]);
                    hardware += 1;
                }
                Ok(ProvenanceKind::DeviceHeld) => held += 1,
                Err(Exposable::Extractable) => {
                    assert_eq!(facts[3], True);
                    refused += 1;
                }
                Err(Exposable::NotSensitive) => {
                    assert_eq!(facts[1], False);
                    refused += 1;
                }
                other => panic!("{other:?}"),
            }
        }
        // Refused: extractable (81) or not sensitive (81), both (27).
        assert_eq!((hardware, held, refused), (1, 243 - 135 - 1, 135));
    }

    #[test]
    fn a_token_is_soft_unless_it_says_hardware_and_is_not_known_as_soft() {
        let device = |manufacturer: &str, hardware_slot| DeviceIdentity {
            manufacturer: manufacturer.into(),
            model: String::new(),
            library: String::new(),
            slot: String::new(),
            serial: String::new(),
            label: String::new(),
            firmware: String::new(),
            hardware_slot,
        };
        assert_eq!(device("SoftHSM project", true).token_assurance(), Assurance::SoftToken);
        assert_eq!(device("Acme", false).token_assurance(), Assurance::SoftToken);
        assert_eq!(device("Acme", true).token_assurance(), Assurance::Claimed);
    }
}
