use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn know_another(peer: &mut VerifiedPeer, other: VerifiedPeer) -> VerifiedDid {
    std::mem::replace(peer, other).into_did()
}

fn main() {}
