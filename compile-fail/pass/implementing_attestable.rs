use icn_identity::attestation::{Attestable, Attested};

struct Proof<P: Attestable>(Attested<P>);

fn main() {}
