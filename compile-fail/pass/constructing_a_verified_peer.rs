use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn parts(peer: &VerifiedPeer) -> (&VerifiedDid, &[u8; 32]) {
    (peer.did(), peer.x25519_public_key())
}

fn main() {}
