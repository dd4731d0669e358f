use icn_identity::{Assurance, Custody, ProvenanceKind, ShownCustody};

fn forge() -> Custody {
    Custody::Shown(ShownCustody {
        provenance: ProvenanceKind::Hardware,
        assurance: Assurance::Claimed,
    })
}

fn main() {}
