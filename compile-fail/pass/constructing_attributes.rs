use icn_identity::{Evidence, evidence::Attribute};

fn read(evidence: &Evidence) -> Vec<Attribute> {
    evidence.facts().collect()
}

fn main() {}
