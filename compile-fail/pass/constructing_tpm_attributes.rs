use icn_identity::{Evidence, evidence::Fact};

fn read(evidence: &Evidence) -> Vec<(&'static str, Fact)> {
    evidence.facts().collect()
}

fn main() {}
