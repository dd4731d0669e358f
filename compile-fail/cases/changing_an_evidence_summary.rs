use icn_identity::ProvenanceKind;
use icn_identity::keystore::EvidenceSummary;

fn forge(summary: &mut EvidenceSummary) {
    summary.provenance = ProvenanceKind::Hardware;
}

fn main() {}
