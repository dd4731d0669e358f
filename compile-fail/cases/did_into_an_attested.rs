use icn_identity::Hardware;
use icn_identity::attestation::Attested;
use icn_identity::peer::VerifiedDid;

fn believe(peer: VerifiedDid) -> Attested<Hardware> {
    peer.into()
}

fn main() {}
