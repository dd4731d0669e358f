use icn_identity::Evidence;

fn copy(evidence: &Evidence) -> Evidence {
    evidence.clone()
}

fn main() {}
