use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn act_for(peer: VerifiedDid) -> String {
    peer.to_string()
}

fn know(peer: VerifiedPeer) -> String {
    act_for(peer.into_did())
}

fn main() {}
