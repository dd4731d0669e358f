use icn_identity::peer::{VerifiedDid, VerifiedPeer};

fn with_another_key(did: VerifiedDid, key: [u8; 32]) -> VerifiedPeer {
    VerifiedPeer { did, x25519_public: key, not_after: u64::MAX, sequence: 1 }
}

fn main() {}
