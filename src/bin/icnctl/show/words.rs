//! What a key is, and who says so, in words.

use icn_identity::evidence::{Fact, Word};
use icn_identity::keystore::EvidenceSummary;
use icn_identity::{Assurance, ProvenanceKind};

use super::claim::Claim;
use crate::output::date;

/// Whose word the facts about a key are, taken together; older headers do not say.
pub(crate) fn speaker(evidence: &EvidenceSummary) -> &'static str {
    let said_by = |word| evidence.words().values().any(|whose| *whose == word);
    match (said_by(Word::Device), said_by(Word::Module)) {
        (true, true) => "the device and its module say",
        (true, false) => "the device says",
        (false, true) => "its module says",
        (false, false) => "is said of it",
    }
}

/// With who says so, as [`speaker`] has it.
pub(crate) fn provenance_in_words(provenance: ProvenanceKind, speaker: &str) -> String {
    let born = format!("born in the device and never out of it, by all that {speaker}");
    let words = match provenance {
        ProvenanceKind::Software => "in a file, and in memory while unlocked",
        ProvenanceKind::DeviceHeld => {
            "held by the device, not shown to be born there: there may be copies"
        }
        ProvenanceKind::Hardware => &born,
        ProvenanceKind::TpmSealed => "sealed to a TPM, in memory while unlocked",
        _ => "kept by a foreign signer",
    };
    format!("{provenance} ({words})")
}

pub(super) fn assurance_in_words(assurance: Assurance, is_tpm: bool) -> String {
    let words = match assurance {
        Assurance::SoftToken => {
            "soft token, for tests: whoever can read its files, or runs its host, can copy the key"
        }
        Assurance::RemoteService => {
            "a service elsewhere keeps the key: what it keeps keys in cannot be seen from here"
        }
        Assurance::Unstated => "the device does not say whether it is hardware",
        Assurance::Claimed if is_tpm => "the TPM's own word that it is hardware",
        // `CKF_HW_SLOT` is what a module says of a slot.
        Assurance::Claimed => "the module's word that the device is hardware",
        _ => "no device stands behind this key",
    };
    format!("{assurance} ({words})")
}

/// What whoever has just made a key has to know of its device, if anything.
pub(crate) fn assurance_warning(assurance: Assurance, is_tpm: bool) -> Option<&'static str> {
    match (assurance, is_tpm) {
        (Assurance::SoftToken, true) => {
            Some("This TPM is a virtual one: for tests, not for a node of value.")
        }
        (Assurance::SoftToken, false) => {
            Some("This token is software, a soft token: for tests, not for a node of value.")
        }
        (Assurance::RemoteService, _) => {
            Some("A service elsewhere keeps this key. It does not count as hardware.")
        }
        (Assurance::Unstated, _) => Some(
            "This token does not say whether it is hardware, so it does not count as such. If it \
             is software or a service elsewhere, set assurance_at_most under [identity.pkcs11] to \
             \"soft-token\" or \"remote-service\".",
        ),
        _ => None,
    }
}

/// Whose word an assurance is, if it is anybody's.
pub(super) const fn assurance_word(assurance: Assurance, is_tpm: bool) -> Option<Word> {
    match assurance {
        Assurance::Claimed if is_tpm => Some(Word::Device),
        Assurance::Claimed => Some(Word::Module),
        _ => None,
    }
}

/// `device: sensitive=true extractable=false; nobody: local=unknown`
pub(super) fn evidence_in_words(evidence: &EvidenceSummary) -> String {
    let mut parts = Vec::new();
    for word in [Some(Word::Device), Some(Word::Module), Some(Word::Nobody), None] {
        let facts: Vec<_> = evidence
            .facts()
            .iter()
            .filter(|(name, _)| evidence.words().get(*name).copied() == word)
            .map(|(name, fact)| format!("{name}={fact}"))
            .collect();
        if facts.is_empty() {
            continue;
        }
        let facts = facts.join(" ");
        parts.push(word.map_or_else(|| facts.clone(), |word| format!("{word}: {facts}")));
    }
    parts.join("; ")
}

/// What nothing takes back from a key that was imported.
pub(crate) fn in_file_until(until: u64) -> String {
    format!("in a file until {}: copies may exist, which sign as this DID", date(until))
}

/// What is said against the birth of a key in its token, of which no file tells more: by whom.
/// A module may say so of every key.
pub(crate) fn not_born_there(evidence: &EvidenceSummary) -> Option<&'static str> {
    if evidence.facts().get("local") != Some(&Fact::False) {
        return None;
    }
    match evidence.words().get("local")? {
        Word::Device => Some("written into the token, not born there: copies may exist"),
        Word::Module => Some("not born in the token, by its module's word: copies may exist"),
        _ => None,
    }
}

/// Whose word what a key was before is not, and why.
pub(super) fn nobodys_word(claim: &Claim) -> Option<String> {
    let nobodys = claim.evidence.words().iter().filter(|(_, word)| **word == Word::Nobody);
    let names: Vec<_> = nobodys.map(|(name, _)| name.as_str()).collect();
    let (made_up, distrusted) = (
        "this module is known to answer without asking the device",
        "trust_key_history = false under [identity.pkcs11]",
    );
    let why = match (claim.distrusts_history, claim.makes_up_history) {
        (true, Some(true)) => format!("{made_up}, and {distrusted} says the same of every module"),
        (true, _) => distrusted.to_owned(),
        _ if claim.was_in_file => "the key was in a file before it came into this token".to_owned(),
        (false, Some(true)) => made_up.to_owned(),
        (false, Some(false)) => {
            "that was so by its module or by trust_key_history when the header was written; `icnctl \
             id renew` writes it anew"
                .to_owned()
        }
        (false, None) => format!("{made_up}, or trust_key_history was false when it was last opened"),
    };
    let names = (!names.is_empty()).then(|| names.join(", "))?;
    Some(format!("\nNobody vouches for {names}: {why}. So the key counts as device-held.\n"))
}

/// Which settings take the device for less than it says.
pub(super) fn limits_in_words(claim: &Claim) -> Option<String> {
    (!claim.limits.is_empty()).then(|| {
        format!(
            "\nThe device said more than is shown here: {} under [identity.pkcs11] takes it for less, \
             and the key opens as what is shown.\n",
            claim.limits.join(" and ")
        )
    })
}
