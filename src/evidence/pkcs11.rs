//! The five attributes of PKCS#11, and what stands behind a token.

use super::fact::{Attribute, Words};
use super::{Assurance, DeviceIdentity, Exposable, Fact, ProvenanceKind, Trust, Word, known};

/// What an honest device never turns from no into yes.
pub(crate) const HISTORY: [&str; 3] = ["local", "always_sensitive", "never_extractable"];

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
    /// Whether somebody says that the key was born in the device.
    #[cfg_attr(not(feature = "pkcs11"), allow(dead_code, reason = "asked by that backend"))]
    pub(crate) fn claim_birth(&self, device: &DeviceIdentity) -> bool {
        self.by(known::words(device)).local == Fact::True
    }

    /// What counts of a key of which `earlier` tells what was said: what of its history was
    /// not true then is not now, whatever is said. With the names of what is claimed anew.
    pub(super) fn remembering(
        mut self,
        mut words: Words,
        earlier: impl Fn(&str) -> Option<(Fact, Word)>,
    ) -> (Self, Words, Vec<&'static str>) {
        let mut claimed = Vec::new();
        let [local, always_sensitive, never_extractable] = HISTORY;
        for (name, fact, word) in [
            (local, &mut self.local, &mut words.local),
            (always_sensitive, &mut self.always_sensitive, &mut words.always_sensitive),
            (never_extractable, &mut self.never_extractable, &mut words.never_extractable),
        ] {
            match earlier(name) {
                // A no is not taken back, nor is it forgotten where nothing is said now.
                Some((before, whose))
                    if whose != Word::Nobody && before != Fact::True && *fact != Fact::False =>
                {
                    if *fact == Fact::True {
                        claimed.push(name);
                    }
                    (*fact, *word) = (before, whose);
                }
                _ => {}
            }
        }
        (self, words, claimed)
    }

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

    /// What counts of them.
    pub(super) const fn by(self, words: Words) -> Self {
        Self {
            local: self.local.by(words.local),
            sensitive: self.sensitive.by(words.sensitive),
            always_sensitive: self.always_sensitive.by(words.always_sensitive),
            extractable: self.extractable.by(words.extractable),
            never_extractable: self.never_extractable.by(words.never_extractable),
        }
    }

    pub(super) fn facts(self, words: Words) -> [Attribute; 5] {
        [
            ("local", self.local, words.local),
            ("sensitive", self.sensitive, words.sensitive),
            ("always_sensitive", self.always_sensitive, words.always_sensitive),
            ("extractable", self.extractable, words.extractable),
            ("never_extractable", self.never_extractable, words.never_extractable),
        ]
        .map(|(name, fact, word)| Attribute { name, fact, word })
    }
}

impl DeviceIdentity {
    /// What stands behind a token. `CKF_HW_SLOT` alone proves nothing: openCryptoki sets
    /// it for its soft token, OpenSC for every reader, and a NetHSM's module never.
    pub(crate) fn token_assurance(&self, trust: Trust) -> Assurance {
        trust.limit(if known::is_software(self, false) {
            Assurance::SoftToken
        } else if known::is_remote_service(self) {
            Assurance::RemoteService
        } else if self.hardware_slot && !known::is_somewhere_else(self) {
            Assurance::Claimed
        } else {
            Assurance::Unstated
        })
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

    fn unnamed(manufacturer: &str) -> DeviceIdentity {
        DeviceIdentity {
            manufacturer: manufacturer.into(),
            model: String::new(),
            library: String::new(),
            module: String::new(),
            slot: String::new(),
            serial: String::new(),
            label: String::new(),
            firmware: String::new(),
            hardware_slot: false,
        }
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
    fn hw_slot_makes_no_known_soft_token_hardware_and_its_absence_makes_none_soft() {
        let device =
            |manufacturer, hardware_slot| DeviceIdentity { hardware_slot, ..unnamed(manufacturer) };
        let found = |manufacturer, hardware_slot| {
            device(manufacturer, hardware_slot).token_assurance(Trust::default())
        };
        assert_eq!(found("SoftHSM project", true), Assurance::SoftToken);
        assert_eq!(found("SoftHSM project", false), Assurance::SoftToken);
        assert_eq!(found("aws_kms", true), Assurance::RemoteService);
        assert_eq!(found("Acme", false), Assurance::Unstated);
        assert_eq!(found("Acme", true), Assurance::Claimed);
    }

    /// Of every device, and whatever the operator writes.
    #[test]
    fn an_operator_can_make_an_assurance_less_and_never_more() {
        use Assurance::{Claimed, RemoteService, SoftToken, Unstated};
        for (manufacturer, hardware_slot) in
            [("SoftHSM", true), ("aws_kms", true), ("Acme", false), ("Acme", true)]
        {
            let device = DeviceIdentity { hardware_slot, ..unnamed(manufacturer) };
            let found = device.token_assurance(Trust::default());
            for at_most in [SoftToken, RemoteService, Unstated, Claimed] {
                let limited = device.token_assurance(Trust { at_most, ..Trust::default() });
                assert_eq!(limited, found.min(at_most), "{manufacturer} {at_most}");
            }
        }
    }
    /// What was said of each attribute of a key's history, and is said now.
    #[test]
    fn a_history_that_was_not_true_is_not_true_later() {
        use Word::{Device, Module, Nobody};
        let now_is = |fact| attributes([fact, True, fact, False, fact]);
        let words = Words {
            local: Module,
            sensitive: Module,
            always_sensitive: Module,
            extractable: Module,
            never_extractable: Module,
        };
        // Earlier, and now; what counts, and whether it is claimed anew.
        for (earlier, now, counts, claimed) in [
            (None, True, (True, Module), false),
            (None, Unknown, (Unknown, Module), false),
            (Some((True, Device)), True, (True, Module), false),
            (Some((True, Device)), False, (False, Module), false),
            (Some((True, Device)), Unknown, (Unknown, Module), false),
            (Some((False, Device)), True, (False, Device), true),
            (Some((False, Device)), False, (False, Module), false),
            (Some((False, Device)), Unknown, (False, Device), false),
            (Some((Unknown, Device)), True, (Unknown, Device), true),
            (Some((Unknown, Device)), False, (False, Module), false),
            (Some((Unknown, Device)), Unknown, (Unknown, Device), false),
            // Nobody had said it.
            (Some((False, Nobody)), True, (True, Module), false),
        ] {
            for remembered in HISTORY {
                let (found, whose, names) =
                    now_is(now).remembering(words, |name| earlier.filter(|_| name == remembered));
                for attribute in found.facts(whose) {
                    let expected = if attribute.name == remembered {
                        counts
                    } else {
                        let same = now_is(now).facts(words);
                        let said = same.iter().find(|said| said.name == attribute.name).unwrap();
                        (said.fact, said.word)
                    };
                    let case = format!("{earlier:?}, now {now:?}, {}", attribute.name);
                    assert_eq!((attribute.fact, attribute.word), expected, "{case}");
                }
                let expected: &[&str] = if claimed { &[remembered] } else { &[] };
                assert_eq!(names, expected, "{earlier:?}, now {now:?}");
            }
        }
    }

    #[test]
    fn birth_in_a_device_is_claimed_by_who_says_so_and_counts() {
        let born = |local, manufacturer| {
            attributes([local, True, True, False, True]).claim_birth(&unnamed(manufacturer))
        };
        assert!(born(True, "Acme"));
        assert!(!born(False, "Acme"));
        assert!(!born(Unknown, "Acme"));
    }
}
