use icn_identity::Hardware;
use icn_identity::attestation::Attested;
use icn_identity::peer::VerifiedDid;

fn believe(peer: &VerifiedDid, proof: &Attested<Hardware>) -> bool {
    peer == proof
}

fn main() {}
