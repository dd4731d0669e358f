use icn_identity::X25519PublicKey;
use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn parts(peer: &VerifiedPeer) -> (&VerifiedDid, X25519PublicKey) {
    (peer.did(), peer.x25519_public_key())
}

fn main() {}
