use icn_identity::Provenance;

enum Mine {}

impl Provenance for Mine {}

fn main() {}
