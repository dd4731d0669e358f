use icn_identity::attestation::Attestable;

enum Mine {}

impl Attestable for Mine {}

fn main() {}
