use icn_identity::Evidence;

fn forge(evidence: Evidence) -> Evidence {
    Evidence { is_attested: true, ..evidence }
}

fn main() {}
