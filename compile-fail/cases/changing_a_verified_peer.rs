use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn become_another(peer: &mut VerifiedPeer, other: VerifiedDid) {
    peer.did = other;
}

fn main() {}
