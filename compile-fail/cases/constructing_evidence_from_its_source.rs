use icn_identity::Evidence;

fn forge(evidence: &Evidence) -> Evidence {
    let Evidence(source) = evidence;
    Evidence(source.clone())
}

fn main() {}
