//! What signs here, for each test that wants every signer.

pub(crate) mod daemon;
pub(crate) mod dialects;
pub(crate) mod memory;

use icn_identity::AlgorithmId;
use support::softhsm::SoftHsm;

pub(crate) const BOTH: [AlgorithmId; 2] = [AlgorithmId::Ed25519, AlgorithmId::P256];

/// A key that another tool has brought onto a token, which has its label.
pub(crate) fn import(hsm: &SoftHsm, token: &str, algorithm: AlgorithmId, label: &str, id: &str) {
    match algorithm {
        AlgorithmId::Ed25519 => hsm.import(token, label, id),
        _ => {
            let curve = ["EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
            hsm.import_made_by(&curve, token, label, id)
        }
    };
}
