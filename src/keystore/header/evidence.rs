//! What the evidence was, as the header keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::{Assurance, Evidence, Fact, HISTORY, ProvenanceKind, Word};
use crate::signer::{DidSigner, DidSignerExt as _};

/// What the evidence was when the header was written. A memory of it, not the
/// evidence: had from a [`Header`](super::Header), which is somebody's claim until the
/// payload has vouched for it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct EvidenceSummary {
    provenance: ProvenanceKind,
    assurance: Assurance,
    hardware_backed: bool,
    device: Option<String>,
    facts: BTreeMap<String, Fact>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    words: BTreeMap<String, Word>,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "EvidenceSummary", deny_unknown_fields)]
pub(super) struct Claimed {
    provenance: ProvenanceKind,
    assurance: Assurance,
    hardware_backed: bool,
    device: Option<String>,
    facts: BTreeMap<String, Fact>,
    /// Empty in headers from before it was kept.
    #[serde(default)]
    words: BTreeMap<String, Word>,
}

impl EvidenceSummary {
    pub(super) fn of<S: DidSigner + ?Sized>(signer: &S) -> Self {
        let evidence = signer.evidence();
        let device = evidence.and_then(Evidence::device);
        let facts = || evidence.into_iter().flat_map(Evidence::facts);
        Self {
            provenance: signer.provenance(),
            assurance: evidence.map_or(Assurance::None, Evidence::assurance).told(),
            hardware_backed: signer.is_hardware_backed(),
            device: device.map(|device| format!("{} {}", device.manufacturer, device.model)),
            facts: facts().map(|shown| (shown.name.into(), shown.fact)).collect(),
            words: facts().map(|shown| (shown.name.into(), shown.word)).collect(),
        }
    }

    /// What was said of an attribute, and whose word it was. One without a word is taken for
    /// the module's.
    pub(super) fn said(&self, name: &str) -> Option<(Fact, Word)> {
        let word = self.words.get(name).copied().unwrap_or(Word::Module);
        self.facts.get(name).map(|fact| (*fact, word))
    }

    /// The same as it counts where the history of keys is not trusted (`trust_key_history`):
    /// what a key was before is nobody's word then, and unknown.
    #[must_use]
    pub fn without_history(&self) -> Self {
        let mut less = self.clone();
        for name in HISTORY {
            if let Some(fact) = less.facts.get_mut(name) {
                *fact = Fact::Unknown;
                less.words.insert(name.into(), Word::Nobody);
                if less.provenance == ProvenanceKind::Hardware {
                    less.provenance = ProvenanceKind::DeviceHeld;
                }
            }
        }
        less
    }

    /// How the key came to be and where it can be.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        self.provenance
    }

    /// How much stood behind that.
    #[must_use]
    pub const fn assurance(&self) -> Assurance {
        self.assurance
    }

    /// [`crate::DidSignerExt::is_hardware_backed`].
    #[must_use]
    pub const fn is_hardware_backed(&self) -> bool {
        self.hardware_backed
    }

    /// Manufacturer and model, where there is a device.
    #[must_use]
    pub fn device(&self) -> Option<&str> {
        self.device.as_deref()
    }

    /// Each attribute that was asked for, by its name.
    #[must_use]
    pub const fn facts(&self) -> &BTreeMap<String, Fact> {
        &self.facts
    }

    /// Whose word each of them was. Empty in headers from before it was kept.
    #[must_use]
    pub const fn words(&self) -> &BTreeMap<String, Word> {
        &self.words
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As headers have it.
    const EVIDENCE: &str = concat!(
        r#"{"provenance":"device-held","assurance":"soft-token","hardware_backed":false,"#,
        r#""device":"Acme One","facts":{"extractable":"false","local":"unknown"},"#,
        r#""words":{"extractable":"device","local":"nobody"}}"#
    );

    fn read(json: &str) -> serde_json::Result<EvidenceSummary> {
        Claimed::deserialize(&mut serde_json::Deserializer::from_str(json))
    }

    #[test]
    fn what_the_evidence_was_is_written_as_it_was_read() {
        let evidence = read(EVIDENCE).unwrap();
        assert_eq!(evidence.provenance, ProvenanceKind::DeviceHeld);
        assert_eq!(evidence.assurance, Assurance::SoftToken);
        assert_eq!(evidence.facts["local"], Fact::Unknown);
        assert_eq!(evidence.words["local"], Word::Nobody);
        assert_eq!(serde_json::to_string(&evidence).unwrap(), EVIDENCE);
        // As written before it was kept whose word it is.
        let older = format!("{}}}", EVIDENCE.split_once(",\"words\"").unwrap().0);
        let evidence = read(&older).unwrap();
        assert!(evidence.words.is_empty());
        assert_eq!(serde_json::to_string(&evidence).unwrap(), older);
        for (name, wrong) in [
            ("device-held", "Hardware"),
            ("soft-token", "certain"),
            ("unknown", "maybe"),
            ("nobody", "somebody"),
        ] {
            let forged = EVIDENCE.replace(name, wrong);
            let error = read(&forged).unwrap_err().to_string();
            assert!(error.contains(name), "{wrong}: {error}");
        }
    }

    #[test]
    fn a_history_that_is_not_trusted_is_nobodys_word() {
        let born = concat!(
            r#"{"provenance":"hardware","assurance":"claimed","hardware_backed":true,"#,
            r#""device":null,"facts":{"local":"true","sensitive":"true"}}"#
        );
        let less = read(born).unwrap().without_history();
        assert_eq!(less.provenance, ProvenanceKind::DeviceHeld);
        assert_eq!((less.facts["local"], less.words["local"]), (Fact::Unknown, Word::Nobody));
        assert_eq!(less.facts["sensitive"], Fact::True);
        // Of a TPM's key, and of one in a file, that says nothing.
        let sealed = r#"{"provenance":"tpm-sealed","assurance":"claimed","hardware_backed":false,"device":null,"facts":{"fixed_tpm":"true"}}"#;
        let sealed = read(sealed).unwrap();
        assert_eq!(sealed.without_history(), sealed);
    }
}
