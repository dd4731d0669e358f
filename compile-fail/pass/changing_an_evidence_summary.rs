use icn_identity::ProvenanceKind;
use icn_identity::keystore::EvidenceSummary;

fn read(summary: &EvidenceSummary) -> ProvenanceKind {
    summary.provenance()
}

fn main() {}
