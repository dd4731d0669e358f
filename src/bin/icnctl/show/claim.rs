//! What is said of a key at most.

use icn_identity::Assurance;
use icn_identity::backend::BackendKind;
use icn_identity::keystore::{EvidenceSummary, Header};

use crate::context::Context;

/// What the header says of a key, as far as the configuration believes it.
pub(super) struct Claim {
    pub(super) evidence: EvidenceSummary,
    pub(super) assurance: Assurance,
    pub(super) hardware_backed: bool,
    /// The settings that are in force, and by which it is less than the header says.
    pub(super) limits: Vec<String>,
    /// The history of a key does not count, by the configuration.
    pub(super) distrusts_history: bool,
    /// The key was in a file before: what its module says of its birth is nobody's word.
    pub(super) was_in_file: bool,
    /// Whether its module is known to make that history up, where it was seen.
    pub(super) makes_up_history: Option<bool>,
}

impl Claim {
    pub(super) fn of(context: &Context, header: &Header) -> Self {
        let config = context.config.identity.pkcs11.as_ref();
        let config = config.filter(|_| header.backend() == BackendKind::Pkcs11);
        let said = header.claimed_evidence();
        // Older headers do not say whose word it was.
        let is_hardware = said.is_hardware_backed() && !said.words().is_empty();
        let (mut evidence, mut assurance) = (said.clone(), said.assurance());
        let mut limits = Vec::new();
        let distrusts_history = config.is_some_and(|config| !config.trust_key_history);
        if distrusts_history {
            evidence = said.without_history();
            if evidence != *said {
                limits.push("trust_key_history = false".to_owned());
            }
        }
        if let Some(config) = config
            && config.assurance_at_most < assurance
        {
            assurance = config.assurance_at_most;
            limits.push(format!("assurance_at_most = \"{assurance}\""));
        }
        let hardware_backed = is_hardware && assurance >= Assurance::Claimed;
        let makes_up_history = None;
        let was_in_file = header.in_file_until().is_some();
        Self {
            evidence,
            assurance,
            hardware_backed,
            limits,
            distrusts_history,
            was_in_file,
            makes_up_history,
        }
    }

    /// With what was seen of its module.
    pub(super) fn seen(self, makes_up_history: Option<bool>) -> Self {
        Self { makes_up_history, ..self }
    }
}
