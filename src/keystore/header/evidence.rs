//! What the evidence was, as the header keeps it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::evidence::{Assurance, Evidence, Fact, ProvenanceKind, Word};
use crate::signer::{DidSigner, DidSignerExt as _};

/// What the evidence was when the header was written. A memory of it, not the
/// evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct EvidenceSummary {
    /// How the key came to be and where it can be.
    pub provenance: ProvenanceKind,
    /// How much stood behind that.
    pub assurance: Assurance,
    /// [`crate::DidSignerExt::is_hardware_backed`].
    pub hardware_backed: bool,
    /// Manufacturer and model, where there is a device.
    pub device: Option<String>,
    /// Each attribute that was asked for, by its name.
    pub facts: BTreeMap<String, Fact>,
    /// Whose word each of them was. Empty in headers from before it was kept.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub words: BTreeMap<String, Word>,
}

impl EvidenceSummary {
    pub(super) fn of<S: DidSigner + ?Sized>(signer: &S) -> Self {
        let evidence = signer.evidence();
        let device = evidence.and_then(Evidence::device);
        let facts = || evidence.into_iter().flat_map(Evidence::facts);
        Self {
            provenance: signer.provenance(),
            assurance: evidence.map_or(Assurance::None, Evidence::assurance),
            hardware_backed: signer.is_hardware_backed(),
            device: device.map(|device| format!("{} {}", device.manufacturer, device.model)),
            facts: facts().map(|shown| (shown.name.into(), shown.fact)).collect(),
            words: facts().map(|shown| (shown.name.into(), shown.word)).collect(),
        }
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

    #[test]
    fn what_the_evidence_was_is_written_as_it_was_read() {
        let evidence: EvidenceSummary = serde_json::from_str(EVIDENCE).unwrap();
        assert_eq!(evidence.provenance, ProvenanceKind::DeviceHeld);
        assert_eq!(evidence.assurance, Assurance::SoftToken);
        assert_eq!(evidence.facts["local"], Fact::Unknown);
        assert_eq!(evidence.words["local"], Word::Nobody);
        assert_eq!(serde_json::to_string(&evidence).unwrap(), EVIDENCE);
        // As written before it was kept whose word it is.
        let older = format!("{}}}", EVIDENCE.split_once(",\"words\"").unwrap().0);
        let evidence: EvidenceSummary = serde_json::from_str(&older).unwrap();
        assert!(evidence.words.is_empty());
        assert_eq!(serde_json::to_string(&evidence).unwrap(), older);
        for (name, wrong) in [
            ("device-held", "Hardware"),
            ("soft-token", "certain"),
            ("unknown", "maybe"),
            ("nobody", "somebody"),
        ] {
            let forged = EVIDENCE.replace(name, wrong);
            let error = serde_json::from_str::<EvidenceSummary>(&forged).unwrap_err().to_string();
            assert!(error.contains(name), "{wrong}: {error}");
        }
    }
}
